"""Samples beside the real examples that they lie nearest to."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .images import image_array
from .style import MODEL, MUTED, new_figure, plain

Array = NDArray[Any]

#: Of the picture in a run's folder, and in its report.
NAME = "neighbours"
CAPTION = (
    "Samples most like copies",
    "Each over the nearest training and the nearest held-out example, by pixels. A copy is much "
    "nearer to one training example than to the next; held-out examples say how near is usual.",
)


def neighbours(
    samples: Array, train: Array, held_out: Array, ratio: Array, *, copying: bool, name: str = ""
) -> Figure:
    """The samples most like copies: each over its nearest training and held-out example.

    Args:
        samples: ``(N, 1 or 3, H, W)`` in [0, 1], the most suspicious first.
        train: the nearest training example of each.
        held_out: the nearest held-out example of each.
        ratio: distance to the nearest over that to the second nearest training example, ``(N,)``.
        copying: whether the model was found to copy.
        name: of the data.
    """
    count, _, height, width = samples.shape
    across = 1.0  # inches
    side = across * height / width
    left = 1.25
    figure = new_figure(left + across * count + 0.1, 3 * side + 1.0)
    title = f"{name}: the samples most like copies" if name else "The samples most like copies"
    found = "the model copies its training examples" if copying else "no sign of copying"
    figure.suptitle(plain(f"{title} ({found})"), x=0.012, ha="left", fontsize=11, fontweight="bold")
    rows = (samples, train, held_out)
    names = ("sample", "nearest\ntraining example", "nearest\nheld-out example")
    grid = figure.subplots(3, count, squeeze=False)
    for axes_row, images, text in zip(grid, rows, names, strict=True):
        for axes, image in zip(axes_row, images, strict=True):
            axes.imshow(image_array(image[None]), interpolation="nearest")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        axes_row[0].set_ylabel(text, rotation=0, ha="right", va="center", fontsize=9, color=MUTED)
    for axes, value in zip(grid[1], np.asarray(ratio), strict=True):
        colour = MODEL if value < 0.5 else MUTED
        axes.set_xlabel(f"{value:.2f}", fontsize=8.5, color=colour, labelpad=2)
    figure.supxlabel(
        "Numbers: distance to the nearest training example over that to the second nearest; "
        "near 0 for a copy.",
        fontsize=8.5,
        color=MUTED,
        x=0.012,
        ha="left",
    )
    return figure
