"""Do samples lie where the data do, and everywhere there: by balls around nearest neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import LowerboundError
from .arrays import Array, Features, blocks, mean_and_error, paired

#: Of the size of features, the slack of a ball: features are of float32, and a copy's distance is
#: what rounding leaves of 0.
_SLACK = 1e-6


class Share(NamedTuple):
    """A mean over examples.

    Attributes:
        value: the share, in [0, 1]; of the density, a mean that may exceed 1.
        standard_error: over the examples, the balls held fixed.
    """

    value: float
    standard_error: float | None


class PrecisionRecall(NamedTuple):
    """What :func:`precision_recall` returns.

    Attributes:
        precision: share of the samples within a ball of the real examples.
        recall: share of the real examples within a ball of the samples.
        neighbours: k, the neighbour that a ball reaches to.
    """

    precision: Share
    recall: Share
    neighbours: int


class DensityCoverage(NamedTuple):
    """What :func:`density_coverage` returns.

    Attributes:
        density: balls of real examples around a sample, over k: 1 in expectation for samples of
            the data's own distribution, and not bounded by it.
        coverage: share of the real examples with a sample within their ball.
        neighbours: k.
    """

    density: Share
    coverage: Share
    neighbours: int


def precision_recall(real: Features, samples: Features, *, neighbours: int = 3) -> PrecisionRecall:
    """Improved precision and recall.

    A set's manifold is the union of balls around its members, each reaching to the member's k-th
    nearest neighbour in the set. Both grow with the count; compare values of the same counts only.

    Args:
        real: ``(N, F)``, N > k.
        samples: ``(M, F)``, M > k.
        neighbours: k.

    Raises:
        LowerboundError: too few examples, or features of different networks.

    Reference:
        Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing generative
        models, arXiv 1904.06991
    """
    real, samples = _checked(real, samples, neighbours)
    of_real, of_samples = _reach(real, samples, neighbours), _reach(samples, real, neighbours)
    inside = np.empty(len(samples), bool)
    for rows, distances in blocks(samples, real):
        inside[rows] = (distances <= of_real).any(1)
    reached = np.empty(len(real), bool)
    for rows, distances in blocks(real, samples):
        reached[rows] = (distances <= of_samples).any(1)
    return PrecisionRecall(
        Share(*mean_and_error(inside)), Share(*mean_and_error(reached)), neighbours
    )


def density_coverage(real: Features, samples: Features, *, neighbours: int = 5) -> DensityCoverage:
    """Density and coverage: as precision and recall, but one stray example changes little.

    Args:
        real: ``(N, F)``, N > k.
        samples: ``(M, F)``, M > k.
        neighbours: k.

    Raises:
        LowerboundError: too few examples, or features of different networks.

    Reference:
        Naeem, Oh, Uh, Choi & Yoo 2020, Reliable fidelity and diversity metrics for generative
        models, arXiv 2002.09797
    """
    real, samples = _checked(real, samples, neighbours)
    of_real = _reach(real, samples, neighbours)
    balls = np.empty(len(samples))
    for rows, distances in blocks(samples, real):
        balls[rows] = (distances <= of_real).sum(1)
    covered = np.empty(len(real), bool)
    for rows, distances in blocks(real, samples):
        covered[rows] = distances.min(1) <= of_real[rows]
    return DensityCoverage(
        Share(*mean_and_error(balls / neighbours)), Share(*mean_and_error(covered)), neighbours
    )


def radii(x: Array, neighbours: int) -> Array:
    """Distance of each example to its k-th nearest neighbour in the set, itself not counted.

    Args:
        x: ``(N, F)`` float64, N > k.
        neighbours: k.

    Returns:
        ``(N,)``.

    >>> radii(np.array([[0.0], [1.0], [3.0]]), 1).tolist()
    [1.0, 1.0, 2.0]
    """
    found = np.empty(len(x))
    for rows, distances in blocks(x, x):
        # Its own distance is left out by its place, not as the least: copies have distance 0, too.
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = np.inf
        found[rows] = np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1]
    return found


def _reach(x: Array, others: Array, neighbours: int) -> Array:
    """`radii`, and as much as distances to `others` may be off by, so that ties are within."""
    radius = radii(x, neighbours)
    # `blocks` takes squares around the middle of either set, and rounds by their size.
    size = np.maximum(*(np.linalg.norm(x - each.mean(0), axis=1) for each in (x, others)))
    return radius + _SLACK * (radius + size)


def _checked(real: Features, samples: Features, neighbours: int) -> tuple[Array, Array]:
    if neighbours < 1:
        raise LowerboundError(f"neighbours: expected at least 1, came {neighbours}; pass e.g. 3")
    return paired(real, samples, least=neighbours + 1)
