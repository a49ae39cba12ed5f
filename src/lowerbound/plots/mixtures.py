"""Gaussian mixtures over their data: curves in one dimension, ellipses in two, films of fits."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from PIL import Image

from ..errors import LowerboundError
from .style import CLASSES, INK, TRAIN, legend, new_figure, style, to_png

Array = NDArray[Any]

_MOST_POINTS = 5000
_MOST_NAMED = 10
_FILMS = {".gif": "GIF", ".png": "PNG", ".apng": "PNG"}


def mixture(
    data: Array, weights: Array, means: Array, covariances: Array, title: str = "Gaussian mixture"
) -> Figure:
    """A mixture over its data: of numbers as curves, of points in the plane as ellipses.

    The frame follows from the data alone, so that pictures of one fit after the other align.

    Args:
        data: ``(N, 1)`` or ``(N, 2)``.
        weights: p(h), ``(K,)``.
        means: ``(K, 1)`` or ``(K, 2)``.
        covariances: ``(K, D, D)``, or ``(K, D)`` variances.
        title: what is shown.

    Raises:
        LowerboundError: data of more than two numbers each.
    """
    data, means = _flat(data), _flat(means)
    weights, covariances = np.asarray(weights, float), np.asarray(covariances, float)
    if covariances.ndim == 2:
        covariances = covariances[:, :, None] * np.eye(covariances.shape[1])
    size = data.shape[1]
    if size > 2:
        raise LowerboundError(
            f"expected data of one or two numbers each to draw a mixture over, came {size}; draw "
            f"two columns, with these rows and columns of means and covariances"
        )
    if size == 1:
        return _curves(data[:, 0], weights, means[:, 0], covariances[:, 0, 0], title)
    return _ellipses(data, weights, means, covariances, title)


def film(figures: Iterable[Figure], path: str | Path, seconds: float = 0.4) -> Path:
    """Write figures of one size as an animation that repeats, the last held four times as long.

    Figures are drawn as they come, so a generator holds one at a time:
    ``film((draw(model) for step in em(model, sweep)), "fit.gif")``.

    Args:
        figures: the frames.
        path: ends in .gif (256 colours), or .png or .apng (an animated PNG, all colours).
        seconds: that a frame is shown.

    Raises:
        LowerboundError: another ending, or no figure.
    """
    path = Path(path)
    kind = _FILMS.get(path.suffix.lower())
    if kind is None:
        raise LowerboundError(
            f"expected a film's name that ends in .gif, .png or .apng, came '{path.name}'"
        )
    frames = [Image.open(io.BytesIO(to_png(figure))).convert("RGB") for figure in figures]
    if not frames:
        raise LowerboundError("expected figures to make a film of, came none")
    shown = [round(1000 * seconds)] * (len(frames) - 1) + [round(4000 * seconds)]
    options: dict[str, Any] = {"duration": shown, "loop": 0}
    if kind == "GIF":
        palette = _palette(frames[-1])
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
        options |= {"disposal": 1, "optimize": False}
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


def _palette(frame: Image.Image) -> Image.Image:
    """One palette for all frames, whose own would flicker: the last one's, with paper white."""
    found = frame.quantize(256, dither=Image.Dither.NONE)
    colours = np.asarray(found.getpalette(), np.uint8).reshape(-1, 3)
    colours[(colours >= 246).all(1)] = 255  # neighbours would be taken for it
    found.putpalette(colours.ravel().tolist())
    return found


def _curves(data: Array, weights: Array, means: Array, variances: Array, title: str) -> Figure:
    """A histogram, p(h) p(x|h) of each component, and their sum p(x)."""
    figure = new_figure(6.2, 3.9, title)
    axes = style(figure.add_subplot(), xlabel="x", ylabel="density")
    low, high = _limits(data)
    bins = int(np.clip(np.sqrt(len(data)), 12, 80))
    tops, _, _ = axes.hist(
        data, np.linspace(low, high, bins + 1).tolist(), density=True, color=TRAIN, alpha=0.45
    )
    # Fine enough for the narrowest component, wherever it is.
    around = means[:, None] + np.sqrt(variances)[:, None] * np.linspace(-5, 5, 101)
    x = np.unique(np.clip(np.concatenate([np.linspace(low, high, 801), around.ravel()]), low, high))
    apart = (x - means[:, None]) ** 2 / variances[:, None]
    parts = weights[:, None] * np.exp(-0.5 * apart) / np.sqrt(2 * np.pi * variances)[:, None]
    for k, part in enumerate(parts):
        name = f"p(h={k}) p(x|h={k}), {weights[k]:.2f}" if len(parts) <= _MOST_NAMED else None
        colour = CLASSES[k % len(CLASSES)]
        axes.plot(x, part, color=colour, linewidth=1.6, label=name)
        axes.fill_between(x, part, color=colour, alpha=0.12, linewidth=0)
    axes.plot(x, parts.sum(0), color=INK, linewidth=2.0, label="p(x), their sum")
    axes.set_xlim(low, high)
    # From the histogram: a component that has closed on a point must not press the rest flat.
    axes.set_ylim(0, 1.35 * float(np.max(tops)))
    legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _ellipses(data: Array, weights: Array, means: Array, covariances: Array, title: str) -> Figure:
    """Points, and each component at one and two standard deviations."""
    figure = new_figure(6.2, 4.6, title)
    axes = figure.add_subplot()
    if len(data) > _MOST_POINTS:
        data = data[np.random.default_rng(0).permutation(len(data))[:_MOST_POINTS]]
    size = float(np.clip(4e4 / len(data), 3, 16))
    axes.scatter(data[:, 0], data[:, 1], s=size, color=TRAIN, alpha=0.5, linewidths=0)
    for k, (weight, mean, covariance) in enumerate(zip(weights, means, covariances, strict=True)):
        colour = CLASSES[k % len(CLASSES)]
        values, vectors = np.linalg.eigh(covariance)
        turned = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
        across, along = np.sqrt(np.maximum(values, 0))
        for deviations, width in ((1, 2.0), (2, 1.1)):
            span = (2 * deviations * float(along), 2 * deviations * float(across))
            place = (float(mean[0]), float(mean[1]))
            line: dict[str, Any] = {"edgecolor": colour, "facecolor": "none", "linewidth": width}
            axes.add_patch(Ellipse(place, *span, angle=turned, **line))
            if deviations == 1:
                fill: dict[str, Any] = {"facecolor": colour, "alpha": 0.18, "linewidth": 0}
                axes.add_patch(Ellipse(place, *span, angle=turned, **fill))
        name = f"h={k}, p(h) = {weight:.2f}" if len(means) <= _MOST_NAMED else None
        dot: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.8, "zorder": 3}
        axes.scatter(mean[:1], mean[1:], s=25 + 120 * weight, color=colour, label=name, **dot)
    axes.set_xlim(*_limits(data[:, 0]))
    axes.set_ylim(*_limits(data[:, 1]))
    axes.set_aspect("equal", adjustable="box")
    if len(means) <= _MOST_NAMED:
        legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.3)
    style(axes, xlabel="x$_0$", ylabel="x$_1$", title="one and two standard deviations")
    return figure


def _limits(values: Array) -> tuple[float, float]:
    low, high = float(np.min(values)), float(np.max(values))
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _flat(values: Array) -> Array:
    values = np.asarray(values, float)
    return values.reshape(len(values), -1)
