"""Models of the same data by their rate and distortion."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import HELD_OUT, INK, MUTED, RULE, legend, new_figure, plain, style

if TYPE_CHECKING:
    from ..evaluation.rate_distortion import RateDistortion

_LINES = 5


def rate_distortion_curve(
    found: RateDistortion,
    title: str | None = None,
    optimum: Sequence[tuple[float, float]] | None = None,
) -> Figure:
    """Distortion against rate, in bits for each number of a datum; thin lines are equal bounds.

    Args:
        found: the models; those that no other beats are joined by a line.
        title: what is shown.
        optimum: (rate, distortion) in nats of what no model can beat, where that is known.
    """
    figure = new_figure(6.0, 4.6, title or f"Rate against distortion: {found.data}")
    _curve(figure.add_subplot(), found, optimum)
    return figure


def rate_distortion_curves(found: Sequence[RateDistortion]) -> Figure:
    """A panel for each set of models that compare; see :func:`rate_distortion_curve`."""
    if len(found) == 1:
        return rate_distortion_curve(found[0])
    down = -(-len(found) // 2)
    figure = new_figure(9.6, 4.1 * down, "Rate against distortion")
    grid = figure.subplots(down, 2, squeeze=False).ravel()
    for axes, curve in zip(grid, found, strict=False):
        _curve(axes, curve, None)
        axes.set_title(plain(curve.data), fontsize=10, color=INK, loc="left")
    for axes in grid[len(found) :]:
        axes.set_visible(False)
    return figure


def _curve(
    axes: Axes, found: RateDistortion, optimum: Sequence[tuple[float, float]] | None
) -> None:
    bits = found.bits()
    style(axes, xlabel="rate (bits/dim)", ylabel="distortion (bits/dim)")
    if optimum is not None:
        best = np.asarray(sorted(optimum)) / (found.dimensions * math.log(2))
        axes.plot(*best.T, color=INK, linewidth=1.4, label="optimum")
    kept = np.asarray(found.frontier())
    if kept.sum() > 1:
        axes.plot(*bits[kept].T, color=HELD_OUT, linewidth=1.2, alpha=0.6)
    axes.scatter(*bits.T, s=34, color=np.where(kept, HELD_OUT, RULE).tolist(), zorder=3)
    weights = [point.beta for point in found.points]
    for point, (rate, distortion) in zip(found.points, bits, strict=True):
        alone = point.beta is not None and weights.count(point.beta) == 1
        text = f"β {point.beta:g}" if alone else textwrap.shorten(plain(point.name), 24)
        axes.annotate(text, (rate, distortion), xytext=(5, 5), textcoords="offset points",
                      fontsize=8, color=MUTED)  # fmt: skip
    axes.margins(0.12)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    # −bound = rate + distortion is the same along a line of slope −1.
    for level in np.linspace(left + bottom, right + top, _LINES + 2)[1:-1]:
        axes.plot([left, right], [level - left, level - right], color=RULE, linewidth=0.8, zorder=0)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    best = int(bits.sum(1).argmin())
    axes.scatter(*bits[best], s=110, facecolors="none", edgecolors=INK, linewidths=1.2, zorder=4,
                 label=f"best bound: {bits[best].sum():.3f} bits/dim")  # fmt: skip
    legend(axes, loc="upper right")
