"""Changes of images that a gradient goes through, and that a discriminator gets to see alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from .. import noise

Change = Literal["colour", "translation", "cutout"]
CHANGES: tuple[Change, ...] = ("colour", "translation", "cutout")


class Augment(nn.Module):
    """Brightness, saturation and contrast; shifts of up to an eighth; a square left out.

    Data and samples go through the same, drawn anew for each example: the generator is not led to
    draw changed images, for the changes are ones that can be told from what was changed.

    Args:
        changes: which of :data:`CHANGES`, in this order.
        unit: whether x lies in [0, 1]. It is changed as in [-1, 1], the paper's units: brightness
            by up to a quarter of the range, and what is left out is grey.

    Shape:
        ``(N, C, H, W)`` -> the same.

    Reference:
        Zhao et al. 2020, Differentiable augmentation for data-efficient GAN training,
        arXiv 2006.10738
    """

    def __init__(self, changes: Sequence[Change] = CHANGES, unit: bool = False) -> None:
        super().__init__()
        self.changes, self.unit = tuple(changes), unit

    def forward(self, x: Tensor) -> Tensor:
        x = 2.0 * x - 1.0 if self.unit else x
        for change in self.changes:
            x = {"colour": _colour, "translation": _shift, "cutout": _cut}[change](x)
        return 0.5 * (x + 1.0) if self.unit else x

    def extra_repr(self) -> str:
        return ", ".join(self.changes)


def _drawn(x: Tensor) -> Tensor:
    """A number in [0, 1) for each example, ``(N, 1, 1, 1)``."""
    return noise.uniform((len(x),), x.device).to(x.dtype).view(-1, 1, 1, 1)


def _colour(x: Tensor) -> Tensor:
    x = x + _drawn(x) - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * 2.0 * _drawn(x)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (x - mean) * (0.5 + _drawn(x))


def _shift(x: Tensor) -> Tensor:
    """By whole pixels; what comes in is zero."""
    height, width = x.shape[-2:]
    for axis, size in ((-2, height), (-1, width)):
        most = max(1, round(size / 8))
        by = (_drawn(x) * (2 * most + 1)).floor() - most  # -most to most, alike
        at = torch.arange(size, device=x.device).view(*((-1, 1) if axis == -2 else (1, -1)))
        source = at - by.long()
        inside = (source >= 0) & (source < size)
        source = source.clamp(0, size - 1).expand(len(x), x.shape[1], height, width)
        x = x.gather(axis, source) * inside
    return x


def _cut(x: Tensor) -> Tensor:
    """A rectangle of half the sides, with its middle anywhere, is zero."""
    height, width = x.shape[-2:]
    hidden = torch.ones((), dtype=torch.bool, device=x.device)
    for size, shape in ((height, (-1, 1)), (width, (1, -1))):
        middle = (_drawn(x) * size).floor()
        off = torch.arange(size, device=x.device).view(*shape) - middle
        half = size / 4
        hidden = hidden & (off >= -half) & (off < half)
    return x * ~hidden
