"""Vectors whose parts are independent: a class and a style, say."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from .base import EventDistribution
from .delta import PointMass
from .families import Family
from .onehot import OneHotCategorical


class Beside(EventDistribution):
    """Two independent vectors, one after the other.

    Args:
        first: batch ``B``, event ``(K,)``.
        second: batch ``B``, event ``(D,)``.

    >>> from .onehot import OneHotCategorical
    >>> p = Beside(OneHotCategorical(torch.zeros(4)), OneHotCategorical(torch.zeros(2)))
    >>> p.log_prob(torch.tensor([0.0, 1, 0, 0, 1, 0]))  # log(1/8)
    tensor(-2.0794)
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    has_rsample = False

    def __init__(self, first: Distribution, second: Distribution) -> None:
        super().__init__(torch.cat([first.mean, second.mean], -1), 1)
        self.first, self.second = first, second

    @property
    def support(self) -> constraints.Constraint:
        """Of the joined vector, whose parts have their own."""
        sizes = [p.event_shape[0] for p in (self.first, self.second)]
        supports: list[Any] = [self.first.support, self.second.support]
        return constraints.cat(supports, dim=-1, lengths=sizes)

    @property
    def mean(self) -> Tensor:
        """``(*batch, K + D)``."""
        return torch.cat([self.first.mean, self.second.mean], -1)

    @property
    def variance(self) -> Tensor:
        """``(*batch, K + D)``."""
        return torch.cat([self.first.variance, self.second.variance], -1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *batch, K + D)``."""
        with torch.no_grad():
            parts = [p.sample(torch.Size(sample_shape)) for p in (self.first, self.second)]
            return torch.cat(parts, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, K + D) -> (*lead,)``."""
        cut = self.first.event_shape[0]
        return self.first.log_prob(value[..., :cut]) + self.second.log_prob(value[..., cut:])


class ClassAndStyle(nn.Module):
    """p(y) p(s): one of some classes, all as likely, beside a style of any prior.

    Args:
        classes: K.
        style: p(s), a module without contexts, of ``event_shape`` ``(D,)``.
        dimensions: D.
    """

    logits: Tensor

    def __init__(self, classes: int, style: nn.Module, dimensions: int) -> None:
        super().__init__()
        self.style = style
        self.event_shape = (classes + dimensions,)
        self.register_buffer("logits", torch.zeros(classes), persistent=False)

    def forward(self) -> Beside:
        """Batch shape ()."""
        return Beside(OneHotCategorical(self.logits), self.style())


class ClassAndStylePoint(Family):
    """A point that is the probabilities of K classes and a style of D numbers.

    Args:
        classes: K.
        dimensions: D.

    >>> ClassAndStylePoint(2, 1)(torch.tensor([0.0, 0.0, 3.0])).mean
    tensor([0.5000, 0.5000, 3.0000])
    """

    def __init__(self, classes: int, dimensions: int) -> None:
        super().__init__((classes + dimensions,))
        self.classes = classes

    def forward(self, raw: Tensor) -> PointMass:
        """Raw are the classes' logits and the style, ``(*lead, K + D)``."""
        logits, style = raw[..., : self.classes], raw[..., self.classes :]
        return PointMass(torch.cat([logits.softmax(-1), style], -1))
