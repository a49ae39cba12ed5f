"""Normal distributions with diagonal covariance, and the standard normal prior."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from ..noise import normal
from .base import EventDistribution, Located

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class DiagonalNormal(Located):
    """N(loc, diag(scale²)) over a datum of any shape (EQUATIONS 24).

    Args:
        loc: mean, ``(*batch, *event)``.
        log_scale: log of the standard deviation, any shape that broadcasts to that of loc; a
            0-d tensor is one σ for everything.
        event_rank: how many trailing dimensions are one datum.

    >>> q = DiagonalNormal(torch.zeros(3, 2), torch.zeros(3, 2))
    >>> q.batch_shape, q.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> q.log_prob(torch.zeros(2))  # -log(2 pi), in nats
    tensor([-1.8379, -1.8379, -1.8379])
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "loc": constraints.real,
        "log_scale": constraints.real,
    }

    loc: Tensor
    log_scale: Tensor

    def __init__(self, loc: Tensor, log_scale: Tensor, event_rank: int = 1) -> None:
        super().__init__(loc, event_rank)
        self.log_scale = log_scale
        self._scale = log_scale.exp()

    @property
    def scale(self) -> Tensor:
        """Standard deviation, in the shape of ``log_scale``."""
        return self._scale

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)``."""
        return self.scale.square().expand_as(self.loc)

    def expand(self, batch_shape: Any, _instance: Any = None) -> DiagonalNormal:
        """The same distribution under more leading dimensions."""
        shape = (*batch_shape, *self.event_shape)
        return DiagonalNormal(self.loc.expand(shape), self.log_scale, self.event_rank)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """z = loc + ε·scale, ε ~ N(0, I): ``(*sample_shape, *batch, *event)`` (EQUATIONS 22)."""
        return torch.addcmul(self.loc, self._noise(sample_shape), self.scale)

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and log-densities, ``(*sample_shape, *batch)``: ε need not be recovered from z.

        Along a reparameterized draw (z - loc)/scale is ε, a constant, so the total derivative
        is that of ``log_prob(rsample())``.
        """
        noise = self._noise(sample_shape)
        return torch.addcmul(self.loc, noise, self.scale), self._log_density(noise)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        return self._log_density((value - self.loc) / self.scale)

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        return self._sum((self.log_scale + (HALF_LOG_2PI + 0.5)).expand_as(self.loc))

    def _noise(self, sample_shape: Any) -> Tensor:
        shape = (*sample_shape, *self.loc.shape)
        return normal(shape, self.loc.dtype, self.loc.device)

    def _log_density(self, standardized: Tensor) -> Tensor:
        # log_scale broadcasts inside the one fused pass, so a shared σ is never expanded.
        energy = torch.addcmul(self.log_scale, standardized, standardized, value=0.5)
        return -self._sum(energy) - HALF_LOG_2PI * self.event_shape.numel()


class UnitNormal(DiagonalNormal):
    """N(0, I): what the general formulas become when there is nothing to multiply by.

    Args:
        zeros: a tensor of zeros, ``(*batch, *event)``, which gives shape, device and type.
        event_rank: how many trailing dimensions are one datum.
    """

    def __init__(self, zeros: Tensor, event_rank: int = 1) -> None:
        EventDistribution.__init__(self, zeros, event_rank)
        self.loc = zeros
        self.log_scale = zeros

    @property
    def scale(self) -> Tensor:
        """Ones, in the shape of ``loc``."""
        return torch.ones_like(self.loc)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """ε ~ N(0, I), ``(*sample_shape, *batch, *event)``."""
        return self._noise(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        return self._log_density(value)

    def _log_density(self, standardized: Tensor) -> Tensor:
        energy = self._sum(standardized.square())
        return energy.mul(-0.5) - HALF_LOG_2PI * self.event_shape.numel()


class StandardNormal(nn.Module):
    """The prior N(0, I), whatever the context (https://arxiv.org/abs/1312.6114).

    Args:
        latent_shape: of one code: a width, or a shape such as ``(8, 4, 4)``.

    >>> prior = StandardNormal(2)
    >>> prior().sample((5,)).shape
    torch.Size([5, 2])
    """

    zeros: Tensor

    def __init__(self, latent_shape: int | tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = (latent_shape,) if isinstance(latent_shape, int) else tuple(latent_shape)
        # Carries device and type only: there is nothing to save.
        self.register_buffer("zeros", torch.zeros(self.event_shape), persistent=False)

    def forward(self, *context: Tensor) -> UnitNormal:
        """N(0, I) with an empty batch shape; contexts are ignored."""
        return UnitNormal(self.zeros, len(self.event_shape))

    def extra_repr(self) -> str:
        return str(self.event_shape)
