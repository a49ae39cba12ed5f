"""Flow posteriors: a network's raw output becomes a density that need not be a Gaussian's.

Each starts as a diagonal Gaussian whose mean and scale the encoder gives; the flow then bends it.
Raw numbers of one datum are ``[loc, log scale, context of the flow]``, flat.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Transform, constraints

from ..distributions import DiagonalNormal, EventDistribution, Family, UnitNormal
from ..distributions.base import softplus
from ..distributions.families import LOG_SCALE_RANGE
from ..errors import LowerboundError
from .adapter import autoregressive_layer, coupling_layer, univariate_of
from .base import Chain, FlowDistribution, Layer


class FlowFamily(Family):
    """What flow posteriors share. Abstract: a subclass implements :meth:`forward`.

    Args:
        event_shape: of one code, D numbers; an int is a vector's length.
        context: raw numbers of one datum beside the D means and D log scales.
    """

    supports = frozenset({"real"})

    def __init__(self, event_shape: int | tuple[int, ...], context: int) -> None:
        super().__init__(event_shape)
        self.size = math.prod(self.event_shape)
        self.context = context
        self.raw_shape = (2 * self.size + context,)

    def parts(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """loc ``(*lead, D)``, log scale ``(*lead, D)`` and context ``(*lead, context)``."""
        loc, log_scale, context = raw.split([self.size, self.size, self.context], -1)
        return loc, log_scale.clamp(*LOG_SCALE_RANGE), context

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean and log std of the Gaussian that the flow starts from."""
        log_scale = std.log().clamp(*LOG_SCALE_RANGE)
        return torch.cat([mean.reshape(-1), log_scale.reshape(-1), mean.new_zeros(self.context)])


class PlanarPosterior(FlowFamily):
    """Planar flow: z ← z + û tanh(wᵀz + b), every parameter given by the encoder for each datum.

    A planar map has no inverse in closed form, so only its own draws can be scored.

    Args:
        event_shape: of one code, D numbers; an int is a vector's length.
        transforms: T maps, which take T·(2D + 1) raw numbers.

    References:
        Rezende and Mohamed, 2015, https://arxiv.org/abs/1505.05770, section 4.1 and appendix A.1

    >>> family = PlanarPosterior(2, transforms=3)
    >>> family.raw_shape
    (19,)
    >>> z, log_q = family(torch.zeros(5, 19)).rsample_and_log_prob((7,))
    >>> z.shape, log_q.shape
    (torch.Size([7, 5, 2]), torch.Size([7, 5]))
    """

    def __init__(self, event_shape: int | tuple[int, ...], *, transforms: int = 8) -> None:
        size = event_shape if isinstance(event_shape, int) else math.prod(event_shape)
        super().__init__(event_shape, transforms * (2 * size + 1))
        self.transforms = transforms

    def forward(self, raw: Tensor) -> PlanarFlow:
        """Raw are loc, log scale, and u ``(T, D)``, w ``(T, D)``, b ``(T,)`` of the maps."""
        loc, log_scale, context = self.parts(raw)
        maps = context.unflatten(-1, (self.transforms, 2 * self.size + 1))
        u, w, b = maps.split([self.size, self.size, 1], -1)
        return PlanarFlow(loc, log_scale, u, w, b, self.event_shape)


class PlanarFlow(EventDistribution):
    """What :class:`PlanarPosterior` returns.

    û is u moved along w so that wᵀû > −1, which makes the map invertible. The paper moves it by
    softplus(wᵀu) − 1, which is not zero where u is; shifted so that it is, a map with u = 0 is the
    identity, and û is never longer than 2u.

    Args:
        loc, log_scale: of the Gaussian at the start, ``(*batch, D)``.
        u, w: ``(*batch, T, D)``.
        b: ``(*batch, T, 1)``.
        event_shape: of a value, D numbers.
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        loc: Tensor,
        log_scale: Tensor,
        u: Tensor,
        w: Tensor,
        b: Tensor,
        event_shape: tuple[int, ...],
    ) -> None:
        # Not super().__init__, which reads the shapes off a parameter.
        self._batch_shape = loc.shape[:-1]
        self._event_shape = torch.Size(event_shape)
        self._event_dims = tuple(range(-len(event_shape), 0))
        self.base = DiagonalNormal(loc, log_scale)
        dot = (w * u).sum(-1, keepdim=True)  # (*batch, T, 1)
        # In (−0.999, ∞): at −1 itself the map has a flat direction and log 0.
        self.product = 0.999 * (softplus(dot + _LOG_E_MINUS_1) - 1.0)
        square = w.square().sum(-1, keepdim=True).clamp(min=1e-30)
        self.u = u + (self.product - dot) * w / square
        self.w, self.b = w, b

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and their log-densities, ``(*sample_shape, *batch)``."""
        z, log_q = self.base.rsample_and_log_prob(sample_shape)
        for t in range(self.w.shape[-2]):
            u, w, b = self.u[..., t, :], self.w[..., t, :], self.b[..., t, :]
            h = torch.tanh((w * z).sum(-1, keepdim=True) + b)
            z = z + u * h
            log_q = log_q - torch.log1p((1.0 - h.square()) * self.product[..., t, :]).squeeze(-1)
        return z.reshape(*z.shape[:-1], *self.event_shape), log_q

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)``."""
        return self.rsample_and_log_prob(sample_shape)[0]

    def log_prob(self, value: Tensor) -> Tensor:
        """Refused: the value's way back to the Gaussian is not known in closed form."""
        raise LowerboundError(
            "expected draws of the planar flow itself, scored as they are made "
            "(rsample_and_log_prob), came a value from elsewhere, whose inverse it does not know; "
            "pass posterior iaf or neural-spline"
        )


