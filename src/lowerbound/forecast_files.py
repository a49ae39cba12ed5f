"""Forecasts and beliefs as pictures and files, and the pictures of a run of sequences."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import plots
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
    title = f"{run.spec.name}: {horizon} steps ahead of step {found.past.shape[1]}"
    if found.past.ndim > 3:
        clips, labels = _clips(run, found)
        return plots.strips(clips, title, labels=labels, given=found.past.shape[1])
    return figures.forecasts(
        found.past, found.truth, found.mean, found.low, found.high, found.draws, found.times,
        level=found.level, columns=found.columns, title=title,
    )  # fmt: skip


def write_forecast(path: str | Path, run: Run, found: Forecasted) -> Path:
    """Write a forecast: .png, .npy (the draws ``(K, N, H, *frame)``), or .gif of frames.

    Raises:
        LowerboundError: another ending, a .gif of what are no frames, or the disk is full.
    """
    path = Path(path)
    _refuse_name(path, (".png", ".npy", ".gif"))
    if path.suffix == ".npy":
        return write_out(path, _npy(found.draws))
    if path.suffix == ".png":
        return write_out(path, plots.to_png(forecast_figure(run, found)))
    if found.past.ndim != 5:
        raise LowerboundError(
            f"expected a name that ends in .png or .npy, as steps are no frames, came '{path.name}'"
        )
    clips, _ = _clips(run, found)
    return write_out(path, plots.gif(clips, columns=3, scale=plots.enlarged(clips, 3)))


def belief_figure(run: Run, found: Believed, which: int = 0) -> Figure:
    """One sequence of vectors: data, belief, what gaps held, and the score of each step."""
    if found.x.ndim > 3:
        clips = np.stack([found.x[which], found.mean[which], found.smoothed[which]])
        shown = np.clip(clips / (run.spec.high or 1.0), 0.0, 1.0)
        labels = ["data", "belief", "all data"]
        return plots.strips(shown, f"{run.spec.name}: what is believed of each frame",
                            labels=labels)  # fmt: skip
    return figures.beliefs(
        found.x[which], found.smoothed[which], found.smoothed_low[which],
        found.smoothed_high[which], found.low[which], found.high[which], found.score[which],
        level=found.level, columns=found.columns,
        title=f"{run.spec.name}: what is believed of each step",
    )  # fmt: skip


def write_belief(path: str | Path, run: Run, found: Believed) -> Path:
    """Write beliefs: .png (of the first sequence), .npy (the data with gaps filled), or .csv.

    A .csv has a row for each step of each sequence: its score, and of each number the data, the
    mean given the past, and the mean and the interval given all data.

    Raises:
        LowerboundError: another ending, or the disk is full.
    """
    path = Path(path)
    _refuse_name(path, (".png", ".npy", ".csv"))
    if path.suffix == ".npy":
        return write_out(path, _npy(found.imputed))
    if path.suffix == ".png":
        return write_out(path, plots.to_png(belief_figure(run, found)))
    if found.x.ndim > 3:
        raise LowerboundError(
            f"expected a name that ends in .png or .npy, as steps are frames, came '{path.name}'"
        )
    kinds = ("", "_belief", "_smoothed", "_low", "_high")
    header = [f"{name}{kind}" for name in found.columns for kind in kinds]
    lines = [",".join(["sequence", "step", "score", *header])]
    columns = (found.x, found.mean, found.smoothed, found.smoothed_low, found.smoothed_high)
    values = np.stack(columns, -1)
    for row in range(len(values)):
        for step in range(values.shape[1]):
            cells = [found.score[row, step], *values[row, step].ravel()]
            shown = ["" if np.isnan(cell) else f"{cell:.6g}" for cell in cells]
            lines.append(",".join([str(row), str(step), *shown]))
    return write_out(path, ("\n".join(lines) + "\n").encode())


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


def _npy(values: Any) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()


def _refuse_name(path: Path, endings: tuple[str, ...]) -> None:
    if path.suffix not in endings:
        raise LowerboundError(
            f"expected a name that ends in {', '.join(endings)}, came '{path.name}'"
        )
