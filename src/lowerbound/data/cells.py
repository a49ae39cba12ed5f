"""What the cells of a table hold: numbers, nothing, dates, texts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from lowerbound.errors import LowerboundError

_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 40  # characters of a text in a message


class Column(NamedTuple):
    """A column as numbers.

    Args:
        values: float64 ``(T,)``, NaN where a cell is empty or holds a text.
        known: how many cells hold a number.
        texts: how many hold a text.
        odd: line and text of the first of these.
    """

    values: np.ndarray
    known: int
    texts: int = 0
    odd: tuple[int, str] | None = None


class Times(NamedTuple):
    """When the steps of a sequence were.

    Args:
        values: float64 ``(T,)``, rising; of dates the seconds since 1970.
        dated: whether they came as dates.
    """

    values: np.ndarray
    dated: bool = False


def number(cell: str) -> float | None:
    """The number in a cell, NaN where one is missing, None where there is a text.

    >>> number(" 2.5"), number("n/a"), number("broken")
    (2.5, nan, None)
    """
    cell = cell.strip()
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def seconds(cell: str) -> float | None:
    """Seconds since 1970 of a date by ISO 8601, None where there is none; without a zone it is UTC.

    >>> seconds("1970-01-02"), seconds("1970-01-01 00:01:30"), seconds("1970-01-01T01:00:00Z")
    (86400.0, 90.0, 3600.0)
    >>> seconds("5.1.2024") is None and seconds("2024-13-01") is None
    True
    """
    cell = cell.strip()
    if not _DATE.fullmatch(cell):
        return None
    try:
        when = datetime.fromisoformat(cell)
    except ValueError:
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return (when - _EPOCH).total_seconds()


def dates_of(times: Sequence[float] | np.ndarray) -> list[str | None]:
    """Dates by ISO 8601, in UTC, of seconds since 1970; None of NaN. Days alone where all are.

    >>> dates_of([0.0, 86400.0, float("nan")]), dates_of([5400.0])
    (['1970-01-01', '1970-01-02', None], ['1970-01-01 01:30:00'])
    """
    # To the millisecond: forecasts add up steps in float32.
    counts = [None if np.isnan(each) else round(1000.0 * float(each)) for each in times]
    days = all(each is None or each % 86_400_000 == 0 for each in counts)
    found = [None if each is None else _EPOCH + timedelta(milliseconds=each) for each in counts]
    form = "%Y-%m-%d" if days else "%Y-%m-%d %H:%M:%S"
    parts = any(each is not None and each % 1000 for each in counts)
    return [
        None
        if each is None
        else f"{each:{form}}" + (f".{each.microsecond // 1000:03d}" if parts else "")
        for each in found
    ]


def column_of(cells: Sequence[str], lines: Sequence[int]) -> Column:
    """A column as numbers, and how much of it is none.

    Args:
        cells: of it.
        lines: of the file in which they stand.
    """
    found = [number(cell) for cell in cells]
    values = np.array([np.nan if each is None else each for each in found], np.float64)
    texts = [place for place, each in enumerate(found) if each is None]
    known = int((~np.isnan(values)).sum())
    odd = (lines[texts[0]], cells[texts[0]].strip()) if texts else None
    return Column(values, known, len(texts), odd)


def no_number(name: str, file: str, odd: tuple[int, str]) -> LowerboundError:
    """A text in a column of numbers.

    >>> print(no_number("a", "s07.csv", (7, "broken")))
    expected a number in column a, came 'broken' in line 7 of s07.csv; empty the cell, or mend it
    """
    return LowerboundError(
        f"expected a number in column {name}, came '{_short(odd[1])}' in line {odd[0]} of {file}; "
        "empty the cell, or mend it"
    )


def times_of(cells: Sequence[str], lines: Sequence[int], name: str, file: str) -> Times:
    """The times in a column: numbers, or dates by ISO 8601 as seconds.

    Dates are always counted in seconds, so that files that are read at different times, for
    training and for a forecast, have one unit.

    Args:
        cells: of it.
        lines: of the file in which they stand.
        name: of the column.
        file: for messages.

    Raises:
        LowerboundError: an empty cell, one that is no time, or times that do not rise.
    """
    numbers = [number(cell) for cell in cells]
    for line, each in zip(lines, numbers, strict=True):
        if each is not None and np.isnan(each):
            raise LowerboundError(
                f"expected a time in each line of {file}, came an empty cell in column '{name}', "
                f"line {line}: fill it in, or drop the line"
            )
    dates = [seconds(cell) for cell in cells]
    dated = sum(each is not None for each in dates) > sum(each is not None for each in numbers)
    found = dates if dated else numbers
    if None in found:
        place = found.index(None)
        form = "dates by ISO 8601 (2024-01-05 13:30:00)"
        raise LowerboundError(
            f"expected {form if dated else f'numbers, or {form},'} in the time column '{name}', "
            f"came '{_short(cells[place].strip())}' in line {lines[place]} of {file}: mend it, or "
            "convert all of them to e.g. seconds"
        )
    values = np.array(found, np.float64)
    if np.isinf(values).any():
        line = lines[int(np.isinf(values).argmax())]
        raise LowerboundError(f"expected finite times in {file}, came others in line {line}")
    falls = np.flatnonzero(np.diff(values) <= 0.0)
    if len(falls):
        one, other = int(falls[0]), int(falls[0]) + 1
        raise LowerboundError(
            f"expected times that rise from step to step in {file}, came {cells[one].strip()} and "
            f"then {cells[other].strip()} in lines {lines[one]} and {lines[other]}: sort the "
            "steps, and drop what stands there twice"
        )
    return Times(values, dated)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
