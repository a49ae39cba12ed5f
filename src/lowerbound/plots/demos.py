"""Figures of the demonstrations: arrays in, a figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from .style import CLASSES, HELD_OUT, INK, MODEL, MUTED, RULE, TRAIN, legend, new_figure, style

Array = NDArray[Any]

_GREEN = CLASSES[2]


def stacked(bound: Array, gap: Array, evidence: Array, moves: Array) -> Figure:
    """The bound and what is missing to log p(x), step by step, one on the other.

    Args:
        bound: nats, ``(T,)``.
        gap: KL(q‖p(z|x)), nats, ``(T,)``.
        evidence: log p(x), nats, ``(T,)``.
        moves: 0 where q moved, 1 where p did, ``(T,)``.
    """
    figure = new_figure(8.6, 4.4, "log p(x) = L + KL(q‖p(z|x)), all through training")
    axes = style(figure.add_subplot(), xlabel="gradient step", ylabel="mean over the data (nats)")
    step = np.arange(len(bound))
    # The first steps, far below, may leave the frame.
    shown = bound[len(bound) // 12 :]
    low = shown.min() - 0.15 * (evidence.max() - shown.min())
    high = evidence.max() + 0.16 * (evidence.max() - low)
    edges = [0, *(np.flatnonzero(np.diff(moves)) + 0.5), len(bound) - 1]
    for place, (left, right) in enumerate(pairwise(edges)):
        if place % 2:
            axes.axvspan(left, right, color=RULE, alpha=0.35, lw=0)
        name = "p-steps" if place % 2 else "q-steps"
        y = high - 0.03 * (high - low)
        axes.text((left + right) / 2, y, name, ha="center", va="top", fontsize=8, color=MUTED)
    axes.fill_between(step, low, bound, color=HELD_OUT, alpha=0.25, lw=0, label="bound L")
    axes.fill_between(step, bound, bound + gap, color=MODEL, alpha=0.45, lw=0, label="KL(q‖p(z|x))")
    axes.plot(step, bound, color=HELD_OUT, lw=1.2)
    axes.plot(step, evidence, color=INK, lw=1.6, label="log p(x), exact")
    axes.set_xlim(0, len(bound) - 1)
    axes.set_ylim(low, high)
    axes.grid(False, axis="x")
    legend(axes, loc="lower right", frameon=True, framealpha=0.9, edgecolor="none")
    return figure


def prior_samples(dimensions: Array, found: Mapping[str, Array], samples: int) -> Figure:
    """Effective sample size and estimate over the code's dimensions.

    Args:
        dimensions: ``(M,)``.
        found: ``effective``, ``exact``, ``naive``, ``by_posterior``, each ``(M,)``.
        samples: codes drawn for each estimate.
    """
    figure = new_figure(8.8, 3.6, "Codes drawn from the prior")
    left, right = figure.subplots(1, 2)
    style(left, xlabel="code dimensions", ylabel=f"effective samples of {samples:,}")
    left.axhline(1, color=MUTED, lw=1, ls="--")
    left.text(dimensions[-1], 1.08, "one sample has it all", ha="right", fontsize=8, color=MUTED)
    left.plot(dimensions, found["effective"], color=MODEL, marker="o", ms=4, lw=1.6)
    left.set_yscale("log")
    left.tick_params(which="minor", length=0)
    left.set_ylim(0.7, samples)
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    style(right, xlabel="code dimensions", ylabel="log p(x), mean over the data (nats)")
    right.plot(dimensions, found["exact"], color=INK, lw=1.6, label="exact")
    right.plot(
        dimensions,
        found["by_posterior"],
        color=HELD_OUT,
        lw=0,
        marker="o",
        ms=5,
        label="posterior, 10 draws",
    )
    right.plot(
        dimensions,
        found["naive"],
        color=MODEL,
        marker="o",
        ms=4,
        lw=1.6,
        label=f"prior, {samples:,} draws",
    )
    legend(right, loc="lower left")
    return figure


def gradient_noise(
    exact: Array,
    found: Mapping[str, tuple[Array, Array]],
    dimensions: Array,
    variances: Mapping[str, Array],
) -> Figure:
    """How far means lie from the exact gradient, and the variances.

    Args:
        exact: ``(P,)``.
        found: mean and standard error by estimator, ``(P,)`` each.
        dimensions: of codes, ``(M,)``.
        variances: by estimator, ``(M,)``.
    """
    figure = new_figure(9.6, 3.9, "Two gradients of one mean")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    style(
        left,
        xlabel="parameters of q, 10 code dimensions",
        ylabel="(mean − exact) / standard error",
    )
    half = len(exact) / 2 - 0.5
    left.set_xticks([half / 2, 1.5 * half + 0.5], ["each μ", "each log σ"])
    left.grid(False, axis="x")
    left.axhspan(-4, 4, color=RULE, alpha=0.35, lw=0)
    left.axhline(0, color=MUTED, lw=1)
    place = np.arange(len(exact))
    for i, (name, (mean, error)) in enumerate(found.items()):
        left.plot(
            place + 0.12 * (i - 2),
            (mean - exact) / error,
            lw=0,
            marker="o",
            ms=3.5,
            color=CLASSES[_ORDER[i]],
            label=name,
        )
    left.axvline(half, color=MUTED, lw=0.8, ls=":")
    left.set_ylim(-5, 5)
    style(right, xlabel="code dimensions", ylabel="variance of one estimate")
    for i, (name, values) in enumerate(variances.items()):
        right.plot(
            dimensions, values, marker="o", ms=3.5, lw=1.6, color=CLASSES[_ORDER[i]], label=name
        )
    right.set_xscale("log")
    right.set_yscale("log")
    right.tick_params(which="minor", length=0)
    right.set_xticks(dimensions, [str(size) for size in dimensions])
    right.xaxis.set_minor_formatter(NullFormatter())
    right.tick_params(which="minor", length=0)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
    return figure


_ORDER = (4, 1, 0, 5, 2)


def spreads(
    paths: Mapping[float, Array],
    ends: Mapping[float, tuple[float, float]],
    posterior: tuple[float, float],
) -> Figure:
    """σ over training for each weight of the entropy, and the densities at the end.

    Args:
        paths: σ by weight, ``(T,)``.
        ends: mean and σ of q by weight.
        posterior: mean and σ.
    """
    figure = new_figure(8.8, 3.6, "The bound with its entropy, and without")
    left, right = figure.subplots(1, 2)
    colours = {1.0: HELD_OUT, 0.5: _GREEN, 0.0: MODEL}
    style(left, xlabel="training step", ylabel="σ of q (units of the code)")
    left.axhline(posterior[1], color=INK, lw=1, ls="--", label="σ of the posterior")
    for weight, path in paths.items():
        left.plot(path, color=colours[weight], lw=1.6, label=f"{weight:g} · H(q)")
    left.set_yscale("log")
    left.tick_params(which="minor", length=0)
    legend(left, loc="lower left")
    style(right, xlabel="code z", ylabel="density")
    mean, sigma = posterior
    z = np.linspace(mean - 4 * sigma, mean + 4 * sigma, 4001)
    right.fill_between(z, _normal(z, mean, sigma), color=RULE, lw=0, label="posterior p(z|x)")
    for weight, (loc, scale) in ends.items():
        label = f"q, {weight:g} · H(q)"
        if scale < 0.05 * sigma:  # a spike that no frame holds
            right.axvline(loc, color=colours[weight], lw=1.6, label=label)
        else:
            right.plot(z, _normal(z, loc, scale), color=colours[weight], lw=1.6, label=label)
    right.set_ylim(0, 1.75 * _normal(np.array(mean), mean, sigma))
    legend(right, loc="upper left")
    return figure


def fits(x: Array, density: Array, found: Mapping[str, Array]) -> Figure:
    """A density and the normals fitted to it.

    Args:
        x: ``(N,)``.
        density: ``(N,)``.
        found: by name, ``(N,)`` each.
    """
    figure = new_figure(7.4, 3.8, "One normal, two modes")
    axes = style(figure.add_subplot(), xlabel="x", ylabel="density")
    axes.fill_between(x, density, color=RULE, lw=0, label="p, two modes")
    for (name, q), colour in zip(found.items(), (MODEL, HELD_OUT, CLASSES[5]), strict=False):
        axes.plot(x, q, color=colour, lw=1.8, label=name)
    axes.set_xlim(-8, 8)
    axes.set_ylim(0, None)
    legend(axes, loc="upper left", bbox_to_anchor=(0.56, 1.0))
    return figure


def densities(
    x: Array, density: Array, found: Mapping[str, Array], values: Mapping[str, float]
) -> Figure:
    """A density and every model of it, a panel each.

    Args:
        x: ``(N,)``.
        density: ``(N,)``.
        found: by name, ``(N,)`` each.
        values: held-out log-likelihood by name, nats.
    """
    figure = new_figure(9.4, 2.3 * ((len(found) + 1) // 2) + 0.5, "Models of one density")
    grid = figure.subplots((len(found) + 1) // 2, 2, sharex=True, sharey=True, squeeze=False)
    for axes, (name, q) in zip(grid.ravel(), found.items(), strict=False):
        style(axes, title=f"{name}: −{-values[name]:.4f} nats")
        axes.fill_between(x, density, color=RULE, lw=0, label="p(x)")
        axes.plot(x, q, color=MODEL, lw=1.5, label="model")
        axes.set_xlim(-5.5, 6)
        axes.set_ylim(0, 1.1 * density.max())
    for axes in grid[-1]:
        axes.set_xlabel("x", fontsize=9.5, color=INK)
    for axes in grid[:, 0]:
        axes.set_ylabel("density", fontsize=9.5, color=INK)
    for axes in grid.ravel()[len(found) :]:
        axes.set_visible(False)
    legend(grid[0, 1], loc="upper right")
    return figure


def denoising(noises: Array, found: Sequence[Any], variances: Sequence[float]) -> Figure:
    """Error over the level of noise, and gains along the data's axes.

    Args:
        noises: σ, ``(M,)``.
        found: for each, ``optimal``, ``trained``, ``gains`` and ``optimal_gains``.
        variances: of the data along their axes, ``(D,)``.
    """
    figure = new_figure(9.2, 3.7, "The best denoiser is the posterior mean")
    left, right = figure.subplots(1, 2)
    style(left, xlabel="noise σ", ylabel="squared error per example")
    fine = np.geomspace(noises[0], noises[-1], 200)
    spectrum = np.array(variances)
    noise = fine[:, None] ** 2
    best = (spectrum * noise / (spectrum + noise)).sum(1)
    left.plot(fine, len(variances) * fine**2, color=MUTED, lw=1.2, ls="--", label="no denoiser")
    left.axhline(spectrum.sum(), color=TRAIN, lw=1.2, ls=":", label="always the mean")
    left.plot(fine, best, color=INK, lw=1.6, label="posterior mean, exact")
    left.plot(
        noises, [f.trained for f in found], color=MODEL, lw=0, marker="o", ms=6, label="trained"
    )
    left.set_xscale("log")
    left.set_yscale("log")
    left.tick_params(which="minor", length=0)
    left.set_ylim(0.5 * best[0], 30)
    _plain_log(left, noises)
    legend(left, loc="lower right")
    style(right, xlabel="noise σ", ylabel="gain along an axis of the data")
    for i, variance in enumerate(variances):
        colour = CLASSES[i]
        right.plot(fine, variance / (variance + fine**2), color=colour, lw=1.4)
        gains = [f.gains[i] for f in found]
        right.plot(
            noises, gains, color=colour, lw=0, marker="o", ms=5, label=f"variance {variance:g}"
        )
    right.set_xscale("log")
    _plain_log(right, noises)
    legend(right, loc="upper right", title="dots: trained", title_fontsize=8.5)
    right.set_xlim(None, 14)
    return figure


def manifolds(found: Mapping[tuple[str, str], Any]) -> Figure:
    """Held-out points and reconstructions, a panel for each data set and method.

    Args:
        found: by data and method, the held-out manifold (``x``, ``coordinates``) and what was
            reconstructed (``x``, ``error``), of two or three numbers each.
    """
    figure = new_figure(9.6, 7.0, "What a code of one number, and of two, can keep")
    for place, ((data, method), (held_out, made)) in enumerate(found.items()):
        deep = held_out.x.shape[1] == 3
        title = f"{data}, {method}: squared error {made.error:.3g}"
        axes: Any = figure.add_subplot(2, 2, place + 1, projection="3d" if deep else None)
        along = held_out.coordinates[:, 0]
        if not deep:
            style(axes, xlabel="x$_0$", ylabel="x$_1$", title=title)
            axes.scatter(*held_out.x.T, s=5, color=TRAIN, alpha=0.55, lw=0, label="held out")
            axes.scatter(*made.x.T, s=6, c=along, cmap="viridis", lw=0, label="reconstructed")
            axes.set_aspect("equal")
            continue
        axes.set_title(title, fontsize=10, color=INK, loc="left", y=0.93)
        axes.scatter(*held_out.x.T, s=4, color=TRAIN, alpha=0.3, lw=0, depthshade=False)
        axes.scatter(*made.x.T, s=6, c=along, cmap="viridis", lw=0, depthshade=False)
        axes.view_init(elev=14, azim=-62)
        axes.set_box_aspect((1, 1, 0.8), zoom=0.95)
        for axis, label in zip((axes.xaxis, axes.yaxis, axes.zaxis), range(3), strict=True):
            axis.set_label_text(f"x$_{label}$", fontsize=9.5, color=INK)
            axis.set_pane_color((1, 1, 1, 0))
            axis.set_tick_params(labelsize=7.5, colors=MUTED)
    return figure


def conditionals(exact: Array, found: Array, divergence: Array) -> Figure:
    """A model's probabilities against the true ones, and the divergence by place.

    Args:
        exact: ``(N,)``.
        found: ``(N,)``.
        divergence: KL(exact‖found) by place, nats, ``(T,)``.
    """
    figure = new_figure(8.8, 3.9, "Masked tokens and the chain that they came from")
    left, right = figure.subplots(1, 2)
    style(left, xlabel="the chain's p(x$_t$ | all others)", ylabel="the model's")
    left.plot([0, 1], [0, 1], color=MUTED, lw=1)
    left.scatter(exact, found, s=6, color=MODEL, alpha=0.25, lw=0)
    left.set_aspect("equal")
    style(right, xlabel="place t of the hidden token", ylabel="KL(chain‖model) (nats)")
    right.grid(False, axis="x")
    right.bar(np.arange(len(divergence)), divergence, color=HELD_OUT, width=0.8)
    return figure


def sheets(found: Mapping[str, Array], columns: int = 10) -> Figure:
    """Sheets of small grey images side by side.

    Args:
        found: by name, images in [0, 1], ``(N, H, W)``.
        columns: images in a row.
    """
    figure = new_figure(2.6 * len(found), 2.0)
    for axes, (name, images) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        rows = len(images) // columns
        height, width = images.shape[1:]
        grid = images[: rows * columns].reshape(rows, columns, height, width)
        sheet = np.pad(grid, ((0, 0), (0, 0), (1, 0), (1, 0))).swapaxes(1, 2)
        axes.imshow(sheet.reshape(rows * (height + 1), -1), cmap="gray_r", vmin=0, vmax=1)
        axes.set_title(name, fontsize=10, color=INK, loc="left")
        axes.set_axis_off()
    return figure


def _normal(x: Array, mean: float, sigma: float) -> Any:
    return np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def _plain_log(axes: Axes, ticks: Array) -> None:
    axes.tick_params(which="minor", length=0)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", length=0)
