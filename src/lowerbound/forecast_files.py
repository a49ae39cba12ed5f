"""Forecasts and beliefs as pictures and files, and the pictures of a run of sequences."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import plots
from .data.cells import dates_of
from .data.step_times import unit_of
from .errors import LowerboundError
from .forecasting import Believed, Forecasted, belief, forecast
from .plots import forecast as figures
from .runs import Run
from .training.checkpoint import write_out
from .training.units import for_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLIPS = 6


def forecast_figure(run: Run, found: Forecasted) -> Figure:
    """Of vectors curves, of frames rows of them: the data, then two draws for each."""
    horizon = found.mean.shape[1]
    title = f"{run.spec.name}: {horizon} steps ahead"
    if found.past.ndim > 3:
        clips, labels = _clips(run, found)
        return plots.strips(clips, title, labels=labels, given=found.past.shape[1])
    return figures.forecasts(
        found.past, found.truth, found.mean, found.low, found.high, found.draws,
        found.past_times, found.times, level=found.level, columns=found.columns,
        names=[f"{name}, {given} steps given" for name, given in zip(found.names, found.given,
                                                                   strict=True)],
        clock=_clock(run, found.times[:, -1] - found.past_times[:, 0], "steps"), title=title,
    )  # fmt: skip


def write_forecast(path: str | Path, run: Run, found: Forecasted) -> Path:
    """Write a forecast: .png, .npy (the draws ``(K, N, H, *frame)``), .csv, or .gif of frames.

    In a .gif each clip of data has two draws beside it, which are framed from the first step on
    that is a forecast. A .csv has a row for each step ahead of each sequence: its time, and of each
    number the mean, the interval and the paths.

    Raises:
        LowerboundError: another ending, a .gif of what are no frames, or the disk is full.
    """
    path = Path(path)
    _refuse_name(path, (".png", ".npy", ".csv", ".gif"))
    if path.suffix == ".npy":
        return write_out(path, _npy(found.draws))
    if path.suffix == ".png":
        return write_out(path, plots.to_png(forecast_figure(run, found)))
    if path.suffix == ".csv":
        _refuse_frames(path, found.past)
        paths = [f"path_{number}" for number in range(len(found.draws))]
        values = np.stack((found.mean, found.low, found.high, *found.draws), -1)
        steps = np.arange(1, values.shape[1] + 1)
        rows = [
            (name, step, *numbers)
            for name, times, each in zip(found.names, found.times, values, strict=True)
            for step, *numbers in zip(steps, times, *each.reshape(len(steps), -1).T, strict=True)
        ]
        kinds = ["mean", "low", "high", *paths]
        before = ["sequence", "step_ahead", "time"]
        return _write_table(path, before, found.columns, kinds, rows, found.dated)
    if found.past.ndim != 5:
        raise LowerboundError(
            f"expected a name that ends in .png, .npy or .csv, as steps are no frames, came "
            f"'{path.name}'"
        )
    clips, labels = _clips(run, found)
    clips = _framed(clips, [label == "model" for label in labels], found.past.shape[1])
    return write_out(path, plots.gif(clips, columns=3, scale=plots.enlarged(clips, 3)))


def belief_figure(run: Run, found: Believed, which: int = 0) -> Figure:
    """One sequence of vectors: data, belief, what gaps held, and the score of each step."""
    if found.x.ndim > 3:
        clips = np.stack([found.x[which], found.mean[which], found.smoothed[which]])
        low, high = run.spec.low, run.spec.high
        shown = np.clip((clips - low) / ((high - low) or 1.0), 0.0, 1.0)
        labels = ["data", "belief", "all data"]
        return plots.strips(shown, f"{run.spec.name}: what is believed of each frame",
                            labels=labels)  # fmt: skip
    own = slice(0, int(found.lengths[which]))
    return figures.beliefs(
        found.x[which, own], found.smoothed[which, own], found.smoothed_low[which, own],
        found.smoothed_high[which, own], found.low[which, own], found.high[which, own],
        found.score[which, own], found.times[which, own], level=found.level,
        columns=found.columns, dated=found.dated,
        clock=_clock(run, found.times[which, own][-1:] - found.times[which, 0], "step"),
        title=f"{run.spec.name}, {found.names[which]}: what is believed of each step",
    )  # fmt: skip


def _clock(run: Run, spans: np.ndarray, steps: str) -> tuple[float, str]:
    """What times are divided by to be read, and what they then are."""
    if run.spec.time_step is None:
        return 1.0, steps
    return unit_of(float(np.nanmax(spans))) if run.spec.dated else (1.0, "time")


def write_belief(path: str | Path, run: Run, found: Believed) -> Path:
    """Write beliefs: .png (of the first sequence), .npy (the data with gaps filled), or .csv.

    A .csv has a row for each step of each sequence: its time, its score, and of each number the
    data, the mean given the past and the step itself, and the mean and the interval of the data
    given all of them.

    Raises:
        LowerboundError: another ending, or the disk is full.
    """
    path = Path(path)
    _refuse_name(path, (".png", ".npy", ".csv"))
    if path.suffix == ".npy":
        return write_out(path, _npy(found.imputed))
    if path.suffix == ".png":
        return write_out(path, plots.to_png(belief_figure(run, found)))
    _refuse_frames(path, found.x)
    columns = (found.x, found.mean, found.smoothed, found.smoothed_low, found.smoothed_high)
    values = np.stack(columns, -1)
    rows = [
        (name, step, found.times[row, step], found.score[row, step], *values[row, step].ravel())
        for row, name in enumerate(found.names)
        for step in range(int(found.lengths[row]))
    ]
    before = ["sequence", "step", "time", "score"]
    kinds = ["", "belief", "smoothed", "low", "high"]
    return _write_table(path, before, found.columns, kinds, rows, found.dated)


def _refuse_frames(path: Path, x: np.ndarray) -> None:
    if x.ndim > 3:
        raise LowerboundError(
            f"expected a name that ends in .png or .npy, as steps are frames, came '{path.name}'"
        )


def _write_table(
    path: Path,
    before: Sequence[str],
    columns: Sequence[str],
    kinds: Sequence[str],
    rows: Sequence[Sequence[Any]],
    dated: bool,
) -> Path:
    """A .csv with a column of each kind for each number; an empty cell is not known."""
    times = [row[2] for row in rows]
    written = dates_of(times) if dated else [f"{time:.15g}" for time in times]
    content = io.StringIO()
    table = csv.writer(content, lineterminator="\n")
    header = [f"{name}_{kind}" if kind else name for name in columns for kind in kinds]
    table.writerow([*before, *header])
    for (name, step, _, *numbers), time in zip(rows, written, strict=True):
        shown = ["" if np.isnan(each) else f"{each:.9g}" for each in numbers]
        table.writerow([name, step, time, *shown])
    return write_out(path, content.getvalue().encode())


def run_figures(run: Run) -> dict[str, Figure]:
    """What a trained run of sequences is looked at by."""
    length = run.spec.event_shape[0]
    horizon = max(1, min(length // 2, 100))
    ahead = forecast(run, horizon=horizon, samples=100, at=length - horizon, n=4)
    found = {"forecasts": forecast_figure(run, ahead)}
    if run.spec.kind == "sequence":
        found["beliefs"] = belief_figure(run, belief(run, 0))
    metrics = [for_curves(line) for line in run.metrics()]
    if plots.worth_curves(metrics):
        found["learning_curves"] = plots.learning_curves(metrics)
    return found


def _clips(run: Run, found: Forecasted) -> tuple[np.ndarray, list[str]]:
    """Whole clips in [0, 1]: the data (black where they end), and two draws, for each."""
    rows, labels = [], []
    frames = found.past.shape[1] + found.mean.shape[1]
    for which in range(min(len(found.past), _CLIPS // 2)):
        data = np.concatenate([found.past[which], found.truth[which]])[:frames]
        whole = np.zeros((frames, *data.shape[1:]), np.float32)
        whole[: len(data)] = data
        rows.append(whole)
        for draw in found.draws[:2, which]:
            rows.append(np.concatenate([found.past[which], draw]))
        labels += ["data", "model", "model"]
    low, high = run.spec.low, run.spec.high
    return np.clip((np.stack(rows) - low) / ((high - low) or 1.0), 0.0, 1.0), labels


def _framed(clips: np.ndarray, drawn: Sequence[bool], given: int) -> np.ndarray:
    """Clips ``(N, F, C, H, W)`` a pixel wider on each side: grey around what is forecast, else
    white as the sheet they lie on."""
    framed = np.pad(clips, ((0, 0), (0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1.0)
    edge = np.ones(framed.shape[-2:], bool)
    edge[1:-1, 1:-1] = False
    for clip, ours in zip(framed, drawn, strict=True):
        if ours:
            clip[given:, :, edge] = 0.5
    return framed


def _npy(values: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()


def _refuse_name(path: Path, endings: tuple[str, ...]) -> None:
    if path.suffix not in endings:
        raise LowerboundError(
            f"expected a name that ends in {', '.join(endings)}, came '{path.name}'"
        )
