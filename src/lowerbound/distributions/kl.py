"""KL divergence: exact where a closed form is known, else Monte Carlo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    Uniform,
)

from ..errors import LowerboundError
from .base import EventDistribution, sample_with_log_prob, softplus
from .bernoulli import IndependentBernoulli
from .bounded import IndependentUniform
from .categorical import IndependentCategorical
from .delta import PointMass
from .full_normal import FullNormal, log_diagonal
from .known import WithKnown
from .normal import DiagonalNormal, UnitNormal
from .sphere import UniformOnSphere, VonMisesFisherDistribution


def kl(q: Distribution, p: Distribution, samples: int = 1) -> Tensor:
    """KL(q‖p) = E_q[log q − log p] ≥ 0, in nats (EQUATIONS 16); not symmetric.

    Exact for pairs of diagonal normals, multivariate normals, Bernoullis, categoricals and
    uniforms (the library's own or torch's, under ``Independent`` or not), for von Mises-Fisher
    and the uniform on the sphere, and for a point mass on indices. Otherwise the mean of
    log q − log p over ``samples`` reparameterized draws, unbiased, and as noisy as they are few.

    This table, and not ``torch.distributions.kl_divergence``, because that one cannot be traced
    by ``torch.compile(fullgraph=True)``.

    Args:
        q: batch shape ``(*batch)``.
        p: the same event shape; its batch shape broadcasts with that of q.
        samples: draws where there is no closed form.

    Returns:
        ``(*batch)``, nats.

    References:
        Kingma and Welling, 2014, https://arxiv.org/abs/1312.6114, appendix B

    >>> from lowerbound.distributions import StandardNormal
    >>> q = DiagonalNormal(torch.ones(3, 2), torch.zeros(3, 2))
    >>> kl(q, StandardNormal(2)())  # ½‖loc‖²
    tensor([1., 1., 1.])
    """
    if q.event_shape != p.event_shape:
        raise LowerboundError(
            f"expected q and p over the same event, came q over {tuple(q.event_shape)} and p "
            f"over {tuple(p.event_shape)}; wrap batch dimensions in "
            f"torch.distributions.Independent, or match the shapes"
        )
    own_q, own_p = _own(q), _own(p)
    rule = _rule(own_q, own_p)
    if rule is not None:
        return rule(own_q, own_p)
    # Samples stand before every batch dimension, those that only p has included.
    own_to_p = (1,) * (len(p.batch_shape) - len(q.batch_shape))
    z, log_q = sample_with_log_prob(q, (samples, *own_to_p))
    return (log_q - p.log_prob(z)).mean(0)


def has_closed_form(q: Distribution, p: Distribution) -> bool:
    """Whether :func:`kl` of this pair is exact, and without noise.

    >>> from lowerbound.distributions import StandardNormal
    >>> prior = StandardNormal(2)()
    >>> has_closed_form(prior, prior)
    True
    """
    return _rule(_own(q), _own(p)) is not None


Rule = Callable[..., Tensor]


def _rule(q: Distribution, p: Distribution) -> Rule | None:
    for left, right, rule in _RULES:
        if isinstance(q, left) and isinstance(p, right):
            return rule
    return None


def _own(d: Distribution) -> Distribution:
    """torch's distribution as the library's own of the same density, where there is one."""
    if isinstance(d, WithKnown):  # what is certain in both is the same
        return d.base
    if isinstance(d, EventDistribution):
        return d
    rank, base = 0, d
    while isinstance(base, Independent):
        rank, base = rank + base.reinterpreted_batch_ndims, base.base_dist
    if isinstance(base, Normal):
        return DiagonalNormal(base.loc, base.scale.log(), rank)
    if isinstance(base, TorchBernoulli):
        return IndependentBernoulli(_tensor(base.logits), rank)
    if isinstance(base, Categorical):
        return IndependentCategorical(_tensor(base.logits).movedim(-1, -1 - rank), rank)
    if isinstance(base, Uniform):
        return IndependentUniform(base.low, base.high, rank)
    return d


def _tensor(parameter: Any) -> Tensor:
    """torch declares some parameters as ``lazy_property | Tensor``; read, they are tensors."""
    return parameter


def _diagonal_unit(q: DiagonalNormal, p: UnitNormal) -> Tensor:
    """½ Σ (σ² + μ² − 1 − 2 log σ) (EQUATIONS 26)."""
    energy = torch.addcmul(q.scale.square(), q.loc, q.loc)
    return (q._sum(energy.sub(q.log_scale, alpha=2.0)) - q.event_shape.numel()) * 0.5


def _diagonal_diagonal(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    """Σ log σ₂/σ₁ + (σ₁² + (μ₁ − μ₂)²)/2σ₂² − ½ (EQUATIONS 25)."""
    log_ratio = q.log_scale - p.log_scale
    shift = (q.loc - p.loc) / p.scale
    return q._sum(0.5 * (torch.expm1(2 * log_ratio) + shift.square()) - log_ratio)


def _multivariate(d: DiagonalNormal | FullNormal | MultivariateNormal) -> tuple[Tensor, Tensor]:
    """The mean, flat, and the Cholesky factor of the covariance."""
    rank = len(d.event_shape)
    loc = d.loc.flatten(-rank) if rank else d.loc.unsqueeze(-1)
    if isinstance(d, DiagonalNormal):
        return loc, torch.diag_embed(d.scale.expand_as(d.loc).reshape(loc.shape))
    return loc, _tensor(d.scale_tril)


def _full_full(
    q: DiagonalNormal | FullNormal | MultivariateNormal,
    p: DiagonalNormal | FullNormal | MultivariateNormal,
) -> Tensor:
    """½ (log|Σ₂|/|Σ₁| + tr Σ₂⁻¹Σ₁ + ‖μ₂ − μ₁‖²_Σ₂ − D) by Cholesky factors."""
    mean_q, tril_q = _multivariate(q)
    mean_p, tril_p = (t.to(mean_q.dtype) for t in _multivariate(p))  # a prior's zeros: float32
    batch = torch.broadcast_shapes(q.batch_shape, p.batch_shape)
    size = mean_q.shape[-1]
    tril_p = tril_p.expand(*batch, size, size)
    ratio = torch.linalg.solve_triangular(tril_p, tril_q.expand_as(tril_p), upper=False)
    gap = (mean_p - mean_q).expand(*batch, size).unsqueeze(-1)
    shift = torch.linalg.solve_triangular(tril_p, gap, upper=False)
    square = ratio.square().sum((-2, -1)) + shift.square().sum((-2, -1))
    return 0.5 * (square - size) - log_diagonal(ratio)


def _full_unit(q: FullNormal, p: UnitNormal) -> Tensor:
    """½ (‖L‖² + ‖μ‖² − D) − log|L|: nothing to solve."""
    square = q.scale_tril.square().sum((-2, -1)) + q._sum(q.loc.square())
    return 0.5 * (square - q.event_shape.numel()) - q.log_determinant()


def _sphere(q: VonMisesFisherDistribution, p: UniformOnSphere) -> Tensor:
    """κ A(κ) − log M(κ)."""
    return q.rate()


def _bernoulli_bernoulli(q: IndependentBernoulli, p: IndependentBernoulli) -> Tensor:
    """Σ σ(a)(a − b) − softplus(a) + softplus(b), with logits a of q and b of p."""
    a, b = q.logits, p.logits
    return q._sum(q.probs * (a - b) - softplus(a) + softplus(b))


def _categorical_categorical(q: IndependentCategorical, p: IndependentCategorical) -> Tensor:
    """Σ_k q_k (log q_k − log p_k), summed over the datum; 0 log 0 = 0."""
    log_q, log_p = q.log_probs, p.log_probs
    probs = log_q.exp()
    terms = torch.where(probs > 0, probs * (log_q - log_p), torch.zeros_like(probs))
    return q._sum(terms.sum(q.level_dim))


def _uniform_uniform(q: IndependentUniform, p: IndependentUniform) -> Tensor:
    """Σ log of the ratio of widths; infinite where q reaches outside p."""
    terms = ((p.high - p.low) / (q.high - q.low)).log()
    outside = (p.low > q.low) | (p.high < q.high)
    return q._sum(terms.masked_fill(outside, torch.inf))


def _point_discrete(q: PointMass, p: Distribution) -> Tensor:
    """−log p(point): under a uniform p over K the rate is log K for each position."""
    return -p.log_prob(q.point)


def _point_density(q: PointMass, p: Distribution) -> Tensor:
    raise LowerboundError(
        "expected a posterior with a density, came a point mass, whose KL from a density is "
        "infinite; train an autoencoder with squared_error, or pass a DiagonalGaussian posterior"
    )


# First match wins; the pair of every training step comes first.
_NORMALS = (DiagonalNormal, FullNormal, MultivariateNormal)
_RULES: tuple[tuple[type | tuple[type, ...], type | tuple[type, ...], Rule], ...] = (
    (DiagonalNormal, UnitNormal, _diagonal_unit),
    (DiagonalNormal, DiagonalNormal, _diagonal_diagonal),
    (FullNormal, UnitNormal, _full_unit),
    (_NORMALS, _NORMALS, _full_full),
    (VonMisesFisherDistribution, UniformOnSphere, _sphere),
    (IndependentBernoulli, IndependentBernoulli, _bernoulli_bernoulli),
    (IndependentCategorical, IndependentCategorical, _categorical_categorical),
    (IndependentUniform, IndependentUniform, _uniform_uniform),
    (PointMass, (IndependentCategorical, IndependentBernoulli), _point_discrete),
    (PointMass, _NORMALS, _point_density),
)
