"""When the steps of sequences were: arrays of times, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lowerbound.data.arrays import as_numpy
from lowerbound.data.cells import Times
from lowerbound.errors import LowerboundError

_ALIKE = 1e-4  # how far gaps may lie from the usual one, as a share of it, and be the same
_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def of_array(arrays: Mapping[str, Any], name: str, x: np.ndarray) -> Times:
    """The times ``(N, T)`` of the steps of sequences; dates (datetime64) as seconds.

    Args:
        arrays: among which they are.
        name: of theirs.
        x: the sequences, ``(N, T)`` or ``(N, T, D)``.

    Raises:
        LowerboundError: there are none, not one for each step, or such that do not rise.
    """
    if name not in arrays:
        raise LowerboundError(f"expected times of all parts, came no array '{name}': add it")
    times, shape = as_numpy(arrays[name]), x.shape[:2]
    if times.shape != shape or times.dtype.kind not in "biufM":
        raise LowerboundError(
            f"expected times {shape} in '{name}', one for each step, came {times.dtype} of shape "
            f"{times.shape}"
        )
    dated = times.dtype.kind == "M"
    times = _seconds(times) if dated else times.astype(np.float64)
    refuse_unsorted(times, f"'{name}'")
    known = ~np.isnan(x.reshape(*shape, -1)).all(2) if x.dtype.kind == "f" else True
    lost = np.isnan(times) & known
    if lost.any():
        row, step = np.argwhere(lost)[0].tolist()
        raise LowerboundError(
            f"expected a time of each known step in '{name}', came none of step {step} of sequence "
            f"{row}: fill it in"
        )
    return Times(times, dated)


def refuse_unsorted(times: np.ndarray, name: str) -> None:
    """Refuse times ``(N, T)`` that do not rise; padding at the end is NaN.

    Raises:
        LowerboundError: they do not, or are infinite, or one is missing before others.
    """
    gone = np.isnan(times)
    inside = gone & ~np.logical_and.accumulate(gone[:, ::-1], axis=1)[:, ::-1]
    for wrong, what in ((inside, "a missing one"), (np.isinf(times), "an infinite one")):
        if wrong.any():
            row, step = np.argwhere(wrong)[0].tolist()
            raise LowerboundError(
                f"expected a time of each step in {name}, came {what} in step {step} of sequence "
                f"{row}: fill it in"
            )
    with np.errstate(invalid="ignore"):
        falls = np.diff(times, axis=1) <= 0.0
    if falls.any():
        row, step = np.argwhere(falls)[0].tolist()
        raise LowerboundError(
            f"expected times that rise from step to step in {name}, came {times[row, step]:.10g} "
            f"and then {times[row, step + 1]:.10g} in steps {step} and {step + 1} of sequence "
            f"{row}: sort the steps, and drop what stands there twice"
        )


def usual(times: np.ndarray) -> float:
    """The median time between two steps ``(N, T)``."""
    return float(np.median(_gaps(times)))


def told(times: np.ndarray, dates: str | None = None) -> str:
    """How far apart steps ``(N, T)`` are, in words.

    Args:
        times: of them.
        dates: what they were read from, where they are seconds between dates.

    >>> told(np.array([[0.0, 60.0, 120.0]])), told(np.array([[0.0, 1.0, 5.0, 6.0]]))
    ('every 60', 'irregular, 1 to 4 apart, usually 1')
    >>> told(np.array([[0.0, 86400.0, 172800.0]]), "'day'")
    "every day, by the dates in 'day'; counted in seconds"
    """
    gaps, middle = _gaps(times), usual(times)
    least, most = float(gaps.min()), float(gaps.max())
    said = _spoken if dates else "{:g}".format
    alike = most - least <= 2.0 * _ALIKE * middle
    text = f"irregular, {said(least)} to {said(most)} apart, usually {said(middle)}"
    if alike:
        text = f"every {said(middle).removeprefix('1 ') if dates else said(middle)}"
    return f"{text}, by the dates in {dates}; counted in seconds" if dates else text


def unit_of(seconds: float) -> tuple[float, str]:
    """The unit in which so long a time is read: its seconds, and its name.

    >>> unit_of(30 * 86400.0), unit_of(86400.0), unit_of(0.5)
    ((86400.0, 'days'), (3600.0, 'hours'), (1.0, 'seconds'))
    """
    size, name = next((each for each in _UNITS if seconds >= 2.0 * each[0]), _UNITS[-1])
    return size, f"{name}s"


def _gaps(times: np.ndarray) -> np.ndarray:
    gaps = np.diff(times, axis=1)
    return gaps[np.isfinite(gaps)]


def _spoken(seconds: float) -> str:
    """
    >>> _spoken(86400.0), _spoken(5400.0), _spoken(0.5)
    ('1 day', '1.5 hours', '0.5 seconds')
    """
    size, name = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    count = f"{seconds / size:g}"
    return f"{count} {name}{'' if count == '1' else 's'}"


def _seconds(times: np.ndarray) -> np.ndarray:
    """Seconds since 1970 of datetime64, NaN where there is none."""
    since = times - np.datetime64(0, "s")
    return np.where(np.isnat(times), np.nan, since / np.timedelta64(1, "s"))
