"""What is known of files beside what is in them: labels by a pattern of their names, by a table or
by their folders, and which of them are for testing."""

from __future__ import annotations

import csv
import operator
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from lowerbound.errors import LowerboundError, nearest

Fields = dict[str, list[str]]

_PART = re.compile(r"\{(\w*)\}")
_WHERE = re.compile(r"\s*(\w+)\s*(<=|>=|!=|==|=|<|>)\s*(\S.*?)\s*$")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FILES = ("file", "file_name", "filename", "path", "name", "clip")
TABLES = ("labels.csv", "metadata.csv")
_TAKEN = ("labels", "attributes", "position")


def by_pattern(names: Sequence[str], pattern: str) -> Fields:
    """Fields of files by a pattern of their names, such as ``{digit}_{speaker}_{index}``.

    Args:
        names: paths within the folder.
        pattern: the name without what follows its last dot; ``{}`` stands for anything. With a
            slash it is of the path, else of the file's own name.

    Raises:
        LowerboundError: no field, a field twice, or a name that is otherwise.

    >>> by_pattern(["a/7_theo_0.wav"], "{digit}_{speaker}_{index}")
    {'digit': ['7'], 'speaker': ['theo'], 'index': ['0']}
    """
    fields = [field for field in _PART.findall(pattern) if field]
    if not fields or len(set(fields)) < len(fields):
        raise LowerboundError(
            "expected a pattern with fields in braces, each once, such as "
            f"{{digit}}_{{speaker}}_{{index}}, came '{pattern}'"
        )
    _refuse_taken(fields, "the pattern")
    pieces = _PART.split(re.sub(r"\.[A-Za-z]\w*$", "", pattern))
    # Every second piece is a field; the shortest match, so that {a}_{b} cuts at the first stroke.
    parts = [
        re.escape(piece) if place % 2 == 0 else f"(?P<{piece}>[^/]+?)" if piece else "[^/]*?"
        for place, piece in enumerate(pieces)
    ]
    whole = re.compile("".join(parts))
    found: Fields = {field: [] for field in fields}
    for name in names:
        path = PurePosixPath(name)
        stem = path.with_suffix("").as_posix() if "/" in pattern else path.stem
        match = whole.fullmatch(stem)
        if match is None:
            raise LowerboundError(
                f"expected names like the pattern '{pattern}', came {name}: mend the pattern "
                "(--pattern), or keep the others in a folder of their own"
            )
        for field in fields:
            found[field].append(match[field])
    return found


