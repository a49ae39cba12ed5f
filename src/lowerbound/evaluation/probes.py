"""How much of a label a code tells: k nearest neighbours and a linear probe."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LowerboundError

Array = NDArray[Any]


def score(
    train: Array, train_labels: Array, test: Array, test_labels: Array, neighbours: int = 5
) -> tuple[float, float]:
    """Accuracies of k nearest neighbours and of a linear probe on whitened codes.

    Args:
        train: codes to fit to, ``(N, latent)``.
        train_labels: ``(N,)``.
        test: codes to score on, ``(M, latent)``.
        test_labels: ``(M,)``.
        neighbours: k.

    Returns:
        of k-NN, of a logistic regression (L2 penalty, C = 1).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    train, test = whitened(train, test)
    knn = KNeighborsClassifier(min(neighbours, len(train))).fit(train, train_labels)
    if len(np.unique(train_labels)) < 2:
        raise LowerboundError(
            "labels: expected two classes or more, came one; pass data of several"
        )
    probe = LogisticRegression(max_iter=1000, tol=1e-6).fit(train, train_labels)
    return float(knn.score(test, test_labels)), float(probe.score(test, test_labels))


def whitened(train: Array, *others: Array) -> tuple[Array, ...]:
    """Codes with the mean and covariance of `train` taken out, float64.

    Directions in which the training codes do not vary are left out.

    >>> codes = np.random.default_rng(0).normal(size=(100, 2)) @ [[3.0, 0.0], [1.0, 0.1]]
    >>> np.cov(whitened(codes)[0].T, bias=True).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    train = np.asarray(train, np.float64)
    mean = train.mean(0)
    _, spread, axes = np.linalg.svd((train - mean) / np.sqrt(len(train)), full_matrices=False)
    kept = spread > 1e-7 * max(float(spread.max()), 1e-300)
    turn = (axes[kept] / spread[kept, None]).T
    return tuple((np.asarray(codes, np.float64) - mean) @ turn for codes in (train, *others))
