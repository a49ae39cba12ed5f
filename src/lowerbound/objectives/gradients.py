"""Estimators of the posterior's gradient: the value of the bound stays, its noise shrinks.

Along z = z(φ, ε) the gradient of log w has two parts: through z, and through the parameters of
log q_φ(z), the score, whose expectation is zero. These estimators leave the second part out.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    Laplace,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    Uniform,
)

from ..bounds import (
    LatentVariableModel,
    Terms,
    check_event,
    log_likelihood,
    parts_of,
    parts_of_weights,
    weighted_log_likelihood,
)
from ..distributions import (
    DiagonalNormal,
    FullNormal,
    GaussianMixtureDistribution,
    IndependentUniform,
    SquashedNormal,
    UnitNormal,
    VonMisesFisherDistribution,
    sample_with_log_prob,
)
from ..errors import LowerboundError
from .drawing import Drawn

Estimator = Literal["plain", "stl", "dreg"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)

# What they are made of, by the names of their arguments, which are those of their attributes.
_OWN: dict[type[Distribution], tuple[str, ...]] = {
    DiagonalNormal: ("loc", "log_scale", "event_rank"),
    FullNormal: ("loc", "scale_tril", "event_rank"),
    GaussianMixtureDistribution: ("logits", "loc", "scale", "event_rank"),
    IndependentUniform: ("low", "high", "event_rank"),
    SquashedNormal: ("loc", "log_scale", "low", "high", "event_rank"),
    VonMisesFisherDistribution: ("direction", "concentration"),
}
_TORCHS: dict[type[Distribution], tuple[str, ...]] = {
    Normal: ("loc", "scale"),
    Laplace: ("loc", "scale"),
    Uniform: ("low", "high"),
    MultivariateNormal: ("loc", "scale_tril"),
    LowRankMultivariateNormal: ("loc", "cov_factor", "cov_diag"),
}


def detached(q: Distribution) -> Distribution:
    """The same distribution, through whose parameters no gradient flows.

    Args:
        q: a posterior of the library's that is no flow; a normal (diagonal, full or low-rank
            covariance), Laplace or uniform distribution of torch's, under ``Independent`` or not;
            or one with a method ``detached()`` of its own.

    Raises:
        LowerboundError: another distribution, such as a flow: its log-density at a draw would have
            to be found again with detached weights.
    """
    own = getattr(q, "detached", None)
    if own is not None:
        return own()
    if isinstance(q, UnitNormal):
        return UnitNormal(q.loc.detach(), q.event_rank)
    if isinstance(q, Independent):
        base = detached(q.base_dist)
        return Independent(base, q.reinterpreted_batch_ndims, validate_args=False)
    kind = type(q)
    names = _OWN.get(kind) or _TORCHS.get(kind)
    if names is None:
        raise LowerboundError(
            f"expected a posterior whose parameters can be detached (normal, mixture, uniform, "
            f"von Mises-Fisher), came {kind.__name__}; pass estimator='plain', or give it a "
            f"method detached()"
        )
    values: dict[str, Any] = {name: getattr(q, name) for name in names}
    values = {n: v.detach() if isinstance(v, Tensor) else v for n, v in values.items()}
    if kind in _TORCHS:
        values["validate_args"] = False
    return kind(**values)


def sticking_the_landing(
    model: LatentVariableModel, x: Tensor, *context: Tensor, samples: int = 1
) -> Terms:
    """The ELBO with the path derivative alone: no noise is left at the exact posterior.

    Args:
        model: prior, likelihood, and a posterior that :func:`detached` takes.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: reparameterized draws per example.

    Returns:
        loss and parts of :func:`~lowerbound.bounds.elbo` with a sampled KL, to the last bit; the
        gradient has the same mean.

    References:
        Roeder, Wu and Duvenaud, 2017, https://arxiv.org/abs/1703.09194
    """
    check_event(x, model.event_shape)
    q = model.encode(x, *context)
    drawn = Drawn.of(q, samples)
    z = drawn.z
    rate = (drawn.score(detached(q)) - model.prior(*context).log_prob(z)).mean(0)
    distortion = -log_likelihood(model, x, z, *context).mean(0)
    return Terms((distortion + rate).mean(), parts_of(distortion, rate))


def importance_weighted(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    samples: int = 5,
    estimator: Estimator = "plain",
) -> Terms:
    """:func:`~lowerbound.bounds.iwae`, with a choice of the posterior's gradient.

    Args:
        model: prior, likelihood, and for all but "plain" a posterior that :func:`detached` takes.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K, draws per example.
        estimator: "plain" differentiates the bound as it stands, Σ w̃ ∇log w, of which the
            posterior's share drowns in noise as K grows; "stl" leaves the score out, which biases
            it for K > 1; "dreg" is doubly reparameterized, Σ w̃² (∂log w/∂z)(∂z/∂φ): unbiased,
            and its signal grows against its noise with √K. Likelihood and prior get Σ w̃ ∇log w
            from each.

    Returns:
        loss and parts of :func:`~lowerbound.bounds.iwae`.

    References:
        Tucker, Lawson, Gu and Maddison, 2019, Doubly reparameterized gradient estimators,
        https://arxiv.org/abs/1810.04152; stl: Roeder et al., 2017,
        https://arxiv.org/abs/1703.09194
    """
    if estimator not in ESTIMATORS:
        raise LowerboundError(
            f"expected estimator {' or '.join(map(repr, ESTIMATORS))}, came {estimator!r}; pass "
            f"one of them"
        )
    check_event(x, model.event_shape)
    q = model.encode(x, *context)
    weigher = None
    if estimator == "plain":
        z, log_q = sample_with_log_prob(q, (samples,))
    else:
        fixed, drawn = detached(q), Drawn.of(q, samples)
        if estimator == "dreg":
            inner, *weigher = _Weighable.apply(drawn.inner, len(q.event_shape))
            drawn = Drawn(inner, fixed)
        z, log_q = drawn.z, drawn.score(fixed)
    log_ratio = model.prior(*context).log_prob(z) - log_q
    fit = weighted_log_likelihood(model, x, z, log_ratio, *context)
    weights = fit + log_ratio
    value = weights.logsumexp(0) - math.log(samples)
    loss = -value.mean()
    if weigher is not None:
        share, whole = weigher  # zeros: the loss keeps its value
        loss = loss + (weights.detach().softmax(0) * share).sum() + whole
    return Terms(loss, parts_of_weights(fit, log_ratio))


class _Weighable(torch.autograd.Function):
    """Codes whose gradient is multiplied by weights that are not known before they are decoded.

    Besides the codes it returns two zeros, of shape ``(K, B)`` and ``()``. Whoever adds
    ``(w * first).sum() + second`` to the loss multiplies the gradient of each code by its w: it
    comes back as that of the first zero, in proportion to that of the second, so that a factor on
    the loss stays one factor.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, event_rank: int) -> tuple[Tensor, Tensor, Tensor]:
        ctx.event_rank = event_rank
        lead = z.shape[: z.dim() - event_rank]
        return z.clone(), z.new_zeros(lead), z.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        codes, share, whole = gradients
        weights = share / whole
        return codes * weights.reshape(*weights.shape, *[1] * ctx.event_rank), None
