"""The optimal denoiser of Gaussian data is the posterior mean (EQUATIONS 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from .result import Demonstration, number

#: Variances of the data along their axes.
VARIANCES = (4.0, 2.0, 1.0, 0.5, 0.25, 0.1)
NOISES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


class Denoised(NamedTuple):
    """At one level of noise.

    Attributes:
        optimal: squared error of E[x|x̃], summed over the datum, in closed form.
        trained: of the trained denoiser, in closed form from its weights.
        gains: of the trained denoiser along the data's axes, ``(D,)``.
        optimal_gains: λ / (λ + σ²), ``(D,)``.
        distance: the largest entry by which the two matrices differ.
    """

    optimal: float
    trained: float
    gains: np.ndarray
    optimal_gains: np.ndarray
    distance: float


def covariance(seed: int) -> np.ndarray:
    """With the variances above, along axes drawn at random; ``(D, D)``."""
    axes = _axes(seed)
    return axes @ np.diag(VARIANCES) @ axes.T


def _axes(seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((len(VARIANCES), len(VARIANCES)))
    return np.linalg.qr(drawn)[0]


def denoise(noise: float, *, seed: int = 0, steps: int = 1500, batch: int = 512) -> Denoised:
    """Train a linear map from x + σε to x, and compare it with E[x|x̃] = Σ (Σ + σ² I)⁻¹ x̃.

    Args:
        noise: σ.
        seed: of the data's axes and of all draws.
        steps: of training, each on a fresh batch.
        batch: examples in it.
    """
    sigma = covariance(seed)
    size = len(sigma)
    gain = np.linalg.solve(sigma + noise**2 * np.eye(size), sigma).T
    root = torch.from_numpy(np.linalg.cholesky(sigma))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Linear(size, size).double()
        optimizer = torch.optim.Adam(network.parameters(), 0.02)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            x = torch.randn(batch, size, dtype=torch.float64) @ root.mT
            noisy = x + noise * torch.randn_like(x)
            optimizer.zero_grad()
            (network(noisy) - x).square().sum(1).mean().backward()
            optimizer.step()
            decay.step()
    found = network.weight.detach().numpy()
    axes = _axes(seed)
    return Denoised(
        squared_error(gain, np.zeros(size), sigma, noise),
        squared_error(found, network.bias.detach().numpy(), sigma, noise),
        np.diag(axes.T @ found @ axes),
        np.array(VARIANCES) / (np.array(VARIANCES) + noise**2),
        float(np.abs(found - gain).max()),
    )


def squared_error(gain: np.ndarray, offset: np.ndarray, sigma: np.ndarray, noise: float) -> float:
    """E‖G x̃ + b − x‖² of any linear denoiser, exactly.

    Args:
        gain: G, ``(D, D)``.
        offset: b, ``(D,)``.
        sigma: covariance of x, ``(D, D)``; its mean is zero.
        noise: σ of x̃ − x.
    """
    rest = gain - np.eye(len(sigma))
    spread = np.trace(rest @ sigma @ rest.T) + noise**2 * np.trace(gain @ gain.T)
    return float(spread + offset @ offset)


def sweep(noises: Sequence[float], *, seed: int = 0, steps: int = 1500) -> list[Denoised]:
    """Every level of noise."""
    return [denoise(noise, seed=seed, steps=steps) for noise in noises]


def demonstrate(*, seed: int = 0) -> Demonstration:
    """Error over the level of noise, and the gains along the data's axes."""
    from ..plots.demos import denoising

    found = sweep(NOISES, seed=seed)
    size = len(VARIANCES)
    rows = [
        (
            f"{noise:g}",
            number(size * noise**2, 4),
            number(each.optimal, 4),
            number(each.trained, 4),
            number(100 * (each.trained / each.optimal - 1), 2),
            number(each.distance, 4),
        )
        for noise, each in zip(NOISES, found, strict=True)
    ]
    return Demonstration(
        "The best denoiser is the posterior mean",
        "Gaussian data of six numbers with variances 4 to 0.1 and noise of standard deviation σ. "
        "E[x|x̃] = Σ (Σ + σ² I)⁻¹ x̃ shrinks each direction by λ / (λ + σ²). A linear denoiser, "
        "trained on squared error alone, arrives there. Errors are E‖x̂ − x‖² summed over the "
        "datum, computed exactly from each denoiser's weights.",
        {
            "largest_excess_percent": max(100 * (f.trained / f.optimal - 1) for f in found),
            "largest_distance": max(f.distance for f in found),
        },
        (
            "noise σ",
            "no denoiser, D σ²",
            "posterior mean",
            "trained",
            "excess, %",
            "largest difference of weights",
        ),
        rows,
        denoising(np.array(NOISES), found, VARIANCES),
        {"seed": seed, "steps": 1500, "batch": 512},
    )
