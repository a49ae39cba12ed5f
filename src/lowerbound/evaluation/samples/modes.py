"""Mode coverage on mixtures whose modes are known: a ring, a grid, stacked digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...errors import LowerboundError
from .arrays import Array, mean_and_error, nearest
from .coverage import Share


class ModeCoverage(NamedTuple):
    """What :func:`mode_coverage` and :func:`label_coverage` return.

    Attributes:
        covered: modes with samples.
        modes: how many there are.
        good: share of the samples that belong to a mode.
        kl: KL(modes of the good samples ‖ modes of the data), nats; inf where no sample is good.
            Of N good samples of the data's own distribution it is about (modes − 1) / 2N.
        counts: good samples of each mode, int64 ``(modes,)``.
    """

    covered: int
    modes: int
    good: Share
    kl: float
    counts: Array


@dataclass(frozen=True)
class Modes:
    """An equal mixture of round normals whose modes are far apart.

    Attributes:
        centres: ``(K, D)``.
        std: of each, one number.
    """

    centres: Array
    std: float

    def sample(self, n: int, *, seed: int = 0) -> tuple[Array, Array]:
        """x ``(n, D)`` and the mode that each came from, int64 ``(n,)``."""
        random = np.random.default_rng(seed)
        which = random.integers(len(self.centres), size=n)
        noise = random.standard_normal((n, self.centres.shape[1]))
        return self.centres[which] + self.std * noise, which

    def coverage(self, samples: Array, *, within: float = 3.0, least: int = 1) -> ModeCoverage:
        """See :func:`mode_coverage`."""
        return mode_coverage(samples, self.centres, self.std, within=within, least=least)


def ring(modes: int = 8, *, radius: float = 2.0, std: float = 0.02) -> Modes:
    """Normals on a circle, the test of mode collapse.

    Reference:
        Metz, Poole, Pfau & Sohl-Dickstein 2017, Unrolled GANs, arXiv 1611.02163;
        Srivastava et al. 2017, VEEGAN, arXiv 1705.07761

    >>> ring(4).centres.round(6).tolist()
    [[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [-0.0, -2.0]]
    """
    angle = 2.0 * np.pi * np.arange(modes) / modes
    return Modes(radius * np.stack([np.cos(angle), np.sin(angle)], 1), std)


def grid(side: int = 5, *, spacing: float = 2.0, std: float = 0.05) -> Modes:
    """Normals on a square grid around the origin: 25 as a rule.

    >>> grid(2).centres.tolist()
    [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """
    places = spacing * (np.arange(side) - (side - 1) / 2.0)
    return Modes(np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2), std)


def stacked_digits(
    images: Array, labels: Array, n: int, *, seed: int = 0, channels: int = 3
) -> tuple[Array, Array]:
    """Grey images as the channels of one, drawn independently: 1,000 modes of ten digits.

    Args:
        images: ``(N, 1, H, W)``.
        labels: int64 ``(N,)``, from 0.
        n: how many.
        seed: of the draws.
        channels: images in each.

    Returns:
        ``(n, channels, H, W)``, and the mode of each: its labels read as one number, the first
        channel first, int64 ``(n,)``.

    Reference:
        Metz et al. 2017, arXiv 1611.02163
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim != 4 or images.shape[1] != 1:
        raise LowerboundError(f"expected grey images (N, 1, H, W), came {images.shape}")
    chosen = np.random.default_rng(seed).integers(len(images), size=(n, channels))
    return images[chosen][:, :, 0], stacked_labels(labels[chosen], int(labels.max()) + 1)


def stacked_labels(labels: Array, classes: int = 10) -> Array:
    """Labels of channels ``(N, C)`` as one number each, ``(N,)``.

    >>> stacked_labels(np.array([[1, 2, 3], [0, 0, 9]])).tolist()
    [123, 9]
    """
    powers = classes ** np.arange(labels.shape[1])[::-1]
    return np.asarray(labels, np.int64) @ powers


def mode_coverage(
    samples: Array, centres: Array, std: float, *, within: float = 3.0, least: int = 1
) -> ModeCoverage:
    """Modes with samples, and the share of samples near one.

    Args:
        samples: ``(N, D)``.
        centres: ``(K, D)``.
        std: of each mode.
        within: standard deviations from its centre up to which a sample is good. In two
            dimensions 98.9 % of the mixture's own samples lie within 3.
        least: good samples from which a mode counts as covered.

    Reference:
        Srivastava et al. 2017, VEEGAN, arXiv 1705.07761
    """
    if std <= 0.0:
        raise LowerboundError(f"std: expected a number above 0, came {std}; pass the modes' own")
    distance, which = nearest(samples, centres)
    good = distance[:, 0] <= within * std
    counts = np.bincount(which[good, 0], minlength=len(centres))
    return _counted(counts, good, None, least)


def label_coverage(
    labels: Array, modes: int, *, of_data: Array | None = None, least: int = 1
) -> ModeCoverage:
    """Modes that a judge, say a classifier, finds in samples.

    Args:
        labels: its answers, int64 ``(N,)`` in [0, modes); −1 for none of them.
        modes: how many there are.
        of_data: examples of each mode in the data, ``(modes,)``; None: alike.
        least: samples from which a mode counts as covered.

    >>> label_coverage(np.array([0, 0, 1, 1]), 4).kl == float(np.log(2))
    True
    """
    labels = np.asarray(labels)
    if labels.max(initial=-1) >= modes or labels.min(initial=0) < -1:
        raise LowerboundError(
            f"expected labels from 0 to {modes - 1}, came {labels.min()} to {labels.max()}"
        )
    good = labels >= 0
    return _counted(np.bincount(labels[good], minlength=modes), good, of_data, least)


def _counted(counts: Array, good: Array, of_data: Array | None, least: int) -> ModeCoverage:
    total = counts.sum()
    weights = np.ones(len(counts)) if of_data is None else np.asarray(of_data, np.float64)
    there = counts > 0
    if total and (weights[there] > 0).all():
        share, expected = counts[there] / total, weights[there] / weights.sum()
        kl = max(0.0, float((share * np.log(share / expected)).sum()))
    else:
        kl = float("inf")
    covered = int((counts >= least).sum())
    return ModeCoverage(covered, len(counts), Share(*mean_and_error(good)), kl, counts)
