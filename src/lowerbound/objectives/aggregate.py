"""Objectives on the aggregate posterior q(z) = E_x q(z|x): its moments, its distance from p(z)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from ..bounds import LatentVariableModel, Terms, elements
from ..collectives import gather
from ..distributions import DiagonalNormal, IndependentUniform, SquashedNormal
from ..distributions.base import draw
from ..divergences import Kernel, covariance, mmd
from ..errors import LowerboundError


def dip(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    kind: Literal["i", "ii"] = "i",
    off_diagonal: float | Tensor = 10.0,
    diagonal: float | Tensor = 100.0,
    samples: int = 1,
) -> Terms:
    """DIP-VAE: −ELBO + λ_od Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii − 1)², C a covariance over the data.

    Args:
        model: prior, likelihood, and a posterior with mean and variance.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        kind: "i" takes C = Cov_x[μ(x)], of the means; "ii" C = E_x[Σ(x)] + Cov_x[μ(x)], of the
            aggregate posterior.
        off_diagonal: λ_od.
        diagonal: λ_d.
        samples: reparameterized draws per example.

    Returns:
        loss; besides the common parts ``covariance``, the weighted penalty, one for the batch.

    References:
        Kumar, Sattigeri and Balakrishnan, 2018, equations 6 and 7,
        https://arxiv.org/abs/1711.00848
    """
    if kind not in ("i", "ii"):
        raise LowerboundError(f"expected kind 'i' or 'ii', came {kind!r}; pass one of them")
    found = elements(model, x, *context, samples=samples)
    spread = covariance(gather(found.q.mean.flatten(1)))
    if kind == "ii":
        spread = spread + gather(_covariance(found.q)).mean(0)
    variances = spread.diagonal()
    penalty = off_diagonal * (spread - torch.diag(variances)).square().sum()
    penalty = penalty + diagonal * (variances - 1).square().sum()
    loss = (found.distortion + found.rate).mean() + penalty
    return Terms(loss, {**found.parts(), "covariance": penalty.detach().expand(len(x))})


def info(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    alpha: float | Tensor = 0.0,
    weight: float | Tensor = 1000.0,
    kernel: str | Kernel = "rbf",
    samples: int = 1,
) -> Terms:
    """InfoVAE: distortion + (1 − α)·rate + (α + λ − 1)·MMD²(q(z), p(z)).

    α = 0, λ = 1 is the ELBO; α = 1 has no rate and is WAE-MMD, with −log p(x|z) as its cost and λ
    as its penalty.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        alpha: α, how much of the mutual information of x and z goes unpunished.
        weight: λ.
        kernel: "rbf", "imq" (:mod:`lowerbound.divergences`) or a function.
        samples: reparameterized draws per example; the discrepancy takes one.

    Returns:
        loss; besides the common parts ``mmd``, the squared discrepancy, unbiased and unweighted,
        one for the batch.

    References:
        Zhao, Song and Ermon, 2017, InfoVAE, equation 6, https://arxiv.org/abs/1706.02262;
        Tolstikhin et al., 2018, Wasserstein auto-encoders, https://arxiv.org/abs/1711.01558
    """
    found = elements(model, x, *context, samples=samples)
    codes = gather(found.z if samples == 1 else found.z[0])
    shape = () if found.prior.batch_shape else (len(x),)
    drawn = gather(draw(found.prior, shape))
    if len(codes) == 1 and not torch.is_grad_enabled():
        discrepancy = torch.zeros_like(found.distortion.sum())  # a report's last, lone row
    else:
        discrepancy = mmd(codes, drawn, kernel)
    loss = (found.distortion + (1 - alpha) * found.rate).mean()
    loss = loss + (alpha + weight - 1) * discrepancy
    return Terms(loss, {**found.parts(), "mmd": discrepancy.detach().expand(len(x))})


def _covariance(q: Distribution) -> Tensor:
    """Of the flattened code, ``(B, D, D)``."""
    full = getattr(q, "covariance_matrix", None)
    if full is not None:
        return full
    alone: tuple[type[Distribution], ...]
    alone = (DiagonalNormal, IndependentUniform, SquashedNormal, Independent)
    if not isinstance(q, alone):
        raise LowerboundError(
            f"expected a posterior with a covariance_matrix, or one whose dimensions are "
            f"independent, came {type(q).__name__}; pass kind='i', or posterior diagonal"
        )
    return torch.diag_embed(q.variance.flatten(1))
