"""Two estimates of log p(x) that rank models the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .images import image_array
from .style import HELD_OUT, INK, MODEL, legend, new_figure, style

Array = NDArray[Any]


def inversion(
    dimensions: Sequence[int],
    estimates: Mapping[str, tuple[Array, Array]],
    samples: Mapping[str, Array],
) -> Figure:
    """Estimates over the code's dimensions, beside samples of the models.

    Args:
        dimensions: of the code, of each model, M.
        estimates: by name, two or three, mean log p(x) of each model and its standard error over
            the examples, ``(M,)`` each, nats.
        samples: of models by name, ``(N, H, W)`` in [0, 1].
    """
    figure = new_figure(9.0, 3.6, "Which decoder is better?")
    grid = figure.add_gridspec(len(samples), 2, width_ratios=(1.15, 1.0))
    axes = style(
        figure.add_subplot(grid[:, 0]),
        xlabel="code dimensions",
        ylabel="log p(x), held out (nats), 95 % intervals",
    )
    for (name, (values, errors)), color in zip(
        estimates.items(), (MODEL, HELD_OUT, INK), strict=False
    ):
        places, reach = range(len(dimensions)), 1.96 * np.asarray(errors)
        axes.errorbar(
            places, values, reach, color=color, marker="o", ms=5, lw=1.6, capsize=3, label=name
        )
    axes.set_xticks(range(len(dimensions)), [str(size) for size in dimensions])
    axes.margins(x=0.08, y=0.12)
    legend(axes, loc="upper left")
    for row, (name, images) in enumerate(samples.items()):
        sheet = figure.add_subplot(grid[row, 1])
        sheet.imshow(image_array(images[:, None], columns=14, gap=1), interpolation="nearest")
        sheet.set_title(name, fontsize=9, loc="left", color=INK)
        sheet.set_axis_off()
    return figure
