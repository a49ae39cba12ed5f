"""Attributes beside images: numbers for each file, read from a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lowerbound.data.beside import FILE, Named, cells_of, find, matched, text_of
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError, nearest

SUFFIXES = (".csv", ".tsv", ".txt")


class Attributes(NamedTuple):
    """What a table says of images: names, and numbers float32 ``(A,)`` by image."""

    names: tuple[str, ...]
    values: Mapping[str, np.ndarray]


def beside_images(
    asked: str, folder: str, files: Any, images: Sequence[str], skip_bad: bool
) -> Attributes:
    """The attributes of a folder's or zip's images.

    Args:
        asked: the table's path, here or in the folder. In a .csv or .tsv a column named file holds
            the images and all others the attributes; a .txt is in the form of CelebA's
            ``list_attr_celeba.txt``: a count, a line of names, a line for each image.
        folder: its name, for messages.
        files: of the folder or zip, to be read by name (`lowerbound.data.decode.Files`).
        images: those of them that are images.
        skip_bad: leave out rows without an image and images without a row.

    Raises:
        LowerboundError: there is no such table, it does not fit the images, or a cell is no number.
    """
    name, content = find("attributes", asked, folder, files, SUFFIXES)
    names, rows, values = read_table(name, content)
    # CelebA's lists are of 202,599 pictures, of which a folder may hold some.
    places = matched(rows, images, name, skip_bad or name.endswith(".txt"), one="row")
    for image, several in places.items():
        if len(several) > 1:
            lines = ", ".join(str(rows[k].line) for k in several[:3])
            raise LowerboundError(
                f"{name}: expected one row for each image, came {len(several)} of {image} (lines "
                f"{lines}); keep one"
            )
    return Attributes(names, {image: values[several[0]] for image, several in places.items()})


def read_table(name: str, content: bytes) -> tuple[tuple[str, ...], list[Named], np.ndarray]:
    """Names of the attributes, the files with their lines, and values float32 ``(N, A)``.

    >>> names, rows, values = read_table("a.csv", b"file,smile,age\\n1.png,0,31.5\\n2.png,1,40\\n")
    >>> names, rows[1].file, values.tolist()
    (('smile', 'age'), '2.png', [[0.0, 31.5], [1.0, 40.0]])
    """
    text = text_of(name, content)
    lists = name.lower().endswith(".txt")
    header, table, file = (_of_lists if lists else _of_columns)(name, text)
    rows, values = [], []
    for line, cells in table:
        if len(cells) != len(header):
            raise LowerboundError(
                f"{name}, line {line}: expected {len(header)} cells, came {len(cells)}; complete it"
            )
        rows.append(Named(line, cells[file]))
        values.append(
            [_number(name, line, h, c) for k, (h, c) in enumerate(zip(header, cells, strict=True))
             if k != file]
        )  # fmt: skip
    names = tuple(each for k, each in enumerate(header) if k != file)
    if not names or not rows:
        raise LowerboundError(
            f"expected a column of files and others of numbers in {name}, came {len(names)} "
            f"attributes of {len(rows)} images; write e.g. the lines file,smile and 1.png,0"
        )
    repeated = next((each for each in names if names.count(each) > 1), None)
    if repeated is not None:
        raise LowerboundError(
            f"expected attributes of different names in {name}, came '{repeated}' twice"
        )
    return names, rows, np.array(values, np.float32)


def put(source: Source, found: Attributes, kept: Mapping[str, list[str]]) -> None:
    """Attributes of the images of each part, in their order."""
    source.attribute_names = found.names
    for part, names in kept.items():
        values = np.stack([found.values[each] for each in names])
        setattr(source, "attributes" if part == "train" else f"{part}_attributes", values)


def _of_columns(name: str, text: str) -> tuple[list[str], list[tuple[int, list[str]]], int]:
    table = cells_of(name, text)
    header = table[0][1] if table else []
    low = [each.lower() for each in header]
    file = next((low.index(each) for each in FILE if each in low), None)
    if file is None:
        near = next((hint for each in low if (hint := nearest(each, FILE))), "")
        raise LowerboundError(
            f"expected a column file in the first line of {name}, came "
            f"{', '.join(header)[:80] or 'nothing'}{near}; name the column of the images file"
        )
    return header, table[1:], file


def _of_lists(name: str, text: str) -> tuple[list[str], list[tuple[int, list[str]]], int]:
    """CelebA's form; the first line may be left out."""
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, cells) for number, cells in lines if cells]
    if lines and len(lines[0][1]) == 1 and lines[0][1][0].isdigit():
        lines = lines[1:]
    if not lines:
        return ["file"], [], 0
    return ["file", *lines[0][1]], lines[1:], 0


def _number(name: str, line: int, column: str, cell: str) -> float:
    low = cell.lower()
    if low in ("yes", "true", "no", "false"):
        return float(low in ("yes", "true"))
    try:
        found = float(cell)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise LowerboundError(
            f"{name}, line {line}, {column}: expected a number, yes or no, came '{cell[:40]}'; "
            "write classes as columns of 0 and 1"
        )
    return found
