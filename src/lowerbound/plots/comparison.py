"""Runs beside one another: each one's value, and its difference on the same examples."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import HELD_OUT, INK, MODEL, MUTED, new_figure, plain, style


def comparison(panels: Sequence[Mapping[str, Any]]) -> Figure:
    """A row for each quantity: values ± standard error at the left, paired differences with their
    95 % intervals at the right.

    Args:
        panels: of each quantity: ``group`` (of runs that compare), ``title``, ``unit``,
            ``against`` (a run's name) and ``rows``: ``name``, ``value``, ``error``,
            ``difference``, ``low``, ``high`` (None of the run that others are held against).
    """
    if not panels:
        figure = new_figure(6.0, 1.2)
        figure.text(0.02, 0.5, "nothing to compare", color=MUTED)
        return figure
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for panel in panels:
        groups.setdefault(panel["group"], []).append(panel)
    heights = {name: [0.85 + 0.3 * len(p["rows"]) for p in of] for name, of in groups.items()}
    whole = [sum(each) + 0.35 for each in heights.values()]
    figure = new_figure(9.4, sum(whole))
    parts = figure.subfigures(len(groups), 1, squeeze=False, height_ratios=whole)[:, 0]
    for part, (name, of) in zip(parts, groups.items(), strict=True):
        heading = textwrap.shorten(plain(name), 96, placeholder=" …")
        part.suptitle(heading, x=0.012, ha="left", fontsize=10.5, fontweight="bold", color=INK)
        grid = part.subplots(len(of), 2, squeeze=False, height_ratios=heights[name])
        for (left, right), panel in zip(grid, of, strict=True):
            _values(left, panel)
            _differences(right, panel)
    return figure


def _values(axes: Axes, panel: Mapping[str, Any]) -> None:
    rows = panel["rows"]
    style(axes, title=f"{panel['title']}", xlabel=panel["unit"])
    for place, row in enumerate(rows):
        axes.errorbar(
            row["value"], place, xerr=row["error"], fmt="o", color=HELD_OUT, ms=5, capsize=3, lw=1.4
        )
    _names(axes, rows)
    axes.margins(x=0.12)


def _differences(axes: Axes, panel: Mapping[str, Any]) -> None:
    rows = panel["rows"]
    against = textwrap.shorten(plain(panel["against"]), 40, placeholder="…")
    alone = len(rows) == 1
    style(axes, title="alone" if alone else f"difference to {against}", xlabel=panel["unit"])
    _names(axes, rows)
    axes.set_yticklabels([])
    if alone:
        axes.set_visible(False)
        return
    axes.axvline(0.0, color=MUTED, lw=1)
    for place, row in enumerate(rows):
        if row["difference"] is None:
            axes.plot(0.0, place, "o", color=HELD_OUT, ms=5)
            continue
        arms = [[row["difference"] - row["low"]], [row["high"] - row["difference"]]]
        axes.errorbar(
            row["difference"], place, xerr=arms, fmt="o", color=MODEL, ms=5, capsize=3, lw=1.4
        )
    axes.margins(x=0.12)


def _names(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    names = [textwrap.shorten(plain(row["name"]), 28, placeholder="…") for row in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(False, axis="y")
