"""The time between two steps, as numbers for a network."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TimeStep(nn.Module):
    """A time difference as features: itself, its logarithm, and waves of several periods.

    A network that turns a state by an angle in proportion to time cannot do so from the number
    alone; with the waves it needs no more than products.

    Args:
        longest: the greatest difference that is met in training, in units of `unit`.
        unit: the usual difference between two steps.
        waves: periods, from 2 units to four times the longest, in equal ratios; None: 4, and more
            for longer ones such that each is at most e times the one before.

    Shape:
        ``(*,) -> (*, width)``.

    >>> TimeStep(10.0)(torch.tensor([1.0, 10.0])).shape
    torch.Size([2, 10])
    """

    frequencies: Tensor

    def __init__(self, longest: float, unit: float = 1.0, waves: int | None = None) -> None:
        super().__init__()
        self.longest, self.unit = max(float(longest), 1.0), float(unit)
        if waves is None:
            waves = max(4, 1 + math.ceil(math.log(2.0 * self.longest) - 1e-6))
        periods = torch.logspace(math.log10(2.0), math.log10(4.0 * self.longest), waves)
        self.register_buffer("frequencies", 2.0 * math.pi / periods, persistent=False)
        self.width = 2 + 2 * waves

    def forward(self, difference: Tensor) -> Tensor:
        steps = difference / self.unit
        angle = steps[..., None] * self.frequencies
        size = torch.log1p(steps.clamp_min(0.0)) / math.log1p(self.longest)
        plain = torch.stack((steps / self.longest, size), -1)
        return torch.cat((plain, angle.sin(), angle.cos()), -1)
