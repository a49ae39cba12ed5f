"""Hamiltonian Monte Carlo: moves that leave a density as it is.

Pure functions of codes, momenta and uniform numbers, for many chains at once. The log-density is a
weighted sum of terms, log f = Σ_p weights_p · terms_p, so that a temperature may change between two
moves and nothing has to be computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Point(NamedTuple):
    """Where chains are.

    Attributes:
        z: codes, ``(*C, *latent)``.
        terms: what log f is a sum of, ``(P, *C)``, nats.
        slopes: their gradients in z, ``(P, *C, *latent)``.
    """

    z: Tensor
    terms: Tensor
    slopes: Tensor

    def log_density(self, weights: Sequence[float]) -> Tensor:
        """log f, ``(*C)``, nats."""
        return _weighted(self.terms, weights)

    def slope(self, weights: Sequence[float]) -> Tensor:
        """Gradient of log f in z, ``(*C, *latent)``."""
        return _weighted(self.slopes, weights)


#: Codes ``(*C, *latent)`` to what is known there.
Density = Callable[[Tensor], Point]


def leapfrog(
    density: Density,
    point: Point,
    momentum: Tensor,
    weights: Sequence[float],
    step: Tensor,
    leaps: int,
) -> tuple[Point, Tensor]:
    """Follow Hamilton's equations for a while; backwards with the momentum turned round.

    Args:
        density: the terms of log f.
        point: where to begin.
        momentum: ``(*C, *latent)``, of unit mass.
        weights: of the terms.
        step: sizes of the steps, ``(*C)``.
        leaps: how many.

    Returns:
        Where it ends, and the momentum there.
    """
    sizes = step.reshape(*step.shape, *[1] * (point.z.dim() - step.dim()))
    momentum = momentum + 0.5 * sizes * point.slope(weights)
    for leap in range(leaps):
        point = density(point.z + sizes * momentum)
        half = 0.5 if leap == leaps - 1 else 1.0
        momentum = momentum + half * sizes * point.slope(weights)
    return point, momentum


def transition(
    density: Density,
    point: Point,
    weights: Sequence[float],
    step: Tensor,
    *,
    momentum: Tensor,
    uniform: Tensor,
    leaps: int,
) -> tuple[Point, Tensor]:
    """One move of every chain, which leaves f invariant.

    Args:
        density: the terms of log f.
        point: where the chains are.
        weights: of the terms.
        step: sizes of the leapfrog steps, ``(*C)``: any that do not depend on where a chain is.
        momentum: standard normal numbers, ``(*C, *latent)``.
        uniform: numbers in [0, 1), ``(*C)``.
        leaps: leapfrog steps of a move.

    Returns:
        Where the chains are then, and the probabilities ``(*C)`` with which they had moved. A move
        to where f is not a number is refused.

    References:
        Neal 2011, MCMC using Hamiltonian dynamics, arXiv 1206.1901, section 5.3
    """
    there, end = leapfrog(density, point, momentum, weights, step, leaps)
    latent = tuple(range(uniform.dim(), momentum.dim()))
    energy = 0.5 * (momentum.square().sum(latent) - end.square().sum(latent))
    log_ratio = there.log_density(weights) - point.log_density(weights) + energy
    chance = log_ratio.nan_to_num(-torch.inf, torch.inf, -torch.inf).clamp(max=0.0).exp()
    moved = uniform < chance
    wide = moved.reshape(*moved.shape, *[1] * len(latent))
    return Point(
        torch.where(wide, there.z, point.z),
        torch.where(moved, there.terms, point.terms),
        torch.where(wide, there.slopes, point.slopes),
    ), chance


def _weighted(parts: Tensor, weights: Sequence[float]) -> Tensor:
    """Σ_p weights_p parts_p; what counts nothing may be infinite."""
    used = [weight * part for weight, part in zip(weights, parts, strict=True) if weight != 0.0]
    return torch.stack(used).sum(0) if len(used) > 1 else used[0]
