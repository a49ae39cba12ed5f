"""Folders in which each file is one sequence: tables (.csv, .tsv), or arrays (.npy, .npz)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from lowerbound import movies
from lowerbound.data import images, tables
from lowerbound.data.cells import Column, Times, no_number, seconds
from lowerbound.errors import LowerboundError, nearest

SUFFIXES = (".csv", ".tsv", ".npy", ".npz")
ONE = "value"
_CLOCKS = frozenset(("time", "times", "timestamp", "date", "datetime", "when", "t", "day", "hour"))


class Found(NamedTuple):
    """What files hold.

    Args:
        values: of each file, float32 ``(T, D)``, NaN where a number is missing.
        times: of each, float64 ``(T,)``; empty where none were asked for.
        columns: names of the D numbers of a step.
        dated: whether the times came as dates.
        aside: columns of texts, which were left out.
        clock: a column that may well hold the times, though nobody said so; or nothing.
        skipped: files of one step, or of which nothing is known.
    """

    values: dict[str, np.ndarray]
    times: dict[str, np.ndarray]
    columns: tuple[str, ...]
    dated: bool
    aside: tuple[str, ...]
    clock: str
    skipped: tuple[str, ...]


class OneFile(NamedTuple):
    columns: dict[str, Column]
    times: Times | None


def holds_sequences(path: Path) -> bool:
    """Whether a folder holds tables or arrays, and nothing else that could be data."""
    if not path.is_dir():
        return False
    found = {each.suffix.lower() for each in path.rglob("*") if each.is_file()}
    return bool(found & set(SUFFIXES)) and not found & {*images.SUFFIXES, *movies.SUFFIXES}


def files_of(path: Path) -> list[str]:
    """The files of a folder that hold sequences, in order."""
    return sorted(
        each.relative_to(path).as_posix()
        for each in path.rglob("*")
        if each.is_file() and each.suffix.lower() in SUFFIXES
    )


def read_files(
    path: Path, names: list[str], *, time: str | None, key: str | None, skip_bad: bool
) -> Found:
    """The sequences in files, of which the columns are matched by their names.

    Args:
        path: of the folder.
        names: of the files in it.
        time: the column of a table, the array of an .npz, that holds the times of the steps.
        key: the array of an .npz that holds the steps.
        skip_bad: leave out sequences of one step, and such of which nothing is known.

    Raises:
        LowerboundError: files that do not open or do not belong together; a text in a column of
            numbers; nothing is left.
    """
    read = {name: one_file(path / name, name, time, key) for name in names}
    first = names[0]
    aside = _of_texts(read)
    columns = tuple(name for name in read[first].columns if name not in aside)
    if not columns:
        raise LowerboundError(
            f"expected columns of numbers in {first}, came only texts "
            f"({', '.join(read[first].columns) or 'no other column than the times'})"
        )
    values, times, skipped = {}, {}, []
    for name, one in read.items():
        here = tuple(each for each in one.columns if each not in aside)
        if set(here) != set(columns):
            raise _other_columns(first, columns, name, here)
        array = np.stack([one.columns[each].values for each in columns], 1).astype(np.float32)
        wrong = _wrong(array)
        if wrong and not skip_bad:
            raise LowerboundError(
                f"expected sequences of at least 2 steps of which something is known, came "
                f"{name} with {wrong}: leave it out with skip_bad (--skip-bad)"
            )
        if wrong:
            skipped.append(name)
            continue
        values[name] = array
        if one.times is not None:
            times[name] = one.times.values
    if not values:
        raise LowerboundError(
            f"expected sequences of at least 2 steps of which something is known in {path}, came "
            f"none among {len(names)} files: nothing is left without those that are bad; pass "
            "other data"
        )
    return Found(
        values=values,
        times=times,
        columns=columns,
        dated=_dated({name: read[name].times for name in values}),
        aside=aside,
        clock="" if time is not None else _clock([read[name] for name in values], aside),
        skipped=tuple(skipped),
    )


def _of_texts(read: dict[str, OneFile]) -> tuple[str, ...]:
    """Columns that hold texts for the most part, in all files together.

    Raises:
        LowerboundError: one holds numbers for the most part, and a text.
    """
    names = list(dict.fromkeys(name for one in read.values() for name in one.columns))
    found = []
    for name in names:
        parts = {file: one.columns[name] for file, one in read.items() if name in one.columns}
        texts = sum(each.texts for each in parts.values())
        if texts and sum(each.known for each in parts.values()) > texts:
            file, odd = next((f, each.odd) for f, each in parts.items() if each.odd is not None)
            raise no_number(name, file, odd)
        if texts:
            found.append(name)
    return tuple(found)


def _other_columns(
    first: str, columns: tuple[str, ...], name: str, here: tuple[str, ...]
) -> LowerboundError:
    lost = [each for each in columns if each not in here]
    more = [each for each in here if each not in columns]
    one = f"'{lost[0]}' is not in {name}" if lost else f"'{more[0]}' is not in {first}"
    return LowerboundError(
        f"expected the same columns in every file, came {len(columns)} "
        f"({', '.join(columns[:6])}) in {first} and {len(here)} ({', '.join(here[:6])}) in {name}: "
        f"{one}; mend it, or keep it elsewhere"
    )


def _dated(times: dict[str, Times | None]) -> bool:
    """Whether times are dates.

    Raises:
        LowerboundError: some are, others are numbers.
    """
    known = {name: each.dated for name, each in times.items() if each is not None}
    if len(set(known.values())) > 1:
        dates = next(name for name, dated in known.items() if dated)
        other = next(name for name, dated in known.items() if not dated)
        raise LowerboundError(
            f"expected times of one form in every file, came dates in {dates} and numbers in "
            f"{other}: write all as dates, or all as numbers"
        )
    return any(known.values())


def _clock(read: list[OneFile], aside: tuple[str, ...]) -> str:
    """A column that is called like a time and rises throughout, or holds dates."""
    for name in read[0].columns:
        if name.lower() not in _CLOCKS:
            continue
        columns = [one.columns[name] for one in read if name in one.columns]
        if name in aside:
            if all(each.odd and seconds(each.odd[1]) is not None for each in columns):
                return name
        elif all(bool((np.diff(each.values) > 0.0).all()) for each in columns):
            return name
    return ""


def one_file(path: Path, name: str, time: str | None, key: str | None) -> OneFile:
    """The columns and the times of one file."""
    if path.suffix.lower() in (".csv", ".tsv"):
        return OneFile(*tables.steps_of(tables.opened(path, name), time))
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if not isinstance(found, np.ndarray):
                found = {each: found[each] for each in found.files}
    except (ValueError, OSError, EOFError, BadZipFile):
        raise LowerboundError(
            f"{name} does not open as {path.suffix.lower()}: write it again"
        ) from None
    times = None
    if isinstance(found, dict):
        values, when = _members(found, name, time, key)
        times = None if when is None else Times(when)
    elif time is not None:
        raise LowerboundError(f"expected tables with a column '{time}', came {name}")
    else:
        values = found
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise LowerboundError(
            f"expected numbers (T, D) in {name}, came {values.dtype} of shape {values.shape}"
        )
    if times is not None and times.values.shape != values.shape[:1]:
        raise LowerboundError(
            f"expected a time of each of the {len(values)} steps in '{time}' of {name}, came shape "
            f"{times.values.shape}"
        )
    count = values.shape[1]
    columns = (ONE,) if count == 1 else tuple(f"x{number}" for number in range(count))
    values = values.astype(np.float64)
    known = (~np.isnan(values)).sum(0).tolist()
    return OneFile(
        {each: Column(values[:, at], known[at]) for at, each in enumerate(columns)}, times
    )


def _members(
    found: dict[str, np.ndarray], name: str, time: str | None, key: str | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The steps (T, D) among the arrays of an .npz, and their times (T,)."""
    for each in (time, key):
        if each is not None and each not in found:
            option = "time" if each == time else "key"
            raise LowerboundError(
                f"expected one of the arrays {', '.join(found)} of {name}, came {option} '{each}' "
                f"(--{option}){nearest(each, found)}"
            )
    rest = [each for each in found if each != time]
    if key is None and len(rest) != 1:
        hint = f"; pass key (--key {rest[0]})" if rest else ""
        raise LowerboundError(
            f"expected one array of steps in {name}, came {', '.join(rest) or 'none'}{hint}"
        )
    when = None
    if time is not None:
        when = found[time]
        if when.ndim != 1 or when.dtype.kind not in "biuf" or not np.isfinite(when).all():
            raise LowerboundError(
                f"expected times (T,) as finite numbers in '{time}' of {name}, came {when.dtype} "
                f"of shape {when.shape}, or such that are not finite"
            )
        when = when.astype(np.float64)
        if (np.diff(when) <= 0.0).any():
            raise LowerboundError(
                f"expected times that rise from step to step in '{time}' of {name}, came others: "
                "sort the steps"
            )
    return found[rest[0] if key is None else key], when


def _wrong(values: np.ndarray) -> str:
    """Why values (T, D) are no sequence, or nothing."""
    known = int((~np.isnan(values).all(1)).sum())
    if known == 0:
        return "nothing but missing numbers"
    return "one step" if known == 1 else ""
