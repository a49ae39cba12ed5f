"""Why the bound is needed: maximum likelihood by guessing codes, from the prior or the posterior.

:func:`naive` integrates over the prior, :func:`monte_carlo_em` guesses the codes of each datum and
takes the guess for the truth; :func:`wake` and :func:`sleep` fit q by the forward KL in place of
the bound's reverse one.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ..bounds import (
    LatentVariableModel,
    Terms,
    check_event,
    parts_of_weights,
    weighted_log_likelihood,
)
from ..distributions import sample_with_log_prob
from ..distributions.base import draw
from ..errors import LowerboundError
from .drawing import Drawn


def naive(model: LatentVariableModel, x: Tensor, *context: Tensor, samples: int = 100) -> Terms:
    """log 1/K Σ p(x|z_k), z_k ~ p(z): maximum likelihood without a posterior (EQUATIONS 7, 9).

    As an objective and as an estimator: p(x) without bias, log p(x) from below. Almost all draws
    explain nothing of x, the more so the more dimensions z has.

    Args:
        model: prior and likelihood.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K, draws per example.

    Returns:
        loss; parts ``iwae``, the estimate of log p(x) in nats, ``effective_samples`` =
        (Σ w)² / Σ w², a number of draws, and the common parts with the prior as posterior: the
        rate is zero.
    """
    check_event(x, model.event_shape)
    prior = model.prior(*context)
    shape = (samples,) if prior.batch_shape else (samples, len(x))
    z = draw(prior, shape)
    # Draws of the prior weigh p(x|z) alone.
    fit = weighted_log_likelihood(model, x, z, x.new_zeros((), dtype=z.dtype), *context)
    value = fit.logsumexp(0) - math.log(samples)
    parts = parts_of_weights(fit, torch.zeros_like(fit))
    return Terms(-value.mean(), {**parts, "effective_samples": _effective_samples(fit.detach())})


def monte_carlo_em(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    samples: int = 10,
    proposal: Literal["posterior", "prior"] = "posterior",
) -> Terms:
    """−E_{p(z|x; θ_old)} log p_θ(x, z): guess the codes, pretend they are right (EQUATIONS 10).

    Codes come from q(z|x) or p(z), weighted by w̃ = w/Σ w to stand for the posterior at the weights
    as they are (self-normalised importance sampling, with a bias of order 1/K). There the gradient
    is that of log p(x) (Fisher's identity). A phase that moves likelihood and prior: nothing
    reaches the posterior.

    Args:
        model: prior and likelihood; the posterior if it proposes.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K, draws per example.
        proposal: where codes come from.

    Returns:
        loss, −Σ w̃ log p(x, z) in nats; parts ``iwae``, ``effective_samples``, and the common
        ones, of the proposal.

    References:
        Wei and Tanner, 1990, A Monte Carlo implementation of the EM algorithm, JASA 85
    """
    if proposal not in ("posterior", "prior"):
        raise LowerboundError(
            f"expected proposal 'posterior' or 'prior', came {proposal!r}; pass one of them"
        )
    check_event(x, model.event_shape)
    prior = model.prior(*context)
    with torch.no_grad():
        guess = model.encode(x, *context) if proposal == "posterior" else prior
        z, log_guess = sample_with_log_prob(
            guess, (samples,) if guess.batch_shape else (samples, len(x))
        )
    log_prior = prior.log_prob(z)
    fit = weighted_log_likelihood(model, x, z, log_prior - log_guess, *context)
    complete = fit + log_prior
    weights, parts = _weighed(fit, log_prior, log_guess)
    return Terms(-(weights * complete).sum(0).mean(), parts)


def wake(model: LatentVariableModel, x: Tensor, *context: Tensor, samples: int = 10) -> Terms:
    """−Σ w̃ log q(z|x): KL(p(z|x)‖q) up to what q cannot change, for data. Moves the posterior.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K, draws of q per example, weighted to stand for the posterior.

    Returns:
        loss, in nats of codes; part ``effective_samples``, a number of draws. Bounds are for the
        phase of the likelihood to report.

    References:
        Bornschein and Bengio, 2015, Reweighted wake-sleep, https://arxiv.org/abs/1406.2751
    """
    check_event(x, model.event_shape)
    q = model.encode(x, *context)
    drawn = Drawn.of(q, samples, moved=False)
    z, log_q = drawn.z, drawn.score(q)
    with torch.no_grad():
        log_prior = model.prior(*context).log_prob(z)
        fit = weighted_log_likelihood(model, x, z, log_prior - log_q, *context)
    weights, parts = _weighed(fit, log_prior, log_q.detach())
    loss = -(weights * log_q).sum(0).mean()
    return Terms(loss, {"effective_samples": parts["effective_samples"]})


def sleep(model: LatentVariableModel, x: Tensor, *context: Tensor) -> Terms:
    """−log q(z|x̃), z ~ p(z), x̃ ~ p(x|z): KL(p(z|x)‖q) for dreams. Moves the posterior.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``; only its batch size is used.
        context: ``(B, ...)`` each.

    Returns:
        loss and part ``surprise`` = −log q(z|x̃), nats.

    References:
        Hinton, Dayan, Frey and Neal, 1995, The wake-sleep algorithm, Science 268
    """
    check_event(x, model.event_shape)
    with torch.no_grad():
        prior = model.prior(*context)
        z = prior.sample(() if prior.batch_shape else (len(x),))
        dream = model.decode(z, *context).sample()
    surprise = -model.encode(dream, *context).log_prob(z)
    return Terms(surprise.mean(), {"surprise": surprise.detach()})


def _weighed(fit: Tensor, log_prior: Tensor, log_guess: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """w̃ ``(K, B)`` without a gradient, and parts."""
    log_ratio = log_prior - log_guess
    log_weights = (fit + log_ratio).detach()
    parts = parts_of_weights(fit, log_ratio)
    return log_weights.softmax(0), {**parts, "effective_samples": _effective_samples(log_weights)}


def _effective_samples(log_weights: Tensor) -> Tensor:
    """(Σ w)² / Σ w² of log w ``(K, B)``: ``(B,)`` in [1, K]."""
    return (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp()
