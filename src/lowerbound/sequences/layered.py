"""States of several layers, each given those above it, as one distribution over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from ..distributions.base import EventDistribution, sample_with_log_prob


class LayeredNormal(EventDistribution):
    """p(z_L | c) p(z_{L-1} | z_L, c) … p(z_1 | z_2, …, c) over z = (z_L, …, z_1) laid together.

    Args:
        heads: from ``(*lead, width above + context)`` to each layer's distribution, top first.
        context: ``(*lead, width)``.
        sizes: numbers of each layer, top first.
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, heads: Sequence[Any], context: Tensor, sizes: Sequence[int]) -> None:
        super().__init__(context, 1)
        self._event_shape = torch.Size((sum(sizes),))
        self.heads, self.context, self.sizes = heads, context, tuple(sizes)

    @property
    def support(self) -> constraints.Constraint:
        """All of R^n."""
        return constraints.independent(constraints.real, 1)

    @property
    def mean(self) -> Tensor:
        """Each layer's mean at the means of those above: no mean of the whole, but near one."""
        parts: list[Tensor] = []
        for head in self.heads:
            parts.append(head(torch.cat((*parts, self.context), -1)).mean)
        return torch.cat(parts, -1)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *batch, n)``."""
        return self.rsample_and_log_prob(sample_shape)[0]

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and their log-densities, ``(*sample_shape, *batch)``, nats."""
        context = self.context.expand(*sample_shape, *self.context.shape)
        parts: list[Tensor] = []
        total: Tensor | float = 0.0
        for head in self.heads:
            z, log_p = sample_with_log_prob(head(torch.cat((*parts, context), -1)))
            parts.append(z)
            total = total + log_p
        assert isinstance(total, Tensor)
        return torch.cat(parts, -1), total

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, n) -> (*lead,)``."""
        lead = torch.broadcast_shapes(value.shape[:-1], self.context.shape[:-1])
        value = value.expand(*lead, value.shape[-1])
        context = self.context.expand(*lead, self.context.shape[-1])
        total = value.new_zeros(())
        above = 0
        for head, size in zip(self.heads, self.sizes, strict=True):
            p = head(torch.cat((value[..., :above], context), -1))
            total = total + p.log_prob(value[..., above : above + size])
            above += size
        return total


class Layered(nn.Module):
    """A conditional over states of one or more layers.

    Args:
        heads: one for each layer, the top one first; each from one vector, which begins with the
            states of the layers above.
        sizes: numbers of each layer.
    """

    def __init__(self, heads: Sequence[nn.Module], sizes: Sequence[int]) -> None:
        super().__init__()
        self.heads, self.sizes = nn.ModuleList(heads), tuple(sizes)
        self.event_shape = (sum(self.sizes),)

    def forward(self, *contexts: Tensor) -> Distribution:
        """Of contexts ``(*lead, width)`` each, whose leading dimensions broadcast."""
        joined = together(*contexts)
        if len(self.heads) == 1:  # in closed form, which bounds make use of
            return self.heads[0](joined)
        return LayeredNormal(list(self.heads), joined, self.sizes)


def together(*contexts: Tensor) -> Tensor:
    """Vectors side by side, their leading dimensions broadcast (aligned from the right).

    >>> together(torch.zeros(5, 2, 3), torch.ones(2, 1)).shape
    torch.Size([5, 2, 4])
    """
    lead = torch.broadcast_shapes(*(each.shape[:-1] for each in contexts))
    return torch.cat([each.expand(*lead, each.shape[-1]) for each in contexts], -1)
