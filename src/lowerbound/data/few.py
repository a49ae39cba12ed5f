"""A few examples of each class: all that a semi-supervised model is told the labels of."""

from __future__ import annotations

import numpy as np

from lowerbound.errors import LowerboundError


def balanced(labels: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Positions of some examples, as many of each class as of any other where there are so many.

    Args:
        labels: int64 ``(N,)``.
        count: how many in all.
        seed: of the choice.

    Returns:
        int64 ``(count,)``, ascending.

    Raises:
        LowerboundError: more than there are, fewer than one of each class, or one class only.

    >>> labels = np.array([0, 0, 0, 0, 1, 1, 2])
    >>> np.bincount(labels[balanced(labels, 6)]).tolist()
    [3, 2, 1]
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        raise LowerboundError(
            f"labelled: expected examples of two classes or more, came {len(classes)}; pass data "
            "of several"
        )
    if not len(classes) <= count <= len(labels):
        raise LowerboundError(
            f"labelled: expected from {len(classes)} (one of each class) to {len(labels):,} "
            f"examples (all), came {count:,}"
        )
    order = np.random.default_rng([seed, 0xFE3]).permutation(len(labels))
    # The first of each class in a random order, then the second of each, …
    drawn = labels[order]
    rank = np.empty(len(labels), np.int64)
    for each in classes:
        own = drawn == each
        rank[own] = np.arange(own.sum())
    tie = np.random.default_rng([seed, 0xFE4]).random(len(labels))
    return np.sort(order[np.lexsort((tie, rank))[:count]])
