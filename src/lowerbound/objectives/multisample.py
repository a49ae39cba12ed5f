"""Bounds of M groups of K samples: what tightens a bound may starve the encoder.

PIWAE is two phases of these: one that moves the posterior on :func:`miwae` with M groups of K, and
one that moves likelihood and prior on :func:`~lowerbound.bounds.iwae` with M·K samples.
"""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor

from ..bounds import LatentVariableModel, Terms, parts_of_weights, weigh


def miwae(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    groups: int = 8,
    samples: int = 8,
) -> Terms:
    """1/M Σ_m log 1/K Σ_k w_mk: between the ELBO (K = 1) and IWAE (M = 1).

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        groups: M; more of them, less noise of the gradient.
        samples: K; more of them, a tighter bound.

    Returns:
        loss; besides the common parts ``iwae``, of all M·K samples together, nats.

    References:
        Rainforth et al., 2018, Tighter variational bounds are not necessarily better,
        https://arxiv.org/abs/1802.04537
    """
    counting = partial(_in_groups, groups=groups)
    fit, log_ratio = weigh(model, x, *context, samples=groups * samples, shares=counting)
    weights = (fit + log_ratio).unflatten(0, (groups, samples))
    value = weights.logsumexp(1).mean(0) - math.log(samples)
    return Terms(-value.mean(), parts_of_weights(fit, log_ratio))


def ciwae(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    samples: int = 8,
    beta: float | Tensor = 0.5,
) -> Terms:
    """β·ELBO + (1 − β)·IWAE, by the same draws.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K.
        beta: β in [0, 1].

    Returns:
        loss; besides the common parts ``iwae``, nats.

    References:
        Rainforth et al., 2018, https://arxiv.org/abs/1802.04537
    """
    counting = partial(_mixed, beta=beta)
    fit, log_ratio = weigh(model, x, *context, samples=samples, shares=counting)
    weights = fit + log_ratio
    value = weights.logsumexp(0) - math.log(samples)
    return Terms(
        -(beta * weights.mean(0) + (1 - beta) * value).mean(), parts_of_weights(fit, log_ratio)
    )


def _in_groups(log_weights: Tensor, groups: int) -> Tensor:
    """One share in M for each group: ``(M·K, B)``."""
    return log_weights.unflatten(0, (groups, -1)).softmax(1).flatten(0, 1) / groups


def _mixed(log_weights: Tensor, beta: float | Tensor) -> Tensor:
    """β of it to all alike: ``(K, B)``."""
    return beta / len(log_weights) + (1 - beta) * log_weights.softmax(0)
