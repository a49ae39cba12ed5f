"""Convolutional networks between images and two grids of vectors, one of them half as fine."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .grid import GridDecoder, GridEncoder, coarser


class TwoGridsEncoder(nn.Module):
    """Image to the vectors of a coarse grid, and after them those of a fine one.

    Args:
        in_shape: ``(C, H, W)``.
        width: numbers of a vector that comes out.
        downsampling: how many times coarser the fine grid is than the image, a power of two; the
            coarse one is twice as coarse.
        channels: of the feature maps.
        blocks: residual blocks before each grid.

    Attributes:
        grids: ``(h, w)`` of the coarse and of the fine grid.
        positions: of the two.

    Shape:
        ``(N, C, H, W)`` -> ``(N, P_coarse + P_fine, width)``.

    Reference:
        Razavi, van den Oord & Vinyals 2019, arXiv 1906.00446, section 3.1

    >>> TwoGridsEncoder((3, 31, 28), 5, channels=8)(torch.zeros(2, 3, 31, 28)).shape
    torch.Size([2, 72, 5])
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        width: int,
        *,
        downsampling: int = 4,
        channels: int = 128,
        blocks: int = 2,
    ) -> None:
        super().__init__()
        shared = {"channels": channels, "blocks": blocks}
        coarser(in_shape[1:], 2 * downsampling)  # refuses what is too small for two
        self.down = GridEncoder(in_shape, channels, downsampling=downsampling, **shared)
        fine = self.down.grid
        self.further = GridEncoder((channels, *fine), width, downsampling=2, **shared)
        self.read = nn.Linear(channels, width)
        self.grids = (self.further.grid, fine)
        self.positions = (math.prod(self.further.grid), math.prod(fine))

    def forward(self, x: Tensor) -> Tensor:
        features = self.down(x)  # (N, P_fine, channels)
        image = features.mT.unflatten(2, self.grids[1])
        return torch.cat((self.further(image), self.read(features)), 1)


class Between(nn.Module):
    """Vectors of the coarse grid to what they tell those of the fine one.

    Args:
        width: numbers of a vector that comes in.
        out: numbers of a vector that comes out.
        fine: ``(h, w)`` of the fine grid; the coarse one is half of it, rounded up.
        channels: of the feature maps.
        blocks: residual blocks.

    Shape:
        ``(N, P_coarse, width)`` -> ``(N, P_fine, out)``.
    """

    def __init__(
        self, width: int, out: int, fine: tuple[int, ...], *, channels: int, blocks: int
    ) -> None:
        super().__init__()
        self.up = GridDecoder(width, (out, *fine), downsampling=2, channels=channels, blocks=blocks)

    def forward(self, vectors: Tensor) -> Tensor:
        return self.up(vectors).flatten(2).mT


class TwoGridsDecoder(nn.Module):
    """Vectors of a coarse grid and of a fine one to an image.

    Args:
        width: numbers of a vector that comes in.
        out_shape: ``(C, H, W)``.
        downsampling: see `TwoGridsEncoder`.
        channels: of the feature maps.
        blocks: residual blocks.
        context: numbers in all context vectors together.

    Shape:
        ``(N, P_coarse + P_fine, width)``, contexts ``(N, c_i)`` -> ``(N, *out_shape)``.
    """

    def __init__(
        self,
        width: int,
        out_shape: Sequence[int],
        *,
        downsampling: int = 4,
        channels: int = 128,
        blocks: int = 2,
        context: int = 0,
    ) -> None:
        super().__init__()
        fine = coarser(out_shape[1:], downsampling)
        self.coarse = math.prod(coarser(fine, 2))
        self.up = Between(width, width, fine, channels=channels, blocks=0)
        self.main = GridDecoder(
            2 * width,
            out_shape,
            downsampling=downsampling,
            channels=channels,
            blocks=blocks,
            context=context,
        )
        self.out_shape = self.main.out_shape

    def forward(self, vectors: Tensor, *context: Tensor) -> Tensor:
        first, rest = vectors[:, : self.coarse], vectors[:, self.coarse :]
        return self.main(torch.cat((rest, self.up(first)), 2), *context)

    def start_(self, raw: Tensor) -> None:
        """Sets the offset, so that the untrained network returns about ``raw``, ``out_shape``."""
        self.main.start_(raw)
