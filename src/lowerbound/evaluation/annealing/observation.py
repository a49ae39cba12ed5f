"""A declared observation noise, for decoders that are no likelihood by themselves."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ...data import DataSpec
from ...distributions import DiagonalNormal
from ...distributions.base import Located
from ...distributions.masked import Masked
from ...errors import LowerboundError


class RoundedNormal(Located):
    """Probabilities of the levels k / (levels − 1): a normal's mass in the bin around each.

    The first and the last bin reach to −∞ and +∞, so the probabilities sum to 1.

    Args:
        loc: of the normal, in units of x, ``(*batch, *event)``.
        sigma: of the normal, in units of x.
        levels: how many.
        event_rank: how many trailing dimensions are one datum.
        spread: whether values are levels that were spread evenly over cells of [0, 1]
            (dequantized): x of level k lies in [k, k + 1) / levels, loc is a mean of such, and
            `log_prob` is the density, the level's probability by the width of its cell.

    >>> p = RoundedNormal(torch.full((4, 1), 0.4), 0.3, levels=4, event_rank=0)
    >>> bool(p.log_prob(torch.arange(4).view(-1, 1) / 3).exp().sum().isclose(torch.tensor(1.0)))
    True
    """

    def __init__(
        self, loc: Tensor, sigma: float, levels: int, event_rank: int, spread: bool = False
    ) -> None:
        super().__init__(loc, event_rank)
        self.sigma, self.levels, self.spread = sigma, levels, spread

    def elementwise(self) -> RoundedNormal:
        """The same with every place an event of its own."""
        return RoundedNormal(self.loc, self.sigma, self.levels, 0, self.spread)

    def _level(self) -> Tensor:
        """The mean of the normal in units of the greatest level."""
        return (self.loc * self.levels - 0.5) / (self.levels - 1) if self.spread else self.loc

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Levels, ``(*sample_shape, *batch, *event)``."""
        with torch.no_grad():
            shape = (*sample_shape, *self.loc.shape)
            x = self._level() + self.sigma * torch.randn(
                shape, dtype=self.loc.dtype, device=self.loc.device
            )
            top = self.levels - 1
            level = (x.clamp(0, 1) * top).round()
            return (level + torch.rand_like(level)) / self.levels if self.spread else level / top

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, for values on the levels: ``(*lead, *event) -> (*lead,)``."""
        half = 0.5 / (self.levels - 1)
        if self.spread:
            value = (value * self.levels).floor().clamp(0, self.levels - 1) / (self.levels - 1)
        apart = value - self._level()
        below, above = (apart - half) / self.sigma, (apart + half) / self.sigma
        # In the lower half of the normal, where its distribution function keeps its figures.
        flip = apart > 0
        low, high = torch.where(flip, -above, below), torch.where(flip, -below, above)
        first, last = value < half, value > 1 - half
        whole, part = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
        inner = whole + torch.log(-torch.expm1((part - whole).clamp(max=-1e-12)))
        outer = torch.where(first, torch.special.log_ndtr(above), torch.special.log_ndtr(-below))
        mass = torch.where(first | last, outer, inner)
        return self._sum(mass + math.log(self.levels) if self.spread else mass)


class Noisy(nn.Module):
    """A decoder's mean with a declared noise around it, as a likelihood.

    Where data are levels the noise is rounded to them, whether the model saw them as they are or
    spread over their cells: so models that were trained on either are given the same, and their
    numbers can be held against each other.

    Args:
        model: has ``prior`` and ``decode``.
        spec: of the data.
        sigma: standard deviation of the noise, in units of x (of levels, of their range).

    Raises:
        LowerboundError: data that have no such noise (binary ones, categories), or sigma ≤ 0.
    """

    no_likelihood = None

    def __init__(self, model: Any, spec: DataSpec, sigma: float) -> None:
        super().__init__()
        if not sigma > 0 or not math.isfinite(sigma):
            raise LowerboundError(f"noise_std: expected a number above 0, came {sigma}; pass 0.1")
        if spec.support in ("binary", "categories"):
            raise LowerboundError(
                f"noise_std: expected grey levels or real numbers, which may carry a normal noise, "
                f"came {spec.support} data; train on others, say with --binarize none"
            )
        self.model, self.sigma = model, float(sigma)
        # Levels that were spread over cells of [0, 1]; standardized ones have no such cells.
        self.spread = (
            spec.dequantize == "uniform"
            and spec.levels is not None
            and isinstance(spec.scale, float | int)
            and math.isclose(spec.scale, spec.levels * float(spec.step))  # ty: ignore[invalid-argument-type]
            and spec.shift == spec.low
        )
        self.levels = spec.levels if spec.support == "levels" or self.spread else None

    @property
    def likelihood(self) -> nn.Module:
        """The model's, where it is one module."""
        return getattr(self.model, "likelihood", self.model)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one datum."""
        return self.model.event_shape

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of one code."""
        return self.model.latent_shape

    def prior(self, *context: Tensor) -> Distribution:
        """p(z|c)."""
        return self.model.prior(*context)

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q(z|x,c), where the model has one."""
        return self.model.encode(x, *context)

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """The decoder's mean, and the noise: batch shape ``(*S, *B)``.

        Of a model that completes data, the noise is of the missing part: that alone is counted.
        """
        found = self.model.decode(z, *context)
        mean, rank = found.mean, len(self.event_shape)
        if self.levels is not None:
            noise = RoundedNormal(mean, self.sigma, self.levels, rank, self.spread)
        else:
            noise = DiagonalNormal(mean, mean.new_full((), math.log(self.sigma)), rank)
        return Masked(noise, found.observed, found.known) if isinstance(found, Masked) else noise

    def extra_repr(self) -> str:
        """The noise: what is kept of one must not come back for another."""
        return self.said() + (" of levels spread over their cells" if self.spread else "")

    def said(self) -> str:
        """For the notes of every number that follows from it."""
        kind = "rounded normal" if self.levels is not None else "normal"
        return f"likelihood: {kind} around the decoder's mean, declared σ = {self.sigma:g} of x"
