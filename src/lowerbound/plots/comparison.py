"""Runs beside one another: each one's value, and its difference on the same examples."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import HELD_OUT, INK, MODEL, MUTED, new_figure, plain, style

_WIDTH, _CHARACTERS = 9.4, 118


def comparison(panels: Sequence[Mapping[str, Any]], notes: Sequence[str] = ()) -> Figure:
    """A row for each quantity: means at the left, paired differences at the right, both with their
    95 % intervals.

    Args:
        panels: of each quantity: ``group`` (of runs that compare), ``title``, ``unit``,
            ``against`` (a run's name) and ``rows``: ``name``, ``value``, ``value_low``,
            ``value_high``, and ``difference``, ``low``, ``high`` (None of the run that others are
            held against).
        notes: lines below, of runs that have no panel.
    """
    said = [line for note in notes for line in textwrap.wrap(plain(note), _CHARACTERS)]
    below = 0.22 * len(said) + (0.15 if said else 0.0)
    if not panels:
        figure = new_figure(_WIDTH, 0.8 + below, "No two runs are about the same")
        _say(figure, said, 0.8 + below)
        return figure
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for panel in panels:
        groups.setdefault(panel["group"], []).append(panel)
    heights = {name: [1.15 + 0.3 * len(p["rows"]) for p in of] for name, of in groups.items()}
    whole = [sum(each) + 0.35 for each in heights.values()]
    figure = new_figure(_WIDTH, sum(whole) + below)
    ratios = [*whole, below] if said else whole
    parts = figure.subfigures(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    for part, (name, of) in zip(parts, groups.items(), strict=False):
        heading = textwrap.shorten(plain(name), 96, placeholder=" …")
        part.suptitle(heading, x=0.012, ha="left", fontsize=10.5, fontweight="bold", color=INK)
        grid = part.subplots(len(of), 2, squeeze=False, height_ratios=heights[name])
        for (left, right), panel in zip(grid, of, strict=True):
            _values(left, panel)
            _differences(right, panel)
    if said:
        _say(parts[-1], said, below)
    return figure


def _values(axes: Axes, panel: Mapping[str, Any]) -> None:
    rows = panel["rows"]
    style(axes, title=plain(panel["title"]), xlabel=f"mean and 95 % interval ({panel['unit']})")
    for place, row in enumerate(rows):
        _bar(axes, place, row["value"], row["value_low"], row["value_high"], HELD_OUT)
    _names(axes, rows)
    axes.margins(x=0.12)


def _differences(axes: Axes, panel: Mapping[str, Any]) -> None:
    rows = panel["rows"]
    against = textwrap.shorten(plain(panel["against"]), 34, placeholder="…")
    text = f"mean and 95 % interval, example by example ({panel['unit']})"
    style(axes, title=f"difference to {against}", xlabel=text)
    _names(axes, rows)
    axes.set_yticklabels([])
    axes.axvline(0.0, color=MUTED, lw=1)
    for place, row in enumerate(rows):
        if row["difference"] is None:
            axes.plot(0.0, place, "o", color=HELD_OUT, ms=5)
        else:
            _bar(axes, place, row["difference"], row["low"], row["high"], MODEL)
    axes.margins(x=0.12)


def _bar(axes: Axes, place: int, value: float, low: float, high: float, color: str) -> None:
    if not math.isfinite(value):
        axes.annotate("not finite", (0.5, place), xycoords=("axes fraction", "data"),
                      fontsize=8.5, color=MUTED, va="center", ha="center")  # fmt: skip
        return
    ends = [end if math.isfinite(end) else value for end in (low, high)]
    arms = [[value - ends[0]], [ends[1] - value]]
    axes.errorbar(value, place, xerr=arms, fmt="o", color=color, ms=5, capsize=3, lw=1.4)


def _names(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    names = [textwrap.shorten(plain(row["name"]), 28, placeholder="…") for row in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(False, axis="y")


def _say(figure: Any, lines: Sequence[str], height: float) -> None:
    for place, line in enumerate(lines):
        y = (0.22 * (len(lines) - place) - 0.1) / height
        figure.text(0.012, y, line, fontsize=8.5, color=MUTED, va="center")
