"""Objectives of models of sequences: temporal differences, and one step after the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..bounds import Terms, parts_of
from ..distributions import has_closed_form, sample_with_log_prob
from ..distributions import kl as divergence
from ..sequences import Jumps


def td_elbo(
    model: Any,
    x: Tensor,
    *context: Tensor,
    jumps: Jumps | None = None,
    pairs: int = 8,
    beta: float | Tensor = 1.0,
) -> Terms:
    """Bound on log p(x_t2 | x_1..x_t1) of pairs of steps, from beliefs at both.

    z_t2 is drawn from the belief at t2, z_t1 from where that came from given both beliefs:

        log p(x_t2|z_t2) + log p(z_t2|z_t1) − log p_B(z_t2|b_t2)
            − KL(q(z_t1 | z_t2, b_t1, b_t2) ‖ p_B(z_t1|b_t1))

    Steps that are missing take no part: jumps are counted in steps that are there, and conditionals
    are told the time between.

    Args:
        model: a `lowerbound.models.tdvae.TDVAE`.
        x: ``(B, T, *frame)``, NaN where a number is missing.
        context: times of the steps, ``(B, T)``.
        jumps: how far t2 is from t1; None: one step, and every pair there is, none drawn. The sum
            of these bounds is one on log p(x).
        pairs: drawn for each sequence.
        beta: weight of the rate in the loss.

    Returns:
        loss, mean over pairs; parts ``bound``, ``distortion`` = −log p(x_t2|z_t2) and ``rate``, the
        rest: of a sequence's pairs the mean, times its steps, which at jumps of one step is what
        the whole sequence costs. The loss is of a step, so that it does not grow with the length.

    Reference:
        Gregor et al. 2019, Temporal difference variational auto-encoder, arXiv 1806.03107, eq. 5-8
    """
    steps = model.pack(x, *context)
    beliefs = model.beliefs(steps)
    unit = torch.full_like(steps.times[:, :1], model.time.unit)
    times = torch.cat((steps.times[:, :1] - unit, steps.times), 1)
    if jumps is None:
        first = torch.arange(x.shape[1], device=x.device).expand(steps.steps.shape)
        second, there = first + 1, steps.steps
    else:
        first, second = jumps.pairs(steps.lengths.clamp_min(1), pairs)
        there = (steps.lengths > 0)[:, None].expand(first.shape)
    before, now = _at(beliefs, first), _at(beliefs, second)
    difference = times.gather(1, second) - times.gather(1, first)
    x2, observed = _at(steps.x, second - 1), _at(steps.observed, second - 1)
    z2, log_now = sample_with_log_prob(model.belief(now))
    q, earlier = model.smoothing(z2, before, now, difference), model.belief(before)
    if has_closed_form(q, earlier):
        z1, moved = q.rsample(), divergence(q, earlier)
    else:
        z1, log_q = sample_with_log_prob(q)
        moved = log_q - earlier.log_prob(z1)
    rate = log_now - model.transition(z1, difference).log_prob(z2) + moved
    return _terms(-model.log_fit(z2, x2, observed), rate, there, steps.lengths, beta)


def stepwise_elbo(model: Any, x: Tensor, *context: Tensor, beta: float | Tensor = 1.0) -> Terms:
    """ELBO of a state-space VAE, one step after the other.

        Σ_t E_q[log p(x_t|z_t)] − KL(q(z_t|z_{t−1}, b_t) ‖ p(z_t|z_{t−1}))

    Args:
        model: a `lowerbound.models.state_space.StateSpaceVAE`.
        x: ``(B, T, *frame)``, NaN where a number is missing.
        context: times of the steps, ``(B, T)``.
        beta: weight of the rate in the loss.

    Returns:
        loss, mean over steps; parts ``bound``, ``distortion`` and ``rate``, sums over a sequence's
        steps. The loss is of a step, so that it does not grow with the length.

    Reference:
        Krishnan, Shalit & Sontag 2017, Structured inference networks for nonlinear state space
        models, arXiv 1609.09869; Chung et al. 2015, A recurrent latent variable model for
        sequential data, arXiv 1506.02216
    """
    steps = model.pack(x, *context)
    z, rate = model.path(steps)
    there = steps.steps
    return _terms(-model.log_fit(z, steps.x, steps.observed), rate, there, steps.lengths, beta)


def _terms(
    distortion: Tensor, rate: Tensor, there: Tensor, lengths: Tensor, beta: float | Tensor
) -> Terms:
    """The loss of a step, every sequence counting alike, and the parts of whole sequences."""
    count = there.sum(1).clamp_min(1)
    distortion, rate = (torch.where(there, e, 0.0).sum(1) / count for e in (distortion, rate))
    return Terms((distortion + beta * rate).mean(), parts_of(distortion * lengths, rate * lengths))


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Of each sequence the steps at ``index`` (B, P): ``(B, T, *) -> (B, P, *)``."""
    wide = index.reshape(*index.shape, *[1] * (values.dim() - 2))
    return values.gather(1, wide.expand(*index.shape, *values.shape[2:]))
