"""Convolutional networks between images and a coarser grid of vectors, for any size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import LowerboundError
from .start import initialise_, output_


def coarser(size: Sequence[int], downsampling: int) -> tuple[int, ...]:
    """The grid of an image that is halved until it is so many times smaller, rounding up.

    Raises:
        LowerboundError: the downsampling is no power of two, or leaves no grid.

    >>> coarser((28, 31), 4)
    (7, 8)
    """
    halvings = round(math.log2(downsampling)) if downsampling >= 1 else -1
    if halvings < 0 or 2**halvings != downsampling:
        raise LowerboundError(f"downsampling: expected a power of two, came {downsampling}; pass 4")
    if downsampling > max(size):
        raise LowerboundError(
            f"downsampling: expected at most the image's {max(size)} pixels, came {downsampling}; "
            "pass a smaller one"
        )
    found = tuple(size)
    for _ in range(halvings):
        found = tuple(-(-side // 2) for side in found)
    return found


class Residual(nn.Module):
    """x + 1x1(relu(3x3(relu(x)))), which starts as the identity.

    Args:
        channels: in and out.
        inner: between the two.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.first = initialise_(nn.Conv2d(channels, inner, 3, padding=1), "relu")
        self.second = output_(nn.Conv2d(inner, channels, 1), gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, h, w)`` as it comes."""
        return x + self.second(functional.relu(self.first(functional.relu(x))))


class GridEncoder(nn.Module):
    """Image to a vector at each position of a grid: strided convolutions, then residual blocks.

    Frames of a film are encoded one by one.

    Args:
        in_shape: ``(C, H, W)``, or of a film ``(F, C, H, W)``.
        width: numbers of a vector that comes out.
        downsampling: how many times smaller the grid is, a power of two.
        channels: of the feature maps.
        blocks: residual blocks.

    Shape:
        ``(N, *in_shape)`` -> ``(N, P, width)``, P = h·w, or F·h·w.

    Reference:
        van den Oord et al. 2017, arXiv 1711.00937, section 4.1

    >>> GridEncoder((3, 31, 28), 5, channels=8)(torch.zeros(2, 3, 31, 28)).shape
    torch.Size([2, 56, 5])
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
        *frames, depth, height, wide = in_shape
        self.grid = (*frames, *coarser((height, wide), downsampling))
        self.film = bool(frames)
        maps: list[nn.Module] = []
        halvings = round(math.log2(downsampling))
        before = depth
        for level in range(halvings):
            after = channels if level == halvings - 1 else max(channels // 2, 1)
            maps += [Even(), initialise_(nn.Conv2d(before, after, 4, stride=2, padding=1), "relu")]
            maps.append(nn.ReLU())
            before = after
        maps.append(initialise_(nn.Conv2d(before, channels, 3, padding=1), "relu"))
        maps += [Residual(channels, max(channels // 4, 1)) for _ in range(blocks)]
        last = initialise_(nn.Conv2d(channels, width, 1), "linear")
        self.maps = _channels_last(nn.Sequential(*maps, nn.ReLU(), last))

    def forward(self, x: Tensor) -> Tensor:
        count = x.shape[0]
        x = x.flatten(0, 1) if self.film else x
        v = self.maps(x.contiguous(memory_format=torch.channels_last))  # (N·F, width, h, w)
        return v.flatten(2).mT.reshape(count, -1, v.shape[1])


class GridDecoder(nn.Module):
    """A grid of vectors to an image: residual blocks, then transposed convolutions.

    Args:
        width: numbers of a vector that comes in.
        out_shape: ``(C, H, W)``, or of a film ``(F, C, H, W)``.
        downsampling: how many times smaller the grid is, a power of two.
        channels: of the feature maps.
        blocks: residual blocks.
        context: numbers in all context vectors together; they are joined to each vector.

    Shape:
        ``(N, P, width)``, contexts ``(N, c_i)`` -> ``(N, *out_shape)``.

    Reference:
        van den Oord et al. 2017, arXiv 1711.00937, section 4.1

    >>> GridDecoder(5, (6, 31, 28), channels=8)(torch.zeros(2, 56, 5)).shape
    torch.Size([2, 6, 31, 28])
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
        *frames, depth, height, wide = out_shape
        self.out_shape, self.film = tuple(out_shape), bool(frames)
        self.grid = coarser((height, wide), downsampling)
        self.positions = math.prod(frames) * math.prod(self.grid)
        first = nn.Conv2d(width + context, channels, 3, padding=1)
        maps: list[nn.Module] = [initialise_(first, "linear")]
        maps += [Residual(channels, max(channels // 4, 1)) for _ in range(blocks)]
        maps.append(nn.ReLU())
        halvings = round(math.log2(downsampling))
        sizes = [coarser((height, wide), 2**level) for level in range(halvings)][::-1]
        before = channels
        for level, size in enumerate(sizes):
            last = level == halvings - 1
            after = depth if last else max(channels // 2, 1)
            up = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=not last)
            # Each output adds a quarter of the kernel's places.
            nn.init.normal_(up.weight, std=(0.5 if last else 2**0.5) / (4 * before) ** 0.5)
            if up.bias is not None:
                nn.init.zeros_(up.bias)
            maps += [up, Crop(size), *([] if last else [nn.ReLU()])]
            before = after
        if not halvings:
            maps.append(output_(nn.Conv2d(channels, depth, 3, padding=1, bias=False)))
        self.maps = _channels_last(nn.Sequential(*maps))
        self.offset = nn.Parameter(torch.zeros(self.out_shape))

    def forward(self, vectors: Tensor, *context: Tensor) -> Tensor:
        count = vectors.shape[0]
        if context:
            beside = torch.cat(context, 1)[:, None].expand(-1, vectors.shape[1], -1)
            vectors = torch.cat([vectors, beside], 2)
        maps = vectors.reshape(-1, math.prod(self.grid), vectors.shape[2]).mT
        maps = maps.reshape(maps.shape[0], -1, *self.grid)
        x = self.maps(maps.contiguous(memory_format=torch.channels_last))
        return x.reshape(count, *self.out_shape) + self.offset

    @torch.no_grad()
    def start_(self, raw: Tensor) -> None:
        """Sets the offset, so that the untrained network returns about ``raw``, ``out_shape``."""
        self.offset.copy_(raw.reshape(self.out_shape))


class Even(nn.Module):
    """An image with an even number of rows and columns: the last ones are repeated."""

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to even H, W."""
        # Joined, not padded: the gradient of replicated padding does not compile channels last.
        x = torch.cat([x, x[:, :, -1:]], 2) if x.shape[2] % 2 else x
        return torch.cat([x, x[..., -1:]], 3) if x.shape[3] % 2 else x


class Crop(nn.Module):
    """The first rows and columns.

    Args:
        size: how many.
    """

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C, *size)``."""
        return x[:, :, : self.size[0], : self.size[1]]


def _channels_last(module: nn.Sequential) -> Any:
    return module.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
