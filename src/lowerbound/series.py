"""Sequences that a run is asked about: files, arrays, or its own held-out examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .data import sequence_files, sequences, tables
from .data.arrays import as_numpy
from .data.cells import Times
from .data.video import clip_frames
from .errors import LowerboundError
from .runs import Run

_FILES = (".csv", ".tsv", ".npy", ".npz", ".gif")


class Series(NamedTuple):
    """Sequences in the units of the data.

    Attributes:
        x: ``(N, T, *frame)``, NaN where a number is missing and beyond a sequence's end.
        lengths: steps of each, ``(N,)``.
        times: of the steps, since each sequence's first, ``(N, T)``; None: one apart.
        origins: the time of each first step as it was given, ``(N,)``.
        columns: names of the numbers of a step.
        names: of the sequences.
        total: how many there are, of which these are the first.
        dated: whether origins came as dates, in seconds since 1970.
    """

    x: np.ndarray
    lengths: np.ndarray
    times: np.ndarray | None
    origins: np.ndarray
    columns: tuple[str, ...]
    names: tuple[str, ...]
    total: int
    dated: bool = False

    def context(self) -> tuple[Tensor, ...]:
        """What a model is told beside x."""
        return () if self.times is None else (torch.from_numpy(self.times).float(),)

    def until(self, ends: np.ndarray) -> Series:
        """The first steps of each, so many."""
        longest = int(ends.max())
        x = self.x[:, :longest]
        if (ends < longest).any():
            x = x.copy()
            x[np.arange(longest) >= ends[:, None]] = np.nan
        times = None if self.times is None else self.times[:, :longest]
        return self._replace(x=x, lengths=ends, times=times)


class _Read(NamedTuple):
    """What a source has: a sequence ``(T, *frame)``, its times, and the names of its numbers."""

    x: np.ndarray
    times: Times | None = None
    columns: tuple[str, ...] | None = None


def series_of(run: Run, source: Any, n: int) -> Series:
    """The sequences that are meant.

    Args:
        run: of sequences.
        source: as of `lowerbound.forecasting.forecast`.
        n: at most so many.

    Raises:
        LowerboundError: it does not open, or its steps are no steps of the run's data.
    """
    spec = run.spec
    columns = spec.columns or tuple(f"x{number}" for number in range(spec.event_shape[-1]))
    text = str(source) if isinstance(source, str | Path) else ""
    number = source if isinstance(source, int) and not isinstance(source, bool) else None
    number = int(text) if text.isdigit() and not Path(text).exists() else number
    if source is None or number is not None:
        return _held_out(run, number, n, columns)
    read, names, total = _read(run, source, n)
    return _together([_fitting(run, each) for each in read], names, total, columns)


def _held_out(run: Run, number: int | None, n: int, columns: tuple[str, ...]) -> Series:
    split = run.data().test
    if number is not None and not 0 <= number < len(split):
        raise LowerboundError(
            f"expected the number of a held-out sequence, from 0 to {len(split) - 1}, came {number}"
        )
    rows = np.arange(min(n, len(split))) if number is None else np.array([number])
    x = split.stored(rows).numpy()
    timed = split.times is not None and run.spec.time_step is not None
    times = split.times[rows] if timed and split.times is not None else None
    total = len(split) if number is None else 1
    names = tuple(f"held-out {row}" for row in rows)
    lengths = np.full(len(x), x.shape[1]) if split.lengths is None else split.lengths[rows]
    return Series(x, lengths, times, np.zeros(len(rows)), columns, names, total)


def _fitting(run: Run, read: _Read) -> _Read:
    """The sequence, its numbers in the run's order."""
    spec, x = run.spec, read.x
    frame = tuple(spec.event_shape[1:])
    if read.columns is not None and spec.columns is not None and read.columns != spec.columns:
        missing = [name for name in spec.columns if name not in read.columns]
        if missing:
            raise LowerboundError(
                f"expected the columns {', '.join(spec.columns)}, as {run.path} was trained on, "
                f"came {', '.join(read.columns)}: there is no '{missing[0]}'"
            )
        x = x[..., [read.columns.index(name) for name in spec.columns]]
    if x.shape[1:] != frame:
        raise LowerboundError(
            f"expected steps of shape {frame}, as {run.path} was trained on, came "
            f"{tuple(x.shape[1:])}; pass (T, {', '.join(map(str, frame))})"
        )
    if x.dtype.kind not in "biuf" or np.isinf(x).any():
        raise LowerboundError("expected finite numbers, NaN where one is missing, came others")
    timed = spec.time_step is not None
    if timed and read.times is None:
        raise LowerboundError(
            f"expected the times of the steps, as {run.path} was trained with, came none; pass a "
            f"table with its column '{run.info['data']['options'].get('time')}'"
        )
    return _Read(x, read.times if timed else None)


