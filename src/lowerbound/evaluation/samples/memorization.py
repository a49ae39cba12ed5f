"""Does a model copy its training examples: its samples' neighbours against held-out ones'."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import LowerboundError
from .arrays import Array, Features, limit, nearest, paired
from .coverage import Share

_ERRORS = 4.0  # standard errors from which copies are told
_LEAST = 0.01  # and a share of the samples


class Memorization(NamedTuple):
    """What :func:`memorization` returns.

    Attributes:
        close: share of the samples nearer to a training example than `quantile` of the held-out
            examples are: `quantile` of a model whose samples are as new as held-out examples.
            Blurred samples lie nearer to everything, and raise it, too.
        alone: share of the samples that are, for their distance to the second nearest training
            example, nearer to the nearest than `quantile` of the held-out examples are. Blur does
            not raise it, copies do: a copy's first neighbour is much nearer than its second.
        copies: `alone` beyond `quantile`: an estimate of the share of samples that are copies.
        z: of the Mann-Whitney test of the two sets of distances, C_T without cells: far below 0
            where samples lie nearer to the training examples than held-out examples do.
        quantile: that both shares are held against.
        copying: whether `alone` exceeds `quantile` by four standard errors and a hundredth.
        ratio: distance to the nearest over that to the second nearest training example, of each
            sample, ``(N,)``.
        neighbour: the nearest training example of each sample, its position, int64 ``(N,)``.
        distance: to it, ``(N,)``.
    """

    close: Share
    alone: Share
    copies: float
    z: float
    quantile: float
    copying: bool
    ratio: Array
    neighbour: Array
    distance: Array

    def suspects(self, count: int) -> Array:
        """Positions of the samples most like copies, the most suspicious first, ``(count,)``."""
        return np.lexsort((self.distance, self.ratio))[:count]


def memorization(
    samples: Features, train: Features, held_out: Features, *, quantile: float = 0.01
) -> Memorization:
    """Distances from samples to their nearest training examples, against those of held-out ones.

    Args:
        samples: ``(N, F)``; pixels, or features that know no training example better than another
            (those of a classifier trained on them do).
        train: the examples that the model was trained on, ``(M, F)``, M > 1; all of them.
        held_out: others of the same distribution, ``(H, F)``.
        quantile: of the held-out examples that counts as close.

    Raises:
        LowerboundError: too few examples for the quantile, or features of different networks.

    Reference:
        Meehan, Chaudhuri & Dasgupta 2020, A non-parametric test to detect data-copying in
        generative models, arXiv 2004.05675 (C_T); Yoon et al. 2023, Diffusion probabilistic models
        generalize when they fail to memorize, ICML workshop (the ratio of the two distances)
    """
    x, known = paired(samples, train)
    others, _ = paired(held_out, train)
    distances, which = nearest(x, known, 2)
    of_others, _ = nearest(others, known, 2)
    return from_distances(distances, which[:, 0], of_others, quantile=quantile)


def from_distances(
    distances: Array, neighbour: Array, of_others: Array, *, quantile: float = 0.01
) -> Memorization:
    """The same where the distances are known.

    Args:
        distances: of each sample to its nearest and second nearest training example, ``(N, 2)``.
        neighbour: the nearest training example, its position, ``(N,)``.
        of_others: distances of the held-out examples, ``(H, 2)``.
        quantile: as in :func:`memorization`.

    Raises:
        LowerboundError: too few held-out examples for the quantile.
    """
    if not 0.0 < quantile < 0.5:
        raise LowerboundError(
            f"quantile: expected a share above 0 and below 0.5, came {quantile}; pass e.g. 0.01"
        )
    least = int(np.ceil(1.0 / quantile - 1e-9))
    if len(of_others) < least:
        raise LowerboundError(
            f"expected at least {least} held-out examples for a quantile of {quantile:g}, came "
            f"{len(of_others)}; pass more of them, or a larger quantile"
        )
    close = distances[:, 0] < limit(of_others[:, 0], quantile)
    ratio = _ratio(distances)
    alone = ratio < limit(_ratio(of_others), quantile)
    shares = [_share(each, quantile, len(of_others)) for each in (close, alone)]
    beyond, error = shares[1].value - quantile, shares[1].standard_error
    copying = error is not None and beyond > max(_LEAST, _ERRORS * error)
    return Memorization(
        close=shares[0],
        alone=shares[1],
        copies=max(0.0, beyond) / (1.0 - quantile),
        z=mann_whitney(distances[:, 0], of_others[:, 0]),
        quantile=quantile,
        copying=copying,
        ratio=ratio,
        neighbour=neighbour,
        distance=distances[:, 0],
    )


def _ratio(distances: Array) -> Array:
    """First over second distance; 1 where both are 0, a training example that is there twice."""
    first, second = distances.T
    return np.where(second > 0.0, first / np.where(second > 0.0, second, 1.0), 1.0)


def _share(found: Array, quantile: float, others: int) -> Share:
    """With the error of the held-out quantile itself."""
    value = float(found.mean())
    # Not below that of the expected share: ten samples of which none is close prove little.
    spread = max(value * (1.0 - value), quantile * (1.0 - quantile)) / len(found)
    return Share(value, float(np.sqrt(spread + quantile * (1.0 - quantile) / others)))


def mann_whitney(a: Array, b: Array) -> float:
    """z of the Mann-Whitney U test: below 0 where values of `a` are mostly below those of `b`.

    Args:
        a: ``(N,)``.
        b: ``(M,)``.

    Returns:
        (U − N M / 2) / √(N M (N + M + 1) / 12), ties counted half; without correction for them.

    Reference:
        Mann & Whitney 1947, Annals of Mathematical Statistics 18(1)

    >>> round(mann_whitney(np.arange(10.0), np.arange(10.0) + 20), 3)
    -3.78
    """
    a, b = np.asarray(a, np.float64), np.sort(np.asarray(b, np.float64))
    below, upto = np.searchsorted(b, a, "left"), np.searchsorted(b, a, "right")
    u = 0.5 * float(below.sum() + upto.sum())
    n, m = len(a), len(b)
    return (u - n * m / 2.0) / float(np.sqrt(n * m * (n + m + 1) / 12.0))
