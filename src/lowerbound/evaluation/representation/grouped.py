"""Scores from groups of examples that agree in one factor: FactorVAE, β-VAE, IRS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError
from .factors import Factors
from .information import BINS, held, paired

Array = NDArray[Any]

#: Codes (size, D) of examples that agree in a factor, by its place and a source of chance; of
#: every call, the value in which they agree is drawn anew.
Draw = Callable[[int, int, np.random.Generator], Array]

_PAIR = 2
_QUANTILE = 0.99


def factor_vae_score(
    codes: Array,
    factors: Any,
    *,
    draw: Draw | None = None,
    size: int = 64,
    votes: int = 800,
    bins: int = BINS,
    seed: int = 0,
) -> float:
    """FactorVAE score: which factor is fixed, told from the dimension that varies least.

    For each vote a factor is drawn and a value of it, and of `size` examples that have this value
    the dimension of least variance is found, in units of its variance over all codes. A majority
    over votes names a factor for each dimension; the score is its accuracy on other votes, from
    other examples. Independent codes score 1 / F; of a single factor there is nothing to tell, and
    the score is not a number.

    Args:
        codes: ``(N, D)``.
        factors: what `Factors.of` takes, N rows. A quantity is fixed within one of `bins` intervals
            of (nearly) equal counts.
        draw: where examples can be made with a factor fixed: their codes, in place of rows of the
            table; factors and codes then only say how many there are and how codes vary.
        size: examples in a group, or as many as agree.
        votes: to learn from, and as many to score.
        bins: see above.
        seed: of the groups.

    References:
        Kim & Mnih 2018, Disentangling by factorising, arXiv 1802.05983, section 4
    """
    codes, known = paired(codes, factors)
    if len(known.names) < 2:
        return math.nan
    scale = _scale(codes)
    if scale is None:
        return 1.0 / len(known.names)
    kept, spread = scale
    count = len(known.names)
    random = np.random.default_rng([seed, 0xFAC])
    table = np.zeros((2, kept.sum(), count), np.int64)
    for half, source in enumerate(_sources(codes, known, draw, bins, random)):
        for _ in range(votes):
            factor = int(random.integers(count))
            group = source(factor, size, random)[:, kept] / spread
            table[half, group.var(0).argmin(), factor] += 1
    majority = table[0].argmax(1)
    right = table[1][np.arange(len(majority)), majority].sum()
    return float(right / table[1].sum())


def beta_vae_score(
    codes: Array,
    factors: Any,
    *,
    draw: Draw | None = None,
    size: int = 64,
    points: int = 500,
    bins: int = BINS,
    seed: int = 0,
) -> float:
    """β-VAE score: which factor is fixed, told by a linear classifier of mean code differences.

    For each point a factor is drawn, and `size` pairs of examples, each of which agrees in this
    factor (with a value of its own); the point is the mean of |z − z'| over the pairs. The score
    is the accuracy of a logistic regression on points it was not fitted to, from other examples.
    Codes are scaled to unit variance first. Independent codes score 1 / F; of a single factor it
    is not a number.

    Args:
        codes, factors, draw, bins, seed: see `factor_vae_score`; of ``draw``, groups of two.
        size: pairs in a point.
        points: to learn from, and as many to score.

    References:
        Higgins et al. 2017, beta-VAE, openreview Sy2fzU9gl, section 3
    """
    from sklearn.linear_model import LogisticRegression

    codes, known = paired(codes, factors)
    count = len(known.names)
    scale = _scale(codes)
    if count < 2:
        return math.nan
    if scale is None:
        return 1.0 / count
    kept, spread = scale
    random = np.random.default_rng([seed, 0xBE7A])
    found = np.zeros((2, points, kept.sum()))
    fixed = np.zeros((2, points), np.int64)
    for half, source in enumerate(_sources(codes, known, draw, bins, random)):
        fixed[half] = np.arange(points) % count
        for point, factor in enumerate(fixed[half].tolist()):
            if isinstance(source, _Rows):
                pairs = source.pairs(factor, size, random)
            else:
                pairs = np.stack([source(factor, _PAIR, random) for _ in range(size)])
            pairs = pairs[..., kept] / spread
            found[half, point] = np.abs(pairs[:, 0] - pairs[:, 1]).mean(0)
    # Points differ little where all dimensions vary: their own scale is what a classifier needs.
    mean, deviation = found[0].mean(0), found[0].std(0)
    found = (found - mean) / np.where(deviation > 0, deviation, 1.0)
    model = LogisticRegression(max_iter=1000).fit(found[0], fixed[0])
    return float(model.score(found[1], fixed[1]))


def irs(codes: Array, factors: Any, *, bins: int = BINS, quantile: float = _QUANTILE) -> float:
    """Interventional robustness: how far a dimension moves while its own factor stays.

    Of dimension d and factor f: over the examples with one value of f, the `quantile` of
    |z_d − mean|, averaged over the values; in units of the same quantile over all examples. One
    minus it, for each dimension its best factor, averaged over the dimensions that vary: 1 where
    nothing but one factor moves a dimension, 0 where it moves as much whatever is held. (The
    paper has the largest deviation in place of the quantile, which one example decides.)

    Args:
        codes: ``(N, D)``.
        factors: what `Factors.of` takes, N rows.
        bins: intervals within which a quantity counts as held.
        quantile: see above.

    References:
        Suter, Miladinović, Schölkopf & Bauer 2019, Robustly disentangled causal mechanisms, arXiv
        1811.00007, section 4
    """
    return irs_of(irs_matrix(codes, factors, bins=bins, quantile=quantile))


def irs_of(matrix: Array) -> float:
    """`irs` of a table ``(D, F)`` that is known already; rows of NaN are left out."""
    varies = ~np.isnan(matrix).any(1)
    return float(matrix[varies].max(1).mean()) if varies.any() else 0.0


def irs_matrix(
    codes: Array, factors: Any, *, bins: int = BINS, quantile: float = _QUANTILE
) -> Array:
    """The robustness of each dimension against all but each factor, ``(D, F)`` in [0, 1]; rows of
    NaN for dimensions that do not vary. See `irs`."""
    codes, known = paired(codes, factors)
    codes = codes.astype(np.float64)
    whole = np.quantile(np.abs(codes - codes.mean(0)), quantile, axis=0)
    moved = np.zeros((codes.shape[1], len(known.names)))
    for k, column in enumerate(held(known, bins).T):
        deviations = []
        for value in np.unique(column):
            group = codes[column == value]
            deviations.append(np.quantile(np.abs(group - group.mean(0)), quantile, axis=0))
        moved[:, k] = np.mean(deviations, 0)
    varies = whole > 0
    robust = 1.0 - moved / np.where(varies, whole, 1.0)[:, None]
    return np.where(varies[:, None], robust.clip(0.0, 1.0), np.nan)


class _Rows:
    """Groups of rows of a table that agree in a factor."""

    def __init__(self, codes: Array, values: Array) -> None:
        self.codes = codes
        self.members: list[list[Array]] = []
        for column in values.T:
            order = np.argsort(column, kind="stable")
            edges = np.flatnonzero(np.diff(column[order])) + 1
            parts = [part for part in np.split(order, edges) if len(part) >= _PAIR]
            self.members.append(parts)

    def __call__(self, factor: int, size: int, random: np.random.Generator) -> Array:
        groups = self.members[factor]
        group = groups[int(random.integers(len(groups)))]
        if len(group) > size:
            group = random.choice(group, size, replace=False)
        return self.codes[group]

    def pairs(self, factor: int, size: int, random: np.random.Generator) -> Array:
        """``(size, 2, D)``, two different rows of one group each."""
        groups = self.members[factor]
        chosen = random.integers(len(groups), size=size)
        found = np.empty((size, 2), np.int64)
        for k, which in enumerate(chosen.tolist()):
            group = groups[which]
            first = int(random.integers(len(group)))
            second = int(random.integers(len(group) - 1))
            found[k] = group[first], group[second + (second >= first)]
        return self.codes[found]


def _sources(
    codes: Array, known: Factors, draw: Draw | None, bins: int, random: np.random.Generator
) -> list[Any]:
    """Where the groups to learn from and those to score come from: two halves of a table."""
    if draw is not None:
        return [draw, draw]
    values = held(known, bins)
    order = random.permutation(len(codes))
    halves = []
    for rows in (order[: len(codes) // 2], order[len(codes) // 2 :]):
        half = _Rows(codes[rows], values[rows])
        for name, groups in zip(known.names, half.members, strict=True):
            if not groups:
                raise LowerboundError(
                    f"factors: expected examples that agree in '{name}', came none that do; pass "
                    "more examples, or a factor of fewer values"
                )
        halves.append(half)
    return halves


def _scale(codes: Array) -> tuple[Array, Array] | None:
    """Which dimensions vary and their standard deviations; None where none does."""
    spread = codes.astype(np.float64).std(0)
    kept = spread > 1e-12 * max(float(spread.max(initial=0.0)), 1e-300)
    if not kept.any() or math.isclose(float(spread.max()), 0.0):
        return None
    return kept, spread[kept]
