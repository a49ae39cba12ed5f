"""Codes in a box: the uniform prior, and a posterior that fills the same box."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from ..errors import LowerboundError
from ..noise import normal, uniform
from .base import EventDistribution
from .families import Family
from .normal import HALF_LOG_2PI

# σ of the normal before it is squashed: at e² most of the mass lies at the edges already.
_LOG_SCALE_RANGE = (-10.0, 2.0)
# Nodes, in standard deviations, for moments that have no closed form. The trapezoid rule errs
# by e^(−2π·π/(step·σ)), as the sigmoid's poles lie at ±πi: below 1e-11 up to σ = e².
_STEP, _REACH = 0.1, 9.0


class IndependentUniform(EventDistribution):
    """A uniform over a box, each number on its own.

    Args:
        low: ``(*batch, *event)``.
        high: above low, same shape.
        event_rank: how many trailing dimensions are one datum.

    >>> p = IndependentUniform(torch.zeros(2), torch.tensor([1.0, 2.0]))
    >>> p.log_prob(torch.tensor([[0.5, 0.5], [0.5, 3.0]]))
    tensor([-0.6931,    -inf])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {
        "low": constraints.real,
        "high": constraints.real,
    }

    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor, high: Tensor, event_rank: int = 1) -> None:
        super().__init__(low, event_rank)
        self.low, self.high = low, high

    @property
    def support(self) -> constraints.Constraint:
        """The box, edges included."""
        return constraints.independent(constraints.interval(self.low, self.high), self.event_rank)

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)``."""
        return 0.5 * (self.low + self.high)

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)``."""
        return (self.high - self.low).square() / 12

    def expand(self, batch_shape: Any, _instance: Any = None) -> IndependentUniform:
        """The same distribution under more leading dimensions."""
        shape = (*batch_shape, *self.event_shape)
        return IndependentUniform(self.low.expand(shape), self.high.expand(shape), self.event_rank)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *batch, *event)``."""
        u = uniform((*sample_shape, *self.low.shape), self.low.device).to(self.low.dtype)
        return torch.lerp(self.low, self.high, u)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, −inf outside: ``(*lead, *event) -> (*lead,)``."""
        inside = (value >= self.low) & (value <= self.high)
        log_density = -(self.high - self.low).log().expand(inside.shape)
        return self._sum(log_density.masked_fill(~inside, -torch.inf))

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        return self._sum((self.high - self.low).log())


class UniformPrior(nn.Module):
    """A uniform prior over a box, whatever the context.

    A posterior on all of R has mass outside, so its KL from this prior is infinite: pair it with
    :class:`SquashedGaussian` on the same box.

    Args:
        latent_shape: of one code: a width, or a shape.
        low: lower edge of every number.
        high: upper edge.

    >>> UniformPrior(2)().log_prob(torch.zeros(2))  # −2 log 2
    tensor(-1.3863)
    """

    support: Literal["box"] = "box"
    zeros: Tensor

    def __init__(
        self, latent_shape: int | tuple[int, ...], low: float = -1.0, high: float = 1.0
    ) -> None:
        super().__init__()
        _check_box(low, high)
        self.event_shape = (latent_shape,) if isinstance(latent_shape, int) else tuple(latent_shape)
        self.low, self.high = float(low), float(high)
        # Carries device and type only: edges that were stored in float32 would be others there
        # than those of a posterior in float64.
        self.register_buffer("zeros", torch.zeros(self.event_shape), persistent=False)

    def forward(self, *context: Tensor) -> IndependentUniform:
        """The uniform with an empty batch shape; contexts are ignored."""
        low, high = torch.full_like(self.zeros, self.low), torch.full_like(self.zeros, self.high)
        return IndependentUniform(low, high, len(self.event_shape))

    def extra_repr(self) -> str:
        return f"{self.event_shape}, low={self.low:g}, high={self.high:g}"


