"""KL(p‖q) against KL(q‖p), and the two fits of one normal to two modes (EQUATIONS 16)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ..data.synthetic import Mixture
from ..distributions import DiagonalNormal, kl
from .result import Demonstration, number


def grid(low: float = -12.0, high: float = 12.0, points: int = 4001) -> np.ndarray:
    """Places of the quadrature, ``(points,)``."""
    return np.linspace(low, high, points)


def integral(values: np.ndarray, x: np.ndarray) -> float:
    """Trapezoidal rule; exact to rounding for smooth densities that vanish at both ends."""
    return float(np.trapezoid(values, x))


def divergence(log_p: np.ndarray, log_q: np.ndarray, x: np.ndarray) -> float:
    """KL(p‖q), nats, by quadrature.

    Args:
        log_p: on the grid, ``(points,)``.
        log_q: likewise.
        x: the grid.
    """
    return integral(np.exp(log_p) * (log_p - log_q), x)


def log_normal(x: np.ndarray, mean: float, sigma: float) -> np.ndarray:
    """log N(x; mean, sigma²), nats (EQUATIONS 24)."""
    return -0.5 * ((x - mean) / sigma) ** 2 - math.log(sigma) - 0.5 * math.log(2 * math.pi)


def two_modes() -> Mixture:
    """0.6 N(−2, 0.7²) + 0.4 N(2.5, 0.9²)."""
    return Mixture(np.array([0.6, 0.4]), np.array([-2.0, 2.5]), np.array([0.7, 0.9]))


def covering(p: Mixture) -> tuple[float, float]:
    """argmin_q KL(p‖q) over normals: p's own mean and standard deviation."""
    mean = float(p.weights @ p.means)
    second = float(p.weights @ (p.means**2 + p.stds**2))
    return mean, math.sqrt(second - mean**2)


def seeking(p: Mixture, start: float, steps: int = 300) -> tuple[float, float]:
    """A minimum of KL(q‖p) over normals, by gradients of its quadrature.

    Args:
        p: the density.
        start: of q's mean; σ starts at 1.
        steps: of L-BFGS, at most.
    """
    nodes, weights = (torch.from_numpy(part) for part in np.polynomial.hermite_e.hermegauss(80))
    weights = weights / weights.sum()
    scales, means = (torch.from_numpy(part) for part in (p.stds, p.means))
    logs = torch.from_numpy(np.log(p.weights / p.stds)) - 0.5 * math.log(2 * math.pi)
    at = torch.tensor([start, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [at], max_iter=steps, line_search_fn="strong_wolfe", tolerance_grad=1e-12
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        x = at[0] + at[1].exp() * nodes
        log_p = (logs - 0.5 * ((x[:, None] - means) / scales).square()).logsumexp(1)
        loss = -at[1] - weights @ log_p  # −H(q) up to a constant, and the cross entropy
        loss.backward()
        return loss

    optimizer.step(objective)
    mean, log_sigma = at.detach().tolist()
    return mean, math.exp(log_sigma)


def normals() -> dict[str, float]:
    """Both divergences of N(0, 1) and N(1, 2²): in closed form, and by quadrature."""
    x = grid(-30, 30, 12001)
    log_p, log_q = log_normal(x, 0.0, 1.0), log_normal(x, 1.0, 2.0)
    p = DiagonalNormal(torch.zeros(1).double(), torch.zeros(1).double())
    q = DiagonalNormal(torch.ones(1).double(), torch.full((1,), math.log(2.0), dtype=torch.float64))
    return {
        "forward": float(kl(p, q)),
        "forward_by_quadrature": divergence(log_p, log_q, x),
        "reverse": float(kl(q, p)),
        "reverse_by_quadrature": divergence(log_q, log_p, x),
    }


def demonstrate(*, seed: int = 0) -> Demonstration:
    """The pair of normals, and three fits to two modes."""
    from ..plots.demos import fits

    pair, p, x = normals(), two_modes(), grid()
    log_p = p.log_prob(x[:, None])
    found = {
        "argmin KL(p‖q): covers": covering(p),
        "argmin KL(q‖p): left mode": seeking(p, -2.0),
        "argmin KL(q‖p): right mode": seeking(p, 2.5),
    }
    rows = [
        (
            "p = N(0, 1), q = N(1, 2²)",
            "–",
            "–",
            number(pair["forward"], 3),
            number(pair["reverse"], 3),
        ),
    ]
    for name, (mean, sigma) in found.items():
        log_q = log_normal(x, mean, sigma)
        values = divergence(log_p, log_q, x), divergence(log_q, log_p, x)
        rows.append((name, number(mean, 3), number(sigma, 3), *(number(v, 3) for v in values)))
    cover = log_normal(x, *found["argmin KL(p‖q): covers"])
    left = log_normal(x, *found["argmin KL(q‖p): left mode"])
    return Demonstration(
        "KL(p‖q) is not KL(q‖p)",
        "One normal fitted to two modes. The forward divergence, which maximum likelihood "
        "minimises, punishes q where p has mass and q has none: q covers both modes, and the "
        "valley between them. The reverse one, which the bound minimises, punishes q where it has "
        "mass and p has none: q takes one mode, and which one depends on where it starts. Values "
        "by quadrature; for the pair of normals also in closed form.",
        {
            **pair,
            "forward_of_cover": divergence(log_p, cover, x),
            "forward_of_seek": divergence(log_p, left, x),
            "reverse_of_cover": divergence(cover, log_p, x),
            "reverse_of_seek": divergence(left, log_p, x),
        },
        ("fit", "mean of q", "σ of q", "KL(p‖q), nats", "KL(q‖p), nats"),
        rows,
        fits(x, np.exp(log_p), {n: np.exp(log_normal(x, *m)) for n, m in found.items()}),
        {"seed": seed},
    )
