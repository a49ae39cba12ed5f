"""Gradients of draws from a mixture, through its conditional distribution functions."""

from __future__ import annotations

import torch
from torch import Tensor

from .normal import HALF_LOG_2PI


def with_gradient(z: Tensor, logits: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Draws of a mixture of diagonal Gaussians, made functions of its parameters.

    With u_d = F(z_d | z_1 … z_{d−1}) the numbers u are uniform whatever the parameters φ, so
    holding them fixed gives dz/dφ = −(∂u/∂z)⁻¹ ∂u/∂φ: one triangular system for each draw, whose
    matrix costs K·D² and D² of memory. Unlike a choice of component held fixed, it sees the
    gradient of the weights. First order only.

    Args:
        z: draws, ``(*sample, *batch, D)``, without a gradient.
        logits: ``(*batch, K)``.
        loc: ``(*batch, K, D)``.
        scale: ``(*batch, K, D)``.

    Returns:
        The same values, with the gradient.

    References:
        Figurnov, Mohamed and Mnih, 2018, https://arxiv.org/abs/1805.08498, section 4
    """
    t = (z.unsqueeze(-2) - loc) / scale  # (*lead, K, D)
    log_density = -0.5 * t.square() - scale.log() - HALF_LOG_2PI
    # Weights given the dimensions before d: those of the responsibilities so far.
    seen = torch.nn.functional.pad(log_density.cumsum(-1)[..., :-1], (1, 0))
    log_weights = (logits.unsqueeze(-1) + seen).log_softmax(-2)
    weights = log_weights.exp()
    # Φ for draws on the lower side and −(1 − Φ) on the upper one, where Φ has lost its digits;
    # they differ by a constant, of which no derivative knows.
    lower = (weights * torch.special.ndtr(t)).sum(-2, keepdim=True) < 0.5
    cdf = torch.where(lower, torch.special.ndtr(t), -torch.special.ndtr(-t))
    u = (weights * cdf).sum(-2)
    density = (log_weights + log_density).logsumexp(-2)
    with torch.no_grad():
        # Rows in units of the conditional density, so that the diagonal is 1:
        # ∂u_d/∂z_j = Σ_k w_kd (Φ_kd − u_d) ∂ log N_kj/∂z_j for j < d.
        inverse = (-density).exp().clamp_max(torch.finfo(z.dtype).max)
        share = weights * (cdf - u.unsqueeze(-2)) * inverse.unsqueeze(-2)
        jacobian = (share.mT @ (-t / scale)).tril(-1)
    moved = (u - u.detach()) * inverse
    correction = torch.linalg.solve_triangular(
        jacobian, moved.unsqueeze(-1), upper=False, unitriangular=True
    )
    return z - correction.squeeze(-1)
