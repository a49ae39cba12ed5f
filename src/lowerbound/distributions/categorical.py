"""Categories over a whole datum."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from .base import EventDistribution


class IndependentCategorical(EventDistribution):
    """One of ``levels`` categories at each place, independent over the datum.

    Args:
        logits: ``(*batch, levels, *event)``, unnormalised; the categories stand just before
            the event.
        event_rank: how many trailing dimensions are one datum.

    >>> p = IndependentCategorical(torch.zeros(3, 4, 2))  # 3 data of 2 places, 4 categories
    >>> p.batch_shape, p.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> p.log_prob(torch.tensor([0, 3]))  # 2 log(1/4), in nats
    tensor([-2.7726, -2.7726, -2.7726])
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real}

    def __init__(self, logits: Tensor, event_rank: int = 1) -> None:
        self.level_dim = -event_rank - 1
        super().__init__(logits.select(self.level_dim, 0), event_rank)
        self.logits = logits

    @property
    def levels(self) -> int:
        """How many categories."""
        return self.logits.shape[self.level_dim]

    @property
    def support(self) -> constraints.Constraint:
        """{0, ..., levels - 1}^event."""
        return constraints.independent(
            constraints.integer_interval(0, self.levels - 1), self.event_rank
        )

    @property
    def log_probs(self) -> Tensor:
        """Normalised, ``(*batch, levels, *event)``, nats."""
        return self.logits.log_softmax(self.level_dim)

    @property
    def probs(self) -> Tensor:
        """``(*batch, levels, *event)``."""
        return self.logits.softmax(self.level_dim)

    @property
    def mean(self) -> Tensor:
        """Expected index, ``(*batch, *event)``: of use only where categories are ordered."""
        index = torch.arange(self.levels, dtype=self.logits.dtype, device=self.logits.device)
        return (self.probs * index.view(-1, *[1] * self.event_rank)).sum(self.level_dim)

    @property
    def mode(self) -> Tensor:
        """The likeliest index, int64 ``(*batch, *event)``."""
        return self.logits.argmax(self.level_dim)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Indices, int64 ``(*sample_shape, *batch, *event)``."""
        with torch.no_grad():
            shape = (*sample_shape, *self.batch_shape, *self.event_shape)
            flat = self.probs.movedim(self.level_dim, -1).reshape(-1, self.levels)
            count = torch.Size(sample_shape).numel()
            drawn = torch.multinomial(flat, count, replacement=True)  # (places, count)
            return drawn.T.reshape(shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, for integer indices: ``(*lead, *event) -> (*lead,)``."""
        dim = self.level_dim
        rank = len(self._event_dims)
        lead = torch.broadcast_shapes(value.shape[: value.dim() - rank], self._batch_shape)
        logits = self.logits.expand(*lead, self.levels, *self._event_shape)
        index = value.long().expand(*lead, *self._event_shape).unsqueeze(dim)
        # Normalised after the choice: a log_softmax would write a second table of all levels.
        chosen = logits.gather(dim, index).squeeze(dim)
        return self._sum(chosen - self.logits.logsumexp(dim))

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        log_probs = self.log_probs
        terms = torch.special.entr(log_probs.exp())
        return self._sum(terms.sum(self.level_dim))
