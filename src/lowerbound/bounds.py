"""Bounds on log p(x): pure functions of a model and a batch, in nats per example.

>>> from lowerbound.distributions import Bernoulli, DiagonalGaussian, Head, StandardNormal
>>> class Tiny(torch.nn.Module):
...     event_shape = (3,)
...
...     def __init__(self):
...         super().__init__()
...         self.prior = StandardNormal(2)
...         self.encode = Head(torch.nn.Linear(3, 4), DiagonalGaussian(2))
...         self.decode = Head(torch.nn.Linear(2, 3), Bernoulli(3))
>>> model, x = Tiny(), torch.ones(8, 3)
>>> loss, parts = elbo(model, x)
>>> bool(torch.isclose(loss, -parts["bound"].mean()))
True
>>> log_weights(model, x, samples=5).shape
torch.Size([5, 8])

An objective is any callable ``(model, x, *context, **scheduled) -> Terms``. Those here need
nothing from the model but ``prior``, ``encode`` (the posterior) and ``decode`` (the likelihood).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution

from .distributions import Conditional, has_closed_form, sample_with_log_prob
from .distributions import kl as divergence
from .errors import LowerboundError


class Terms(NamedTuple):
    """What an objective returns.

    Attributes:
        loss: ``()``, minimised: the mean over examples.
        parts: what is reported, ``(B,)`` each, in nats unless its name says otherwise;
            detached, so that keeping them keeps no graph.
    """

    loss: Tensor
    parts: dict[str, Tensor]


class Elements(NamedTuple):
    """What the ELBO and its variants are made of, with gradients.

    Attributes:
        q: the posterior, batch shape ``(B,)``.
        prior: p(z), batch shape ``(B,)`` or ``()``.
        z: the codes drawn, ``(*S, B, *latent_shape)``; no S where one is drawn for each example.
        distortion: −E_q log p(x|z), ``(B,)``, nats.
        rate: KL(q‖p(z)), ``(B,)``, nats.
    """

    q: Distribution
    prior: Distribution
    z: Tensor
    distortion: Tensor
    rate: Tensor

    def parts(self) -> dict[str, Tensor]:
        """What every objective reports: ``bound``, ``distortion`` and ``rate``, unmodified."""
        return parts_of(self.distortion, self.rate)


def parts_of(distortion: Tensor, rate: Tensor) -> dict[str, Tensor]:
    """The parts ``bound`` = −(distortion + rate), ``distortion``, ``rate``, detached.

    Args:
        distortion: −E_q log p(x|z), ``(B,)``, nats.
        rate: KL(q‖p(z)), ``(B,)``, nats.
    """
    distortion, rate = distortion.detach(), rate.detach()
    return {"bound": -(distortion + rate), "distortion": distortion, "rate": rate}


def parts_of_weights(log_fit: Tensor, log_ratio: Tensor) -> dict[str, Tensor]:
    """Those of :func:`parts_of` and ``iwae`` = log 1/K Σ w, of one set of draws, detached.

    Args:
        log_fit: log p(x|z), ``(K, B)``, nats.
        log_ratio: log p(z) − log q(z), ``(K, B)``, nats; log w is their sum.
    """
    log_fit, log_ratio = log_fit.detach(), log_ratio.detach()
    parts = parts_of(-log_fit.mean(0), -log_ratio.mean(0))
    value = (log_fit + log_ratio).logsumexp(0) - math.log(len(log_fit))
    return {"bound": parts.pop("bound"), "iwae": value, **parts}


class CodingModel(Protocol):
    """What :func:`squared_error` asks of a model."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one datum."""
        ...

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q(z|x), or a certain code: ``(B, *event_shape)`` -> batch shape ``(B,)``."""
        ...

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x|z): ``(*S, B, *latent_shape)`` -> batch shape ``(*S, B)``."""
        ...


class LatentVariableModel(CodingModel, Protocol):
    """What a bound asks of a model: a code's prior besides."""

    @property
    def prior(self) -> Conditional:
        """p(z), a function of the contexts."""
        ...


def elbo(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    samples: int = 1,
    beta: float | Tensor = 1.0,
    kl: Literal["analytic", "sampled"] = "analytic",
) -> Terms:
    """Evidence lower bound: E_q log p(x|z) − KL(q‖p(z)) ≤ log p(x) (EQUATIONS 17).

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each, given to all three conditionals.
        samples: reparameterized draws per example.
        beta: weight of the rate in the loss (https://openreview.net/forum?id=Sy2fzU9gl); pass a
            0-d tensor if it changes, a changing float compiles anew.
        kl: "analytic" takes the closed form where the pair has one, "sampled" always the draws
            (the entropy form, EQUATIONS 15).

    Returns:
        loss, the mean of distortion + beta·rate; parts ``distortion`` = −E_q log p(x|z),
        ``rate`` = KL(q‖p(z)) and ``bound`` = −(distortion + rate), unmodified by beta.

    References:
        Kingma and Welling, 2014, https://arxiv.org/abs/1312.6114
    """
    found = elements(model, x, *context, samples=samples, kl=kl)
    plain = isinstance(beta, float | int) and beta == 1
    loss = (found.distortion + (found.rate if plain else beta * found.rate)).mean()
    return Terms(loss, found.parts())