_LOG_E_MINUS_1 = math.log(math.e - 1.0)


class AutoregressivePosterior(FlowFamily):
    """Inverse autoregressive flow: z ← σ·z + (1 − σ)·m, where m and σ of a number follow from those
    before it and from the encoder's context h.

    The networks are shared by all data, h is amortized. Draws take one pass a step; scoring a
    value from elsewhere takes as many as there are numbers in a code.

    Args:
        event_shape: of one code, D numbers; an int is a vector's length.
        transforms: steps; each reverses the order of the last.
        hidden: widths of a step's masked network.
        context: numbers in h.
        activation: nonlinearity.

    References:
        Kingma et al., 2016, https://arxiv.org/abs/1606.04934, algorithm 1
    """

    def __init__(
        self,
        event_shape: int | tuple[int, ...],
        *,
        transforms: int = 4,
        hidden: Sequence[int] = (128, 128),
        context: int = 64,
        activation: str = "elu",
    ) -> None:
        super().__init__(event_shape, context)
        self.chain = Chain(
            autoregressive_layer(self.size, context, number, Gate, [(), ()], hidden, activation)
            for number in range(transforms)
        )

    def forward(self, raw: Tensor) -> FlowDistribution:
        """Raw are loc, log scale and h."""
        loc, log_scale, context = self.parts(raw)
        base = DiagonalNormal(loc, log_scale)
        given = context if self.context else None
        return FlowDistribution(base, self.chain, self.event_shape, given, generative=True)


class Gate(Transform):
    """y = σ·x + (1 − σ)·m with σ = sigmoid(s + 2), the update of an LSTM, which stays stable.

    Untrained, s is about zero and a step changes little, as the paper advises.

    Args:
        mean: m, ``(*lead, D)``.
        gate: s, ``(*lead, D)``.
    """

    domain = constraints.real
    codomain = constraints.real
    bijective = True
    sign = 1

    def __init__(self, mean: Tensor, gate: Tensor) -> None:
        super().__init__()
        self.log_gate = F.logsigmoid(gate + 2.0)
        self.gate = self.log_gate.exp()
        self.shift = mean * torch.sigmoid(-gate - 2.0)

    def _call(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, self.gate, x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.shift) / self.gate

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.log_gate.expand_as(x)


class SplinePosterior(FlowFamily):
    """Neural spline flow: couplings by rational-quadratic splines bend standard normal noise; the
    encoder's mean and scale then place it.

    So a spline's interval, [−5, 5], covers the noise whatever the datum's scale. Both ways take
    one pass.

    Args:
        event_shape: of one code, D numbers; an int is a vector's length.
        transforms: couplings; each keeps what the last one moved.
        bins: of a spline.
        hidden: widths of a coupling's network.
        context: numbers in the context that the encoder gives to the couplings.
        activation: nonlinearity.

    References:
        Durkan et al., 2019, https://arxiv.org/abs/1906.04032
    """

    def __init__(
        self,
        event_shape: int | tuple[int, ...],
        *,
        transforms: int = 4,
        bins: int = 8,
        hidden: Sequence[int] = (128, 128),
        context: int = 64,
        activation: str = "relu",
    ) -> None:
        super().__init__(event_shape, context)
        univariate, shapes = univariate_of("neural-spline", bins)
        self.chain = Chain(
            coupling_layer(self.size, context, number, univariate, shapes, hidden, activation)
            for number in range(transforms)
        )

    def forward(self, raw: Tensor) -> FlowDistribution:
        """Raw are loc, log scale and the couplings' context."""
        loc, log_scale, context = self.parts(raw)
        placed = _Placed(self.chain, loc, log_scale)
        given = context if self.context else None
        noise = UnitNormal(torch.zeros_like(loc))
        return FlowDistribution(noise, placed, self.event_shape, given, generative=True)


class _Placed:
    """A chain, then z = loc + scale·y. No module: loc and scale are those of a batch.

    Args:
        chain: the layers before.
        loc, log_scale: ``(*batch, D)``.
    """

    def __init__(self, chain: Layer, loc: Tensor, log_scale: Tensor) -> None:
        self.chain, self.loc, self.log_scale = chain, loc, log_scale

    def __call__(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_det = self.chain(x, context)
        z = torch.addcmul(self.loc, self.log_scale.exp(), y)
        return z, log_det + self.log_scale.sum(-1)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        standardized = (y - self.loc) * (-self.log_scale).exp()
        x, log_det = self.chain.inverse(standardized, context)
        return x, log_det - self.log_scale.sum(-1)
