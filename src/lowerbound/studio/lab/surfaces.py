"""Surfaces over a square of the plane: densities, and what a critic says, cell by cell.

A surface is ``(side, side)``, the first index from low to high in y, the second in x, each value
that at the middle of its cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...adversarial import Loss, generator_loss

SIDE = 64
_LEAST = 1e-30  # of a density, before its logarithm


def middles(reach: float, side: int = SIDE) -> Tensor:
    """Of cells on one axis, ``(side,)``."""
    return (torch.arange(side) + 0.5) * (2.0 * reach / side) - reach


def places(reach: float, side: int = SIDE) -> Tensor:
    """Middles of all cells, ``(side * side, 2)``."""
    at = middles(reach, side)
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


def over(function: Callable[[Tensor], Tensor], reach: float, side: int = SIDE) -> Tensor:
    """A function ``(N, 2) -> (N,)`` as a surface."""
    return function(places(reach, side)).reshape(side, side)


def log_mixture(loc: Tensor, scale: Tensor, reach: float, side: int = SIDE) -> Tensor:
    """log 1/S Σ N(x; loc, scale²) as a surface, nats.

    An axis-parallel normal is a product of one in x and one in y, so that thousands of them at
    thousands of places are one product of matrices.

    Args:
        loc: ``(S, 2)``.
        scale: standard deviations, the same shape.
        reach: of the square.
        side: cells along it.
    """
    at = middles(reach, side).to(loc)
    away = (at - loc.unsqueeze(-1)) / scale.unsqueeze(-1)  # (S, 2, side)
    p = (-0.5 * away.square()).exp() / (scale.unsqueeze(-1) * math.sqrt(2.0 * math.pi))
    return (p[:, 1].mT @ p[:, 0] / len(loc)).clamp_min(_LEAST).log()


def log_mixture_prob(p: Any, x: Tensor) -> Tensor:
    """log 1/S Σ p_s(x), nats, ``(N,)``: log p(x), estimated with S codes of the prior.

    Args:
        p: p(x|z) of the codes, batch shape ``(S,)``.
        x: ``(N, 2)``.
    """
    each = p.log_prob(x.unsqueeze(1))  # (N, S)
    return each.logsumexp(1) - math.log(each.shape[1])


def pull(judge: Callable[[Tensor], Tensor], at: Tensor, loss: Loss) -> Tensor:
    """Where a player's loss would have its samples go: its negative slope at each, ``(N, D)``.

    Args:
        judge: logits of ``(N, D)``.
        at: samples.
        loss: of the player who wants to be taken for data.
    """
    with torch.enable_grad():
        x = at.detach().requires_grad_()
        (slope,) = torch.autograd.grad(generator_loss(judge(x), loss).sum(), x)
    return -slope
