"""The bound without its entropy: where a learned σ goes (EQUATIONS 15)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..models import LatentModel, LinearGaussian
from ..objectives import entropy_form
from .gradients import FreeNormal
from .result import Demonstration, number


class Path(NamedTuple):
    """What q does in training.

    Attributes:
        sigma: after each step (and at the start), ``(steps + 1,)``.
        loc: likewise.
        posterior: mean and σ of p(z|x).
    """

    sigma: np.ndarray
    loc: np.ndarray
    posterior: tuple[float, float]


def descend(weight: float, *, seed: int = 0, steps: int = 2000) -> Path:
    """Train q(z) = N(μ, σ²) for one datum on E_q log p(x, z) + weight · H(q).

    Args:
        weight: of the entropy: 1 is the bound, 0 leaves it out.
        seed: of the draws.
        steps: of Adam.
    """
    # p(z|x) of x = (2, 2) under x = (z, z) + noise of variance ½: N(8/5, 1/5).
    model = LinearGaussian((2,), 1, weight=torch.ones(2, 1), sigma2=torch.tensor(0.5)).double()
    x = torch.full((1, 2), 2.0, dtype=torch.float64)
    loc = nn.Parameter(torch.zeros(1, 1, dtype=torch.float64))
    log_scale = nn.Parameter(torch.zeros(1, 1, dtype=torch.float64))
    free = LatentModel(model.prior, model.likelihood, FreeNormal(loc, log_scale))
    optimizer = torch.optim.Adam([loc, log_scale], 0.05, betas=(0.9, 0.99))
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    sigma, locs = [1.0], [0.0]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            optimizer.zero_grad()
            entropy_form(free, x, entropy=weight, samples=50).loss.backward()
            optimizer.step()
            decay.step()
            sigma.append(float(log_scale.detach().exp()))
            locs.append(float(loc.detach()))
    q = model.encode(x)
    return Path(np.array(sigma), np.array(locs), (float(q.mean), float(q.variance.sqrt())))


def demonstrate(*, seed: int = 0) -> Demonstration:
    """σ over training, with H(q) and without."""
    from ..plots.demos import spreads

    paths = {weight: descend(weight, seed=seed) for weight in (1.0, 0.5, 0.0)}
    mean, sigma = paths[1.0].posterior
    rows = [("posterior p(z given x)", number(mean, 4), number(sigma, 4))]
    rows += [
        (f"entropy weighted by {weight:g}", number(path.loc[-1], 4), number(path.sigma[-1], 4))
        for weight, path in paths.items()
    ]
    return Demonstration(
        "Without its entropy the bound has no use for uncertainty",
        "q(z) = N(μ, σ²) is trained for one datum whose posterior is known, on "
        "E_q log p(x, z) + w H(q). With w = 1, the bound, it becomes the posterior; with w = 0 its "
        "mean finds the mode and σ falls for as long as training lasts. Half the entropy gives "
        "1/√2 of the spread.",
        {
            "posterior_sigma": sigma,
            "sigma_with_entropy": float(paths[1.0].sigma[-1]),
            "sigma_without": float(paths[0.0].sigma[-1]),
        },
        ("q after training", "μ", "σ"),
        rows,
        spreads(
            {w: path.sigma for w, path in paths.items()},
            {w: (path.loc[-1], path.sigma[-1]) for w, path in paths.items()},
            (mean, sigma),
        ),
        {"seed": seed, "steps": 2000, "draws": 50},
    )
