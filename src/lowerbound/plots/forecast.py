"""Sequences and how they may go on; what is believed of each step, and how odd it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .style import HELD_OUT, INK, MODEL, MUTED, new_figure, plain, style

Array = NDArray[Any]

_ROWS, _COLUMNS, _DRAWN = 4, 3, 5
_DAY = 86400.0


def forecasts(
    past: Array,
    truth: Array,
    mean: Array,
    low: Array,
    high: Array,
    draws: Array,
    before: Array,
    at: Array,
    *,
    level: float,
    columns: Sequence[str],
    names: Sequence[str],
    clock: tuple[float, str],
    title: str,
) -> Figure:
    """Data up to some step, then forecasts: mean, interval and a few draws.

    Args:
        past: ``(N, T, D)``, NaN where a number is missing; the last step is the last one given.
        truth: of the steps ahead, ``(N, H', D)``; H' may be 0.
        mean: of the forecasts, ``(N, H, D)``. low, high: of their interval, likewise.
        draws: ``(K, N, H, D)``.
        before: times of what was given, ``(N, T)``. at: of what comes, ``(N, H)``.
        level: of the interval.
        columns: names of the D numbers.
        names: of the sequences.
        clock: what times are divided by, and what they then are: (1.0, "steps").
        title: what is shown.
    """
    (size, unit), rows, count = clock, min(_ROWS, len(past)), min(_COLUMNS, past.shape[2])
    figure = new_figure(7.5 if count == 1 else 4.2 * count, 1.85 * rows + 1.0, title)
    grid = figure.subplots(rows, count, squeeze=False, sharex=True)
    for row in range(rows):
        # From the last step given, so that sequences of any lengths and origins share an axis.
        since, ahead = ((each[row] - before[row, -1]) / size for each in (before, at))
        for column in range(count):
            axes = style(grid[row, column])
            _data(axes, since, past[row, :, column])
            if truth.shape[1]:
                _data(axes, ahead[: truth.shape[1]], truth[row, :, column])
            axes.fill_between(
                ahead, low[row, :, column], high[row, :, column], color=MODEL, alpha=0.18, lw=0
            )
            for path in draws[:_DRAWN, row, :, column]:
                axes.plot(ahead, path, color=MODEL, lw=0.5, alpha=0.35)
            axes.plot(ahead, mean[row, :, column], color=MODEL, lw=1.6)
            axes.axvline(0.0, color=MUTED, lw=0.8, ls=(0, (4, 3)))
            _limits(axes, past[row, :, column], truth[row, :, column], low[row, :, column],
                    high[row, :, column])  # fmt: skip
            axes.set_ylabel(plain(columns[column]) if len(columns) > 1 else "", fontsize=9)
        grid[row, 0].set_title(plain(names[row]), fontsize=9, color=MUTED, loc="left")
    for axes in grid[-1]:
        axes.set_xlabel(f"{unit} from the last step given", fontsize=9.5, color=INK)
    _key(figure, f"central {level:.0%} of the forecast", "mean", "data")
    return figure


def beliefs(
    x: Array,
    smoothed: Array,
    low: Array,
    high: Array,
    filtered_low: Array,
    filtered_high: Array,
    score: Array,
    at: Array,
    *,
    level: float,
    columns: Sequence[str],
    clock: tuple[float, str],
    dated: bool,
    title: str,
) -> Figure:
    """A sequence, what is believed of each step, and the score of each below.

    Args:
        x: ``(T, D)``, NaN where a number is missing.
        smoothed: mean given all data, ``(T, D)``. low, high: interval of the data, likewise.
        filtered_low: interval of the mean given each step and its past. filtered_high: likewise.
        score: −log p of each step given those before, nats, ``(T,)``.
        at: times of the steps, ``(T,)``.
        level: of the intervals.
        columns: names of the D numbers.
        clock: what times are divided by, and what they then are: (1.0, "step").
        dated: times are seconds since 1970, and drawn as dates.
        title: what is shown.
    """
    count = min(_COLUMNS, x.shape[1])
    size, unit = clock
    figure = new_figure(7.8, 1.8 * count + 2.2, title)
    axes = figure.subplots(count + 1, 1, sharex=True, height_ratios=[2.0] * count + [1.2])
    steps = at / (_DAY if dated else size)  # matplotlib's dates are days since 1970
    for column in range(count):
        ax = style(axes[column], ylabel=plain(columns[column]) if len(columns) > 1 else "")
        ax.fill_between(steps, low[:, column], high[:, column], color=MODEL, alpha=0.16, lw=0)
        known = ~np.isnan(filtered_low[:, column])
        ax.fill_between(
            steps, filtered_low[:, column], filtered_high[:, column], where=known,
            color=HELD_OUT, alpha=0.28, lw=0,
        )  # fmt: skip
        ax.plot(steps, smoothed[:, column], color=MODEL, lw=1.3)
        ax.plot(steps, x[:, column], ".", color=INK, ms=3.2)
        _gaps(ax, steps, np.isnan(x[:, column]))
    bar = style(axes[-1], xlabel="" if dated else unit, ylabel="−log p, nats")
    if dated:
        ticks = AutoDateLocator(maxticks=8)
        bar.xaxis.set_major_locator(ticks)
        bar.xaxis.set_major_formatter(ConciseDateFormatter(ticks))
    usual = float(np.median(np.diff(steps))) if len(steps) > 1 else 1.0
    bar.bar(steps, np.nan_to_num(score), width=0.9 * usual, color=MUTED)
    handles = [
        Line2D([], [], color=INK, marker=".", ls="", ms=5),
        Line2D([], [], color=MODEL, lw=1.6),
        Patch(color=MODEL, alpha=0.16, lw=0),
        Patch(color=HELD_OUT, alpha=0.28, lw=0),
    ]
    words = ["data", "mean given all data", f"{level:.0%} of the data, given all of them",
             f"{level:.0%} of the mean, given the past and the step"]  # fmt: skip
    figure.legend(handles, words, loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def _data(axes: Axes, steps: Array, values: Array) -> None:
    """A line where neighbours are known, and a dot for each known step."""
    size = 2.6 if len(steps) > 60 else 4.0
    axes.plot(steps, values, color=INK, lw=0.8, alpha=0.55)
    axes.plot(steps, values, ".", color=INK, ms=size)


def _gaps(axes: Axes, steps: Array, missing: Array) -> None:
    """Shades the steps that are missing, from half-way to their neighbours."""
    middle = (steps[1:] + steps[:-1]) / 2
    ends = np.concatenate([steps[:1], middle, steps[-1:]])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing.astype(int), [0]])))
    for first, last in edges.reshape(-1, 2):
        axes.axvspan(ends[first], ends[last], color=MUTED, alpha=0.13, lw=0)


def _limits(axes: Axes, *values: Array) -> None:
    everything = np.concatenate([np.ravel(v) for v in values])
    everything = everything[np.isfinite(everything)]
    low, high = np.quantile(everything, [0.002, 0.998])
    room = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - room, high + room)


def _key(figure: Figure, *words: str) -> None:
    handles = [
        Patch(color=MODEL, alpha=0.18, lw=0),
        Line2D([], [], color=MODEL, lw=1.6),
        Line2D([], [], color=INK, lw=0.8, marker=".", ms=5),
    ]
    figure.legend(
        handles, list(words), loc="outside lower center", ncols=3, frameon=False, fontsize=8.5
    )
