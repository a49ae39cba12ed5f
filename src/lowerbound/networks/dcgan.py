"""The networks of DCGAN: strided convolutions down and up, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from .conv import stages, widths
from .mlp import MLP, nonlinearity

Norm = Literal["group", "batch", "none"]
_GROUPS = 8


class StridedEncoder(nn.Module):
    """Image to vector: each convolution halves the sides, and all but the first are normalised.

    Args:
        in_shape: ``(C, H, W)``, sides of at least 6.
        out_shape: shape of one output.
        channels: after the first convolution, doubled with each further one up to eight times.
        norm: of feature maps: over groups of channels of one example, over the batch, or none.
        activation: nonlinearity.
        context: numbers in all context vectors together; they join the flattened last map.

    Shape:
        input ``(N, C, H, W)``, contexts ``(N, c_i)`` -> ``(N, *out_shape)``.

    Reference:
        Radford, Metz & Chintala 2016, Unsupervised representation learning with deep convolutional
        generative adversarial networks, arXiv 1511.06434

    >>> StridedEncoder((3, 28, 30), (40,), channels=8)(torch.zeros(2, 3, 28, 30)).shape
    torch.Size([2, 40])
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        *,
        channels: int = 32,
        norm: Norm = "group",
        activation: str = "leaky-relu",
        context: int = 0,
    ) -> None:
        super().__init__()
        depth, *size = in_shape
        sizes = stages(*size)
        wide = [depth, *widths(channels, len(sizes) - 1)]
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(sizes)):
            layers.append(_down(wide[level], wide[level + 1], before, after))
            layers += [] if level == 0 else _normalised(norm, wide[level + 1])
            layers.append(_nonlinearity(activation))
        self.maps = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]
        self.end = MLP((wide[-1], *sizes[-1]), out_shape, context=context)

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return self.end(self.maps(x.contiguous(memory_format=torch.channels_last)), *context)


class StridedDecoder(nn.Module):
    """Vector to image: the way back, by transposed convolutions.

    Args:
        in_shape: shape of one code.
        out_shape: ``(C, H, W)``, sides of at least 6.
        channels, norm, context: see `StridedEncoder`.
        activation: nonlinearity.

    Shape:
        input ``(N, *in_shape)``, contexts ``(N, c_i)`` -> ``(N, C, H, W)``.

    Reference:
        Radford, Metz & Chintala 2016, arXiv 1511.06434

    >>> StridedDecoder((20,), (3, 28, 30), channels=8)(torch.zeros(2, 20)).shape
    torch.Size([2, 3, 28, 30])
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        *,
        channels: int = 32,
        norm: Norm = "group",
        activation: str = "relu",
        context: int = 0,
    ) -> None:
        super().__init__()
        depth, *size = out_shape
        sizes = stages(*size)[::-1]
        wide = [*widths(channels, len(sizes) - 1)[::-1], depth]
        self.begin = MLP(in_shape, (wide[0], *sizes[0]), context=context)
        layers: list[nn.Module] = []
        for level, (before, after) in enumerate(pairwise(sizes)):
            layers += [*_normalised(norm, wide[level]), _nonlinearity(activation)]
            layers.append(_up(wide[level], wide[level + 1], before, after))
        self.maps = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]

    def forward(self, z: Tensor, *context: Tensor) -> Tensor:
        first = self.begin(z, *context)
        return self.maps(first.contiguous(memory_format=torch.channels_last)).contiguous()


def _down(into: int, out: int, before: tuple[int, int], after: tuple[int, int]) -> nn.Module:
    """A convolution to just the size wanted: half of it rounded up, or the same."""
    kernel, stride = zip(
        *((4 if b == 2 * a else 3, 1 if a == b else 2) for b, a in zip(before, after, strict=True)),
        strict=True,
    )
    return nn.Conv2d(into, out, kernel, stride, padding=1)


def _up(into: int, out: int, before: tuple[int, int], after: tuple[int, int]) -> nn.Module:
    """The transposed convolution that goes the same way back."""
    kernel, stride = zip(
        *((4 if a == 2 * b else 3, 1 if a == b else 2) for b, a in zip(before, after, strict=True)),
        strict=True,
    )
    return nn.ConvTranspose2d(into, out, kernel, stride, padding=1)


def _normalised(norm: Norm, channels: int) -> list[nn.Module]:
    if norm == "none":
        return []
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    groups = next(n for n in range(min(_GROUPS, channels), 0, -1) if channels % n == 0)
    return [nn.GroupNorm(groups, channels)]


def _nonlinearity(name: str) -> nn.Module:
    return nn.LeakyReLU(0.2) if name == "leaky-relu" else nonlinearity(name)  # the paper's slope
