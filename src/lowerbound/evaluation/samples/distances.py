"""Distances between two sets of features: Fréchet (FID) and kernel (KID)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...errors import LowerboundError
from .arrays import Array, Features, paired

_GROUPS = 10  # of the jackknife
# Above so many features an eigendecomposition takes seconds, and twenty of them a minute.
_JACKKNIFED = 1024
_ROWS = 2048
_Function = Callable[[Array, Array], Array]


class Frechet(NamedTuple):
    """What :func:`frechet` returns; in the features' units squared.

    Attributes:
        value: ``mean_part + covariance_part``.
        mean_part: ‖μ_a − μ_b‖².
        covariance_part: tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½).
        standard_error: by a jackknife over ten parts of each set; None where there are fewer
            examples than that, or more than 1,024 features. It does not contain the bias.
    """

    value: float
    mean_part: float
    covariance_part: float
    standard_error: float | None


class Kernel(NamedTuple):
    """What :func:`kid` returns.

    Attributes:
        value: unbiased estimate of MMD² from all examples; below zero by chance where the two are
            alike.
        standard_error: of `value`, from the first-order projections of the U-statistic; too large
            rather than too small at small counts, and where the two are alike.
        subset_mean: mean of the estimates on subsets, as papers print it.
        subset_spread: their standard deviation; None of a single subset.
        subsets: how many, disjoint.
        subset_size: examples in each.
    """

    value: float
    standard_error: float
    subset_mean: float
    subset_spread: float | None
    subsets: int
    subset_size: int


def frechet_of_moments(mean_a: Array, cov_a: Array, mean_b: Array, cov_b: Array) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two normal distributions, in closed form.

    ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½). The trace of the root is the sum of the singular
    values of A' B, with Σ_a = A A', Σ_b = B B': no root of a matrix that is not symmetric, and
    singular covariances (fewer examples than features) lose no digits.

    Args:
        mean_a: ``(F,)``.
        cov_a: symmetric, positive semi-definite, ``(F, F)``.
        mean_b: ``(F,)``.
        cov_b: ``(F, F)``.

    Raises:
        LowerboundError: a covariance is not symmetric or not positive semi-definite.

    Reference:
        Dowson & Landau 1982, The Fréchet distance between multivariate normal distributions,
        Journal of Multivariate Analysis 12; Heusel et al. 2017, arXiv 1706.08500 (FID)

    >>> frechet_of_moments(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4.0 * np.eye(2))
    11.0
    """
    return sum(_parts(mean_a, cov_a, mean_b, cov_b))


def _parts(mean_a: Array, cov_a: Array, mean_b: Array, cov_b: Array) -> tuple[float, float]:
    gap = np.asarray(mean_a, np.float64) - np.asarray(mean_b, np.float64)
    first, second = _factor(cov_a), _factor(cov_b)
    root = np.linalg.svd(first.T @ second, compute_uv=False).sum()
    covariance = np.trace(cov_a) + np.trace(cov_b) - 2.0 * root
    return float(gap @ gap), float(covariance)


def _factor(cov: Array) -> Array:
    """A with A A' = cov, ``(F, F)``."""
    cov = np.atleast_2d(np.asarray(cov, np.float64))
    scale = float(np.abs(cov).max()) or 1.0
    if np.abs(cov - cov.T).max() > 1e-8 * scale:
        raise LowerboundError("expected a symmetric covariance, came one that is not; pass np.cov")
    values, axes = np.linalg.eigh(cov)
    if values[0] < -1e-8 * len(cov) * scale:
        raise LowerboundError(
            f"expected a covariance without negative eigenvalues, came one of {values[0]:.3g}; "
            "pass np.cov"
        )
    return axes * np.sqrt(np.maximum(values, 0.0))


