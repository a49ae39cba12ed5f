"""Figures of the demonstrations on digits: arrays in, a figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import CLASSES, HELD_OUT, INK, MODEL, MUTED, legend, new_figure, style

Array = NDArray[Any]


def shifted(
    images: Array, moved: Array, erased: Array, distances: Mapping[str, Sequence[Array]]
) -> Figure:
    """Digits, shifted and broken, and which of the two is further away, by several distances.

    Args:
        images: ``(N, H, W)`` in [0, 1].
        moved: the same, shifted.
        erased: the same, without a stroke.
        distances: by name, of the shifted and of the erased, ``(M,)`` each.
    """
    figure = new_figure(9.4, 4.7)
    above, below = _parts(figure, 2, 1, height_ratios=(1.25, 1.0))
    count = len(images)
    grid = above.subplots(3, count)
    names = ("as it is", "shifted", "stroke erased")
    for row, (name, some) in enumerate(zip(names, (images, moved, erased), strict=True)):
        for axes, image in zip(grid[row], some, strict=True):
            _image(axes, image)
        grid[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9, color=MUTED)
    for axes, (name, (a, b)) in zip(
        below.subplots(1, len(distances)), distances.items(), strict=True
    ):
        style(axes, xlabel="shifted", ylabel="stroke erased")
        axes.set_title(name.replace(", ", "\n"), fontsize=9, color=INK, loc="left")
        further = b > a
        for chosen, colour in ((~further, MODEL), (further, HELD_OUT)):
            axes.scatter(a[chosen], b[chosen], s=5, color=colour, alpha=0.5, lw=0)
        low, high = float(min(a.min(), b.min())), float(max(a.max(), b.max()))
        axes.plot([low, high], [low, high], color=MUTED, lw=0.8)
        text = f"erased further: {100 * further.mean():.0f} %"
        axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=8, color=MUTED)
        axes.set_ylim(low, low + 1.22 * (high - low))
    return figure


def generated_sheets(
    sheets: Mapping[str, Array], codes: Mapping[str, tuple[Array, Array]], columns: int = 10
) -> Figure:
    """Codes of data under codes that were drawn, and sheets of what these decode to.

    Args:
        sheets: by name, images in [0, 1], ``(N, H, W)``.
        codes: by model, those of held-out data ``(M, L)`` and those drawn ``(K, L)``; drawn along
            the first and the last principal axis of the data's.
        columns: images in a row.
    """
    figure = new_figure(2.5 * len(sheets), 4.6)
    above, below = _parts(figure, 2, 1, height_ratios=(1.0, 1.35))
    for axes, (name, images) in zip(above.subplots(1, len(sheets)), sheets.items(), strict=True):
        rows = len(images) // columns
        height, width = images.shape[1:]
        grid = images[: rows * columns].reshape(rows, columns, height, width)
        sheet = np.pad(grid, ((0, 0), (0, 0), (1, 0), (1, 0))).swapaxes(1, 2)
        _image(axes, sheet.reshape(rows * (height + 1), -1))
        axes.set_title(name, fontsize=9.5, color=INK, loc="left")
    for axes, (name, (data, drawn)) in zip(
        below.subplots(1, len(codes)), codes.items(), strict=True
    ):
        middle = data.mean(0)
        turn = np.linalg.svd(data - middle, full_matrices=False)[2][[0, -1]].T
        style(axes, title=f"codes of the {name}", xlabel="first principal axis", ylabel="last")
        for values, colour, text in (
            (drawn, MODEL, "drawn from N(0, I)"),
            (data, HELD_OUT, "of held-out digits"),
        ):
            x, y = ((values - middle) @ turn).T
            axes.scatter(x, y, s=7, color=colour, alpha=0.5, lw=0, label=text)
        legend(axes, loc="upper right", markerscale=1.8, handletextpad=0.1)
    return figure


def walks(images: Mapping[str, Array], sure: Mapping[str, Array]) -> Figure:
    """A path of images for each method, and how sure a classifier is along all paths.

    Args:
        images: by name, one path, ``(T, H, W)`` in [0, 1].
        sure: by name, the classifier's highest probability, ``(T,)``.
    """
    figure = new_figure(9.4, 3.1)
    left, right = _parts(figure, 1, 2, width_ratios=(1.75, 1.0))
    for axes, (name, path) in zip(left.subplots(len(images), 1), images.items(), strict=True):
        path = path[::2]
        height, width = path.shape[1:]
        strip = np.zeros((height, len(path) * (width + 1) - 1))
        for place, image in enumerate(path):
            strip[:, place * (width + 1) : place * (width + 1) + width] = image
        _image(axes, strip)
        axes.set_title(name, fontsize=8.5, color=INK, loc="left", pad=2)
    axes = style(
        right.subplots(), xlabel="along the line", ylabel="highest class probability, mean"
    )
    colours = (MUTED, CLASSES[2], MODEL, HELD_OUT)
    for colour, (name, values) in zip(colours, sure.items(), strict=True):
        axes.plot(np.linspace(0, 1, len(values)), values, color=colour, lw=1.6, label=name)
    axes.set_xlim(0, 1)
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.45 * (high - low), high)  # room for the legend
    legend(axes, loc="lower center", fontsize=8, ncols=2)
    return figure


def _parts(figure: Figure, rows: int, columns: int, **options: Any) -> Any:
    """Parts of a figure, row by row."""
    found: Any = figure.subfigures(rows, columns, **options)
    return np.ravel(found)


def _image(axes: Axes, image: Array) -> None:
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
