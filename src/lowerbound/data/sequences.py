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

from lowerbound.data import clips, sequence_files, step_times
from lowerbound.data.arrays import ArrayRows, as_numpy, check_array, from_arrays
from lowerbound.data.facts import Facts
from lowerbound.data.inspect import inspect
from lowerbound.data.sequence_files import ONE, SUFFIXES, holds_sequences
from lowerbound.data.splits import RowsSplit, Source
from lowerbound.errors import LowerboundError, nearest

_PARTS = ("train", "validation", "test")


class SequenceRows(ArrayRows):
    """Sequences (N, T, D) in memory, float32, NaN where a number is missing.

    Args:
        array: ``(N, T, D)``, or ``(N, T)`` for one number a step.
        name: of it, for messages.
        times: of the steps, ``(N, T)``; None: they are one apart.
        dates: what the times were read from, where they are seconds between dates.
        lengths: how many steps are each one's own, ``(N,)``; None: those up to its last known one.

    Raises:
        LowerboundError: no numbers, or no steps to speak of.
    """

    def __init__(
        self,
        array: np.ndarray,
        name: str,
        times: np.ndarray | None = None,
        dates: str | None = None,
        lengths: np.ndarray | None = None,
    ) -> None:
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
        self.name, self.dates = name, dates
        if lengths is None:
            own = np.logical_not(np.isnan(self.array).all(2))
            own = own if times is None else own | ~np.isnan(times)
            lengths = np.where(own.any(1), own.shape[1] - own[:, ::-1].argmax(1), 0)
        self.lengths = lengths

    def at(self, which: np.ndarray) -> SequenceRows:
        """Some of the sequences."""
        times = None if self.times is None else self.times[which]
        return SequenceRows(self.array[which], self.name, times, self.dates, self.lengths[which])


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
        return read_folder(path, time, skip_bad, key)
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
            f"expected an array '{time}' of times in '{name}', came {', '.join(arrays)}"
            f"{nearest(time, arrays) or '; mend time (--time)'}"
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
        times, dates = None, None
        if time is not None:
            times, dated = step_times.of_array(arrays, stamps[part], array)
            dates = f"'{time}'" if dated else None
        setattr(source, part, SequenceRows(array, f"'{name}'", times, dates))
    source.kind = "sequence"
    return source


def from_array(array: Any, name: str = "array") -> Source:
    """One array (N, T) or (N, T, D)."""
    array = as_numpy(array)
    rows = SequenceRows(array, name)
    return Source(name, rows, as_came=str(array.dtype), kind="sequence")