class SquashedNormal(EventDistribution):
    """low + (high − low) σ(u), u ~ N(loc, diag(scale²)): a density on all of a box.

    Its tails in u, e^(−u²/2), are lighter than those of a uniform, e^−|u|: importance weights from
    a narrow one are rarely very large, and a wide one is the better proposal.

    Draws score themselves by u (:meth:`rsample_and_log_prob`), exactly, also where the sigmoid
    rounds to an edge; :meth:`log_prob` of such a value is that of the nearest number inside.

    Args:
        loc: of u, ``(*batch, *event)``.
        log_scale: log of the standard deviation of u, same shape.
        low: lower edge.
        high: upper edge.
        event_rank: how many trailing dimensions are one datum.

    >>> q = SquashedNormal(torch.zeros(2), torch.zeros(2))
    >>> q.mean.abs() < 1e-6
    tensor([True, True])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real,
        "log_scale": constraints.real,
    }

    loc: Tensor
    log_scale: Tensor

    def __init__(
        self,
        loc: Tensor,
        log_scale: Tensor,
        low: float = -1.0,
        high: float = 1.0,
        event_rank: int = 1,
    ) -> None:
        super().__init__(loc, event_rank)
        self.loc, self.log_scale = loc, log_scale
        self.low, self.high = low, high

    @property
    def support(self) -> constraints.Constraint:
        """The box."""
        return constraints.independent(constraints.interval(self.low, self.high), self.event_rank)

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)``, by quadrature: to rounding up to a scale of e²."""
        return self.low + (self.high - self.low) * self._expected(torch.sigmoid)

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)``, by quadrature about the mean."""
        mean = self._expected(torch.sigmoid)
        about = self._expected(lambda u: (torch.sigmoid(u) - mean).square())
        return (self.high - self.low) ** 2 * about

    @property
    def median(self) -> Tensor:
        """``(*batch, *event)``: the image of loc."""
        return self.squash(self.loc)

    def expand(self, batch_shape: Any, _instance: Any = None) -> SquashedNormal:
        """The same distribution under more leading dimensions."""
        shape = (*batch_shape, *self.event_shape)
        loc, log_scale = self.loc.expand(shape), self.log_scale.expand(shape)
        return SquashedNormal(loc, log_scale, self.low, self.high, self.event_rank)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *batch, *event)``."""
        return self.squash(self.rsample_inside(sample_shape))

    def rsample_inside(self, sample_shape: Any = ()) -> Tensor:
        """Draws of u, before the sigmoid: ``(*sample_shape, *batch, *event)``."""
        return torch.addcmul(self.loc, self._noise(sample_shape), self._scale())

    def log_prob_inside(self, u: Tensor) -> Tensor:
        """The density at the code of u, to all the digits that u has: nats, ``(*lead,)``."""
        return self._log_density(u, (u - self.loc) / self._scale())

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and log-densities ``(*sample_shape, *batch)``, from one and the same u."""
        noise = self._noise(sample_shape)
        u = torch.addcmul(self.loc, noise, self._scale())
        return self.squash(u), self._log_density(u, noise)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, −inf outside the box: ``(*lead, *event) -> (*lead,)``."""
        outside = self._sum((value < self.low) | (value > self.high)) > 0
        width = self.high - self.low
        # The sigmoid of no u is 0 or 1: an edge stands for the number beside it.
        info = torch.finfo(self.loc.dtype)
        first = max(info.tiny, 0.5 * info.eps * abs(self.low) / width)
        last = 1 - max(0.5 * info.eps, 0.5 * info.eps * abs(self.high) / width)
        u = ((value - self.low) / width).clamp(first, last).logit()
        log_density = self._log_density(u, (u - self.loc) / self._scale())
        return log_density.masked_fill(outside, -torch.inf)

    def _scale(self) -> Tensor:
        return self.log_scale.exp()

    def _noise(self, sample_shape: Any) -> Tensor:
        return normal((*sample_shape, *self.loc.shape), self.loc.dtype, self.loc.device)

    def squash(self, u: Tensor) -> Tensor:
        """The code of u, elementwise."""
        # Rounding may lead one step beyond an edge, where the prior's density is 0.
        value = self.low + (self.high - self.low) * torch.sigmoid(u)
        return value.clamp(self.low, self.high)

    def _log_density(self, u: Tensor, standardized: Tensor) -> Tensor:
        """log N(u) − log dz/du, with log σ'(u) = −|u| − 2 log(1 + e^−|u|)."""
        size = u.abs()
        log_slope = -size - 2 * torch.log1p((-size).exp())
        elementwise = -0.5 * standardized.square() - self.log_scale - log_slope
        constant = HALF_LOG_2PI + math.log(self.high - self.low)
        return self._sum(elementwise) - constant * self.event_shape.numel()

    def _expected(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """E f(u), by the trapezoid rule node after node, so that memory stays that of loc."""
        scale, total, mass = self._scale(), torch.zeros_like(self.loc), 0.0
        for k in range(-round(_REACH / _STEP), round(_REACH / _STEP) + 1):
            weight = math.exp(-0.5 * (k * _STEP) ** 2)
            total = total + weight * function(self.loc + k * _STEP * scale)
            mass += weight
        return total / mass


class SquashedGaussian(Family):
    """A posterior on a box: a diagonal Gaussian through a sigmoid, stretched to the edges.

    Raw are loc and log scale of the Gaussian; the log scale is clamped to [-10, 2].

    Args:
        event_shape: of one code; an int is a vector's length.
        low: lower edge of every number.
        high: upper edge.

    >>> SquashedGaussian(2)(torch.zeros(5, 4)).sample().abs().max() <= 1
    tensor(True)
    """

    support = "box"

    def __init__(
        self, event_shape: int | tuple[int, ...], low: float = -1.0, high: float = 1.0
    ) -> None:
        _check_box(low, high)
        super().__init__(event_shape, channels=2)
        self.low, self.high = float(low), float(high)
        if (low, high) == (0, 1):
            self.supports = frozenset({"unit"})

    def forward(self, raw: Tensor) -> SquashedNormal:
        """Raw are loc and log scale, each ``(*lead, *event)``."""
        loc, log_scale = self.split(raw)
        log_scale = log_scale.clamp(*_LOG_SCALE_RANGE)
        return SquashedNormal(loc, log_scale, self.low, self.high, self.event_rank)

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean's logit, and the std by the sigmoid's slope there."""
        width = self.high - self.low
        unit = ((mean - self.low) / width).clamp(0.01, 0.99)
        log_scale = (std / (width * unit * (1 - unit))).log()
        return torch.cat([unit.logit(), log_scale.clamp(*_LOG_SCALE_RANGE)])

    def extra_repr(self) -> str:
        return f"{self.event_shape}, low={self.low:g}, high={self.high:g}"


def _check_box(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise LowerboundError(
            f"expected a box with low below high, both finite, came low={low:g} and high={high:g}; "
            f"pass low=-1, high=1"
        )
