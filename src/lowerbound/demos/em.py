"""Expectation-maximization, a picture for each iteration (EQUATIONS 5, 10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from ..mixtures import GaussianMixture, em
from .result import Demonstration, number


class Fit(NamedTuple):
    """One iteration.

    Attributes:
        log_likelihood: mean log p(x) over the data, nats.
        weights: p(h), ``(K,)``.
        means: ``(K, D)``.
        covariances: ``(K, D, D)``.
    """

    log_likelihood: float
    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray


def points(seed: int = 0) -> np.ndarray:
    """600 points of three normals in the plane, two of which overlap, ``(600, 2)``."""
    random = np.random.default_rng(seed)
    parts = [
        random.multivariate_normal((-2.0, 0.0), [[1.0, 0.8], [0.8, 1.0]], 200),
        random.multivariate_normal((1.0, 1.2), [[0.6, -0.4], [-0.4, 0.5]], 250),
        random.multivariate_normal((1.5, -1.2), [[0.3, 0.0], [0.0, 0.8]], 150),
    ]
    return np.concatenate(parts)


def fits(x: np.ndarray, components: int, *, seed: int = 0) -> Iterator[Fit]:
    """EM from components that all lie near the data's mean, the worst place to begin.

    Args:
        x: data, ``(N, D)``.
        components: K.
        seed: of the start.
    """
    data = torch.as_tensor(x)
    size = data.shape[1]
    model = GaussianMixture((size,), components).double()
    random = np.random.default_rng(seed)
    means = x.mean(0) + 0.3 * x.std(0) * random.normal(size=(components, size))
    steps = em(
        model,
        lambda: iter([data]),
        means=torch.as_tensor(means),
        tolerance=1e-7,
        restarts=1,
        max_iterations=25,
    )
    for step in steps:
        kept = (model.weights, model.means, model.covariances)
        yield Fit(step.log_likelihood, *(t.detach().numpy().copy() for t in kept))


def demonstrate(*, seed: int = 0) -> Demonstration:
    """Three components find three normals; log p(x) never falls."""
    from ..plots.mixtures import mixture

    x = points(seed)
    found = list(fits(x, 3, seed=seed))
    values = np.array([fit.log_likelihood for fit in found])
    told = sorted({0, 1, 2, 5, 10, 15, 20, len(found) - 1} & set(range(len(found))))
    last = found[-1]

    def frames() -> Iterator:
        for place, fit in enumerate(found):
            title = f"iteration {place}, log p(x) {number(fit.log_likelihood, 3)} nats"
            yield mixture(x, fit.weights, fit.means, fit.covariances, title)

    return Demonstration(
        "EM: every iteration explains the data better",
        "Three normals with covariances of their own are fitted to 600 points, from means that all "
        "lie near the middle. The E step says how much each component answers for each point, the "
        "M step takes the weighted moments; log p(x) cannot fall. The film has one picture for "
        "each iteration.",
        {
            "first": float(values[0]),
            "last": float(values[-1]),
            "smallest_rise": float(np.diff(values).min()),
            "iterations": float(len(found) - 1),
        },
        ("iteration", "log p(x), nats", "weights"),
        [
            (
                str(place),
                number(values[place], 4),
                ", ".join(number(w) for w in sorted(found[place].weights, reverse=True)),
            )
            for place in told
        ],
        mixture(x, last.weights, last.means, last.covariances, "after the last iteration"),
        {"seed": seed, "points": len(x), "components": 3},
        film=frames,
    )
