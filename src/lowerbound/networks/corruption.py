"""Corruptions M(x~ | x) of a datum (EQUATIONS 4), for models that learn to undo them.

Each is a module ``forward(x) -> (corrupted, hidden)``: ``corrupted`` has the shape of x
``(*B, *event_shape)``; ``hidden`` is a mask of that shape, True where the clean value was replaced,
or None where every value keeps a trace of it (additive noise).

Patches and tokens are hidden in a fixed number for each example, so that a mean over examples of
means over hidden places is the mean over all hidden places.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import LowerboundError
from ..noise import normal, uniform

Fill = Literal["zero", "mean"]
Corrupted = tuple[Tensor, Tensor | None]


class Corruption(nn.Module):
    """A random change of a datum that a model is to undo.

    Abstract: a subclass implements :meth:`forward`.

    Args:
        event_shape: shape of one datum.

    Attributes:
        hides: whether :meth:`forward` returns a mask.
    """

    hides = True
    low: Tensor
    high: Tensor
    mean: Tensor

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        # In the weights: a model that is opened again knows no statistics of the data.
        self.register_buffer("mean", torch.zeros(self.event_shape))
        self.register_buffer("low", torch.zeros(self.event_shape))
        self.register_buffer("high", torch.ones(self.event_shape))

    @torch.no_grad()
    def start(self, mean: Tensor, low: Tensor, high: Tensor) -> None:
        """Take over what the data are like.

        Args:
            mean: of x, ``event_shape``.
            low: the least value of x, ``event_shape``.
            high: the greatest.
        """
        for own, value in ((self.mean, mean), (self.low, low), (self.high, high)):
            own.copy_(value)

    def forward(self, x: Tensor) -> Corrupted:
        """x ``(*B, *event_shape)`` corrupted, and where its values were replaced."""
        raise NotImplementedError


class Masking(Corruption):
    """Numbers hidden, each independently of the others.

    Args:
        event_shape: shape of one datum.
        rate: probability of each number to be hidden.
        fill: what stands in its place: zero, or its mean over the data.

    Reference:
        Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders

    >>> Masking((3,), rate=1.0)(torch.ones(2, 3))[0]
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """

    def __init__(
        self, event_shape: tuple[int, ...], rate: float = 0.25, fill: Fill = "zero"
    ) -> None:
        super().__init__(event_shape)
        self.rate, self.fill = rate, fill

    def forward(self, x: Tensor) -> Corrupted:
        hidden = uniform(x.shape, x.device) < self.rate
        return _filled(x, hidden, self.mean, self.fill), hidden


class GaussianNoise(Corruption):
    """x + sigma e, e ~ N(0, I).

    Args:
        event_shape: shape of one datum.
        sigma: standard deviation of the noise, in units of x.

    Reference:
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11
    """

    hides = False

    def __init__(self, event_shape: tuple[int, ...], sigma: float = 0.5) -> None:
        super().__init__(event_shape)
        self.sigma = sigma

    def forward(self, x: Tensor) -> Corrupted:
        return x + self.sigma * normal(x.shape, x.dtype, x.device), None


class SaltAndPepper(Corruption):
    """Numbers set to their least or greatest value, by a fair coin.

    Args:
        event_shape: shape of one datum.
        rate: probability of each number to be set.

    Reference:
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11
    """

    def __init__(self, event_shape: tuple[int, ...], rate: float = 0.25) -> None:
        super().__init__(event_shape)
        self.rate = rate

    def forward(self, x: Tensor) -> Corrupted:
        u = uniform(x.shape, x.device)
        set_to = torch.where(u < 0.5 * self.rate, self.low, self.high).to(x.dtype)
        hidden = u < self.rate
        return torch.where(hidden, set_to, x), hidden


class Patches(Corruption):
    """Whole patches hidden: squares of an image, all channels at once, or runs of a vector.

    Args:
        event_shape: ``(C, H, W)`` or ``(D,)``; patches at the far edges may be smaller.
        size: edge of a patch.
        rate: share of the patches that is hidden, rounded to a whole number of them: at least one,
            and never all.
        fill: what stands in their place: zero, or the mean over the data.

    Raises:
        LowerboundError: there are fewer than two patches.

    Reference:
        He et al. 2022, Masked autoencoders are scalable vision learners, arXiv 2111.06377

    >>> corrupted, hidden = Patches((1, 4, 4), size=2, rate=0.75)(torch.ones(5, 1, 4, 4))
    >>> hidden.sum((1, 2, 3)).tolist()
    [12, 12, 12, 12, 12]
    """

    index: Tensor

    def __init__(
        self,
        event_shape: tuple[int, ...],
        size: int = 4,
        rate: float = 0.75,
        fill: Fill = "zero",
    ) -> None:
        super().__init__(event_shape)
        grid = self.event_shape[1:] if len(self.event_shape) == 3 else self.event_shape
        if len(grid) not in (1, 2):
            raise LowerboundError(
                f"corruption patches: expected images (C, H, W) or vectors (D,), came examples of "
                f"shape {self.event_shape}; pass corruption masking"
            )
        self.size, self.rate, self.fill = size, rate, fill
        places = torch.arange(grid[-1]) // size  # the patch of each place
        self.count = math.ceil(grid[-1] / size)
        if len(grid) == 2:
            places = (torch.arange(grid[0]) // size).unsqueeze(1) * self.count + places
            self.count *= math.ceil(grid[0] / size)
        if self.count < 2:
            raise LowerboundError(
                f"corruption patches: expected at least 2 patches in an example of shape "
                f"{self.event_shape}, came {self.count}; pass a size below {max(grid)}"
            )
        self.register_buffer("index", places.reshape(-1), persistent=False)
        self.hidden = min(max(1, round(rate * self.count)), self.count - 1)
        self._grid = grid

    def forward(self, x: Tensor) -> Corrupted:
        lead = x.shape[: x.dim() - len(self.event_shape)]
        chosen = choose(lead, self.count, self.hidden, x.device)
        mask = chosen.index_select(-1, self.index).reshape(*lead, *self._grid)
        if len(self.event_shape) == 3:
            mask = mask.unsqueeze(-3).expand(x.shape)
        return _filled(x, mask, self.mean, self.fill), mask


class MaskTokens(nn.Module):
    """Some tokens of each sequence chosen to be predicted, most of them replaced by a mask.

    Args:
        levels: number of tokens; the mask is token ``levels``.
        rate: share of the places that is chosen, rounded to a whole number: at least one, never
            all of several.
        masked: share of the chosen ones that the mask replaces.
        random: share that a token drawn at random replaces; the rest stay as they are, so that a
            model cannot tell which of the tokens it sees are to be trusted.

    Raises:
        LowerboundError: the shares are more than one together.

    Reference:
        Devlin et al. 2019, BERT, arXiv 1810.04805, 3.1
    """

    def __init__(
        self, levels: int, rate: float = 0.15, masked: float = 0.8, random: float = 0.1
    ) -> None:
        super().__init__()
        if masked + random > 1.0 + 1e-9:
            raise LowerboundError(
                f"masked, random: expected shares of at most 1 together, came {masked:g} and "
                f"{random:g}; pass --random {1 - masked:g}"
            )
        self.levels, self.rate, self.masked, self.random = levels, rate, masked, random

    def number(self, length: int) -> int:
        """How many places of a sequence are chosen."""
        return max(1, min(round(self.rate * length), length - 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens ``(*B, T)`` with some replaced, and which were chosen, bool ``(*B, T)``."""
        chosen = choose(x.shape[:-1], x.shape[-1], self.number(x.shape[-1]), x.device)
        u = uniform(x.shape, x.device)
        other = (uniform(x.shape, x.device) * self.levels).long().clamp_(max=self.levels - 1)
        corrupted = torch.where(u < self.masked, torch.full_like(x, self.levels), other)
        replaced = chosen & (u < self.masked + self.random)
        return torch.where(replaced, corrupted, x), chosen


def choose(lead: torch.Size | tuple[int, ...], count: int, chosen: int, device: torch.device):
    """`chosen` of `count` places, uniformly without replacement: bool ``(*lead, count)``."""
    order = uniform((*lead, count), device).argsort(-1)
    return order.argsort(-1) < chosen


def _filled(x: Tensor, hidden: Tensor, mean: Tensor, fill: Fill) -> Tensor:
    if fill == "zero":
        return x.masked_fill(hidden, 0.0)
    return torch.where(hidden, mean.to(x.dtype), x)
