"""Objectives that aim at a rate: a capacity, or bits that are free."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ..bounds import LatentVariableModel, Terms, elements
from ..collectives import gather
from ..distributions import has_closed_form, kl
from ..errors import LowerboundError
from .factors import factors


def capacity(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    gamma: float | Tensor = 1000.0,
    capacity: float | Tensor = 0.0,
    samples: int = 1,
) -> Terms:
    """Distortion + γ·|rate − C|: the rate is held at C nats, which rise over a run.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        gamma: γ, how firmly; with ``capacity`` 0 it is the β of a β-VAE.
        capacity: C, nats per example; schedule it from 0 up.
        samples: reparameterized draws per example.

    References:
        Burgess et al., 2018, Understanding disentangling in β-VAE, equation 8,
        https://arxiv.org/abs/1804.03599
    """
    found = elements(model, x, *context, samples=samples)
    loss = found.distortion + gamma * (found.rate - capacity).abs()
    return Terms(loss.mean(), found.parts())


def free_bits(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    floor: float | Tensor = 0.5,
    groups: Literal["dimension", "channel", "code"] = "dimension",
    average: bool = True,
    samples: int = 1,
) -> Terms:
    """Distortion + Σ_j max(λ, rate_j): no group of dimensions gains from a rate below λ.

    Args:
        model: prior and posterior that factorise over the code's dimensions, with a closed-form
            KL, unless ``groups`` is "code".
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        floor: λ, nats per group; 0 is the ELBO.
        groups: what a group is: each number of the code, each channel of a code such as
            ``(8, 4, 4)`` (its first axis), or the code as a whole.
        average: whether λ is held against the mean rate of the batch (the paper's), or against that
            of each datum on its own.
        samples: reparameterized draws per example.

    Returns:
        loss; besides the common parts ``free_rate``, Σ_j max(λ, rate_j), nats.

    References:
        Kingma et al., 2016, Improving variational inference with inverse autoregressive flow,
        appendix C.8, https://arxiv.org/abs/1606.04934
    """
    found = elements(model, x, *context, samples=samples)
    if groups == "code":
        rates = found.rate[:, None]
    elif groups in ("dimension", "channel"):
        q, prior = factors(found.q), factors(found.prior)
        if not has_closed_form(q, prior):
            raise LowerboundError(
                f"expected a posterior and a prior with a closed-form KL in each dimension, came "
                f"{type(found.q).__name__} and {type(found.prior).__name__}; pass groups='code'"
            )
        rates = kl(q, prior)  # (B, *latent_shape)
        if groups == "dimension" or rates.dim() == 2:
            rates = rates.flatten(1)
        else:
            rates = rates.flatten(2).sum(2)
    else:
        raise LowerboundError(
            f"expected groups 'dimension', 'channel' or 'code', came {groups!r}; pass one of them"
        )
    # One mean over all processes: the maximum of means is no mean of maxima.
    rates = gather(rates).mean(0, keepdim=True) if average else rates
    free = rates.clamp(min=floor).sum(1)
    loss = found.distortion.mean() + free.mean()
    return Terms(loss, {**found.parts(), "free_rate": free.detach().expand(len(x))})
