"""Tables with a header (.csv, .tsv): the numeric columns are the features."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from lowerbound.data.arrays import ArrayRows
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError, nearest

_LABELS = ("label", "labels", "class", "target", "species", "y")
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))


def read(path: Path, label: str | None = None, attributes: tuple[str, ...] | None = None) -> Source:
    """A table with a header.

    Columns of numbers are features; a column called `label`, `class`, `target`, `species` or `y`
    (or `label`, where given) holds the classes, unless its numbers are fractions; other columns of
    texts are left aside, and told. Columns in `attributes` are no features but attributes of each
    example.

    Raises:
        LowerboundError: no header; rows of another length; no column of numbers; no such column.
    """
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.read(4096)
            if delimiter == "," and start.split("\n")[0].count(";") > start.split("\n")[0].count(
                ","
            ):
                delimiter = ";"
            file.seek(0)
            table = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise LowerboundError(
            f"expected a table of texts in {path.name}, came something else ({error})"
        ) from None
    if len(table) < 2:
        raise LowerboundError(
            f"expected a header and rows in {path.name}, came {len(table)} lines in all"
        )
    header, rows = [name.strip() for name in table[0]], table[1:]
    if all(_number(cell) is not None for cell in header):
        raise LowerboundError(
            f"expected names in the first line of {path.name}, came numbers "
            f"({', '.join(header[:4])}): add a header line, or save it as .npy"
        )
    for line, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise LowerboundError(
                f"expected {len(header)} cells in each line of {path.name}, "
                f"came {len(row)} in line {line}: mend that line"
            )
    if label is not None and label not in header:
        raise LowerboundError(
            f"expected a column of {path.name} ({', '.join(header)}), "
            f"came '{label}'{nearest(label, header)}"
        )
    for name in attributes or ():
        if name not in header:
            raise LowerboundError(
                f"expected attributes among the columns of {path.name} ({', '.join(header)}), "
                f"came '{name}'{nearest(name, header)}"
            )
    lowered = [name.lower() for name in header]
    named = label is not None
    if label is None:
        label = next((header[lowered.index(name)] for name in _LABELS if name in lowered), None)
    features: dict[str, np.ndarray] = {}
    labels, aside = None, []
    beside: dict[str, np.ndarray] = {}
    for name, cells in zip(header, zip(*rows, strict=True), strict=True):
        numbers = [_number(cell) for cell in cells]
        if attributes is not None and name in attributes:
            if any(number is None for number in numbers):
                raise LowerboundError(
                    f"expected attributes of numbers, came texts in column '{name}' of {path.name}"
                )
            beside[name] = np.array(numbers, np.float64)
        elif name == label and (named or not _continuous(numbers)):
            labels = _labels(cells, numbers)
        elif any(number is None for number in numbers):
            aside.append(name)
        else:
            features[name] = np.array(numbers, np.float64)
    if not features:
        raise LowerboundError(
            f"expected columns of numbers in {path.name}, came only texts ({', '.join(header)})"
        )
    columns = tuple(features)
    array = np.stack([features[name] for name in columns], axis=1)
    source = Source(path.stem, ArrayRows(array, path.name), labels, columns=columns)
    source.as_came = "table of numbers"
    if attributes:
        source.attribute_names = tuple(attributes)
        source.attributes = np.stack([beside[name] for name in attributes], axis=1)
    source.notes.append(("features", ", ".join(columns[:8]) + (", ..." if columns[8:] else "")))
    if aside:
        source.notes.append(("left aside", f"columns of texts: {', '.join(aside)}"))
    return source


def _number(cell: str) -> float | None:
    """The number in a cell, NaN where one is missing, None where there is a text."""
    cell = cell.strip()
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def _continuous(numbers: list[float | None]) -> bool:
    """Whether a column holds fractions, which name no classes: the ``y`` of a point, say."""
    return any(n is not None and math.isfinite(n) and n != round(n) for n in numbers)


def _labels(cells: tuple[str, ...], numbers: list[float | None]) -> np.ndarray:
    if all(number is not None and float(number).is_integer() for number in numbers):
        return np.array(numbers, np.int64)
    return np.array([cell.strip() for cell in cells])