def frechet(a: Features, b: Features, *, error: bool = True) -> Frechet:
    """Fréchet distance of two sets of features, each as a normal distribution: FID.

    The value is biased upwards: estimated covariances differ even where the distributions do not,
    by an amount that falls with 1/N and grows with the number of features. Compare values of the
    same counts only, and with the value of real examples of that count.

    Args:
        a: ``(N, F)``, N > 1.
        b: ``(M, F)``, M > 1.
        error: whether to estimate the standard error, at twenty times the cost.

    Raises:
        LowerboundError: too few examples, or features of different networks.

    Reference:
        Heusel et al. 2017, GANs trained by a two time-scale update rule, arXiv 1706.08500;
        Chong & Forsyth 2020, Effectively unbiased FID, arXiv 1911.07023 (the bias)
    """
    a, b = paired(a, b)
    first, second = _moments(a), _moments(b)
    mean, covariance = _parts(*first, *second)
    found = None
    if error and min(len(a), len(b)) >= 2 * _GROUPS and a.shape[1] <= _JACKKNIFED:
        left_out = [
            np.array([sum(_parts(*_moments(part), *second)) for part in _without(a)]),
            np.array([sum(_parts(*first, *_moments(part))) for part in _without(b)]),
        ]
        # The sets are independent: variances add.
        found = float(np.sqrt(sum((_GROUPS - 1) * each.var() for each in left_out)))
    return Frechet(mean + covariance, mean, covariance, found)


def _moments(x: Array) -> tuple[Array, Array]:
    return x.mean(0), np.atleast_2d(np.cov(x, rowvar=False))


def _without(x: Array) -> list[Array]:
    """x without each tenth in turn; strided, for data may come class by class."""
    which = np.arange(len(x)) % _GROUPS
    return [x[which != group] for group in range(_GROUPS)]


def kid(
    a: Features,
    b: Features,
    *,
    degree: int = 3,
    gamma: float | None = None,
    offset: float = 1.0,
    subset_size: int = 1000,
) -> Kernel:
    """Kernel distance of two sets of features: unbiased MMD² under k(x, y) = (γ x'y + c)^degree.

    Unlike FID it has no bias at small counts.

    Args:
        a: ``(N, F)``, N > 1.
        b: ``(M, F)``, M > 1.
        degree: of the kernel.
        gamma: γ; None: 1 / F.
        offset: c.
        subset_size: of the disjoint subsets whose spread is told; fewer where there are fewer.

    Raises:
        LowerboundError: too few examples, or features of different networks.

    Reference:
        Bińkowski, Sutherland, Arbel & Gretton 2018, Demystifying MMD GANs, arXiv 1801.01401

    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> kid(x[:25], x[25:] + 1.0).value > 0.5
    True
    """
    a, b = paired(a, b)
    gamma = 1.0 / a.shape[1] if gamma is None else gamma

    def kernel(x: Array, y: Array) -> Array:
        base = gamma * (x @ y.T) + offset
        found = base.copy()  # products: a power of an array is ten times slower
        for _ in range(degree - 1):
            found *= base
        return found

    value, error = _mmd2(a, b, kernel)
    size = min(subset_size, len(a), len(b))
    count = min(len(a), len(b)) // size
    # Strided, for data may come class by class.
    parts = [_mmd2(a[i::count][:size], b[i::count][:size], kernel)[0] for i in range(count)]
    spread = float(np.std(parts, ddof=1)) if len(parts) > 1 else None
    return Kernel(value, error, float(np.mean(parts)), spread, len(parts), size)


def _mmd2(a: Array, b: Array, kernel: _Function) -> tuple[float, float]:
    """Unbiased MMD² and its standard error."""
    aa, ab = _row_means(a, a, kernel, own=True), _row_means(a, b, kernel)
    bb, ba = _row_means(b, b, kernel, own=True), _row_means(b, a, kernel)
    value = aa.mean() + bb.mean() - ab.mean() - ba.mean()
    # Hoeffding's projections: what one example of each set does to the estimate.
    variance = (aa - ab).var(ddof=1) / len(a) + (bb - ba).var(ddof=1) / len(b)
    return float(value), float(2.0 * np.sqrt(variance))


def _row_means(a: Array, b: Array, kernel: _Function, own: bool = False) -> Array:
    """Mean over j of k(a_i, b_j), without j = i where the two are one set, ``(N,)``."""
    sums = np.empty(len(a))
    for start in range(0, len(a), _ROWS):
        rows = slice(start, min(start + _ROWS, len(a)))
        values = kernel(a[rows], b)
        sums[rows] = values.sum(1)
        if own:
            sums[rows] -= values[np.arange(len(values)), np.arange(rows.start, rows.stop)]
    return sums / (len(b) - own)
