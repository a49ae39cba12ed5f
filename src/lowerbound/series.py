"""Sequences that a run is asked about: files, arrays, or its own held-out examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .data import sequences, tables
from .data.arrays import as_numpy
from .data.video import clip_frames
from .errors import LowerboundError
from .runs import Run


class Series(NamedTuple):
    """Sequences in the units of the data.

    Attributes:
        x: ``(N, T, *frame)``, NaN where a number is missing.
        times: of the steps, since the first one, ``(N, T)``; None: one apart.
        columns: names of the numbers of a step.
    """

    x: np.ndarray
    times: np.ndarray | None
    columns: tuple[str, ...]

    def part(self, first: int, last: int) -> Series:
        """Some of the steps."""
        times = None if self.times is None else self.times[:, first:last]
        return Series(self.x[:, first:last], times, self.columns)

    def context(self) -> tuple[Tensor, ...]:
        """What a model is told beside x."""
        return () if self.times is None else (torch.from_numpy(self.times).float(),)


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
    frame = tuple(spec.event_shape[1:])
    columns = spec.columns or tuple(f"x{number}" for number in range(frame[-1]))
    timed = spec.time_step is not None
    text = str(source) if isinstance(source, str | Path) else ""
    number = source if isinstance(source, int) and not isinstance(source, bool) else None
    number = int(text) if text.isdigit() and not Path(text).exists() else number
    if source is None or number is not None:
        split = run.data().test
        if number is not None and not 0 <= number < len(split):
            raise LowerboundError(
                f"expected the number of a held-out sequence, from 0 to {len(split) - 1}, came "
                f"{number}"
            )
        rows = np.arange(min(n, len(split))) if number is None else np.array([number])
        times = None if split.times is None or not timed else split.times[rows]
        return Series(split.stored(rows).numpy(), times, columns)
    x, times, named = _read(run, source, frame)
    if named is not None and spec.columns is not None and named != spec.columns:
        missing = [name for name in spec.columns if name not in named]
        if missing:
            raise LowerboundError(
                f"expected the columns {', '.join(spec.columns)}, as {run.path} was trained on, "
                f"came {', '.join(named)}: there is no '{missing[0]}'"
            )
        x = x[..., [named.index(name) for name in spec.columns]]
    if x.shape[2:] != frame:
        raise LowerboundError(
            f"expected steps of shape {frame}, as {run.path} was trained on, came "
            f"{tuple(x.shape[2:])}; pass (T, {', '.join(map(str, frame))})"
        )
    if x.dtype.kind not in "biuf" or np.isinf(x).any():
        raise LowerboundError("expected finite numbers, NaN where one is missing, came others")
    if timed and times is None:
        raise LowerboundError(
            f"expected the times of the steps, as {run.path} was trained with, came none; pass a "
            f"table with its column '{run.info['data']['options'].get('time')}'"
        )
    return Series(x[:n], times if timed else None, columns)


def _read(
    run: Run, source: Any, frame: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...] | None]:
    """Values (N, T, *frame), times (N, T) and names of columns, as far as the source has them."""
    time = run.info["data"]["options"].get("time")
    if not isinstance(source, str | Path):
        return _shaped(as_numpy(source), frame), None, None
    path = Path(source).expanduser()
    if path.is_dir():
        found = sequences.read_folder(path, time)
        held: Any = found.train
        return held.array, held.times, found.columns
    if not path.is_file():
        raise LowerboundError(
            f"expected a file or folder of sequences, or the number of a held-out one, came "
            f"{source}: there is no such file"
        )
    if path.suffix.lower() in (".csv", ".tsv"):
        table = tables.read(path, attributes=None if time is None else (time,))
        rows: Any = table.train
        times = None
        if table.attributes is not None:
            times = (table.attributes[:, 0] - table.attributes[0, 0])[None]
            if (np.diff(times) <= 0).any():
                raise LowerboundError(
                    f"expected times that rise from step to step in {path.name}, came others: sort "
                    "its rows"
                )
        return rows.array[None].astype(np.float32), times, table.columns
    if path.suffix.lower() == ".gif":
        frames = clip_frames(lambda name: path.read_bytes(), path.name)
        if isinstance(frames, str):
            raise LowerboundError(f"{path} does not open as a .gif ({frames})")
        pixels = np.moveaxis(np.stack(frames), -1, 1)
        pixels = pixels.repeat(3, 1) if frame[:1] == (3,) and pixels.shape[1] == 1 else pixels
        return pixels[None], None, None
    if path.suffix.lower() != ".npy":
        raise LowerboundError(f"expected a .csv, .tsv, .npy or .gif, or a folder, came {path.name}")
    try:
        return _shaped(np.load(path, allow_pickle=False), frame), None, None
    except (ValueError, OSError, EOFError):
        raise LowerboundError(f"{path} does not open as .npy: write it again") from None


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
