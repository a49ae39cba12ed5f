"""Tables with a header (.csv, .tsv): the numeric columns are the features."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lowerbound.data.arrays import ArrayRows
from lowerbound.data.cells import Column, Times, column_of, no_number, number, times_of
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError, nearest

_LABELS = ("label", "labels", "class", "target", "species", "y")
# From this share of numbers on, a text among them is a fault and not what the column is of: tickets
# and codes are often numbers, and a table of examples may well hold such a column.
_OF_STEPS, _OF_EXAMPLES = 0.5, 0.9


class Table(NamedTuple):
    """Texts by their columns.

    Args:
        name: of the file, for messages.
        columns: cells of each, from the top.
        lines: of the file in which they stand.
    """

    name: str
    columns: dict[str, tuple[str, ...]]
    lines: list[int]


def opened(path: Path, name: str | None = None) -> Table:
    """The cells of a table with a header.

    Args:
        path: of it.
        name: for messages; None: the file's own.

    Raises:
        LowerboundError: no header, a name twice, or rows of another length.
    """
    name = path.name if name is None else name
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.readline()
            if delimiter == "," and start.count(";") > start.count(","):
                delimiter = ";"
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            table = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise LowerboundError(
            f"expected a table of texts in {name}, came something else ({error})"
        ) from None
    if len(table) < 2:
        lines = f"{len(table)} line{'' if len(table) == 1 else 's'}"
        raise LowerboundError(f"expected a header and rows in {name}, came {lines} in all")
    header, rows = [cell.strip() for cell in table[0][1]], table[1:]
    if all(number(cell) is not None for cell in header):
        raise LowerboundError(
            f"expected names in the first line of {name}, came numbers "
            f"({', '.join(header[:4])}): add a header line, or save it as .npy"
        )
    twice = next((each for each in header if header.count(each) > 1), None)
    if twice is not None:
        raise LowerboundError(
            f"expected columns of different names in {name}, came '{twice}' "
            f"{header.count(twice)} times: rename them"
        )
    for line, row in rows:
        if len(row) != len(header):
            raise LowerboundError(
                f"expected {len(header)} cells in each line of {name}, "
                f"came {len(row)} in line {line}: mend that line"
            )
    cells = zip(*(row for _, row in rows), strict=True)
    return Table(name, dict(zip(header, cells, strict=True)), [line for line, _ in rows])


def read(
    path: Path,
    label: str | None = None,
    attributes: tuple[str, ...] | None = None,
) -> Source:
    """A table with a header, whose rows are examples.

    Columns of numbers are features, others are left aside, and told. Columns in `attributes` are no
    features but attributes of each example; of steps the one that there is holds their times. Of
    examples a column called `label`, `class`, `target`, `species` or `y` (or `label`, where given)
    holds the classes, unless its numbers are fractions.

    Args:
        path: of the table.
        label: the column of classes.
        attributes: columns.

    Raises:
        LowerboundError: no header; rows of another length; no column of numbers; no such column; a
            text in a column of numbers.
    """
    table = opened(path)
    header = list(table.columns)
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
    found, beside = {}, {}
    labels = None
    for name, cells in table.columns.items():
        column = column_of(cells, table.lines)
        if attributes is not None and name in attributes:
            if column.odd is not None:
                raise LowerboundError(
                    f"expected attributes of numbers, came texts in column '{name}' of "
                    f"{path.name}, first '{column.odd[1]}' in line {column.odd[0]}"
                )
            beside[name] = column.values
        elif name == label and (named or not _continuous(column)):
            labels = _labels(cells, column)
        else:
            found[name] = column
    features, aside = numeric(table, found, _OF_EXAMPLES)
    source = _source(path, table, features, aside)
    source.labels = labels
    if attributes:
        source.attribute_names = tuple(attributes)
        source.attributes = np.stack([beside[name] for name in attributes], axis=1)
    return source


def read_steps(path: Path, time: str | None) -> tuple[dict[str, np.ndarray], Times | None]:
    """A table with a header, whose rows are the steps of one sequence: its columns of numbers, and
    the times in that of this name.

    Raises:
        LowerboundError: as of `read`, and times that are none, or do not rise.
    """
    table = opened(path)
    found, times = steps_of(table, time)
    return numeric(table, found, _OF_STEPS)[0], times


def steps_of(table: Table, time: str | None) -> tuple[dict[str, Column], Times | None]:
    """The columns of a table whose rows are steps, less that of the times, and these.

    Raises:
        LowerboundError: there is no such column, or what is in it are no times.
    """
    if time is not None and time not in table.columns:
        raise LowerboundError(
            f"expected one of the columns {', '.join(table.columns)} of {table.name}, "
            f"came time '{time}' (--time){nearest(time, table.columns)}"
        )
    times = None
    if time is not None:
        times = times_of(table.columns[time], table.lines, time, table.name)
    rest = {name: cells for name, cells in table.columns.items() if name != time}
    return {name: column_of(cells, table.lines) for name, cells in rest.items()}, times


def numeric(
    table: Table, columns: dict[str, Column], mostly: float
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The columns of numbers, and the names of those of texts.

    Args:
        table: that they are of.
        columns: of it.
        mostly: where more than this share of what is known are numbers, a text is refused.

    Raises:
        LowerboundError: a text in a column of numbers, or no such column.
    """
    for name, column in columns.items():
        if column.odd is not None and column.known > mostly * (column.known + column.texts):
            raise no_number(name, table.name, column.odd)
    features = {name: column.values for name, column in columns.items() if not column.texts}
    if not features:
        raise LowerboundError(
            f"expected columns of numbers in {table.name}, came only texts "
            f"({', '.join(table.columns)})"
        )
    return features, [name for name, column in columns.items() if column.texts]


def _source(path: Path, table: Table, features: dict[str, np.ndarray], aside: list[str]) -> Source:
    columns = tuple(features)
    array = np.stack([features[name] for name in columns], axis=1)
    source = Source(path.stem, ArrayRows(array, table.name), columns=columns)
    source.as_came = "table of numbers"
    source.notes.append(("features", ", ".join(columns[:8]) + (", ..." if columns[8:] else "")))
    if aside:
        source.notes.append(("left aside", f"columns of texts: {', '.join(aside)}"))
    return source


def _continuous(column: Column) -> bool:
    """Whether a column holds fractions, which name no classes: the ``y`` of a point, say."""
    return any(math.isfinite(n) and n != round(n) for n in column.values.tolist())


def _labels(cells: tuple[str, ...], column: Column) -> np.ndarray:
    values = column.values
    if not column.texts and bool((np.isfinite(values) & (values == np.rint(values))).all()):
        return values.astype(np.int64)
    return np.array([cell.strip() for cell in cells])