def read_folder(
    path: Path, time: str | None = None, skip_bad: bool = False, key: str | None = None
) -> Source:
    """A folder in which each file is a sequence: tables, or arrays (T, D) (.npy, .npz).

    Rows are steps. ``train/`` and ``test/`` are the split, other folders the labels.

    Args:
        path: of the folder.
        time: the column of a table, the array of an .npz, that holds the times of its steps.
        skip_bad: leave out sequences of one step, and such of which nothing is known.
        key: the array of an .npz that holds the steps.

    Raises:
        LowerboundError: files that do not open or do not belong together.
    """
    names = sequence_files.files_of(path)
    if not names:
        raise LowerboundError(
            f"expected sequences ({', '.join(SUFFIXES)}) in {path}, came none: pass a folder in "
            "which each file is one"
        )
    found = sequence_files.read_files(path, names, time=time, key=key, skip_bad=skip_bad)
    lengths = np.array([len(each) for each in found.values.values()])
    longest = int(lengths.max())
    fields, split = clips.by_folder(list(found.values))
    parts = np.array(split or ["train"] * len(lengths))
    array = np.stack([longer(values, longest) for values in found.values.values()])
    times = None
    if found.times:
        times = np.stack([longer(each[:, None], longest)[:, 0] for each in found.times.values()])
    dates = f"'{time}'" if found.dated else None
    rows = SequenceRows(array, path.name, times, dates, lengths)
    source = Source(path.stem, rows, columns=found.columns, kind="sequence")
    for part in _PARTS:
        chosen = parts == part
        if chosen.any():
            setattr(source, part, rows.at(chosen))
            if "label" in fields:
                named = "labels" if part == "train" else f"{part}_labels"
                setattr(source, named, np.array(fields["label"])[chosen])
    source.as_came = "tables of numbers" if found.columns != (ONE,) else "numbers"
    if found.skipped:
        shown = ", ".join(found.skipped[:3]) + (", ..." * (len(found.skipped) > 3))
        source.notes.append(
            ("skipped", f"{len(found.skipped)} sequences too short or empty: {shown}")
        )
    if found.aside:
        source.notes.append(("left out", ", ".join(f"{name} (texts)" for name in found.aside)))
    if found.clock:
        source.notes.append(
            ("hint", f"if '{found.clock}' says when the steps were, pass it as time "
             f"(--time {found.clock})")
        )  # fmt: skip
    return source


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
        if not known.any():
            raise LowerboundError(
                f"expected sequences of which something is known in '{source.name}', came none in "
                f"{part}, where all {len(gone)} are missing as a whole: pass other data"
            )
        if not skip_bad:
            raise LowerboundError(
                f"expected sequences of which something is known in '{source.name}', came "
                f"{len(gone)} of {part} that are missing as a whole, first number {gone[0]}: leave "
                "them out with skip_bad (--skip-bad)"
            )
        setattr(source, part, rows.at(known))
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
        test=frames["test"], validation=frames.get("validation"),
        notes=[*source.notes, *_notes(source)],
    )  # fmt: skip
    whole = [RowsSplit(frames[name]) for name in frames]
    facts = inspect(flat, whole[0], whole[1] if len(whole) > 2 else None, whole[-1])
    counts = None
    if train.labels is not None and source.classes is not None:
        counts = tuple(np.bincount(train.labels, minlength=len(source.classes)).tolist())
    return replace(
        facts,
        steps=rows.event_shape[0],
        time_step=None if rows.times is None else step_times.usual(rows.times),
        dated=rows.dates is not None,
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


def _notes(source: Source) -> list[tuple[str, str]]:
    """Words on lengths, on what is missing within them, and on times."""
    parts: list[Any] = [rows for part in _PARTS if (rows := getattr(source, part)) is not None]
    notes = []
    lengths = np.concatenate([rows.lengths for rows in parts])
    if lengths.min() < lengths.max():
        notes.append(("lengths", f"{lengths.min()} to {lengths.max()} steps"))
    gone = sum(_missing(rows) for rows in parts)
    if gone:
        share = gone / (int(lengths.sum()) * parts[0].event_shape[-1])
        text = f"{share:.1%} of the numbers (NaN): left out of every likelihood"
        notes.append(("missing", text))
    if parts[0].times is not None:
        notes.append(("times", step_times.told(parts[0].times, parts[0].dates)))
    return notes


def _missing(rows: Any) -> int:
    """How many numbers are, within each sequence's own steps."""
    own = np.arange(rows.event_shape[0]) < rows.lengths[:, None]
    return int((np.isnan(rows.array) & own[..., None]).sum())


def longer(values: np.ndarray, length: int) -> np.ndarray:
    """``(T, *)`` with NaN after its end."""
    out = np.full((length, *values.shape[1:]), np.nan, values.dtype)
    out[: len(values)] = values
    return out


def lifted(spec: Any, facts: Facts) -> Any:
    """The spec of one step as that of a sequence.

    Args:
        spec: of a step, `DataSpec`.
        facts: of `look`, in which steps are counted.
    """
    steps = facts.steps or 1
    shape, count = (steps, *spec.event_shape), math.prod(spec.event_shape)
    return replace(
        spec,
        kind="sequence",
        event_shape=shape,
        log_jacobian=spec.log_jacobian * steps,
        time_step=facts.time_step,
        dated=facts.dated,
        mean=np.broadcast_to(spec.mean, shape).copy(),
        std=np.broadcast_to(spec.std, shape).copy(),
        why={k: v for k, v in spec.why.items() if k != "network"}
        | {"network": f"{count:,} number{'' if count == 1 else 's'} a step"},
    )
