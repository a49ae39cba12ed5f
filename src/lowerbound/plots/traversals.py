"""Traversals of a code: a row for each dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..errors import LowerboundError
from .images import image_array
from .style import INK, MUTED, new_figure, plain

if TYPE_CHECKING:
    from ..latent.traverse import Traversal

Array = NDArray[Any]


def traversed(
    found: Traversal,
    images: Array,
    title: str = "One code dimension moved at a time",
    original: Array | None = None,
    told: list[str] | None = None,
) -> Figure:
    """A row of images for each dimension, the one of the largest rate first.

    Args:
        found: from :func:`lowerbound.latent.traverse`.
        images: ``(K, steps, C, H, W)`` in [0, 1]: what it decoded, as it is to be shown.
        title: what is shown.
        original: ``(C, H, W)`` in [0, 1], the example whose code was left: shown at the right.
        told: a word for each row, such as the factor that the dimension tells most of.

    Raises:
        LowerboundError: not an image for each code.
    """
    images = np.asarray(images)
    rows, steps = found.values.shape
    if images.ndim != 5 or images.shape[:2] != (rows, steps):
        raise LowerboundError(
            f"expected images of shape ({rows}, {steps}, C, H, W), a row for each dimension, came "
            f"{images.shape}"
        )
    height, width = images.shape[3:]
    gap = max(1, round(width / 16))
    whole = image_array(images.reshape(-1, *images.shape[2:]), steps, gap)
    tall, wide = whole.shape[:2]
    inches = min(7.0, 0.72 * steps)
    left = 1.35 + (0.9 if told else 0.0)
    figure = new_figure(inches + left + (1.0 if original is not None else 0.0),
                        inches * tall / wide + 0.95, title)  # fmt: skip
    if original is None:
        axes = figure.add_subplot()
    else:
        axes, beside = figure.subplots(1, 2, width_ratios=[wide, width * 1.15])
        _bare(beside)
        beside.imshow(image_array(np.asarray(original)[None]), interpolation="nearest")
        beside.set_anchor("N")
        beside.set_title("original", fontsize=8.5, color=MUTED)
    axes.imshow(whole, interpolation="nearest", extent=(0, wide, tall, 0))
    _bare(axes)
    places = [row * (height + gap) + height / 2 for row in range(rows)]
    axes.set_yticks(places, [_name(found, row, told) for row in range(rows)])
    shown = sorted({0, steps // 2, steps - 1}) if steps % 2 else [0, steps - 1]
    names = {0: "−", steps - 1: "+", steps // 2: "mean"}
    axes.set_xticks(
        [column * (width + gap) + width / 2 for column in shown], [names[c] for c in shown]
    )
    axes.set_xlabel(
        "the dimension's value, over the range of the codes of data", fontsize=9, color=INK
    )
    return figure


def _name(found: Traversal, row: int, told: list[str] | None) -> str:
    text = f"z$_{{{found.dimensions[row]}}}$"
    if found.kl is not None:
        text += f"  {found.kl[row]:.2f} nats"
    return text if told is None else f"{plain(told[row])}\n{text}"


def _bare(axes: Any) -> None:
    axes.set_frame_on(False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, labelsize=8.5, labelcolor=MUTED, pad=3)