def by_table(names: Sequence[str], table: Path) -> Fields:
    """Fields of files by a table (.csv) of which a column names them.

    Args:
        names: paths within the folder.
        table: with a header; its column ``file``, ``filename``, ``path`` or ``name``, else its
            first one, holds the files' paths or their names, with or without what follows the last
            dot. Rows of other files are left aside.

    Raises:
        LowerboundError: it does not open, has no such column, or lacks a file.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LowerboundError(
            f"expected a table of labels at {table}, came one that does not open ({error})"
        ) from None
    if len(rows) < 2 or len(rows[0]) < 2:
        raise LowerboundError(
            f"expected a header with a file and a label at least, and rows, in {table}, came "
            f"{len(rows)} lines of {len(rows[0]) if rows else 0} columns"
        )
    header = [cell.strip() for cell in rows[0]]
    lowered = [cell.lower() for cell in header]
    key = next((lowered.index(name) for name in _FILES if name in lowered), 0)
    fields = [name for place, name in enumerate(header) if place != key]
    _refuse_taken(fields, table.name)
    known: dict[str, list[str]] = {}
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise LowerboundError(
                f"expected {len(header)} cells in each line of {table.name}, came {len(row)} in "
                f"line {line}: mend that line"
            )
        cells = [cell.strip() for place, cell in enumerate(row) if place != key]
        path = PurePosixPath(row[key].strip())
        for spelling in (path.as_posix(), path.name, path.stem):
            known.setdefault(spelling, cells)
    found: Fields = {field: [] for field in fields}
    for name in names:
        path = PurePosixPath(name)
        spelled = (path.as_posix(), path.with_suffix("").as_posix(), path.name, path.stem)
        row = next((known[each] for each in spelled if each in known), None)
        if row is None:
            raise LowerboundError(
                f"expected every file in {table.name}, came none of {name}: add its line to column "
                f"'{header[key]}', or keep the file elsewhere"
            )
        for field, cell in zip(fields, row, strict=True):
            found[field].append(cell)
    return found


def by_folder(names: Sequence[str]) -> tuple[Fields, list[str] | None]:
    """The class folders that files lie in, and the part (train, validation, test) that they are of.

    Returns:
        the field ``label``, or nothing where files lie in no folders; the part of each file, None
        where there are no such folders.
    """
    parts = {"train": "train", "training": "train", "test": "test", "testing": "test"}
    parts |= dict.fromkeys(("val", "valid", "validation"), "validation")
    paths = [PurePosixPath(name).parts for name in names]
    base = 0
    while all(len(path) > base + 1 for path in paths) and len({p[base] for p in paths}) == 1:
        base += 1
    inner = [path[base:] for path in paths]
    first = [parts.get(path[0].lower()) if len(path) > 1 else None for path in inner]
    split = None
    if all(first) and {"train", "test"} <= set(first):
        split = [str(each) for each in first]
        inner = [path[1:] for path in inner]
    if any(len(path) < 2 for path in inner):
        return {}, split
    return {"label": ["/".join(path[:-1]) for path in inner]}, split


def where(fields: Fields, condition: str) -> np.ndarray:
    """Which files fulfil a condition on their fields.

    Args:
        fields: of the files.
        condition: ``index<5``, ``speaker=theo,george``, several joined by ``and``.

    Returns:
        bool (N,).

    Raises:
        LowerboundError: it is no condition, of another field, or of texts where numbers are needed.

    >>> where({"index": ["3", "12"], "speaker": ["theo", "lucas"]}, "index<5 and speaker=theo")
    array([ True, False])
    """
    chosen = np.ones(len(next(iter(fields.values()), [])), bool)
    for part in re.split(r"\s+and\s+", condition.strip()):
        match = _WHERE.fullmatch(part)
        if match is None:
            raise LowerboundError(
                f"expected a condition such as index<5 or speaker=theo,george, came '{part}'"
            )
        name, sign, text = match.groups()
        if name not in fields:
            hint = nearest(name, fields) or f"; there are: {', '.join(fields) or 'none'}"
            raise LowerboundError(
                f"expected a condition on a field of the names or the table, came '{name}'{hint}"
            )
        cells = fields[name]
        if sign in _COMPARE:
            numbers = [_number(cell) for cell in [text, *cells]]
            if None in numbers:
                wrong = [text, *cells][numbers.index(None)]
                raise LowerboundError(
                    f"expected numbers to compare in '{part}', came '{wrong}'; pass {name}=VALUE"
                )
            limit, *values = (float(n) for n in numbers if n is not None)
            chosen &= np.array([_COMPARE[sign](value, limit) for value in values])
        else:
            wanted = {each.strip() for each in text.split(",")}
            unknown = sorted(wanted - set(cells))
            if unknown:
                raise LowerboundError(
                    f"expected a value of '{name}' in '{part}', came '{unknown[0]}', which no file "
                    f"has{nearest(unknown[0], set(cells))}"
                )
            inside = np.array([cell in wanted for cell in cells])
            chosen &= ~inside if sign == "!=" else inside
    return chosen


def named_in(condition: str) -> set[str]:
    """The fields that a condition is about.

    >>> named_in("index<5 and speaker=theo")
    {'index'}
    """
    matches = [_WHERE.fullmatch(part) for part in re.split(r"\s+and\s+", condition.strip())]
    # A speaker that is held out is a label still; a number that is compared with is none.
    return {match[1] for match in matches if match is not None and match[2] in _COMPARE}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _refuse_taken(fields: Sequence[str], where: str) -> None:
    for name in fields:
        if name in _TAKEN or not name.isidentifier():
            raise LowerboundError(
                f"expected names of fields that are words, and none of {', '.join(_TAKEN)}, came "
                f"'{name}' in {where}: call it otherwise"
            )
