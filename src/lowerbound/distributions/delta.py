"""The distribution that is certain of one point."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from .base import EventDistribution


class PointMass(EventDistribution):
    """All mass on one point, by counting measure: log-probability 0 there, -inf elsewhere.

    Args:
        point: ``(*batch, *event)``, real numbers or indices.
        event_rank: how many trailing dimensions are one datum.

    >>> q = PointMass(torch.tensor([[1, 2], [3, 4]]))
    >>> q.log_prob(torch.tensor([1, 2]))
    tensor([0., -inf])
    """

    has_rsample = True
    certain = True
    arg_constraints: ClassVar[dict[str, Any]] = {"point": constraints.real}

    def __init__(self, point: Tensor, event_rank: int = 1) -> None:
        super().__init__(point, event_rank)
        self.point = point

    @property
    def support(self) -> constraints.Constraint:
        """R^event."""
        return constraints.independent(constraints.real, self.event_rank)

    @property
    def mean(self) -> Tensor:
        """The point."""
        return self.point

    @property
    def mode(self) -> Tensor:
        """The point."""
        return self.point

    @property
    def variance(self) -> Tensor:
        """Zeros."""
        return torch.zeros_like(self.point)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """The point, again and again: ``(*sample_shape, *batch, *event)``."""
        return self.point.expand(*sample_shape, *self.point.shape)

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """The point, and log 1."""
        return self.rsample(sample_shape), self._zeros((*sample_shape, *self.batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        elsewhere = self._sum(value != self.point) > 0
        return self._zeros(elsewhere.shape).masked_fill(elsewhere, -torch.inf)

    def entropy(self) -> Tensor:
        """0 nats, ``(*batch,)``."""
        return self._zeros(self.batch_shape)

    def _zeros(self, shape: Any) -> Tensor:
        real = self.point.dtype if self.point.is_floating_point() else torch.get_default_dtype()
        return torch.zeros(shape, dtype=real, device=self.point.device)
