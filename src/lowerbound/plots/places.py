"""A map of codes with what lies where: points in colour, and the pictures at their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .images import image_array
from .style import CLASSES, HELD_OUT, INK, legend, new_figure, plain, style

if TYPE_CHECKING:
    from ..latent.map import LatentMap

Array = NDArray[Any]


def places(
    found: LatentMap,
    values: Array | None = None,
    name: str = "",
    *,
    classes: Sequence[str] | None = None,
    title: str = "Codes of held-out data",
    shown: Array | None = None,
    pictures: Array | None = None,
) -> Figure:
    """Codes in the plane, and beside them some of the pictures at their places.

    Args:
        found: from :func:`lowerbound.latent.latent_map`; codes of one number lie on a line.
        values: of each point, ``(N,)``; whole numbers with `classes` are labels, others a scale.
        name: of the values.
        classes: names of the labels.
        title: what is shown.
        shown: which points have a picture, ``(K,)``.
        pictures: ``(K, C, H, W)`` in [0, 1].
    """
    points = found.points
    if points.shape[1] == 1:
        spread = np.random.default_rng(0).uniform(size=len(points))
        points = np.column_stack([points[:, 0], spread])
    beside = pictures is not None and shown is not None and len(shown) > 0
    figure = new_figure(10.4 if beside else 5.8, 4.9, title)
    panels = figure.subplots(1, 2 if beside else 1, squeeze=False)[0]
    axes = _axes(panels[0], found)
    order = np.random.default_rng(0).permutation(len(points))
    some = points[order]
    dots: dict[str, Any] = {"s": float(np.clip(4e4 / len(points), 4, 30)), "alpha": 0.8}
    dots |= {"linewidths": 0}
    if values is None:
        axes.scatter(some[:, 0], some[:, 1], color=HELD_OUT, **dots)
    elif classes is not None and len(classes) <= len(CLASSES):
        labels = np.asarray(values).astype(int)[order]
        for label, colour in zip(range(len(classes)), CLASSES, strict=False):
            axes.scatter([], [], s=36, color=colour, label=plain(str(classes[label])))
        axes.scatter(some[:, 0], some[:, 1], c=np.asarray(CLASSES)[labels].tolist(), **dots)
        across = min(len(classes), 5)
        legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=across,
               handletextpad=0.2, columnspacing=1.0)  # fmt: skip
    else:
        # A few extremes would leave one colour for all the others.
        low, high = np.quantile(values, [0.01, 0.99])
        drawn = axes.scatter(some[:, 0], some[:, 1], c=np.asarray(values)[order], cmap="viridis",
                             vmin=low, vmax=high, **dots)  # fmt: skip
        bar = figure.colorbar(drawn, ax=axes, fraction=0.04, pad=0.02)
        if bar.solids is not None:
            bar.solids.set_alpha(1.0)
        bar.set_label(plain(name), fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=8.5, length=2)
        bar.outline.set_visible(False)
    if beside:
        assert shown is not None and pictures is not None
        _pictures(_axes(panels[1], found), points, np.asarray(shown), np.asarray(pictures))
    return figure


def _axes(axes: Any, found: LatentMap) -> Any:
    if found.explained_variance is not None:
        names = [
            f"component {i} ({100 * part:.0f} % of the variance)"
            for i, part in enumerate(found.explained_variance, 1)
        ]
    elif found.method == "umap":
        names = ["UMAP 1", "UMAP 2"]
    else:
        names = ["z$_0$", "z$_1$" if found.points.shape[1] > 1 else ""]
    style(axes, xlabel=names[0], ylabel=names[1])
    if found.points.shape[1] == 1:
        axes.set_yticks([])
    return axes


def _pictures(axes: Any, points: Array, shown: Array, pictures: Array) -> None:
    """Pictures with their middles at their points, as large as leaves them apart."""
    low, high = points.min(0), points.max(0)
    margin = 0.04 * (high - low)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
    axes.grid(False)
    side = 0.062 * max(high - low)
    height, width = pictures.shape[2:]
    tall = side * (high - low)[1] / max(high - low) * 1.0
    wide = side * (high - low)[0] / max(high - low) * width / height
    for place, picture in zip(points[shown], pictures, strict=True):
        left, bottom = place[0] - wide / 2, place[1] - tall / 2
        axes.imshow(
            image_array(picture[None]), extent=(left, left + wide, bottom, bottom + tall),
            interpolation="nearest", aspect="auto", zorder=2,
        )  # fmt: skip
