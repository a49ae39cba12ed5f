"""The prior that knows nothing of codes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..distributions.categorical import IndependentCategorical


class UniformCategorical(IndependentCategorical):
    """All ``levels`` categories equally likely at every place: log p = −places · log levels.

    Args:
        levels: K.
        event_shape: places.

    >>> UniformCategorical(4, (2, 3)).log_prob(torch.zeros(5, 2, 3, dtype=torch.int64))[0]
    tensor(-8.3178)
    """

    def __init__(
        self, levels: int, event_shape: tuple[int, ...], device: torch.device | None = None
    ) -> None:
        logits = torch.zeros((), device=device).expand(levels, *event_shape)
        super().__init__(logits, len(event_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        lead = value.shape[: value.dim() - self.event_rank]
        nats = -math.prod(self.event_shape) * math.log(self.levels)
        return torch.full(lead, nats, device=value.device)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Indices, int64 ``(*sample_shape, *event)``."""
        shape = (*sample_shape, *self.event_shape)
        return torch.randint(self.levels, shape, device=self.logits.device)


class UniformCodes(nn.Module):
    """p(z) uniform over the codes: nothing to learn.

    Args:
        latent_shape: of one code.
        levels: K of each index.
    """

    home: Tensor

    def __init__(self, latent_shape: tuple[int, ...], levels: int) -> None:
        super().__init__()
        self.event_shape, self.levels = tuple(latent_shape), levels
        self.register_buffer("home", torch.zeros(()), persistent=False)  # knows the device

    def forward(self, *context: Tensor) -> UniformCategorical:
        """The same, whatever the contexts."""
        return UniformCategorical(self.levels, self.event_shape, self.home.device)
