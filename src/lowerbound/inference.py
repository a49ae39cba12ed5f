"""Inference without an encoder, or beyond its answer: q is fitted to each datum by itself.

The ELBO is climbed over the mean and log σ of a diagonal normal, with the model as it is. Steps
follow the natural gradient, σ² ∂/∂μ and ½ ∂/∂log σ: they know the scale of the posterior, so that
one step size does for codes that are told to a thousandth and for those that are hardly told at
all (Amari 1998, Natural gradient works efficiently in learning, Neural Computation 10; Hoffman et
al. 2013, Stochastic variational inference, arXiv 1206.7051). The gradient is the path derivative,
whose noise vanishes where q is the posterior (Roeder, Wu & Duvenaud 2017, arXiv 1703.09194).
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .bounds import LatentVariableModel, Terms, check_event, elbo
from .distributions import DiagonalNormal, sample_with_log_prob
from .distributions.base import where_codes_live
from .distributions.families import LOG_SCALE_RANGE
from .errors import LowerboundError
from .noise import normal

if TYPE_CHECKING:
    from collections.abc import Generator

# No step is longer than so many σ, nor changes σ by more than such a factor (its log): far from
# the posterior the gradient says where to, not how far.
_MOST_SIGMAS, _MOST_LOG = 3.0, 0.5
# Codes decoded at once; see `lowerbound.evaluation.decoding`.
_ROWS = 2048


@torch.no_grad()
def refine(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    steps: int = 100,
    learning_rate: float = 0.5,
    samples: int = 8,
    start: Literal["encoder", "prior"] | Distribution = "encoder",
    seed: int = 0,
) -> DiagonalNormal:
    """The best diagonal normal q of each datum, found from the encoder's answer or from the prior.

    Likelihood and prior stay as they are. The noise is a function of the seed alone and the same
    for every datum, so that neither the others nor their order change what is found for one.

    Args:
        model: prior and likelihood; the posterior, if it starts there. In evaluation mode
            meanwhile.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        steps: of natural-gradient ascent; their size falls to zero along half a cosine.
        learning_rate: the first step's size; 1 leaps to the optimum where the code's dimensions are
            independent under the posterior and the likelihood is linear and Gaussian.
        samples: codes for each gradient, in pairs μ ± σε.
        start: ``encoder``, the posterior's mean and variance; ``prior``, those of the prior; or a
            distribution of batch shape ``(B,)``.
        seed: of the noise; the caller's random state is left as it is.

    Returns:
        Batch shape ``(B,)``, without a gradient. Where the encoder's family is richer than a
        diagonal normal (a flow), its own bound may be the better one.

    Raises:
        LowerboundError: codes that do not fill all of R^n, on which a diagonal normal lives, or
            fewer than one step or two samples.

    References:
        Kim, Wiseman, Miller, Sontag & Rush 2018, Semi-amortized variational autoencoders, arXiv
        1802.02550; Cremer, Li & Duvenaud 2018, Inference suboptimality in variational
        autoencoders, arXiv 1801.03558

    >>> from lowerbound.models import LinearGaussian
    >>> model = LinearGaussian((3,), 1, weight=torch.tensor([[2.0], [0.0], [0.0]]))
    >>> x = torch.tensor([[5.0, 1.0, 1.0]])
    >>> q = refine(model, x, start="prior")
    >>> bool(torch.allclose(q.mean, model.encode(x).mean, atol=1e-4))
    True
    """
    check_event(x, model.event_shape)
    if steps < 1 or samples < 2 or samples % 2:
        raise LowerboundError(
            f"expected at least one step and an even number of samples, came steps={steps} and "
            f"samples={samples}; pass steps=100, samples=8"
        )
    refuse_codes(model, x, *context, start=start)
    found: list[tuple[Tensor, Tensor]] = []
    devices = [x.device] if x.device.type == "cuda" else []
    with _evaluating(model), torch.random.fork_rng(devices):
        rows = max(1, _ROWS // samples)
        for first in range(0, len(x), rows):
            here, *c = (t[first : first + rows] for t in (x, *context))
            if isinstance(start, Distribution):
                loc, log_scale = (t[first : first + rows] for t in _normal(start, len(x)))
            else:
                torch.manual_seed(seed)  # for starts that know their moments by sampling only
                loc, log_scale = _normal(_start(model, start, here, *c), len(here))
            # On the CPU, so that every device sees the same noise.
            generator = torch.Generator().manual_seed(seed)
            shape = (samples // 2, 1, *loc.shape[1:])
            for step in range(steps):
                half = torch.randn(shape, generator=generator, dtype=torch.float64).to(loc)
                rate = learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
                noise = torch.cat((half, -half))
                loc, log_scale = _climb(model, here, c, loc, log_scale, noise, rate)
            found.append((loc, log_scale))
    means, scales = (torch.cat(parts) for parts in zip(*found, strict=True))
    return DiagonalNormal(means, scales, means.dim() - 1)


def refined_elbo(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    steps: int = 5,
    learning_rate: float = 0.3,
    samples: int = 1,
) -> Terms:
    """The ELBO under a posterior that starts at the encoder's answer and climbs a few steps.

    A phase that moves likelihood and prior; no gradient reaches the encoder, which a phase of its
    own trains on its own ELBO. (Kim et al. differentiate through the steps instead, which costs
    second derivatives.)

    Args:
        model: prior, likelihood, and a diagonal normal posterior.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        steps: of natural-gradient ascent, one pair of codes each.
        learning_rate: their size.
        samples: reparameterized draws of the refined posterior per example.

    Returns:
        loss and parts of :func:`~lowerbound.bounds.elbo`, of the refined posterior.

    References:
        Krishnan, Liang & Hoffman 2018, On the challenges of learning with inference networks on
        sparse, high-dimensional data, arXiv 1710.06085; Kim et al. 2018, arXiv 1802.02550
    """
    check_event(x, model.event_shape)
    with torch.no_grad():
        loc, log_scale = _normal(model.encode(x, *context), len(x))
        for _ in range(steps):
            half = normal((1, *loc.shape), loc.dtype, loc.device)
            noise = torch.cat((half, -half))
            loc, log_scale = _climb(model, x, context, loc, log_scale, noise, learning_rate)
    q = DiagonalNormal(loc, log_scale, loc.dim() - 1)
    return elbo(With(model, q), x, *context, samples=samples)


def refuse_codes(
    model: LatentVariableModel,
    x: Tensor,
    *context: Tensor,
    start: Literal["encoder", "prior"] | Distribution = "encoder",
) -> None:
    """Refuse codes on which no diagonal normal can be fitted.

    Args:
        model: prior, and posterior if it starts there.
        x: ``(B, *event_shape)``; one example is asked.
        context: ``(B, ...)`` each.
        start: as of :func:`refine`.

    Raises:
        LowerboundError: codes of categories, in a box, on a sphere, certain ones, those of a
            bijection; or no prior and no likelihood.
    """
    for part in ("prior", "decode"):
        if not hasattr(model, part):
            raise LowerboundError(
                f"expected a model with a posterior to be refined, came {type(model).__name__}, "
                f"which has no {part}"
            )
    reason = "its codes are the data themselves, through a bijection"
    if not getattr(model, "bijective", False):
        devices = [x.device] if x.device.type == "cuda" else []
        here, *c = (t[:1] for t in (x, *context))
        with _evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
            asked = {"prior": model.prior(*c)}
            if isinstance(start, Distribution):
                asked["start"] = start
            elif start == "encoder":
                asked["posterior"] = _start(model, start, here, *c)
        for role, distribution in asked.items():
            found = where_codes_live(distribution)
            if found is not None:
                reason = f"the {role}'s are {found}"
                break
        else:
            return
    raise LowerboundError(
        f"expected codes on all of R^n, where a diagonal normal is fitted to each datum, came "
        f"{type(model).__name__}: {reason}"
    )


class With(NamedTuple):
    """A model with another posterior, for bounds.

    Args:
        model: its prior and likelihood.
        posterior: batch shape ``(B,)``, of the data that are to come.
    """

    model: LatentVariableModel
    posterior: Distribution

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one datum."""
        return self.model.event_shape

    @property
    def prior(self) -> nn.Module:
        """That of the model."""
        return self.model.prior  # ty: ignore[invalid-explicit-return]

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """The posterior, whatever x."""
        return self.posterior

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """The model's likelihood."""
        return self.model.decode(z, *context)


