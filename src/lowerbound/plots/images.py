"""Grids of images: samples, reconstructions, traversals, the learned manifold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import LowerboundError
from .style import INK, MODEL, MUTED, new_figure, plain

Array = NDArray[Any]


def image_array(images: Array, columns: int | None = None, gap: int = 2) -> Array:
    """Images side by side in one array, row by row.

    Args:
        images: ``(N, C, H, W)`` with C of 1 (grey) or 3 (RGB) and values in [0, 1]; what lies
            outside is cut off.
        columns: images in a row; by default a little more than the square root of N.
        gap: white pixels between them.

    Returns:
        ``(rows * (H + gap) - gap, columns * (W + gap) - gap, 3)`` uint8: image i stands at row
        ``i // columns``, column ``i % columns``.

    Raises:
        LowerboundError: no images of one or three channels.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise LowerboundError(
            f"expected images of shape (N, 1 or 3, height, width), got {images.shape}"
        )
    count, channels, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    whole = np.full((rows * (height + gap), columns * (width + gap), 3), 255, np.uint8)
    levels = np.rint(np.nan_to_num(images).clip(0, 1) * 255).astype(np.uint8)
    if channels == 1:
        levels = np.repeat(levels, 3, axis=1)
    for i, image in enumerate(levels.transpose(0, 2, 3, 1)):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        whole[top : top + height, left : left + width] = image
    return whole[: rows * (height + gap) - gap, : columns * (width + gap) - gap]


