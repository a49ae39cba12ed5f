"""Clusters of codes against labels: k-means, NMI, ARI."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError
from .information import entropy, mutual_information

Array = NDArray[Any]

_STARTS = 10


class Clustering(NamedTuple):
    """What :func:`cluster` returns.

    Attributes:
        nmi: normalised mutual information of clusters and labels, in [0, 1].
        ari: adjusted Rand index: 0 for chance, 1 for equal partitions.
        clusters: how many there were.
    """

    nmi: float
    ari: float
    clusters: int


def cluster(codes: Array, labels: Array, clusters: int | None = None, seed: int = 0) -> Clustering:
    """k-means of codes, and how far the clusters are the labels.

    Distances are those of the codes as they are, so that dimensions count by their spread.

    Args:
        codes: ``(N, D)``.
        labels: ``(N,)``, whole numbers or texts.
        clusters: k; None: as many as there are labels.
        seed: of the ten starts, of which the best by squared distance is kept.

    Raises:
        LowerboundError: fewer examples than clusters.
    """
    from sklearn.cluster import KMeans

    labels = np.asarray(labels)
    count = len(np.unique(labels)) if clusters is None else clusters
    if len(codes) != len(labels) or len(codes) < count:
        raise LowerboundError(
            f"expected a label for each code and {count} codes or more, came {len(codes)} codes "
            f"and {len(labels)} labels"
        )
    # Fewer different codes than clusters (all of them equal, say) are clusters of their own.
    codes = np.asarray(codes, np.float64)
    distinct = len(np.unique(codes, axis=0))
    found = KMeans(min(count, distinct), n_init=_STARTS, random_state=seed).fit(codes).labels_
    return Clustering(
        normalized_mutual_information(found, labels), adjusted_rand_index(found, labels), count
    )


def normalized_mutual_information(a: Array, b: Array) -> float:
    """I(a; b) over the mean of H(a) and H(b); 1 where neither varies, for they agree.

    Args:
        a: a partition, ``(N,)`` of whole numbers or texts.
        b: likewise.

    References:
        Strehl & Ghosh 2002, Cluster ensembles, JMLR 3 (with the arithmetic mean)
    """
    a, b = (np.unique(np.asarray(each), return_inverse=True)[1] for each in (a, b))
    whole = 0.5 * (entropy(a) + entropy(b))
    return 1.0 if whole == 0 else min(1.0, max(0.0, mutual_information(a, b) / whole))


def adjusted_rand_index(a: Array, b: Array) -> float:
    """Pairs on which two partitions agree, scaled so that chance has 0 and equal ones 1.

    Args:
        a: a partition, ``(N,)`` of whole numbers or texts.
        b: likewise.

    References:
        Hubert & Arabie 1985, Comparing partitions, Journal of Classification 2
    """
    a, b = (np.unique(np.asarray(each), return_inverse=True)[1] for each in (a, b))
    joint = np.bincount(a * (int(b.max()) + 1) + b)
    both, first, second, every = (
        _pairs(counts) for counts in (joint, np.bincount(a), np.bincount(b), np.array([len(a)]))
    )
    expected = first * second / every if every else 0.0
    most = 0.5 * (first + second)
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _pairs(counts: Array) -> float:
    counts = counts.astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())
