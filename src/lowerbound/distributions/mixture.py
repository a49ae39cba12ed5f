"""Mixtures of diagonal Gaussians: a distribution, a posterior and a prior."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from ..errors import LowerboundError
from ..noise import normal, uniform
from .base import EventDistribution
from .families import LOG_SCALE_RANGE, Family
from .implicit import with_gradient
from .normal import HALF_LOG_2PI

# Numbers that an evaluation holds at once, (draws, components, D): 16 MiB in float32.
AT_ONCE = 2**22


class GaussianMixtureDistribution(EventDistribution):
    """Σ_k w_k N(loc_k, diag(scale_k²)) over a datum of any shape.

    The components are of the whole datum: one choice for all of its numbers.

    Args:
        logits: of the weights, ``(*batch, K)``.
        loc: ``(*batch, K, *event)``.
        scale: standard deviations, same shape.
        event_rank: how many trailing dimensions are one datum.

    References:
        Draws' gradients: Graves, 2016, https://arxiv.org/abs/1607.05690; Figurnov, Mohamed and
        Mnih, 2018, https://arxiv.org/abs/1805.08498

    >>> ends = torch.tensor([[-3.0], [3.0]])
    >>> p = GaussianMixtureDistribution(torch.zeros(2), ends, torch.ones(2, 1))
    >>> p.mean, p.variance
    (tensor([0.]), tensor([10.]))
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {
        "logits": constraints.real_vector,
        "loc": constraints.real,
        "scale": constraints.positive,
    }

    logits: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(self, logits: Tensor, loc: Tensor, scale: Tensor, event_rank: int = 1) -> None:
        self.component_dim = -event_rank - 1
        super().__init__(loc.select(self.component_dim, 0), event_rank)
        self.logits, self.loc, self.scale = logits, loc, scale

    @property
    def support(self) -> constraints.Constraint:
        """All of R^event."""
        return constraints.independent(constraints.real, self.event_rank)

    @property
    def components(self) -> int:
        """K."""
        return self.logits.shape[-1]

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)``."""
        return (self._weights() * self.loc).sum(self.component_dim)

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)``: within the components, and between them."""
        between = (self.loc - self.mean.unsqueeze(self.component_dim)).square()
        return (self._weights() * (self.scale.square() + between)).sum(self.component_dim)

    @property
    def covariance_matrix(self) -> Tensor:
        """Of the flattened datum, ``(*batch, D, D)``: within the components, and between them."""
        rank = self.event_rank
        weights = self.logits.softmax(-1).unsqueeze(-1)
        loc = self.loc.flatten(-rank) if rank else self.loc.unsqueeze(-1)
        scale = self.scale.flatten(-rank) if rank else self.scale.unsqueeze(-1)
        about = loc - (weights * loc).sum(-2, keepdim=True)
        within = torch.diag_embed((weights * scale.square()).sum(-2))
        return within + (weights * about).mT @ about

    def expand(self, batch_shape: Any, _instance: Any = None) -> GaussianMixtureDistribution:
        """The same distribution under more leading dimensions."""
        shape = (*batch_shape, self.components, *self.event_shape)
        logits = self.logits.expand(*batch_shape, self.components)
        loc, scale = self.loc.expand(shape), self.scale.expand(shape)
        return GaussianMixtureDistribution(logits, loc, scale, self.event_rank)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)``, without a gradient."""
        with torch.no_grad():
            lead = (*sample_shape, *self.batch_shape)
            u = uniform(lead, self.loc.device).to(self.logits.dtype).unsqueeze(-1)
            chosen = (
                (u >= self.logits.softmax(-1).cumsum(-1)).sum(-1).clamp_max(self.components - 1)
            )
            if self.batch_shape:
                whole = (*lead, self.components, *self.event_shape)
                index = chosen.view(*lead, *[1] * (self.event_rank + 1))
                index = index.expand(*lead, 1, *self.event_shape)
                dim = self.component_dim
                loc, scale = (
                    t.expand(whole).gather(dim, index).squeeze(dim) for t in (self.loc, self.scale)
                )
            else:  # one mixture for all: its components are looked up, not gathered
                loc, scale = self.loc[chosen], self.scale[chosen]
            return torch.addcmul(loc, normal(loc.shape, loc.dtype, loc.device), scale)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)`` with implicit gradients, of first order only.

        Where no gradient is asked for, they cost what :meth:`sample` does.
        """
        z = self.sample(sample_shape)
        parameters = (self.logits, self.loc, self.scale)
        if not (torch.is_grad_enabled() and any(t.requires_grad for t in parameters)):
            return z
        rank = self.event_rank
        flat = with_gradient(
            z.flatten(-rank), self.logits, self.loc.flatten(-rank), self.scale.flatten(-rank)
        )
        return flat.unflatten(-1, self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        if not self.batch_shape and value.device.type != "mps":
            return self._shared_log_prob(value)
        return self._log_densities(value).logsumexp(-1)

    def responsibilities(self, value: Tensor) -> Tensor:
        """P(component | value): ``(*lead, *event) -> (*lead, K)``."""
        return self._log_densities(value).softmax(-1)

    def _weights(self) -> Tensor:
        """``(*batch, K, 1 ...)``."""
        return self.logits.softmax(-1).view(*self.logits.shape, *[1] * self.event_rank)

    def _log_densities(self, value: Tensor) -> Tensor:
        """log w_k + log N_k, ``(*lead, K)``."""
        shift = (value.unsqueeze(self.component_dim) - self.loc) / self.scale
        energy = self._sum(0.5 * shift.square() + self.scale.log())
        constant = HALF_LOG_2PI * self.event_shape.numel()
        return self.logits.log_softmax(-1) - energy - constant

    def _shared_log_prob(self, value: Tensor) -> Tensor:
        """One mixture for all values: the exponents of all components as one matrix product.

        Memory is that of (values, K), not (values, K, D). Written out, Σ (z − μ)²/σ² is a
        difference of large numbers, so the product is taken in float64; about the components'
        mean, which makes them smaller.
        """
        rank = self.event_rank
        z = value.flatten(-rank).double()
        loc, scale = self.loc.flatten(-rank).double(), self.scale.flatten(-rank).double()
        centre = loc.mean(0).detach()
        z, loc, precision = z - centre, loc - centre, scale.square().reciprocal()
        constant = (
            self.logits.double().log_softmax(-1)
            - 0.5 * (loc.square() * precision).sum(-1)
            - scale.log().sum(-1)
            - HALF_LOG_2PI * loc.shape[-1]
        )
        terms = torch.cat([z, z.square()], -1).reshape(-1, 2 * z.shape[-1])
        factors = torch.cat([loc * precision, -0.5 * precision], -1)
        log_densities = torch.addmm(constant, terms, factors.mT)
        result = log_densities.to(torch.promote_types(value.dtype, self.loc.dtype)).logsumexp(-1)
        return result.view(z.shape[:-1])


class MixtureOfGaussians(Family):
    """A posterior with several modes: a mixture of diagonal Gaussians of the whole code.

    Raw, flat for an event of D numbers: K logits, K·D of loc, K·D log scales, component after
    component; log scales are clamped to [-10, 10].

    Args:
        event_shape: of one code; an int is a vector's length.
        components: K.

    >>> MixtureOfGaussians(2, components=3).raw_shape
    (15,)
    """

    supports = frozenset({"real"})

    def __init__(self, event_shape: int | tuple[int, ...], components: int = 5) -> None:
        _check_components(components)
        super().__init__(event_shape)
        self.components = components
        self.raw_shape = (components * (1 + 2 * math.prod(self.event_shape)),)

    def forward(self, raw: Tensor) -> GaussianMixtureDistribution:
        """Raw ``(*lead, K(1 + 2D))``."""
        count, size = self.components, math.prod(self.event_shape)
        logits, loc, log_scale = raw.tensor_split((count, count * (1 + size)), -1)
        shape = (count, *self.event_shape)
        scale = log_scale.clamp(*LOG_SCALE_RANGE).exp().unflatten(-1, shape)
        return GaussianMixtureDistribution(logits, loc.unflatten(-1, shape), scale, self.event_rank)

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """Equal weights, means spread about the mean; together the mean and variance given."""
        offset, within = _spread(self.components, self.event_shape, mean)
        loc = mean + std * offset
        log_scale = (std * within).log().clamp(*LOG_SCALE_RANGE).expand_as(loc)
        logits = mean.new_zeros(self.components)
        return torch.cat([logits, loc.flatten(), log_scale.flatten()])

    def extra_repr(self) -> str:
        return f"{self.event_shape}, components={self.components}"


class GaussianMixturePrior(nn.Module):
    """A learned mixture of diagonal Gaussians as the prior, whatever the context.

    At the start it has mean 0 and variance 1 in every dimension, half of it between components.

    Args:
        latent_shape: of one code: a width, or a shape.
        components: K.

    References:
        Dilokthanakul et al., 2016, https://arxiv.org/abs/1611.02648; as a baseline in Tomczak and
        Welling, 2018, https://arxiv.org/abs/1705.07120

    >>> p = GaussianMixturePrior(2, components=4)()
    >>> torch.allclose(p.variance, torch.ones(2))
    True
    """

    support = "real"

    def __init__(self, latent_shape: int | tuple[int, ...], components: int = 10) -> None:
        super().__init__()
        _check_components(components)
        self.event_shape = (latent_shape,) if isinstance(latent_shape, int) else tuple(latent_shape)
        loc, within = _spread(components, self.event_shape, torch.zeros(()))
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(loc)
        self.log_scale = nn.Parameter(torch.full_like(loc, math.log(within)))

    def forward(self, *context: Tensor) -> GaussianMixtureDistribution:
        """The mixture with an empty batch shape; contexts are ignored."""
        scale = self.log_scale.clamp(*LOG_SCALE_RANGE).exp()
        return GaussianMixtureDistribution(self.logits, self.loc, scale, len(self.event_shape))

    def extra_repr(self) -> str:
        return f"{self.event_shape}, components={len(self.logits)}"


def _spread(components: int, shape: tuple[int, ...], like: Tensor) -> tuple[Tensor, float]:
    """Random means ``(K, *shape)`` with mean 0 and variance ½ over the components, and the scale
    within them that makes it 1."""
    loc = torch.randn(components, *shape, dtype=like.dtype, device=like.device)
    if components == 1:
        return torch.zeros_like(loc), 1.0
    loc = loc - loc.mean(0)
    return loc * (math.sqrt(0.5) / loc.std(0, correction=0).clamp_min(1e-6)), math.sqrt(0.5)


def _check_components(components: int) -> None:
    if components < 1:
        raise LowerboundError(
            f"expected one or more components, came {components}; pass components=5"
        )