def image_grid(
    images: Array,
    title: str,
    *,
    columns: int | None = None,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Images in a grid, say samples.

    Args:
        images: ``(N, C, H, W)`` in [0, 1].
        title: what they are.
        columns: images in a row.
        labels: a word under each.
    """
    if labels is not None:
        return _labelled(np.asarray(images), title, columns, labels)
    whole = image_array(images, columns, _gap(images))
    figure, axes = _canvas(whole, title)
    _show(axes, whole)
    return figure


def reconstructions(
    originals: Array, reconstructed: Array, title: str = "Held-out data and reconstructions"
) -> Figure:
    """Rows of originals, each over the row of their reconstructions.

    Args:
        originals: ``(N, C, H, W)`` in [0, 1].
        reconstructed: the same shape.
        title: what they are.
    """
    originals, reconstructed = np.asarray(originals), np.asarray(reconstructed)
    if originals.shape != reconstructed.shape:
        raise LowerboundError(
            f"expected reconstructions of shape {originals.shape}, got {reconstructed.shape}"
        )
    columns = min(len(originals), 12)
    rows = math.ceil(len(originals) / columns)
    height, width = originals.shape[2:]
    gap = _gap(originals)
    strips = []
    for row in range(rows):
        part = slice(row * columns, (row + 1) * columns)
        # A last row that is not full stays white at its end.
        for images in (originals[part], reconstructed[part]):
            strip = np.full((height, columns * (width + gap) - gap, 3), 255, np.uint8)
            found = image_array(images, len(images), gap)
            strip[:, : found.shape[1]] = found
            strips += [strip, np.full((gap, strip.shape[1], 3), 255, np.uint8)]
        strips.append(np.full((max(2, height // 4), strips[0].shape[1], 3), 255, np.uint8))
    whole = np.concatenate(strips[:-2])
    figure, axes = _canvas(whole, title, left=0.9)
    _show(axes, whole)
    pair = 2 * (height + gap) + max(2, height // 4)
    axes.set_yticks(
        [row * pair + at for row in range(rows) for at in (height / 2, 1.5 * height + gap)],
        ["data", "model"] * rows,
    )
    return figure


def traversal(
    images: Array,
    dimensions: Sequence[int],
    values: Sequence[float],
    title: str = "One code dimension moved at a time",
) -> Figure:
    """A row of images for each code dimension, from the lowest value to the highest.

    Args:
        images: ``(len(dimensions) * len(values), C, H, W)`` in [0, 1], in the order of
            :func:`lowerbound.latent.traversal_codes`.
        dimensions: the rows.
        values: the columns.
        title: what they are.
    """
    images = np.asarray(images)
    height, width = images.shape[2:]
    gap = _gap(images)
    whole = image_array(images, len(values), gap)
    figure, axes = _canvas(whole, title, left=0.6, bottom=0.45)
    _show(axes, whole)
    axes.set_yticks(
        [row * (height + gap) + height / 2 for row in range(len(dimensions))],
        [f"z$_{{{d}}}$" for d in dimensions],
    )
    shown = sorted({0, len(values) // 2, len(values) - 1})
    axes.set_xticks(
        [column * (width + gap) + width / 2 for column in shown],
        [_signed(values[column]) for column in shown],
    )
    axes.set_xlabel("value of the dimension (prior: standard normal)", fontsize=9, color=MUTED)
    return figure


def frame_rows(
    clips: Array,
    title: str,
    frames: Sequence[str],
    labels: Sequence[str] | None = None,
    marked: int | None = None,
) -> Figure:
    """A row for each clip.

    Args:
        clips: ``(N, F, C, H, W)`` in [0, 1].
        title: what they are.
        frames: a word under each column.
        labels: a word before each row.
        marked: a line stands after so many columns.
    """
    clips = np.asarray(clips)
    rows, columns, _, height, width = clips.shape
    gap = _gap(clips)
    whole = image_array(clips.reshape(-1, *clips.shape[2:]), columns, gap)
    figure, axes = _canvas(whole, title, left=0.9 if labels else 0.0, bottom=0.3)
    _show(axes, whole)
    axes.set_xticks([at * (width + gap) + width / 2 for at in range(columns)], [*frames])
    if labels:
        places = [row * (height + gap) + height / 2 for row in range(rows)]
        axes.set_yticks(places, [plain(label) for label in labels])
    if marked is not None and 0 < marked < columns:
        axes.axvline(marked * (width + gap) - gap / 2, color=MODEL, linewidth=1.6)
    return figure


def manifold(images: Array, codes: Array, title: str = "Learned manifold") -> Figure:
    """What each place of a two-dimensional code space looks like.

    Args:
        images: ``(side * side, C, H, W)`` in [0, 1].
        codes: ``(side * side, 2)`` from :func:`lowerbound.latent.manifold_codes`.
        title: what it is.
    """
    images, codes = np.asarray(images), np.asarray(codes)
    side = math.isqrt(len(images))
    height, width = images.shape[2:]
    whole = image_array(images, side, gap=0)
    figure, axes = _canvas(whole, title, left=0.6, bottom=0.45)
    _show(axes, whole)
    shown = sorted({0, side // 4, side // 2, side - 1 - side // 4, side - 1})
    for axis, size, values in (
        (axes.xaxis, width, codes[:side, 0]),
        (axes.yaxis, height, codes[::side, 1]),
    ):
        places = [i * size + size / 2 for i in shown]
        axis.set_ticks(places, [_signed(values[i]) for i in shown])
    axes.set_xlabel("z$_0$", fontsize=10, color=INK)
    axes.set_ylabel("z$_1$", fontsize=10, color=INK, rotation=0, va="center", labelpad=10)
    return figure


def _signed(value: float) -> str:
    """One decimal, a true minus sign, and no minus zero."""
    return f"{round(float(value), 1) + 0.0:g}".replace("-", "−")


def _gap(images: Array) -> int:
    """White between images: a sixteenth of their width, so that 8 and 64 pixels look alike."""
    return max(1, round(np.asarray(images).shape[-1] / 16))


def _canvas(
    whole: Array, title: str, left: float = 0.0, bottom: float = 0.0
) -> tuple[Figure, Axes]:
    """A figure as wide as a page or less, of the array's shape, and one bare pair of axes."""
    height, width = whole.shape[:2]
    # Strips get the width of a page, squares half of one.
    inches = 8.0 if width > 2 * height else 5.2
    figure = new_figure(inches + left, inches * height / width + bottom + 0.45, title)
    return figure, figure.add_subplot()


def _show(axes: Axes, whole: Array) -> None:
    height, width = whole.shape[:2]
    axes.imshow(whole, interpolation="nearest", extent=(0, width, height, 0))
    axes.set_frame_on(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, labelsize=9, labelcolor=MUTED, pad=3)


def _labelled(images: Array, title: str, columns: int | None, labels: Sequence[str]) -> Figure:
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width = images.shape[2:]
    size = min(1.1, 8.0 / columns)
    figure = new_figure(columns * size, rows * (size * height / width + 0.22) + 0.4, title)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for i, axes in enumerate(grid):
        axes.set_axis_off()
        if i < len(images):
            axes.imshow(image_array(images[i : i + 1]), interpolation="nearest")
            axes.set_title(
                plain(labels[i]), fontsize=8, color=MUTED, y=-0.22 if height > 1 else -0.5
            )
    return figure
