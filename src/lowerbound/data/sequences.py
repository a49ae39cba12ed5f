"""Sequences of steps: arrays (N, T, ...), and folders in which each file is one sequence.

A number that is missing is NaN, in the source and in x: here it means "not observed", which models
of sequences leave out. Shorter sequences end in NaN. Steps are what is looked at and scaled: each
known one counts as an example, so that a feature has one mean and one deviation for all steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lowerbound.data import clips, images, tables
from lowerbound.data.arrays import ArrayRows, as_numpy, check_array, from_arrays
from lowerbound.data.facts import Facts
from lowerbound.data.inspect import inspect
from lowerbound.data.splits import RowsSplit, Source
from lowerbound.errors import LowerboundError

_FILES = (".csv", ".tsv", ".npy")
_PARTS = ("train", "validation", "test")
_ONE = "value"


class SequenceRows(ArrayRows):
    """Sequences (N, T, D) in memory, float32, NaN where a number is missing.

    Args:
        array: ``(N, T, D)``, or ``(N, T)`` for one number a step.
        name: of it, for messages.
        times: of the steps, ``(N, T)``; None: they are one apart.

    Raises:
        LowerboundError: no numbers, or no steps to speak of.
    """

    def __init__(self, array: np.ndarray, name: str, times: np.ndarray | None = None) -> None:
        check_array(array, name)
        if array.ndim not in (2, 3):
            raise LowerboundError(
                f"expected sequences in {name} as (N, T) or (N, T, D), came shape {array.shape}: "
                "reshape them; sequences of images are clips (--kind video)"
            )
        array = array[..., None] if array.ndim == 2 else array
        if array.shape[1] < 2:
            raise LowerboundError(
                f"expected sequences of at least 2 steps in {name}, came shape {array.shape}: the "
                "second axis counts steps"
            )
        self.array = np.ascontiguousarray(array, np.float32)
        self.in_memory, self.channels_last = True, False
        self._stored_as = self.array.dtype
        # Since the first step: float32 keeps what is far from zero only coarsely.
        self.times = None if times is None else times - times[:, :1]


def holds_sequences(path: Path) -> bool:
    """Whether a folder holds tables or arrays, and nothing else that could be data."""
    if not path.is_dir():
        return False
    found = {each.suffix.lower() for each in path.rglob("*") if each.is_file()}
    return bool(found & set(_FILES)) and not found & set(images.SUFFIXES)


def read(
    source: Any, kind: str, *, key: str | None, time: str | None, skip_bad: bool
) -> Source | None:
    """Sequences, where a source holds them or was said to; None where it does not.

    Args:
        source: a path, an array or a dict of arrays.
        kind: "sequence" reads arrays as such; "auto" only folders of tables or arrays.
        key: of the array of an .npz or dict.
        time: what holds the times of the steps.
        skip_bad: leave out sequences of one step, and such of which nothing is known.

    Raises:
        LowerboundError: it holds no sequences, or such that do not belong together.
    """
    asked = kind == "sequence"
    if not isinstance(source, str | Path):
        if not asked:
            _only_sequences(time)
            return None
        if isinstance(source, Mapping):
            wide = any(as_numpy(value).ndim > 3 for value in source.values())
            return None if wide else from_mapping(source, "arrays", key, time)
        _only_named(time)
        return None if as_numpy(source).ndim > 3 else from_array(source)
    path = Path(source).expanduser()
    if kind in ("auto", "sequence") and holds_sequences(path):
        return read_folder(path, time, skip_bad)
    if not asked or not path.is_file():
        _only_sequences(time)
        return None
    if path.suffix in (".csv", ".tsv"):
        raise LowerboundError(
            f"expected a folder in which each table is one sequence, came the table {path.name}: "
            "put it, and others like it, in a folder"
        )
    if path.suffix not in (".npy", ".npz"):
        return None
    if path.suffix == ".npy":
        _only_named(time)
    found = _loaded(path)
    if isinstance(found, np.ndarray):
        return None if found.ndim > 3 else from_array(found, path.stem)
    wide = any(value.ndim > 3 for value in found.values())
    return None if wide else from_mapping(found, path.stem, key, time)


def _loaded(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return found if isinstance(found, np.ndarray) else {n: found[n] for n in found.files}
    except (ValueError, EOFError, OSError, BadZipFile) as error:
        raise LowerboundError(
            f"expected a {path.suffix} file that numpy wrote, came {path.name} which does not open "
            f"({str(error).splitlines()[0][:120]}): write it again with np.save"
        ) from None


def _only_sequences(time: str | None) -> None:
    if time is not None:
        raise LowerboundError(
            f"expected time only with sequences, came time '{time}' with another source: leave it "
            "out, or pass kind sequence (--kind sequence)"
        )


def _only_named(time: str | None) -> None:
    if time is not None:
        raise LowerboundError(
            f"expected times in an array of their own, came time '{time}' with one array: pass a "
            "dict or an .npz of both"
        )


def from_mapping(
    arrays: Mapping[str, Any], name: str, key: str | None = None, time: str | None = None
) -> Source:
    """Named arrays of sequences, as `lowerbound.data.arrays.from_arrays` reads them.

    Args:
        arrays: train and test, with or without labels, or the only one.
        name: of them all.
        key: of the array to take.
        time: of the array of times, ``(N, T)``; those of a test split are ``test_<time>``.

    Raises:
        LowerboundError: arrays that do not belong together, or are no sequences.
    """
    if time is not None and time not in arrays:
        raise LowerboundError(
            f"expected an array '{time}' of times in '{name}', came {', '.join(arrays)}; mend time "
            "(--time)"
        )
    stamps = {part: f"{time}" if part == "train" else f"{part}_{time}" for part in _PARTS}
    rest = {n: v for n, v in arrays.items() if time is None or n not in stamps.values()}
    flat = {}
    for each, value in rest.items():
        found = as_numpy(value)
        # Axes that only sequences have are laid together for those who know rows alone.
        flat[each] = found.reshape(len(found), -1) if found.ndim == 3 else found
    source = from_arrays(flat, name, key)
    shapes = {len(as_numpy(v)): as_numpy(v).shape for v in rest.values() if as_numpy(v).ndim == 3}
    for part in _PARTS:
        rows: Any = getattr(source, part)
        if rows is None:
            continue
        array = rows.take(np.arange(len(rows)))
        array = array.reshape(shapes.get(len(array), array.shape))
        times = None
        if time is not None:
            times = _times(arrays, stamps[part], array.shape[:2])
        setattr(source, part, SequenceRows(array, f"'{name}'", times))
    return _told(source)


def from_array(array: Any, name: str = "array") -> Source:
    """One array (N, T) or (N, T, D)."""
    array = as_numpy(array)
    return _told(Source(name, SequenceRows(array, name), as_came=str(array.dtype)))


def read_folder(path: Path, time: str | None = None, skip_bad: bool = False) -> Source:
    """A folder in which each file is a sequence: tables (.csv, .tsv) or arrays (T, D) (.npy).

    Rows are steps. ``train/`` and ``test/`` are the split, other folders the labels.

    Args:
        path: of the folder.
        time: the column of a table that holds the times of its steps.
        skip_bad: leave out sequences of one step, and such of which nothing is known.

    Raises:
        LowerboundError: files that do not open or do not belong together.
    """
    names = sorted(
        each.relative_to(path).as_posix()
        for each in path.rglob("*")
        if each.is_file() and each.suffix.lower() in _FILES
    )
    found: dict[str, np.ndarray] = {}
    stamps: dict[str, np.ndarray] = {}
    columns: tuple[str, ...] | None = None
    first, skipped = "", []
    for name in names:
        values, header, times = _one(path / name, name, time)
        columns, first = (header, name) if columns is None else (columns, first)
        if header != columns:
            raise LowerboundError(
                f"expected the same columns in every file, came {len(columns)} "
                f"({', '.join(columns[:6])}) in {first} and {len(header)} "
                f"({', '.join(header[:6])}) in {name}: mend it, or keep it elsewhere"
            )
        wrong = _wrong(values)
        if wrong and not skip_bad:
            raise LowerboundError(
                f"expected sequences of at least 2 steps of which something is known, came "
                f"{name} with {wrong}: leave it out with skip_bad (--skip-bad)"
            )
        if wrong:
            skipped.append(name)
            continue
        found[name] = values
        if times is not None:
            stamps[name] = times
    if not found:
        raise LowerboundError(
            f"expected sequences ({', '.join(_FILES)}) in {path}, came none: pass a folder in "
            "which each file is one"
        )
    longest = max(map(len, found.values()))
    fields, split = clips.by_folder(list(found))
    parts = np.array(split or ["train"] * len(found))
    array = np.stack([_longer(values, longest) for values in found.values()])
    times = None
    if stamps:
        times = np.stack([_longer(each[:, None], longest)[:, 0] for each in stamps.values()])
    source = Source(path.stem, SequenceRows(array[:1], path.name), columns=columns)
    for part in _PARTS:
        chosen = parts == part
        if chosen.any():
            own = None if times is None else times[chosen]
            setattr(source, part, SequenceRows(array[chosen], path.name, own))
            if "label" in fields:
                named = "labels" if part == "train" else f"{part}_labels"
                setattr(source, named, np.array(fields["label"])[chosen])
    source.as_came = "tables of numbers" if columns != (_ONE,) else "numbers"
    if skipped:
        shown = ", ".join(skipped[:3]) + (", ..." * (len(skipped) > 3))
        source.notes.append(("skipped", f"{len(skipped)} sequences too short or empty: {shown}"))
    return _told(source)


def refuse_or_skip(source: Source, skip_bad: bool) -> None:
    """Infinities, and sequences of which nothing is known: named, or the latter left out.

    Raises:
        LowerboundError: there are some, and they are not to be skipped.
    """
    for part in _PARTS:
        rows: Any = getattr(source, part)
        if rows is None:
            continue
        if np.isinf(rows.array).any():
            place = np.argwhere(np.isinf(rows.array))[0].tolist()
            raise LowerboundError(
                f"expected finite numbers (NaN where one is missing) in '{source.name}', came an "
                f"infinite one in sequence {place[0]}, step {place[1]} of {part}: mend it"
            )
        known = ~np.isnan(rows.array).all((1, 2))
        if known.all():
            continue
        gone = np.flatnonzero(~known)
        if not skip_bad or not known.any():
            raise LowerboundError(
                f"expected sequences of which something is known in '{source.name}', came "
                f"{len(gone)} of {part} that are missing as a whole, first number {gone[0]}: leave "
                "them out with skip_bad (--skip-bad)"
            )
        times = None if rows.times is None else rows.times[known]
        setattr(source, part, SequenceRows(rows.array[known], source.name, times))
        named = "labels" if part == "train" else f"{part}_labels"
        labels = getattr(source, named)
        setattr(source, named, None if labels is None else np.asarray(labels)[known])
        source.notes.append(("skipped", f"{len(gone)} {part} sequences, missing as a whole"))


def look(source: Source, train: RowsSplit, validation: RowsSplit | None, test: RowsSplit) -> Facts:
    """What the steps are: facts of one step, and of how many a sequence has.

    Raises:
        LowerboundError: a feature of which no step is known, or that never changes.
    """
    rows: Any = source.train
    parts = {"train": train, "validation": validation, "test": test}
    known = {name: _known(split, source) for name, split in parts.items() if split is not None}
    frames = {name: ArrayRows.of(values) for name, values in known.items()}
    flat = Source(
        source.name, frames["train"], columns=source.columns, as_came=source.as_came,
        test=frames["test"], validation=frames.get("validation"), notes=source.notes,
    )  # fmt: skip
    whole = [RowsSplit(frames[name]) for name in frames]
    facts = inspect(flat, whole[0], whole[1] if len(whole) > 2 else None, whole[-1])
    counts = None
    if train.labels is not None and source.classes is not None:
        counts = tuple(np.bincount(train.labels, minlength=len(source.classes)).tolist())
    return replace(
        facts,
        steps=rows.event_shape[0],
        time_step=_usual(rows),
        train=len(train),
        validation=0 if validation is None else len(validation),
        test=len(test),
        looked_at=sum(len(each) for each in parts.values() if each is not None),
        classes=source.classes,
        counts=counts,
    )


def _known(split: RowsSplit, source: Source) -> np.ndarray:
    """Steps of which something is known, (M, D); single gaps are filled by other known values.

    So that neither the moments of a feature nor the grid of its values change.
    """
    values = split.stored(np.arange(len(split))).numpy()
    values = values.reshape(-1, values.shape[-1])
    values = values[~np.isnan(values).all(1)]
    random = np.random.default_rng(0)
    names = source.columns or tuple(str(column) for column in range(values.shape[1]))
    for column in range(values.shape[1]):
        gone = np.isnan(values[:, column])
        if gone.all():
            raise LowerboundError(
                f"expected features of which something is known, came '{names[column]}' of "
                f"'{source.name}', which is missing in every step: drop it"
            )
        if gone.any():
            values[gone, column] = random.choice(values[~gone, column], int(gone.sum()))
    return values


def _told(source: Source) -> Source:
    """The kind, and a word on what is missing."""
    source.kind = "sequence"
    rows: Any = source.train
    gone = np.isnan(rows.array)
    lengths = (~gone.all(2)).sum(1)
    if lengths.min() < lengths.max():
        source.notes.append(("lengths", f"{lengths.min()} to {lengths.max()} known steps"))
    if gone.any():
        text = f"{gone.mean():.1%} of the numbers (NaN): left out of every likelihood"
        source.notes.append(("missing", text))
    if rows.times is not None:
        source.notes.append(("times", f"irregular, usually {_usual(rows):g} apart"))
    return source


def _usual(rows: Any) -> float | None:
    """The median time between two steps; None where they are one apart."""
    if rows.times is None:
        return None
    gaps = np.diff(rows.times, axis=1)
    return float(np.median(gaps[np.isfinite(gaps)]))


def _one(
    path: Path, name: str, time: str | None
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray | None]:
    """Values (T, D), names of the columns and times (T,) of one file."""
    if path.suffix.lower() == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError):
            raise LowerboundError(f"{name} does not open as .npy: write it again") from None
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or values.dtype.kind not in "biuf":
            raise LowerboundError(
                f"expected numbers (T, D) in {name}, came {values.dtype} of shape {values.shape}"
            )
        if time is not None:
            raise LowerboundError(f"expected tables with a column '{time}', came {name}")
        count = values.shape[1]
        columns = (_ONE,) if count == 1 else tuple(f"x{number}" for number in range(count))
        return values.astype(np.float32), columns, None
    source = tables.read(path, attributes=None if time is None else (time,))
    rows: Any = source.train
    times = None
    if time is not None and source.attributes is not None:
        times = source.attributes[:, 0]
        _refuse_unsorted(times[None], name)
    return rows.array.astype(np.float32), source.columns or (), times


def _times(arrays: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name not in arrays:
        raise LowerboundError(f"expected times of all parts, came no array '{name}': add it")
    times = as_numpy(arrays[name])
    if times.shape != shape or times.dtype.kind not in "biuf":
        raise LowerboundError(
            f"expected times {shape} in '{name}', one for each step, came {times.dtype} of shape "
            f"{times.shape}"
        )
    times = times.astype(np.float64)
    _refuse_unsorted(times, f"'{name}'")
    return times


def _refuse_unsorted(times: np.ndarray, name: str) -> None:
    """Refuse times that do not rise; padding at the end is NaN."""
    with np.errstate(invalid="ignore"):
        falls = np.diff(times, axis=1) <= 0.0
    inside = np.isnan(times[:, :-1]) & ~np.isnan(times[:, 1:])
    if falls.any() or inside.any() or np.isinf(times).any():
        row, step = np.argwhere(falls | inside)[0].tolist() if (falls | inside).any() else (0, 0)
        which = "" if len(times) == 1 else f" of sequence {row}"
        raise LowerboundError(
            f"expected times that rise from step to step in {name}, came {times[row, step]:g} and "
            f"then {times[row, step + 1]:g} in steps {step} and {step + 1}{which}: sort the steps, "
            "and drop what stands there twice"
        )


def _longer(values: np.ndarray, length: int) -> np.ndarray:
    """(T, D) with NaN after its end."""
    out = np.full((length, *values.shape[1:]), np.nan, values.dtype)
    out[: len(values)] = values
    return out


def _wrong(values: np.ndarray) -> str:
    """Why values (T, D) are no sequence, or nothing."""
    known = int((~np.isnan(values).all(1)).sum())
    if known == 0:
        return "nothing but missing numbers"
    return "one step" if known == 1 else ""


def lifted(spec: Any, steps: int, time_step: float | None) -> Any:
    """The spec of one step as that of a sequence.

    Args:
        spec: of a step, `DataSpec`.
        steps: of the longest sequence.
        time_step: the usual time between two steps; None: 1, always.
    """
    shape = (steps, *spec.event_shape)
    return replace(
        spec,
        kind="sequence",
        event_shape=shape,
        log_jacobian=spec.log_jacobian * steps,
        time_step=time_step,
        mean=np.broadcast_to(spec.mean, shape).copy(),
        std=np.broadcast_to(spec.std, shape).copy(),
        why={k: v for k, v in spec.why.items() if k != "network"}
        | {"network": f"{math.prod(spec.event_shape):,} numbers a step"},
    )
