"""Mutual information between codes and factors, and what is built on it: MIG, modularity.

All of it is of discrete variables, by the plug-in estimate: probabilities are counts over N. What
has more than `bins` different values, code or factor, is first cut into `bins` intervals with
(nearly) equal counts, both alike, so that a code that is a factor tells all of it; but names, whose
order means nothing, are never merged. The estimate is above the truth by about
(a − 1)(b − 1) / 2N nats for a x b cells, which differences such as the MIG's lose again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError
from .factors import Factors

Array = NDArray[Any]

#: Intervals of a quantity; 20 in Locatello et al. 2019 too, though of equal width there.
BINS = 20


def discretize(values: Array, bins: int = BINS) -> Array:
    """Each column as whole numbers 0, 1, …: its values, or intervals with (nearly) equal counts.

    Equal values stay together. Intervals by rank are the same under any increasing map of a
    column, and mirrored under a decreasing one.

    Args:
        values: ``(N, D)``.
        bins: intervals; a column of no more different values is taken as it is.

    Returns:
        int64 ``(N, D)``.

    >>> discretize(np.array([[3.0], [1.0], [3.0], [7.0]])).T.tolist()
    [[1, 0, 1, 2]]
    """
    values = np.asarray(values)
    found = np.empty(values.shape, np.int64)
    for k, column in enumerate(values.T):
        distinct, place, counts = np.unique(column, return_inverse=True, return_counts=True)
        if len(distinct) > bins:
            # The middle of a value's ranks decides: no tie is broken, no direction preferred.
            middle = (np.cumsum(counts) - 0.5 * counts) / len(column)
            interval = np.minimum((middle * bins).astype(np.int64), bins - 1)
            place = interval[place]
        found[:, k] = place
    return found


def entropy(values: Array) -> float:
    """H of one discrete variable, nats, by its counts.

    Args:
        values: whole numbers ``(N,)``.

    >>> round(entropy(np.array([0, 1, 0, 1])), 6)
    0.693147
    """
    p = np.bincount(values) / len(values)
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def mutual_information(a: Array, b: Array) -> float:
    """I(a; b) of two discrete variables, nats, by their counts: Σ p(a, b) log p(a, b) / p(a) p(b).

    Args:
        a: whole numbers ``(N,)``.
        b: likewise.
    """
    rows, columns = int(a.max()) + 1, int(b.max()) + 1
    joint = np.bincount(a * columns + b, minlength=rows * columns).reshape(rows, columns) / len(a)
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / product[seen])).sum())


def information_matrix(codes: Array, factors: Any, bins: int = BINS) -> Array:
    """I(z_d; v_f) of every code dimension and factor, nats, ``(D, F)``.

    Args:
        codes: ``(N, D)``; draws of the posterior, if q(z|x) is what is asked about.
        factors: what `Factors.of` takes, N rows.
        bins: intervals of what has more different values.
    """
    codes, known = paired(codes, factors)
    z, v = discretize(codes, bins), _cut(known, bins)
    return np.array([[mutual_information(one, other) for other in v.T] for one in z.T])


def factor_entropies(factors: Any, bins: int = BINS) -> Array:
    """H(v_f) of each factor, nats, ``(F,)``: as cut for `information_matrix`."""
    return np.array([entropy(column) for column in _cut(Factors.of(factors), bins).T])


def mig(codes: Array, factors: Any, bins: int = BINS) -> float:
    """Mutual information gap: mean over factors of (largest − second largest I(z_d; v)) / H(v).

    1 where each factor is told by one dimension alone and in full, 0 where two dimensions tell the
    same of it, or none does. Divided by the entropy of each factor, in the same units: it cannot
    exceed 1.

    Args:
        codes: ``(N, D)``.
        factors: what `Factors.of` takes, N rows.
        bins: see `information_matrix`.

    References:
        Chen et al. 2018, Isolating sources of disentanglement in VAEs, arXiv 1802.04942, section 4

    >>> grid = np.stack(np.meshgrid(range(3), range(4)), -1).reshape(-1, 2)
    >>> round(mig(-5.0 * grid[:, ::-1], grid), 12)
    1.0
    """
    return mig_of(information_matrix(codes, factors, bins), factor_entropies(factors, bins))


def mig_of(information: Array, entropies: Array) -> float:
    """`mig` of a table that is known already.

    Args:
        information: ``(D, F)``, nats.
        entropies: ``(F,)``, nats.
    """
    ordered = np.sort(np.concatenate([np.zeros_like(information[:1]), information]), axis=0)
    return float(((ordered[-1] - ordered[-2]) / entropies).mean())


def modularity(codes: Array, factors: Any, bins: int = BINS) -> float:
    """Whether each dimension tells of one factor alone: 1 − Σ_{f ≠ f*} I_df² / (I_df*² (F − 1)).

    Mean over the dimensions that tell anything; several dimensions may tell of the same factor.
    Not a number for a single factor.

    Args:
        codes: ``(N, D)``.
        factors: what `Factors.of` takes, N rows.
        bins: see `information_matrix`.

    References:
        Ridgeway & Mozer 2018, Learning deep disentangled embeddings with the F-statistic loss,
        arXiv 1802.05312, section 3
    """
    return modularity_of(information_matrix(codes, factors, bins))


def modularity_of(information: Array) -> float:
    """`modularity` of a table ``(D, F)`` that is known already."""
    if information.shape[1] < 2:
        return float("nan")
    squares = np.square(information)
    largest = squares.max(1)
    # Below it what is left of a constant's information is rounding.
    told = largest > (1e-12) ** 2
    if not told.any():
        return 0.0
    others = (squares.sum(1) - largest)[told] / (information.shape[1] - 1)
    return float((1.0 - others / largest[told]).mean())


def paired(codes: Array, factors: Any) -> tuple[Array, Factors]:
    """Codes ``(N, D)`` and the factors of the same examples.

    Raises:
        LowerboundError: not a matrix, or not as many rows.
    """
    codes, known = np.asarray(codes), Factors.of(factors)
    if codes.ndim != 2 or codes.shape[1] == 0 or len(codes) != len(known):
        raise LowerboundError(
            f"expected codes of shape ({len(known)}, latent), a row for each row of factors, came "
            f"{codes.shape}"
        )
    if codes.dtype.kind == "f" and not np.isfinite(codes).all():
        raise LowerboundError("expected finite codes, came NaN or infinity; train again")
    return codes, known


def held(known: Factors, bins: int) -> Array:
    """Factors as they can be held: discrete ones at a value, quantities in one of some intervals.

    Returns:
        int64 ``(N, F)``.
    """
    cut = discretize(known.values, bins)
    return np.where(known.discrete, known.values.astype(np.int64), cut)


def _cut(known: Factors, bins: int) -> Array:
    """Factors as their information is measured: names as they are. int64 ``(N, F)``."""
    cut = discretize(known.values, bins)
    return np.where(known.ordered, cut, known.values.astype(np.int64))
