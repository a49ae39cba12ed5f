"""What a sweep found: each option's values against the number that decides."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from .style import HELD_OUT, MODEL, MUTED, RULE, legend, new_figure, plain, style


def sweep(
    trials: Sequence[Mapping[str, Any]],
    best: str,
    winner: int | None,
    logs: Sequence[str] = (),
    title: str = "",
) -> Figure:
    """A panel for each option: its values against the number, a dot for each trial.

    Args:
        trials: ``number``, ``options`` and ``value`` of those that came to their end.
        best: the number with its unit, as an axis' label.
        winner: number of the best trial.
        logs: options whose axis is logarithmic.
        title: what is shown.
    """
    names = list(dict.fromkeys(name for trial in trials for name in trial["options"]))
    across = min(3, max(1, len(names)))
    down = -(-len(names) // across)
    width = 3.2 * across + 0.4
    lines = textwrap.wrap(title, int(11 * width), max_lines=3, placeholder=" …")
    heading = 0.3 + 0.2 * len(lines)
    figure = new_figure(width, 2.7 * max(1, down) + heading, "\n".join(lines))
    if not names:
        figure.text(0.05, 0.5, "no trial has come to its end", color=MUTED)
        return figure
    grid = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    for place, name in enumerate(names):
        axes = style(grid[place], xlabel=plain(name))
        values = [trial["options"].get(name) for trial in trials]
        numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        words = list(dict.fromkeys(map(str, values)))
        for trial, value in zip(trials, values, strict=True):
            at = value if numeric else words.index(str(value))
            wins = trial["number"] == winner
            axes.plot(
                at,
                trial["value"],
                "o",
                ms=8 if wins else 5,
                color=MODEL if wins else HELD_OUT,
                alpha=1.0 if wins else 0.65,
                mew=0,
                zorder=3 if wins else 2,
            )
        if not numeric:
            axes.set_xticks(range(len(words)), words)
            axes.margins(x=0.2)
        elif name in logs:
            _powers(axes, [float(value) for value in values])
        elif len(set(values)) <= 6:
            axes.set_xticks(sorted(set(values)), [f"{v:g}" for v in sorted(set(values))])
        if place % across == 0:
            axes.set_ylabel(plain(best), fontsize=9.5)
    if winner is not None:
        grid[0].plot([], [], "o", ms=8, color=MODEL, mew=0, label="best")
        legend(grid[0], loc="best", frameon=True, edgecolor=RULE, fancybox=False)
    return figure


def _powers(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis with three to five labels: powers of ten, and between them as need be."""
    axes.set_xscale("log")
    low, high = math.log10(min(values)), math.log10(max(values))
    wide = high - low
    parts = (1.0, 2.0, 5.0) if wide < 1.3 else (1.0, 3.0) if wide < 2.2 else (1.0,)
    if wide < 0.6:  # within a few times: round numbers at even distances
        places = (low, 0.5 * (low + high), high)
        ticks = list(dict.fromkeys(float(f"{10**at:.2g}") for at in places))
    else:
        whole = range(math.floor(low) - 1, math.ceil(high) + 2)
        every = max(1, round(wide / 4))
        ticks = [part * 10.0**power for power in whole if power % every == 0 for part in parts]
        margin = 0.08 * wide
        ticks = [tick for tick in ticks if low - margin <= math.log10(tick) <= high + margin]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
