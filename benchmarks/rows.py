"""A figure that several benchmarks draw: named rows of images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np


def image_rows(rows: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw rows of images, each with its name before it.

    Args:
        rows: images ``(N, C, H, W)`` in [0, 1], by the name of the row.
        path: of the picture.
    """
    from lowerbound.plots.images import image_array
    from lowerbound.plots.style import MUTED, new_figure, save

    drawn = new_figure(9.4, 1.06 * len(rows))
    grid = drawn.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, (name, images) in zip(grid, rows.items(), strict=True):
        axes.imshow(image_array(images, len(images)), interpolation="nearest")
        axes.set_anchor("W")  # the space that the images leave is at the right, not at the name
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10, color=MUTED)
    save(drawn, path)
