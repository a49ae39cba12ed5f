"""What data are known to vary in: a table of factors, from labels, attributes, or a file."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError

Array = NDArray[Any]

#: A factor of more different values than this is a quantity, not a choice among values.
MOST_VALUES = 64
_EACH = 5  # and so is one whose values hardly ever come twice
_SUFFIXES = (".csv", ".tsv", ".npz", ".npy")


@dataclass(frozen=True)
class Factors:
    """A table of factors: a row for each example.

    Attributes:
        names: of the columns.
        values: float64 ``(N, F)``; a discrete factor as the place of its value, 0, 1, ….
        discrete: which columns have few values, each of which comes often; the others are
            quantities. ``(F,)``.
        ordered: which columns are of numbers, whose order means something; those of texts, and
            labels, have none. ``(F,)``.

    >>> found = Factors.of({"shape": ["heart", "square", "heart"], "size": [0.5, 0.7, 0.9]})
    >>> found.names, found.values[:, 0].tolist()
    (('shape', 'size'), [0.0, 1.0, 0.0])
    """

    names: tuple[str, ...]
    values: Array
    discrete: tuple[bool, ...]
    ordered: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(
        cls, table: Any, names: Sequence[str] | None = None, unordered: Sequence[str] = ()
    ) -> Factors:
        """Factors from a mapping of columns, a matrix ``(N, F)``, or what already is one.

        Columns of one value alone tell nothing and are left out.

        Args:
            table: ``{name: (N,)}`` of numbers or texts, or an array ``(N,)`` or ``(N, F)``.
            names: of an array's columns; by default ``factor 0``, ….
            unordered: columns of numbers that are names, such as labels.

        Raises:
            LowerboundError: no numbers or texts, columns of different length, values that are not
                finite, or none that varies.
        """
        if isinstance(table, Factors):
            return table
        columns = _columns(table, names)
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise LowerboundError(
                f"factors: expected columns of one length, came {sorted(lengths)}; pass a row for "
                "each example"
            )
        kept, values, discrete, ordered = [], [], [], []
        for name, column in columns.items():
            found, is_discrete, is_ordered = _column(name, column, name in unordered)
            if found.min() < found.max():
                kept.append(name)
                values.append(found)
                discrete.append(is_discrete)
                ordered.append(is_ordered)
        if not kept:
            raise LowerboundError(
                "factors: expected at least one that varies, came none; pass a table of what "
                "differs between the examples"
            )
        return cls(tuple(kept), np.stack(values, 1), tuple(discrete), tuple(ordered))

    def take(self, rows: Array) -> Factors:
        """Some of the rows; a factor that does not vary among them is left out."""
        raw = {name: self.values[rows, k] for k, name in enumerate(self.names)}
        kept = [k for k, column in enumerate(raw.values()) if column.min() < column.max()]
        if not kept:
            raise LowerboundError(
                "factors: expected at least one that varies among the examples, came none; pass "
                "more examples"
            )
        columns = []
        for k in kept:
            column = raw[self.names[k]]
            columns.append(
                np.unique(column, return_inverse=True)[1] if self.discrete[k] else column
            )
        return Factors(
            tuple(self.names[k] for k in kept),
            np.stack(columns, 1).astype(np.float64),
            tuple(self.discrete[k] for k in kept),
            tuple(self.ordered[k] for k in kept),
        )

    def counts(self) -> list[int]:
        """Different values of each factor."""
        return [len(np.unique(column)) for column in self.values.T]


def read_factors(path: str | Path) -> Factors:
    """Factors from a file: .csv or .tsv with a line of names, .npz of columns, .npy (N, F).

    Raises:
        LowerboundError: it does not open, or is no such table.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in _SUFFIXES:
        raise LowerboundError(
            f"factors: expected a file that ends in {', '.join(_SUFFIXES)}, came '{path.name}'"
        )
    try:
        if path.suffix.lower() == ".npy":
            return Factors.of(np.load(path, allow_pickle=False), None)
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as content:
                return Factors.of({name: content[name] for name in content.files})
        mark = "\t" if path.suffix.lower() == ".tsv" else ","
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file, delimiter=mark) if line]
    except FileNotFoundError:
        raise LowerboundError(f"factors: no such file: {path}") from None
    except (OSError, ValueError, UnicodeDecodeError) as error:
        text = str(error).partition("\n")[0]
        raise LowerboundError(f"factors: {path} does not open as a table ({text})") from None
    if len(lines) < 2 or len({len(line) for line in lines}) != 1:
        raise LowerboundError(
            f"factors: expected a line of names and a line for each example in {path}, each of as "
            "many cells; save the table again"
        )
    names, rows = lines[0], lines[1:]
    return Factors.of({name: [row[k] for row in rows] for k, name in enumerate(names)})


def _columns(table: Any, names: Sequence[str] | None) -> dict[str, Array]:
    if isinstance(table, Mapping):
        found: dict[str, Array] = {}
        for name, column in table.items():
            values = np.asarray(column)
            if values.ndim == 2:  # several numbers under one name
                found |= {f"{name} {k}": values[:, k] for k in range(values.shape[1])}
            else:
                found[str(name)] = values
    else:
        values = np.asarray(table)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2:
            raise LowerboundError(
                f"factors: expected a table (examples, factors), came shape {values.shape}"
            )
        names = names or [f"factor {k}" for k in range(values.shape[1])]
        found = {name: values[:, k] for k, name in enumerate(names)}
    if not found or any(column.ndim != 1 or len(column) == 0 for column in found.values()):
        raise LowerboundError(
            "factors: expected columns of one value for each example, came others; pass a table "
            "(examples, factors)"
        )
    return found


def _column(name: str, column: Array, named: bool) -> tuple[Array, bool, bool]:
    """A column as numbers, whether it is discrete, and whether its order means something."""
    if column.dtype.kind in "OUS":
        try:
            column = column.astype(np.float64)
        except (TypeError, ValueError):
            place = np.unique(column.astype(str), return_inverse=True)[1]
            return place.astype(np.float64), True, False
    if column.dtype.kind not in "biuf":
        raise LowerboundError(
            f"factors: expected numbers or texts in '{name}', came {column.dtype}"
        )
    column = column.astype(np.float64)
    if not np.isfinite(column).all():
        raise LowerboundError(
            f"factors: expected finite numbers in '{name}', came NaN or infinity; leave these "
            "examples or this column out"
        )
    distinct, place = np.unique(column, return_inverse=True)
    often = len(distinct) <= 2 or len(column) >= _EACH * len(distinct)
    if named or (len(distinct) <= MOST_VALUES and often):
        return place.astype(np.float64), True, not named
    return column, False, True