def elements(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    samples: int = 1,
    kl: Literal["analytic", "sampled"] = "analytic",
) -> Elements:
    """Posterior, codes, distortion and rate: one pass through the model.

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: reparameterized draws per example.
        kl: as of :func:`elbo`.
    """
    check_event(x, model.event_shape)
    q = model.encode(x, *context)
    prior = model.prior(*context)
    # One draw needs no leading dimension, and the common case then carries none.
    shape = () if samples == 1 else (samples,)
    if kl == "analytic" and has_closed_form(q, prior):
        z = q.rsample(shape) if q.has_rsample else sample_with_log_prob(q, shape)[0]
        rate = divergence(q, prior)
    elif kl in ("analytic", "sampled"):
        z, log_q = sample_with_log_prob(q, shape)
        rate = log_q - prior.log_prob(z)
        rate = rate.mean(0) if shape else rate
    else:
        raise LowerboundError(f"expected kl 'analytic' or 'sampled', came {kl!r}; pass one of them")
    fit = log_likelihood(model, x, z, *context)
    return Elements(q, prior, z, -(fit.mean(0) if shape else fit), rate)


def log_weights(
    model: LatentVariableModel, x: Tensor, *context: Tensor, samples: int = 1
) -> Tensor:
    """Importance weights log p(x|z) + log p(z) − log q(z|x), z ~ q (EQUATIONS 12, 19).

    Under the exact posterior every one of them equals log p(x).

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K, draws per example.

    Returns:
        ``(K, B)``, nats.
    """
    fit, log_ratio = weigh(model, x, *context, samples=samples)
    return fit + log_ratio


def iwae(model: LatentVariableModel, x: Tensor, *context: Tensor, samples: int = 5) -> Terms:
    """Importance-weighted bound: E log 1/K Σ_k w_k, between the ELBO and log p(x).

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K, draws per example; the bound rises with it.

    Returns:
        loss, the mean of −log 1/K Σ w; parts ``iwae`` = log 1/K Σ w, ``bound`` = 1/K Σ log w
        (the ELBO from the same draws), ``distortion`` and ``rate`` as of :func:`elbo`.

    References:
        Burda, Grosse and Salakhutdinov, 2016, https://arxiv.org/abs/1509.00519
    """
    fit, log_ratio = weigh(model, x, *context, samples=samples)
    value = (fit + log_ratio).logsumexp(0) - math.log(samples)
    return Terms(-value.mean(), parts_of_weights(fit, log_ratio))


def squared_error(model: CodingModel, x: Tensor, *context: Tensor) -> Terms:
    """‖x − f(g(x))‖², the loss of an autoencoder (EQUATIONS 3): no likelihood, no nats.

    Args:
        model: encode and decode; their means are used.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, the mean over examples; part ``squared_error``, summed over the datum, in squared
        units of x.
    """
    check_event(x, model.event_shape)
    decoded = model.decode(model.encode(x, *context).mean, *context).mean
    check_event(x, decoded.shape[1:])
    error = (x - decoded).square().flatten(1).sum(1)
    return Terms(error.mean(), {"squared_error": error.detach()})


def shares(log_weights: Tensor) -> Tensor:
    """w / Σ w of log w ``(K, B)``: how much each draw counts in the gradient of log Σ w."""
    return log_weights.softmax(0)


def weigh(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    samples: int = 1,
    shares: Callable[[Tensor], Tensor] = shares,
) -> tuple[Tensor, Tensor]:
    """The two summands of :func:`log_weights`: log p(x|z) and log p(z) − log q(z|x).

    Args:
        model: prior, likelihood and posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        samples: K, draws per example.
        shares: log w ``(K, B)`` to how much each draw counts in the bound, one in all per example.

    Returns:
        ``(K, B)`` each, nats.
    """
    check_event(x, model.event_shape)
    z, log_q = sample_with_log_prob(model.encode(x, *context), (samples,))
    log_ratio = model.prior(*context).log_prob(z) - log_q
    return weighted_log_likelihood(model, x, z, log_ratio, *context, shares=shares), log_ratio


def log_likelihood(model: CodingModel, x: Tensor, z: Tensor, *context: Tensor) -> Tensor:
    """log p(x|z), checked for shape: nats.

    Args:
        model: its ``decode`` is used.
        x: ``(B, *event_shape)``.
        z: ``(*S, B, *latent_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        ``(*S, B)``.
    """
    p = model.decode(z, *context)
    check_event(x, p.event_shape)
    return p.log_prob(x)


def weighted_log_likelihood(
    model: CodingModel,
    x: Tensor,
    z: Tensor,
    log_ratio: Tensor,
    *context: Tensor,
    shares: Callable[[Tensor], Tensor] = shares,
) -> Tensor:
    """:func:`log_likelihood`, for a bound that weighs its draws.

    A likelihood that is fitted to the batch (sigma "optimal") has to know how much each counts.

    Args:
        model: its ``decode`` is used.
        x: ``(B, *event_shape)``.
        z: ``(K, B, *latent_shape)``.
        log_ratio: log p(z) − log q(z), ``(K, B)`` or what broadcasts to it, nats.
        context: ``(B, ...)`` each.
        shares: log w = log p(x|z) + log_ratio to weights that sum to one over K.

    Returns:
        ``(K, B)``.
    """
    p = model.decode(z, *context)
    check_event(x, p.event_shape)
    own = getattr(p, "weighted_log_prob", None)
    if own is None:
        return p.log_prob(x)
    log_ratio = log_ratio.detach()
    return own(x, lambda fit: shares(fit + log_ratio))


def check_event(x: Tensor, event_shape: tuple[int, ...] | torch.Size) -> None:
    """Refuse what would broadcast in silence: a (B, 1) value under a (B, 784) likelihood."""
    if x.shape[1:] != event_shape:
        raise LowerboundError(
            f"expected x of shape (batch, {', '.join(map(str, event_shape))}), came "
            f"{tuple(x.shape)}; reshape x, or build the model for its shape"
        )
