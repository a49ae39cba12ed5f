"""Tables beside images: found, read, and their lines matched with the files that they name."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from lowerbound.errors import LowerboundError, nearest

#: What the column that names the images may be called.
FILE = ("file", "filename", "file_name", "image", "image_id", "image_path", "path", "name")
_SHOWN = 3


class Named(NamedTuple):
    """A line of a table, and the file that it is of."""

    line: int
    file: str


def text_of(name: str, content: bytes) -> str:
    """A table as text.

    Raises:
        LowerboundError: it is not in UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise LowerboundError(
            f"{name}, line {line}: expected text in UTF-8, came other bytes; save it as UTF-8"
        ) from None


def cells_of(name: str, text: str) -> list[tuple[int, list[str]]]:
    """Lines of a table with their numbers; empty ones are left out.

    Args:
        name: .tsv is divided by tabs, others by commas or semicolons.
        text: of the table.

    Raises:
        LowerboundError: it is no table.
    """
    first = text.partition("\n")[0]
    delimiter = "\t" if name.lower().endswith(".tsv") else ","
    if delimiter == "," and first.count(";") > first.count(","):
        delimiter = ";"
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except csv.Error as error:
        raise LowerboundError(
            f"expected a table in {name}, came something else ({error})"
        ) from None


def find(
    what: str, asked: str, folder: str, files: Any, suffixes: Sequence[str]
) -> tuple[str, bytes]:
    """A table among the files of a folder or zip, or elsewhere: its name and content.

    Args:
        what: it holds (captions, attributes), which is the option's name too.
        asked: its name there, or its path.
        folder: for messages.
        files: to be read by name (`lowerbound.data.decode.Files`).
        suffixes: that it may have.

    Raises:
        LowerboundError: there is none.
    """
    if asked in files.names:
        return PurePosixPath(asked).name, files.read(asked)
    path = Path(asked).expanduser()
    if path.suffix.lower() not in suffixes:
        raise LowerboundError(
            f"{what}: expected a table ({', '.join(suffixes)}), came {asked}; pass e.g. "
            f"--{what} {what}.csv"
        )
    if not path.is_file():
        raise LowerboundError(
            f"{what}: expected a table, came {asked}, which is no file here nor in {folder}"
            f"{nearest(path.name, [PurePosixPath(n).name for n in files.names])}"
        )
    return path.name, path.read_bytes()


def matched(
    rows: Sequence[Named],
    images: Sequence[str],
    name: str,
    skip: bool = False,
    *,
    one: str,
) -> dict[str, list[int]]:
    """Which rows are of each image.

    A row names an image by its path in the folder, or by the file's name alone where only one image
    has it, with or without its ending.

    Args:
        rows: of the table.
        images: paths in the folder.
        name: of the table, for messages.
        skip: leave out rows without an image, and images without a row, instead of refusing.
        one: what a row is, for messages: "caption".

    Raises:
        LowerboundError: rows without an image, images without a row, or a name that several images
            have.
    """
    paths = {str(PurePosixPath(each)): each for each in images}
    names: dict[str, list[str]] = {}
    for path, each in paths.items():
        for short in {PurePosixPath(path).name, PurePosixPath(path).stem, path.rpartition(".")[0]}:
            names.setdefault(short, []).append(each)
    found: dict[str, list[int]] = {}
    lost: list[Named] = []
    for number, row in enumerate(rows):
        wanted = str(PurePosixPath(row.file.replace("\\", "/")))
        image = paths.get(wanted)
        if image is None:
            alike = names.get(wanted) or names.get(PurePosixPath(wanted).name) or []
            if len(alike) > 1:
                raise LowerboundError(
                    f"{name}, line {row.line}: expected one image called {row.file}, came "
                    f"{len(alike)} ({', '.join(alike[:_SHOWN])}); write the path in the folder"
                )
            image = alike[0] if alike else None
        if image is None:
            lost.append(row)
        else:
            found.setdefault(image, []).append(number)
    if lost and not skip:
        told = ", ".join(f"{row.file} (line {row.line})" for row in lost[:_SHOWN])
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        near = nearest(PurePosixPath(lost[0].file).name, [PurePosixPath(p).name for p in paths])
        raise LowerboundError(
            f"expected an image for each {one} of {name}, came {len(lost)} {one}s without: "
            f"{told}{more}{near}; add the images, or leave these lines out with skip_bad "
            "(--skip-bad)"
        )
    bare = [each for each in images if each not in found]
    if bare and (not skip or not found):
        told = ", ".join(bare[:_SHOWN]) + (", ..." if len(bare) > _SHOWN else "")
        raise LowerboundError(
            f"expected a {one} for each image, came {len(bare)} of {len(images)} images without in "
            f"{name}: {told}; add lines, or leave these images out with skip_bad (--skip-bad)"
        )
    return found
