"""The naive estimator of log p(x), which draws codes from the prior (EQUATIONS 7)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..bounds import iwae
from ..data.synthetic import linear_gaussian
from ..models import LinearGaussian
from ..objectives import naive
from .result import Demonstration, number

DIMENSIONS = (1, 2, 3, 5, 8, 12, 20, 30, 40, 50)


def estimates(
    dimensions: Sequence[int], *, seed: int = 0, samples: int = 1000, examples: int = 200
) -> dict[str, np.ndarray]:
    """log p(x) by draws of the prior, by draws of the posterior, and exactly.

    Args:
        dimensions: of the code; x has twice as many.
        seed: of models, data and draws.
        samples: codes for each example, K.
        examples: N, for each dimension.

    Returns:
        For each dimension, means over the examples: ``exact``, ``naive``, ``by_posterior`` (nats),
        ``effective``, of the K draws of the prior.
    """
    told: dict[str, list[float]] = {n: [] for n in ("exact", "naive", "by_posterior", "effective")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for size in dimensions:
            source = linear_gaussian(2 * size, size, sigma=1.0, seed=seed)
            # Columns of length one and a half: each code dimension is told about as well in any
            # number of them, and what changes is their number alone.
            weight = 1.5 * source.weight / np.linalg.norm(source.weight, axis=0)
            model = LinearGaussian(
                (2 * size,), size, weight=torch.from_numpy(weight), sigma2=torch.ones(())
            ).double()
            x = model.sample(examples)
            parts = naive(model, x, samples=samples).parts
            told["exact"].append(float(model.log_prob(x).mean()))
            told["naive"].append(float(parts["iwae"].mean()))
            told["effective"].append(float(parts["effective_samples"].mean()))
            told["by_posterior"].append(float(iwae(model, x, samples=10).parts["iwae"].mean()))
    return {name: np.array(values) for name, values in told.items()}


def demonstrate(*, seed: int = 0) -> Demonstration:
    """Effective sample size and error over the code's dimensions."""
    from ..plots.demos import prior_samples

    samples = 1000
    found = estimates(DIMENSIONS, seed=seed, samples=samples)
    rows = [
        (
            str(size),
            number(found["exact"][i]),
            number(found["naive"][i]),
            number(found["naive"][i] - found["exact"][i]),
            number(found["by_posterior"][i]),
            number(found["effective"][i]),
        )
        for i, size in enumerate(DIMENSIONS)
    ]
    last = found["effective"][-1]
    return Demonstration(
        "Codes from the prior explain nothing",
        "log p(x) ≈ log 1/K Σ p(x|z), z drawn from the prior, K = 1,000, on linear-Gaussian "
        "models whose evidence is known; x has twice as many numbers as the code, and every code "
        f"dimension is told about as well. At 50 dimensions {last:.2f} draws of 1,000 carry all "
        "the weight. Ten draws of the posterior give the exact value, for each of them does.",
        {
            "effective_at_1": float(found["effective"][0]),
            "effective_at_50": float(last),
            "error_at_50": float(found["naive"][-1] - found["exact"][-1]),
            "posterior_error": float(np.abs(found["by_posterior"] - found["exact"]).max()),
        },
        (
            "code dimensions",
            "log p(x), nats",
            "naive, K = 1,000",
            "its error",
            "posterior, K = 10",
            "effective samples of 1,000",
        ),
        rows,
        prior_samples(np.array(DIMENSIONS), found, samples),
        {"seed": seed, "examples": 200, "samples": samples},
    )
