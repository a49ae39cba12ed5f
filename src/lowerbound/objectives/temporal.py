"""Objectives of models of sequences: temporal differences, and one step after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..bounds import Terms, parts_of
from ..distributions import has_closed_form, sample_with_log_prob
from ..distributions import kl as divergence
from ..distributions.gaussian import RunningVariance
from ..sequences import Jumps


def td_elbo(
    model: Any,
    x: Tensor,
    *context: Tensor,
    jumps: Jumps | None = None,
    pairs: int = 8,
    beta: float | Tensor = 1.0,
    ahead: float | Tensor | None = None,
) -> Terms:
    """Bound on log p(x_t2 | x_1..x_t1) of pairs of steps, from beliefs at both.

    z_t2 is drawn from the belief at t2, z_t1 from where that came from given both beliefs:

        log p(x_t2|z_t2) + log p(z_t2|z_t1) − log p_B(z_t2|b_t2)
            − KL(q(z_t1 | z_t2, b_t1, b_t2) ‖ p_B(z_t1|b_t1))

    From this alone states that carry more than x_t2 (a velocity, a frequency) are hard to come by:
    a transition that does not read them gives no reason to store them, and the other way round. A
    second bound on the same log p does, for z_t2 comes from the past alone in it:

        E log p(x_t2|z_t2),  z_t1 ~ p_B(z_t1|b_t1),  z_t2 ~ p(z_t2|z_t1)

    It is looser, the more so the longer the jump: it is taken of jumps within the reach of the most
    frequent part alone, and its weight is to fall to zero while that of the rate rises.

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
        ahead: weight of the second bound in the loss; None: without it.

    Returns:
        loss, mean over pairs; parts ``steps`` (how many there are), ``bound``, ``distortion`` =
        −log p(x_t2|z_t2) and ``rate``, the rest: of a sequence's pairs the mean, times its steps,
        which at jumps of one step is what the whole sequence costs. The loss is of a step, so that
        it does not grow with the length.

    Reference:
        Gregor et al. 2019, Temporal difference variational auto-encoder, arXiv 1806.03107, eq. 5-8
    """
    steps = model.pack(x, *context)
    beliefs = model.beliefs(steps)
    start = torch.full_like(steps.times[:, :1], -model.time.unit)
    times = torch.cat((start, steps.times), 1)
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
    foreseen = None
    if ahead is not None:
        z = model.transition(earlier.rsample(), difference).rsample()
        foreseen = -ahead * _unnoticed(model, lambda: model.log_fit(z, x2, observed))
        if jumps is not None:
            foreseen = torch.where(second - first <= jumps.reach, foreseen, 0.0)
    return _terms(-model.log_fit(z2, x2, observed), rate, there, steps.lengths, beta, foreseen)


def _unnoticed(model: Any, value: Callable[[], Tensor]) -> Tensor:
    """The value, without a trace in the variances that the model keeps of its own fit."""
    kept = [each for each in model.modules() if isinstance(each, RunningVariance)]
    before = [(each.total.clone(), each.count.clone()) for each in kept]
    found = value()
    with torch.no_grad():
        for each, (total, count) in zip(kept, before, strict=True):
            each.total.copy_(total)
            each.count.copy_(count)
    return found


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
        steps, and ``steps``, how many there are. The loss is of a step, so that it does not grow
        with the length.

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
    distortion: Tensor,
    rate: Tensor,
    there: Tensor,
    lengths: Tensor,
    beta: float | Tensor,
    foreseen: Tensor | None = None,
) -> Terms:
    """The loss of a step, every sequence counting alike, and the parts of whole sequences."""
    count = there.sum(1).clamp_min(1)

    def per_step(values: Tensor) -> Tensor:
        return torch.where(there, values, 0.0).sum(1) / count

    distortion, rate = per_step(distortion), per_step(rate)
    loss = distortion + beta * rate
    if foreseen is not None:
        loss = loss + per_step(foreseen)
    parts = parts_of(distortion * lengths, rate * lengths)
    return Terms(loss.mean(), {**parts, "steps": lengths.to(loss.dtype)})


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Of each sequence the steps at ``index`` (B, P): ``(B, T, *) -> (B, P, *)``."""
    wide = index.reshape(*index.shape, *[1] * (values.dim() - 2))
    return values.gather(1, wide.expand(*index.shape, *values.shape[2:]))
