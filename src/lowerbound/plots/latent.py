"""Where data lie in code space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import CLASSES, HELD_OUT, INK, legend, new_figure, plain, style

if TYPE_CHECKING:
    from ..latent.map import LatentMap

Array = NDArray[Any]


def latent_map(
    found: LatentMap,
    labels: Array | None = None,
    classes: Sequence[str] | None = None,
    title: str = "Codes of held-out data",
) -> Figure:
    """Codes in the plane, coloured by label.

    Up to ten labels get a colour each and stand in a legend; more, or real numbers, are coloured
    along a scale. Points are drawn in random order, lest the last class cover the others.

    Args:
        found: from :func:`lowerbound.latent.latent_map`.
        labels: ``(N,)``; integers index ``classes``.
        classes: their names.
        title: what is shown.
    """
    if found.points.shape[1] == 1:
        return _one_dimension(found.points[:, 0], labels, classes, title)
    figure = new_figure(5.8, 4.9, title)
    names = ("z$_0$", "z$_1$")
    if found.explained_variance is not None:
        names = tuple(
            f"component {i} ({100 * part:.0f} % of the variance)"
            for i, part in enumerate(found.explained_variance, 1)
        )
    axes = style(figure.add_subplot(), xlabel=names[0], ylabel=names[1])
    axes.set_aspect("equal", adjustable="datalim")
    order = np.random.default_rng(0).permutation(len(found.points))
    points = found.points[order]
    size = float(np.clip(4e4 / len(points), 4, 30))
    dots: dict[str, Any] = {"s": size, "alpha": 0.75, "linewidths": 0}
    if labels is None:
        axes.scatter(points[:, 0], points[:, 1], color=HELD_OUT, **dots)
        return figure
    labels = np.asarray(labels)
    shown = np.unique(labels)
    if _are_classes(labels, shown):
        colours = np.asarray(CLASSES)[np.searchsorted(shown, labels[order])]
        axes.scatter(points[:, 0], points[:, 1], c=colours.tolist(), **dots)
        for label, colour in zip(shown, CLASSES, strict=False):
            axes.scatter([], [], s=36, color=colour, label=_name(label, classes))
        legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.3)
    else:
        drawn = axes.scatter(points[:, 0], points[:, 1], c=labels[order], cmap="viridis", **dots)
        bar = figure.colorbar(drawn, ax=axes, fraction=0.04, pad=0.02)
        if bar.solids is not None:
            bar.solids.set_alpha(1.0)
        bar.set_label("label", fontsize=9, color=INK)
        bar.ax.tick_params(labelsize=8.5, length=2)
        bar.outline.set_visible(False)
    return figure


def components(
    index: Array,
    count: int,
    labels: Array | None = None,
    classes: Sequence[str] | None = None,
    title: str = "Held-out data by likeliest component",
) -> Figure:
    """A bar for each component of a mixture: how many examples it is the likeliest of.

    Args:
        index: of the likeliest component of each example, ``(N,)``.
        count: components.
        labels: ``(N,)``; up to ten integers get a colour each.
        classes: their names.
        title: what is shown.
    """
    figure = new_figure(max(4.6, min(9.0, 2.6 + 0.32 * count)), 3.9, title)
    axes = style(figure.add_subplot(), xlabel="component", ylabel="examples")
    axes.grid(False, axis="x")
    place = np.arange(count)
    step = max(1, round(count / 20))
    axes.set_xticks(place[::step])
    index = np.asarray(index).reshape(-1).astype(int)
    shown = np.unique(labels) if labels is not None else np.zeros(0)
    if labels is None or not _are_classes(np.asarray(labels), shown):
        axes.bar(place, np.bincount(index, minlength=count), color=HELD_OUT, width=0.82)
        return figure
    below = np.zeros(count)
    for label, colour in zip(shown, CLASSES, strict=False):
        part = np.bincount(index[np.asarray(labels) == label], minlength=count)
        name = _name(label, classes)
        axes.bar(place, part, bottom=below, color=colour, width=0.82, label=name)
        below = below + part
    legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _one_dimension(
    values: Array, labels: Array | None, classes: Sequence[str] | None, title: str
) -> Figure:
    figure = new_figure(5.8, 3.9, title)
    axes = style(figure.add_subplot(), xlabel="z$_0$", ylabel="examples")
    bins = int(np.clip(np.sqrt(len(values)), 10, 60))
    edges = np.histogram_bin_edges(values, bins=bins).tolist()
    shown = np.unique(labels) if labels is not None else np.zeros(0)
    if labels is None or not _are_classes(np.asarray(labels), shown):
        axes.hist(values, bins=edges, color=HELD_OUT)
        return figure
    parts = [values[np.asarray(labels) == label] for label in shown]
    names = [_name(label, classes) for label in shown]
    axes.hist(parts, bins=edges, color=CLASSES[: len(shown)], label=names, stacked=True)
    legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _are_classes(labels: Array, shown: Array) -> bool:
    return len(shown) <= len(CLASSES) and not np.issubdtype(labels.dtype, np.floating)


def _name(label: Any, classes: Sequence[str] | None) -> str:
    known = classes is not None and 0 <= int(label) < len(classes)
    return plain(str(classes[int(label)]) if classes is not None and known else str(label))
