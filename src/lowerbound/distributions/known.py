"""A random vector with a known one beside it."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from .base import EventDistribution, sample_with_log_prob


class WithKnown(EventDistribution):
    """(z, h): z as it is distributed, h certain. Log-densities are of z alone.

    Args:
        base: of z, ``(*batch, d)``.
        known: h, ``(*, w)``, which broadcasts to the batch.

    >>> from lowerbound.distributions import StandardNormal
    >>> q = WithKnown(StandardNormal(2)(), torch.tensor([7.0]))
    >>> q.sample((5,)).shape, q.mean.tolist()
    (torch.Size([5, 3]), [0.0, 0.0, 7.0])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, base: Distribution, known: Tensor) -> None:
        known = known.expand(*base.batch_shape, known.shape[-1])
        super().__init__(known, 1)
        self.base, self.known = base, known
        (self.width,) = base.event_shape
        self._event_shape = torch.Size((self.width + known.shape[-1],))

    @property
    def support(self) -> constraints.Constraint:
        """All of R^n."""
        return constraints.independent(constraints.real, 1)

    @property
    def mean(self) -> Tensor:
        """The mean of z, and h."""
        return torch.cat((self.base.mean, self.known), -1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *batch, d + w)``."""
        return self._with(self.base.rsample(sample_shape))

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and log-densities of z, ``(*sample_shape, *batch)``, nats."""
        z, log_p = sample_with_log_prob(self.base, tuple(sample_shape))
        return self._with(z), log_p

    def log_prob(self, value: Tensor) -> Tensor:
        """Of the first numbers of ``(*lead, d + w)``; the others are taken for h. Nats."""
        return self.base.log_prob(value[..., : self.width])

    def _with(self, z: Tensor) -> Tensor:
        return torch.cat((z, self.known.expand(*z.shape[:-1], self.known.shape[-1])), -1)
