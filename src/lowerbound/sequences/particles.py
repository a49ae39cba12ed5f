"""Particle filters: the evidence of a state-space model from below, and draws of its states."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..noise import uniform
from .packed import Packed

_FEW = 0.5  # share of the particles that may carry the weight before they are drawn anew


class Particles(NamedTuple):
    """What a particle filter leaves.

    Attributes:
        z: states, ``(T, K, B, d)``.
        log_weight: of each given the data up to its step, normalised, ``(T, K, B)``.
        log_evidence: estimates of log p(x_t | x_1..x_{t-1}), ``(B, T)``, nats, 0 where nothing is
            known of x_t; the exponential of their sum is an unbiased estimate of p(x), so that the
            sum is in expectation a lower bound.
        effective: effective sample size at each step, ``(B, T)``.
    """

    z: Tensor
    log_weight: Tensor
    log_evidence: Tensor
    effective: Tensor


@torch.no_grad()
def particle_filter(
    model: Any, steps: Packed, beliefs: Tensor, particles: int, first: float = 1.0
) -> Particles:
    """Sequential importance sampling; particles are drawn anew where few carry the weight.

    Where nothing is known of a step, particles follow the transition.

    Args:
        model: has ``before(K, B)`` (states before the first step), ``follow(z, difference,
            before)`` and ``propose(z, difference, before, now)`` of the beliefs before and at a
            step, and ``log_fit(z, x, observed)``.
        steps: the data; steps that hold nothing may stand anywhere.
        beliefs: after 0, 1, 2, … of the places of ``steps``, ``(B, T + 1, W)``.
        particles: K.
        first: time before the first step.

    Reference:
        Maddison et al. 2017, Filtering variational objectives, arXiv 1705.09279; Le et al. 2018,
        Auto-encoding sequential Monte Carlo, arXiv 1705.10306; Naesseth et al. 2018, Variational
        sequential Monte Carlo, arXiv 1705.11140
    """
    count, length = steps.steps.shape
    z = model.before(particles, count)
    log_w = z.new_full((particles, count), -math.log(particles))
    since = steps.since(first)
    kept: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for t in range(length):
        # Drawn anew where it pays: each batch element decides for itself, and the others keep
        # their particles and their weights.
        few = (2.0 * log_w).logsumexp(0).neg().exp() < _FEW * particles
        index = _systematic(log_w)
        fresh = z.gather(0, index[..., None].expand(z.shape))
        z = torch.where(few[:, None], fresh, z)
        log_w = torch.where(few, -math.log(particles), log_w)
        there = steps.steps[:, t]
        p = model.follow(z, since[:, t].expand(particles, count), beliefs[:, t])
        q = model.propose(z, since[:, t].expand(particles, count), beliefs[:, t], beliefs[:, t + 1])
        proposed = q.rsample(() if q.batch_shape == log_w.shape else (particles,))
        z = torch.where(there[:, None], proposed, p.rsample())
        fit = model.log_fit(z, steps.x[:, t], steps.observed[:, t])
        gain = torch.where(there, fit + p.log_prob(z) - q.log_prob(z), 0.0)
        value = (log_w + gain).logsumexp(0)
        log_w = log_w + gain - value
        effective = (2.0 * log_w).logsumexp(0).neg().exp()
        kept.append((z, log_w, value, effective))
    zs, weights, values, effective = zip(*kept, strict=True)
    return Particles(
        torch.stack(zs), torch.stack(weights), torch.stack(values, 1), torch.stack(effective, 1)
    )


@torch.no_grad()
def smoothed_draws(
    model: Any, steps: Packed, beliefs: Tensor, found: Particles, draws: int
) -> Tensor:
    """Whole paths of states given all data, drawn backwards through the particles.

    Args:
        model: has ``follow``.
        steps: the data that were filtered.
        beliefs: by which they were.
        found: what the filter left.
        draws: M.

    Returns:
        ``(M, B, T, d)``.

    Reference:
        Godsill, Doucet & West 2004, Monte Carlo smoothing for nonlinear time series
    """
    length, particles, count, d = found.z.shape
    since = steps.since()
    path: list[Tensor] = []
    for t in reversed(range(length)):
        z = found.z[t]  # (K, B, d)
        log_w = found.log_weight[t].expand(draws, particles, count)
        if path:
            difference = since[:, t + 1].expand(particles, count)
            p = model.follow(z, difference, beliefs[:, t + 1])
            ahead = path[-1][:, None].expand(draws, particles, count, d)
            log_w = log_w + p.log_prob(ahead)
        # Gumbel's trick draws from unnormalised weights in one pass.
        u = uniform(log_w.shape, log_w.device).clamp_min(1e-12).to(log_w.dtype)
        chosen = (log_w - (-u.log()).log()).argmax(1)  # (M, B)
        path.append(z.gather(0, chosen[..., None].expand(draws, count, d)))
    return torch.stack(path[::-1], 2)


def _systematic(log_w: Tensor) -> Tensor:
    """Particles drawn by their weights, one even comb for each element: ``(K, B)`` of 0..K-1."""
    particles, count = log_w.shape
    ends = log_w.exp().cumsum(0)
    ends = ends / ends[-1:]
    comb = torch.arange(particles, device=log_w.device)[:, None].to(log_w.dtype)
    comb = (comb + uniform((1, count), log_w.device).to(log_w.dtype)) / particles
    found = torch.searchsorted(ends.T.contiguous(), comb.T.contiguous())
    return found.clamp(max=particles - 1).T
