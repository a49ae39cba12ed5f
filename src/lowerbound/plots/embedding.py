"""Maps of the same data by several methods, and data before and after a denoiser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .images import image_array
from .style import CLASSES, HELD_OUT, INK, MUTED, new_figure, plain, style

Array = NDArray[Any]


def side_by_side(
    panels: Sequence[tuple[str, Array]],
    labels: Array | None = None,
    classes: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Maps next to each other, the same examples in the same colours.

    Up to ten labels get a colour each and stand in a legend; more are coloured along a scale.

    Args:
        panels: of each its title and its points, ``(N, 1)`` or ``(N, 2)``. One dimension is drawn
            along the horizontal, the vertical then only keeps the points apart.
        labels: ``(N,)``; integers index ``classes``.
        classes: their names.
        title: of the figure.
    """
    across = min(4, len(panels))
    down = math.ceil(len(panels) / across)
    shown = np.zeros(0) if labels is None else np.unique(labels)
    few = 0 < len(shown) <= len(CLASSES)
    legend = 0.45 if few else 0.0
    figure = new_figure(
        max(3.4, 2.7 * across), 2.75 * down + legend + (0.35 if title else 0), title
    )
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    drawn: Any = None
    for axes, (name, points) in zip(grid, panels, strict=False):
        drawn = _points(axes, name, np.asarray(points), labels, shown, few)
    if few:
        names = [_name(label, classes) for label in shown]
        handles = [
            grid[0].scatter([], [], s=30, color=colour)
            for _, colour in zip(names, CLASSES, strict=False)
        ]
        figure.legend(
            handles,
            names,
            loc="outside lower center",
            ncols=min(10, len(names)),
            frameon=False,
            fontsize=8.5,
            labelcolor=INK,
            handletextpad=0.1,
            columnspacing=1.2,
        )
    elif labels is not None:
        bar = figure.colorbar(drawn, ax=list(grid[: len(panels)]), fraction=0.03, pad=0.01)
        bar.set_label("label", fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=8, length=2)
        bar.outline.set_visible(False)
        if bar.solids is not None:
            bar.solids.set_alpha(1.0)
    return figure


def _points(
    axes: Axes, name: str, points: Array, labels: Array | None, shown: Array, few: bool
) -> Any:
    style(axes, title=plain(name))
    axes.set_box_aspect(1)
    axes.tick_params(labelsize=7)
    random = np.random.default_rng(0)
    order = random.permutation(len(points))
    if points.shape[1] == 1:
        points = np.stack([points[:, 0], random.uniform(-1, 1, len(points))], 1)
        axes.set_yticks([])
        axes.set_ylabel("drawn at random, to keep points apart", fontsize=7, color=MUTED)
    low, high = _limits(points)
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    dots: dict[str, Any] = {
        "s": float(np.clip(9e3 / len(points), 2, 16)),
        "alpha": 0.7,
        "linewidths": 0,
    }
    across, up = points[order].T
    if labels is None:
        return axes.scatter(across, up, color=HELD_OUT, **dots)
    if few:
        colours = np.asarray(CLASSES)[np.searchsorted(shown, labels[order])]
        return axes.scatter(across, up, c=colours.tolist(), **dots)
    return axes.scatter(across, up, c=labels[order], cmap="viridis", **dots)


def _limits(points: Array) -> tuple[Array, Array]:
    """Least and greatest value shown of each axis: a few stray codes, at most one in 25 along an
    axis, must not press the others into a corner."""
    low, high = np.quantile(points, [0.02, 0.98], axis=0)
    room = 0.35 * (high - low)
    low = np.maximum(low - room, points.min(0))
    high = np.minimum(high + room, points.max(0))
    margin = 0.04 * np.where(high > low, high - low, 1.0)
    return low - margin, high + margin


def _name(label: Any, classes: Sequence[str] | None) -> str:
    known = classes is not None and 0 <= int(label) < len(classes)
    return plain(str(classes[int(label)]) if classes is not None and known else str(label))


def denoised(
    clean: Array | None, corrupted: Array, found: Array, title: str = "Denoised"
) -> Figure:
    """Images in columns: clean, corrupted, and what the denoiser makes of the corrupted ones.

    Args:
        clean: ``(N, C, H, W)`` in [0, 1], or None where they are not known.
        corrupted: the same.
        found: the same.
        title: what is shown.
    """
    named = [("clean", clean), ("corrupted", corrupted), ("denoised", found)]
    rows = [(name, np.asarray(images)) for name, images in named if images is not None]
    across = min(12, len(found))
    gap = max(1, round(found.shape[-1] / 16))
    strips: list[Array] = []
    for start in range(0, len(found), across):
        for _, images in rows:
            strip = image_array(images[start : start + across], across, gap)
            strips += [strip, np.full((gap, strip.shape[1], 3), 255, np.uint8)]
    whole = np.concatenate(strips[:-1])
    height, width = whole.shape[:2]
    inches = min(8.0, 0.75 * across)
    figure = new_figure(inches + 0.9, inches * height / width + 0.45, title)
    axes = figure.add_subplot()
    axes.imshow(whole, interpolation="nearest", extent=(0, width, height, 0))
    axes.set_frame_on(False)
    places = [(row + 0.5) * (found.shape[-2] + gap) for row in range(len(strips) // 2)]
    axes.set_xticks([])
    axes.set_yticks(places, [name for name, _ in rows] * math.ceil(len(found) / across))
    axes.tick_params(length=0, labelsize=9, labelcolor=MUTED, pad=3)
    return figure
