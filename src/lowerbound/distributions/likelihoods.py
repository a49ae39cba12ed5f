"""Likelihoods of data on levels, in categories or in an interval."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import LowerboundError
from .bernoulli import (
    IndependentBernoulli,
    IndependentContinuousBernoulli,
    continuous_bernoulli_mean,
)
from .categorical import IndependentCategorical
from .discretized import MixtureOfLogistics
from .families import Family


class Bernoulli(Family):
    """Black and white data, by logits.

    >>> family = Bernoulli((1, 2, 2))
    >>> family(torch.zeros(5, 1, 2, 2)).log_prob(torch.ones(1, 2, 2)).shape
    torch.Size([5])
    >>> family.start(torch.full((1, 2, 2), 0.5), torch.ones(1, 2, 2)).abs().max()
    tensor(0.)
    """

    supports = frozenset({"binary"})
    _GREY = "a Bernoulli gives probabilities to 0 and 1 only, not to the greys between"
    not_a_likelihood: ClassVar[dict[str, str]] = {"levels": _GREY, "unit": _GREY}

    def forward(self, raw: Tensor) -> IndependentBernoulli:
        """Raw are logits, ``(*lead, *event)``."""
        return IndependentBernoulli(raw, len(self.event_shape))

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """Logit of the mean, clipped to [0.001, 0.999] (https://arxiv.org/abs/1509.00519)."""
        return mean.clamp(1e-3, 1 - 1e-3).logit()


class ContinuousBernoulli(Family):
    """Numbers between 0 and 1, by logits (https://arxiv.org/abs/1907.06845).

    >>> ContinuousBernoulli(2)(torch.zeros(2)).log_prob(torch.tensor([0.2, 0.9]))
    tensor(0.)
    """

    supports = frozenset({"unit"})
    not_a_likelihood: ClassVar[dict[str, str]] = {
        "levels": "a density at isolated levels is not a probability; dequantize the data",
        "binary": "a density at 0 and 1 is not a probability; use the bernoulli likelihood",
    }

    def forward(self, raw: Tensor) -> IndependentContinuousBernoulli:
        """Raw are logits, ``(*lead, *event)``."""
        return IndependentContinuousBernoulli(raw, len(self.event_shape))

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """Logits with that mean, clipped to [0.01, 0.99], by bisection."""
        target = mean.double().clamp(0.01, 0.99)
        low, high = torch.full_like(target, -200.0), torch.full_like(target, 200.0)
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = continuous_bernoulli_mean(middle) > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (0.5 * (low + high)).to(mean.dtype)


class Categorical(Family):
    """Categories without order, by logits: raw ``(levels·T,)`` for tokens ``(T,)``.

    Args:
        event_shape: of one datum; an int is a sequence's length.
        levels: how many categories; data are integers 0 ... levels - 1.

    >>> Categorical(2, levels=4)(torch.zeros(5, 8)).log_prob(torch.tensor([0, 3]))[0]
    tensor(-2.7726)
    """

    supports = frozenset({"categories"})

    def __init__(self, event_shape: int | tuple[int, ...], levels: int) -> None:
        _check_levels(levels)
        super().__init__(event_shape, channels=levels)
        self.levels = levels

    def forward(self, raw: Tensor) -> IndependentCategorical:
        """Raw are logits in blocks, all places' logits of the first category first."""
        rank = len(self.event_shape)
        logits = raw.unflatten(-rank, (self.levels, self.event_shape[0]))
        return IndependentCategorical(logits, rank)

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """Zeros, a uniform: mean and std of names without order say nothing about them."""
        return torch.zeros(self.raw_shape, dtype=torch.get_default_dtype(), device=mean.device)


class DiscretizedLogisticMixture(Family):
    """Levels k/(levels - 1) in [0, 1], by a mixture of logistics cut at the bins' edges.

    Channels are independent given the code; PixelCNN++ also regresses each channel on the
    earlier ones. Raw are, for each component, a weight's logit, a mean in units of x and a log
    scale, in blocks of ``components``; the log scale is clamped to no less than e⁻³ bins.

    Args:
        event_shape: of one datum.
        levels: how many levels.
        components: of the mixture, for each place.

    References:
        Salimans et al., 2017, https://arxiv.org/abs/1701.05517

    >>> family = DiscretizedLogisticMixture((3, 2, 2), components=5)
    >>> family.raw_shape
    (45, 2, 2)
    """

    supports = frozenset({"levels"})
    not_a_likelihood: ClassVar[dict[str, str]] = {
        "unit": "probabilities of levels are not a density of the numbers between them"
    }

    def __init__(
        self, event_shape: int | tuple[int, ...], levels: int = 256, components: int = 5
    ) -> None:
        _check_levels(levels)
        if components < 1:
            raise LowerboundError(
                f"expected one or more components, came {components}; pass components=5"
            )
        super().__init__(event_shape, channels=3 * components)
        self.levels = levels
        self.components = components
        if levels == 2:  # the two levels are 0 and 1
            self.supports = frozenset({"levels", "binary"})

    def forward(self, raw: Tensor) -> MixtureOfLogistics:
        """Raw are logits, means, log scales in blocks of ``components`` each."""
        rank = len(self.event_shape)
        blocks = raw.unflatten(-rank, (self.channels, self.event_shape[0]))
        logits, means, log_scales = blocks.chunk(3, -rank - 1)
        log_scales = log_scales.clamp(-math.log(self.levels - 1) - 3.0, 10.0)
        return MixtureOfLogistics(logits, means, log_scales, self.levels, rank)

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """Equal weights, means spread about the mean, and together the variance of the data.

        Half of the variance is between components and half within them (all of it for one).
        """
        std = std.clamp_min(0.5 / (self.levels - 1))
        count, ones = self.components, torch.ones_like(mean)
        offsets = torch.linspace(-1, 1, count, dtype=mean.dtype, device=mean.device)
        within = 1.0
        if count > 1:
            within = math.sqrt(0.5)
            offsets = offsets * (within / offsets.std(correction=0))
        else:
            offsets = offsets * 0
        log_scale = (std * (within * math.sqrt(3) / math.pi)).log()
        means = [mean + std * offset for offset in offsets]
        return torch.cat([*[0 * ones] * count, *means, *[log_scale] * count])


def _check_levels(levels: int) -> None:
    if levels < 2:
        raise LowerboundError(f"expected two or more levels, came {levels}; pass levels=256")
