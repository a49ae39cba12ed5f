"""Objectives that punish the total correlation of the aggregate posterior, KL(q(z)‖Π_d q(z_d))."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..adversarial import told_apart
from ..bounds import LatentVariableModel, Terms, check_event, elements
from ..collectives import gather, is_distributed
from ..distributions import DiagonalNormal, sample_with_log_prob
from ..divergences import density_ratio_loss, log_marginals, pairwise_log_prob, permute_dimensions
from .factors import factors


class DiscriminatedModel(LatentVariableModel, Protocol):
    """A model with a classifier of codes besides: ``model.discriminator = MLP(...)``."""

    @property
    def discriminator(self) -> nn.Module:
        """``(N, *latent_shape) -> (N, 1)``: the logit that a code is one of q(z)."""
        ...


def factor(
    model: DiscriminatedModel,
    x: Tensor,
    *context: Tensor,
    gamma: float | Tensor = 10.0,
    samples: int = 1,
) -> Terms:
    """FactorVAE, the model's phase: −ELBO + γ·E_q(z) log D/(1 − D), the density ratio's log.

    A phase that moves prior, likelihood and posterior; :func:`factor_discriminator` is the other.

    Args:
        model: prior, likelihood, posterior, and a ``discriminator``.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        gamma: γ, weight of the total correlation.
        samples: reparameterized draws per example.

    Returns:
        loss; besides the common parts ``total_correlation``, the discriminator's estimate, nats.

    References:
        Kim and Mnih, 2018, Disentangling by factorising, https://arxiv.org/abs/1802.05983
    """
    found = elements(model, x, *context, samples=samples)
    logits = model.discriminator(found.z if samples == 1 else found.z.flatten(0, 1))
    correlation = logits.reshape(-1, len(x)).mean(0)
    loss = (found.distortion + found.rate + gamma * correlation).mean()
    return Terms(loss, {**found.parts(), "total_correlation": correlation.detach()})


def factor_discriminator(model: DiscriminatedModel, x: Tensor, *context: Tensor) -> Terms:
    """FactorVAE, the discriminator's phase: tell codes of q(z) from those of Π_d q(z_d).

    Both kinds come from the batch: codes as they are, and with each dimension shuffled over the
    batch. No gradient reaches the encoder.

    Args:
        model: a posterior and a ``discriminator``.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, nats; part ``accuracy``, the share told apart.

    References:
        Kim and Mnih, 2018, algorithm 2, https://arxiv.org/abs/1802.05983
    """
    check_event(x, model.event_shape)
    with torch.no_grad():
        q = model.encode(x, *context)
        z = sample_with_log_prob(q)[0]
        shuffled = permute_dimensions(z)
    joint, product = model.discriminator(torch.cat([z, shuffled])).reshape(2, len(x))
    right = told_apart(joint, product)
    return Terms(density_ratio_loss(joint, product), {"accuracy": right})


def beta_tc(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    examples: int,
    alpha: float | Tensor = 1.0,
    beta: float | Tensor = 6.0,
    gamma: float | Tensor = 1.0,
    sampling: Literal["weighted", "stratified"] = "stratified",
    samples: int = 1,
) -> Terms:
    """β-TCVAE: distortion + α·mutual information + β·total correlation + γ·dimension-wise KL.

    The three sum to the rate, example by example; at α = β = γ = 1 the loss is the −ELBO with a
    sampled KL.

    Args:
        model: any prior and likelihood, a diagonal normal posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        examples: N, in the training data, over which q(z) is the average.
        alpha: weight of I(x; z) under q.
        beta: weight of KL(q(z)‖Π_d q(z_d)).
        gamma: weight of Σ_d KL(q(z_d)‖p(z_d)).
        sampling: how q(z) is estimated from a batch: as
            :func:`~lowerbound.divergences.log_marginals` says.
        samples: reparameterized draws per example.

    Returns:
        loss; besides the common parts ``mutual_information``, ``total_correlation`` and
        ``dimension_kl``, nats.

    References:
        Chen et al., 2018, Isolating sources of disentanglement, https://arxiv.org/abs/1802.04942
    """
    found = elements(model, x, *context, samples=samples, kl="sampled")
    own = factors(found.q)
    everyone = DiagonalNormal(gather(own.loc), gather(own.log_scale), len(found.q.event_shape))
    first = dist.get_rank() * len(x) if is_distributed() else 0
    index = torch.arange(len(x), device=x.device) + first  # their rows among everyone's
    densities = pairwise_log_prob(everyone, found.z)
    # Held-out batches may be larger than small training data; their q(z) is that of the batch.
    count = max(examples, everyone.loc.shape[0])
    joint, product = log_marginals(densities, index, count, sampling)
    terms = (
        found.q.log_prob(found.z) - joint,
        joint - product,
        product - found.prior.log_prob(found.z),
    )
    information, correlation, dimension_kl = (term.reshape(-1, len(x)).mean(0) for term in terms)
    loss = found.distortion + alpha * information + beta * correlation + gamma * dimension_kl
    parts = {
        "mutual_information": information.detach(),
        "total_correlation": correlation.detach(),
        "dimension_kl": dimension_kl.detach(),
    }
    return Terms(loss.mean(), {**found.parts(), **parts})
