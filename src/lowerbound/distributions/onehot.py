"""One of some categories, as a vector with a single one: a code that a network can take."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from .base import EventDistribution
from .families import Family


class OneHotCategorical(EventDistribution):
    """One of K categories; the draw is the K-vector with a one at its place.

    Args:
        logits: ``(*batch, K)``, unnormalised.

    >>> p = OneHotCategorical(torch.zeros(4))
    >>> p.log_prob(torch.tensor([0.0, 1.0, 0.0, 0.0]))  # log(1/4)
    tensor(-1.3863)
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real_vector}

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits, 1)
        self.logits = logits

    @property
    def support(self) -> constraints.Constraint:
        """Vectors with a single one."""
        return constraints.one_hot

    @property
    def log_probs(self) -> Tensor:
        """Normalised, ``(*batch, K)``, nats."""
        return self.logits.log_softmax(-1)

    @property
    def mean(self) -> Tensor:
        """The probabilities, ``(*batch, K)``."""
        return self.logits.softmax(-1)

    @property
    def mode(self) -> Tensor:
        """The likeliest category, ``(*batch, K)``."""
        best = self.logits.argmax(-1, keepdim=True)
        return torch.zeros_like(self.logits).scatter(-1, best, 1.0)

    @property
    def variance(self) -> Tensor:
        """Of each place, ``(*batch, K)``."""
        return self.mean * (1 - self.mean)

    def expand(self, batch_shape: Any, _instance: Any = None) -> OneHotCategorical:
        """The same distribution under more leading dimensions."""
        return OneHotCategorical(self.logits.expand(*batch_shape, self.logits.shape[-1]))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *batch, K)``, in the type of the logits."""
        with torch.no_grad():
            # The largest of logits with Gumbel noise is a draw from their softmax.
            noise = self.logits.new_empty((*sample_shape, *self.logits.shape)).exponential_()
            drawn = (self.logits - noise.log()).argmax(-1, keepdim=True)
            return torch.zeros_like(noise).scatter(-1, drawn, 1.0)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, K) -> (*lead,)``."""
        return (value * self.log_probs).sum(-1)

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        return torch.special.entr(self.mean).sum(-1)


class OneHot(Family):
    """A categorical code, raw = K logits.

    Args:
        event_shape: ``(K,)``, or K.

    >>> OneHot(3)(torch.zeros(5, 3)).mean[0]
    tensor([0.3333, 0.3333, 0.3333])
    """

    supports = frozenset({"categories"})

    def forward(self, raw: Tensor) -> OneHotCategorical:
        """Raw are logits, ``(*lead, K)``."""
        return OneHotCategorical(raw)

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """Zeros, a uniform."""
        return torch.zeros_like(mean)
