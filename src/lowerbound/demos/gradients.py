"""Gradients of the ELBO with respect to q: score function against reparameterization."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..bounds import Terms, elbo
from ..data.synthetic import linear_gaussian
from ..distributions import DiagonalNormal
from ..models import LatentModel, LinearGaussian
from ..objectives import score_function, sticking_the_landing
from .result import Demonstration, number

ESTIMATORS: dict[str, Callable[..., Terms]] = {
    "score function": partial(score_function, samples=10),
    "score function, baseline": partial(score_function, samples=10, baseline="samples"),
    "reparameterized": partial(elbo, samples=10, kl="sampled"),
    "reparameterized, analytic KL": partial(elbo, samples=10),
    "reparameterized, path only": partial(sticking_the_landing, samples=10),
}

_AT_ONCE = 2500


class Measured(NamedTuple):
    """Gradients of one estimator, of −ELBO.

    Attributes:
        mean: over the repeats, ``(2 L,)``.
        standard_error: of the mean.
        variance: of one estimate, the mean over all parameters.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    variance: float


class FreeNormal(nn.Module):
    """q(z) = N(μ, diag σ²), a parameter each, for rows that are copies of one datum."""

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        super().__init__()
        self.loc, self.log_scale = loc, log_scale

    def forward(self, x: Tensor) -> DiagonalNormal:
        return DiagonalNormal(self.loc, self.log_scale)


def compare(
    latent: int, *, seed: int = 0, repeats: int = 20000
) -> tuple[np.ndarray, dict[str, Measured]]:
    """The gradient for one datum of a linear-Gaussian model, at a q near its posterior.

    Args:
        latent: code dimensions, L.
        seed: of model, datum, q and draws.
        repeats: independent estimates of the gradient, from ten draws each.

    Returns:
        The exact gradient in μ and log σ, ``(2 L,)``, and each estimator's.
    """
    source = linear_gaussian(2 * latent, latent, sigma=1.0, seed=seed)
    x = torch.from_numpy(source.sample(1, seed=seed)[0])
    weight, mean = torch.from_numpy(source.weight), torch.from_numpy(source.mean)
    model = LinearGaussian((2 * latent,), latent, weight=weight, mean=mean).double()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        q = model.encode(x)
        spread = q.variance.sqrt()
        loc = q.mean + 0.5 * spread * torch.randn(1, latent, dtype=torch.float64)
        log_scale = spread.log() + 0.3 * torch.randn(1, latent, dtype=torch.float64)
        precision = torch.eye(latent, dtype=torch.float64) + weight.mT @ weight
        # −ELBO is ½ (μ − m)' Λ (μ − m) + ½ Σ_j Λ_jj σ_j² − Σ_j log σ_j and a constant.
        along = ((loc - q.mean) @ precision)[0]
        widen = (precision.diagonal() * (2 * log_scale).exp() - 1)[0]
        exact = torch.cat((along, widen)).numpy()
        found = {}
        for name, estimator in ESTIMATORS.items():
            # Each row is a copy of the datum with a q of its own, so that one backward pass gives
            # as many independent estimates.
            parts = []
            for count in (len(part) for part in torch.arange(repeats).split(_AT_ONCE)):
                rows = [t.repeat(count, 1).requires_grad_() for t in (loc, log_scale)]
                free = LatentModel(model.prior, model.likelihood, FreeNormal(*rows))
                loss: Any = estimator(free, x.expand(count, -1)).loss
                parts.append(torch.cat(torch.autograd.grad(count * loss, rows), dim=1))
            each = torch.cat(parts).numpy()  # (repeats, 2 L)
            error = each.std(0, ddof=1) / np.sqrt(repeats)
            found[name] = Measured(each.mean(0), error, float(each.var(0, ddof=1).mean()))
    return exact, found


def demonstrate(*, seed: int = 0) -> Demonstration:
    """Means against the exact gradient, and variances, for codes of 2 to 50 dimensions."""
    from ..plots.demos import gradient_noise

    sizes = (2, 5, 10, 20, 50)
    every = {size: compare(size, seed=seed) for size in sizes}
    variances = {
        name: np.array([every[size][1][name].variance for size in sizes]) for name in ESTIMATORS
    }
    exact, found = every[10]
    furthest = {
        name: max(
            float(np.abs((each[name].mean - truth) / each[name].standard_error).max())
            for truth, each in every.values()
        )
        for name in ESTIMATORS
    }
    rows = [
        (name, number(furthest[name]), *(number(float(v)) for v in variances[name]))
        for name in ESTIMATORS
    ]
    ratio = variances["score function"] / variances["reparameterized"]
    return Demonstration(
        "Two gradients of one mean",
        "The gradient of the ELBO in μ and log σ of q, for one datum of a linear-Gaussian model, "
        "20,000 estimates from ten draws each, with the exact gradient beside. Over all parameters "
        f"and sizes no mean is further from it than {max(furthest.values()):.2f} standard errors. "
        "In the table is the variance of one estimate for codes of L dimensions. The score "
        f"function's is {ratio[0]:,.0f} times that of the reparameterized gradient at 2 code "
        f"dimensions and {ratio[-1]:,.0f} times at 50; a baseline takes part of that away.",
        {
            "largest_standard_errors": max(furthest.values()),
            "variance_ratio_at_2": float(ratio[0]),
            "variance_ratio_at_50": float(ratio[-1]),
        },
        (
            "estimator",
            "furthest mean, SE",
            *(f"L = {size}" for size in sizes),
        ),
        rows,
        gradient_noise(
            exact,
            {n: (m.mean, m.standard_error) for n, m in found.items()},
            np.array(sizes),
            variances,
        ),
        {"seed": seed, "repeats": 20000, "draws": 10},
    )