def _together(
    read: list[_Read], names: tuple[str, ...], total: int, columns: tuple[str, ...]
) -> Series:
    """Sequences of any lengths in one array."""
    lengths = np.array([len(each.x) for each in read])
    longest = int(lengths.max())
    same = (lengths == longest).all()
    x = np.stack(
        [each.x if same else sequences.longer(each.x.astype(np.float32), longest) for each in read]
    )
    stamps = [each.times.values for each in read if each.times is not None]
    dated = all(each.times is not None and each.times.dated for each in read)
    origins = np.array([each[0] for each in stamps]) if stamps else np.zeros(len(read))
    times = None
    if stamps:
        times = np.stack([sequences.longer(each - each[0], longest) for each in stamps])
    return Series(x, lengths, times, origins, columns, names, total, dated)


def _read(run: Run, source: Any, n: int) -> tuple[list[_Read], tuple[str, ...], int]:
    """The first ``n`` sequences of a source, what they are called, and how many it has."""
    frame = tuple(run.spec.event_shape[1:])
    if not isinstance(source, str | Path):
        found = [_Read(each) for each in _shaped(as_numpy(source), frame)]
        return found[:n], tuple(f"sequence {row}" for row in range(len(found)))[:n], len(found)
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(
            each for each in path.rglob("*") if each.is_file() and each.suffix.lower() in _FILES
        )
        if not files:
            raise LowerboundError(
                f"expected sequences ({', '.join(_FILES)}) in {path}, came none: pass a folder in "
                "which each file is one"
            )
        read = [_of_file(run, each, frame) for each in files[:n]]
        many = [(file, each) for file, part in zip(files, read, strict=False) for each in part]
        names = tuple(file.relative_to(path).as_posix() for file, _ in many)[:n]
        total = len(files) - len(read) + len(many)
        return [each for _, each in many][:n], names, total
    if not path.is_file():
        raise LowerboundError(
            f"expected a file or folder of sequences, or the number of a held-out one, came "
            f"{source}: there is no such file"
        )
    read = _of_file(run, path, frame)
    names = tuple(path.name if len(read) == 1 else f"{path.name} {row}" for row in range(len(read)))
    return read[:n], names[:n], len(read)


def _of_file(run: Run, path: Path, frame: tuple[int, ...]) -> list[_Read]:
    time = run.info["data"]["options"].get("time")
    if path.suffix.lower() in (".csv", ".tsv"):
        numbers, times = tables.read_steps(path, time)
        x = np.stack(list(numbers.values()), 1).astype(np.float32)
        return [_Read(x, times, tuple(numbers))]
    if path.suffix.lower() == ".gif":
        frames = clip_frames(lambda name: path.read_bytes(), path.name)
        if isinstance(frames, str):
            raise LowerboundError(f"{path} does not open as a .gif ({frames})")
        pixels = np.moveaxis(np.stack(frames), -1, 1)
        pixels = pixels.repeat(3, 1) if frame[:1] == (3,) and pixels.shape[1] == 1 else pixels
        return [_Read(pixels)]
    if path.suffix.lower() == ".npz":
        asked = run.info["data"]["options"]
        one = sequence_files.one_file(path, path.name, time, asked.get("key"))
        x = np.stack([each.values for each in one.columns.values()], 1)
        return [_Read(x.astype(np.float32), one.times)]
    if path.suffix.lower() != ".npy":
        raise LowerboundError(
            f"expected a {', '.join(_FILES)}, or a folder of them, came {path.name}"
        )
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError):
        raise LowerboundError(f"{path} does not open as .npy: write it again") from None
    return [_Read(each) for each in _shaped(array, frame)]


def _shaped(array: np.ndarray, frame: tuple[int, ...]) -> np.ndarray:
    """(N, T, *frame) of that, of one sequence, or of numbers alone where a step is one."""
    if array.ndim == 1 and frame == (1,):
        array = array[:, None]
    elif array.ndim == 2 and frame == (1,) and array.shape[1] != 1:
        array = array[..., None]  # (N, T)
    if array.ndim == len(frame) + 1:
        array = array[None]
    if array.ndim != len(frame) + 2 or 0 in array.shape:
        raise LowerboundError(
            f"expected sequences (N, T, {', '.join(map(str, frame))}), came shape {array.shape}"
        )
    return array.astype(np.float32) if array.dtype.kind == "f" else array
