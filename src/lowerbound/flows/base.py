"""What a flow is made of: invertible layers in a chain, and the density of what comes out.

``Layer`` is the guide for a new one: a map of one datum with an inverse, each told together with
the log-determinant of the map it has just taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import EventDistribution, UnitNormal, sample_with_log_prob
from ..distributions.base import softplus
from ..noise import uniform


class Invertible(Protocol):
    """What a flow's density asks of the map in it; see :class:`Layer`."""

    def __call__(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """y and log |det dy/dx|."""
        ...

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x and log |det dx/dy|."""
        ...


class Layer(nn.Module):
    """An invertible map of data, given a context vector or none.

    Abstract: a subclass implements :meth:`forward` and :meth:`inverse`.
    """

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The map.

        Args:
            x: ``(*lead, *event)``.
            context: ``(*batch, features)``, whose dimensions align with lead from the right.

        Returns:
            y ``(*lead, *event)``, and log |det dy/dx| that broadcasts to ``(*lead)``, in nats.
        """
        raise NotImplementedError

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The way back.

        Args:
            y: ``(*lead, *event)``.
            context: as of :meth:`forward`.

        Returns:
            x ``(*lead, *event)``, and log |det dx/dy| that broadcasts to ``(*lead)``, in nats.
        """
        raise NotImplementedError


class Chain(Layer):
    """Layers one after the other.

    Args:
        layers: in the order of :meth:`forward`.

    >>> chain = Chain([Affine(2), Affine(2)])
    >>> y, log_det = chain(torch.ones(5, 2))
    >>> x, back = chain.inverse(y)
    >>> bool((x == 1).all()), float((log_det + back).detach())
    (True, 0.0)
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_det = x.new_zeros(())
        for layer in self.layers:
            x, change = layer(x, context)
            log_det = log_det + change
        return x, log_det

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_det = y.new_zeros(())
        for layer in reversed(self.layers):
            assert isinstance(layer, Layer)
            y, change = layer.inverse(y, context)
            log_det = log_det + change
        return y, log_det


class Inverse(Layer):
    """A layer the other way round: which of two ways is fast decides what a flow is good for.

    Args:
        layer: any.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.layer.inverse(x, context)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.layer(y, context)


class Affine(Layer):
    """y = (x − loc)·exp(−log scale), learned for each number.

    It stands where data come in, started at their mean and standard deviation, and as the scaling
    layer at the end of NICE (Dinh, Krueger and Bengio, 2015, https://arxiv.org/abs/1410.8516).

    Args:
        shape: of a datum, or one that broadcasts to it from the right.
        event_shape: of a datum, where ``shape`` is another.
    """

    def __init__(
        self, shape: int | tuple[int, ...], event_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.loc = nn.Parameter(torch.zeros(shape))
        self.log_scale = nn.Parameter(torch.zeros(shape))
        # How many numbers of a datum share each parameter.
        event = torch.Size(shape if event_shape is None else event_shape)
        self.shared = event.numel() // self.loc.numel()

    @torch.no_grad()
    def start_(self, mean: Tensor, std: Tensor) -> None:
        """Set what is taken off and divided by, both broadcast to the layer's shape."""
        self.loc.copy_(mean.expand_as(self.loc))
        self.log_scale.copy_(std.log().expand_as(self.log_scale))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (x - self.loc) * (-self.log_scale).exp(), -self.log_scale.sum() * self.shared

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return y * self.log_scale.exp() + self.loc, self.log_scale.sum() * self.shared


class Logit(Layer):
    """y = logit(α + (1 − 2α) x): data in [0, 1] on the whole line, which a flow's base needs.

    Args:
        event_rank: how many trailing dimensions are one datum.
        alpha: keeps 0 and 1 away from infinity.

    References:
        Dinh, Sohl-Dickstein and Bengio, 2017, https://arxiv.org/abs/1605.08803, section 4.1
    """

    def __init__(self, event_rank: int, alpha: float = 0.05) -> None:
        super().__init__()
        self.dims = tuple(range(-event_rank, 0))
        self.alpha = alpha

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y = torch.logit(self.alpha + (1.0 - 2.0 * self.alpha) * x)
        return y, -self._log_slope(y)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (y.sigmoid() - self.alpha) / (1.0 - 2.0 * self.alpha), self._log_slope(y)

    def moments(self, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """About the mean and standard deviation of y, to first order, of those of x."""
        inside = self.alpha + (1.0 - 2.0 * self.alpha) * mean.clamp(0.0, 1.0)
        slope = (1.0 - 2.0 * self.alpha) / (inside * (1.0 - inside))
        return torch.logit(inside), std * slope

    def _log_slope(self, y: Tensor) -> Tensor:
        """log dx/dy summed over the datum; σ'(y) = σ(y) σ(−y)."""
        return (-softplus(y) - softplus(-y) - math.log(1.0 - 2.0 * self.alpha)).sum(self.dims)


class FlowDistribution(EventDistribution):
    """The density of what an invertible map makes of a base: log p(x) = log p(ε) + log |dε/dx|.

    Args:
        base: over vectors ``(D,)``, with the batch shape of the whole.
        chain: the layers between.
        event_shape: of a value, D numbers.
        context: ``(*batch, features)``, or None.
        generative: whether the chain leads from the base to the value (fast to draw) or from the
            value to the base (fast to score).

    References:
        Rezende and Mohamed, 2015, https://arxiv.org/abs/1505.05770, equation 5
        Papamakarios et al., 2021, https://arxiv.org/abs/1912.02762
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        base: Distribution,
        chain: Invertible,
        event_shape: tuple[int, ...],
        context: Tensor | None = None,
        generative: bool = False,
    ) -> None:
        # Not super().__init__, which reads the shapes off a parameter.
        self._batch_shape = base.batch_shape
        self._event_shape = torch.Size(event_shape)
        self._event_dims = tuple(range(-len(event_shape), 0))
        self.base, self.chain, self.context, self.generative = base, chain, context, generative

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and their log-densities, ``(*sample_shape, *batch)``, in one pass of the chain."""
        noise, log_p = sample_with_log_prob(self.base, tuple(sample_shape))
        way = self.chain if self.generative else self.chain.inverse
        value, log_det = way(noise, self.context)
        return value.reshape(*value.shape[:-1], *self.event_shape), log_p - log_det

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)``."""
        return self.rsample_and_log_prob(sample_shape)[0]

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        flat = value.flatten(-self.event_rank) if self.event_rank > 1 else value
        # Of one value under many contexts there is one for each.
        lead = torch.broadcast_shapes(flat.shape[:-1], self.batch_shape)
        flat = flat.expand(*lead, flat.shape[-1])
        way = self.chain.inverse if self.generative else self.chain
        noise, log_det = way(flat, self.context)
        return self.base.log_prob(noise) + log_det


class Logistic(EventDistribution):
    """Standard logistic, each number for itself: the base that NICE takes.

    Args:
        zeros: a tensor of zeros, ``(*batch, *event)``, which gives shape, device and type.
        event_rank: how many trailing dimensions are one datum.
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, zeros: Tensor, event_rank: int = 1) -> None:
        super().__init__(zeros, event_rank)
        self.zeros = zeros

    @property
    def mean(self) -> Tensor:
        """Zeros."""
        return self.zeros

    @property
    def variance(self) -> Tensor:
        """π²/3."""
        return torch.full_like(self.zeros, torch.pi**2 / 3)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """logit(u), ``(*sample_shape, *batch, *event)``."""
        u = uniform((*sample_shape, *self.zeros.shape), self.zeros.device).to(self.zeros.dtype)
        return torch.logit(u, eps=2.0**-25)  # draws have 24 bits, and one in 2^24 is zero

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        return self._sum(-softplus(value) - softplus(-value))


class StandardLogistic(nn.Module):
    """The standard logistic as a prior, whatever the context.

    Args:
        latent_shape: of one code: a width, or a shape.

    References:
        Dinh, Krueger and Bengio, 2015, https://arxiv.org/abs/1410.8516, section 3.4

    >>> StandardLogistic(2)().log_prob(torch.zeros(2))  # 2 log 1/4
    tensor(-2.7726)
    """

    zeros: Tensor

    def __init__(self, latent_shape: int | tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = (latent_shape,) if isinstance(latent_shape, int) else tuple(latent_shape)
        self.register_buffer("zeros", torch.zeros(self.event_shape), persistent=False)

    def forward(self, *context: Tensor) -> Logistic:
        """The distribution with an empty batch shape; contexts are ignored."""
        return Logistic(self.zeros, len(self.event_shape))

    def extra_repr(self) -> str:
        return str(self.event_shape)


def standard(kind: str, zeros: Tensor) -> Distribution:
    """The base "normal" or "logistic" over vectors, of the shape of ``zeros`` ``(*batch, D)``."""
    return Logistic(zeros) if kind == "logistic" else UnitNormal(zeros)