def _climb(
    model: LatentVariableModel,
    x: Tensor,
    context: tuple[Tensor, ...] | list[Tensor],
    loc: Tensor,
    log_scale: Tensor,
    noise: Tensor,
    rate: float,
) -> tuple[Tensor, Tensor]:
    """One natural-gradient step of every datum's own ELBO, from noise ``(S, B or 1, *latent)``."""
    sigma = log_scale.exp()
    with torch.enable_grad():
        z = (loc + sigma * noise).detach().requires_grad_()
        joint = model.decode(z, *context).log_prob(x) + model.prior(*context).log_prob(z)
        (slope,) = torch.autograd.grad(joint.sum(), z)
    # −log q adds ε/σ along the path; with it the noise is gone where q is the posterior.
    path = slope + noise / sigma
    ascent = (sigma.square() * path.mean(0)).clamp(-_MOST_SIGMAS * sigma, _MOST_SIGMAS * sigma)
    widen = (0.5 * (path * sigma * noise).mean(0)).clamp(-_MOST_LOG, _MOST_LOG)
    return loc + rate * ascent, (log_scale + rate * widen).clamp(*LOG_SCALE_RANGE)


def _start(model: LatentVariableModel, start: str, x: Tensor, *context: Tensor) -> Distribution:
    if start == "encoder":
        return model.encode(x, *context)
    if start == "prior":
        return model.prior(*context)
    raise LowerboundError(
        f"expected start 'encoder', 'prior' or a distribution, came {start!r}; pass one of them"
    )


def _normal(q: Distribution, count: int) -> tuple[Tensor, Tensor]:
    """Mean and log σ, ``(count, *latent)`` each, from 256 draws where q does not know them."""
    if isinstance(q, DiagonalNormal):
        loc, log_scale = q.loc, q.log_scale.expand_as(q.loc)
    else:
        try:
            loc, variance = q.mean, q.variance
        except NotImplementedError:
            z = sample_with_log_prob(q, (256,))[0]
            loc, variance = z.mean(0), z.var(0)
        log_scale = (0.5 * variance.log()).clamp(*LOG_SCALE_RANGE)
    if not q.batch_shape:
        loc, log_scale = (t.expand(count, *t.shape) for t in (loc, log_scale))
    return loc.detach(), log_scale.detach()


@contextmanager
def _evaluating(model: object) -> Generator[None]:
    """Evaluation mode for a while, then as it was."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [(module, module.training) for module in modules]
    try:
        for module in modules[:1]:
            module.eval()
        yield
    finally:
        for module, training in modes:
            module.training = training
