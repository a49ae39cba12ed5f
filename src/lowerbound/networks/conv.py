"""Residual convolutional networks between images and codes, for any size and channel count."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mlp import MLP, nonlinearity
from .start import initialise_, output_

# A side is halved while it has at least so many pixels: the last map is 3 to 5 pixels wide.
_SMALLEST_HALVED = 6
_WIDEST = 8


def stages(height: int, width: int) -> list[tuple[int, int]]:
    """The sizes of the feature maps, from the image down to about 4 x 4.

    A side is halved, rounding up, while it is longer than 5; a decoder goes the same way back, so
    that odd sizes come out as they went in.

    >>> stages(28, 28)
    [(28, 28), (14, 14), (7, 7), (4, 4)]
    >>> stages(5, 33)
    [(5, 33), (5, 17), (5, 9), (5, 5)]
    """
    sizes = [(height, width)]
    while max(sizes[-1]) >= _SMALLEST_HALVED:
        h, w = sizes[-1]
        sizes.append((_halved(h), _halved(w)))
    return sizes


def _halved(side: int) -> int:
    return (side + 1) // 2 if side >= _SMALLEST_HALVED else side


def widths(channels: int, levels: int) -> list[int]:
    """Channels at each of the sizes: doubled with each halving, up to eight times the first.

    >>> widths(32, 5)
    [32, 64, 128, 256, 256]
    """
    return [channels * min(2**level, _WIDEST) for level in range(levels)]


class ResidualBlock(nn.Module):
    """``x + conv(f(conv(f(x))))``, which starts as the identity.

    The second convolution starts at zero, which keeps deep stacks stable without normalisation:
    BatchNorm couples the examples of a batch, and an estimate of log p(x) should not.

    Args:
        channels: channels in and out.
        name: nonlinearity.

    Reference:
        He et al. 2016, Identity mappings in deep residual networks, arXiv 1603.05027;
        Zhang, Dauphin & Ma 2019, Fixup initialization, arXiv 1901.09321
    """

    def __init__(self, channels: int, name: str) -> None:
        super().__init__()
        self.f = nonlinearity(name)
        self.first = initialise_(nn.Conv2d(channels, channels, 3, padding=1), name)
        self.second = output_(nn.Conv2d(channels, channels, 3, padding=1), gain=0.0)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.f(self.first(self.f(x))))


class ConvEncoder(nn.Module):
    """Image to code: strided convolutions with residual blocks, then a fully connected end.

    Args:
        in_shape: ``(C, H, W)`` of one image, any sizes.
        out_shape: shape of one output.
        channels: channels at full resolution, doubled with each halving up to eight times.
        blocks: residual blocks at each lower resolution.
        hidden: widths of fully connected layers before the output.
        activation: nonlinearity.
        context: numbers in all context vectors together; they join the flattened last map.

    Shape:
        input ``(N, C, H, W)``, contexts ``(N, c_i)`` -> ``(N, *out_shape)``.

    >>> ConvEncoder((3, 31, 45), (40,), channels=4)(torch.zeros(2, 3, 31, 45)).shape
    torch.Size([2, 40])
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        *,
        channels: int = 32,
        blocks: int = 1,
        hidden: Sequence[int] = (),
        activation: str = "silu",
        context: int = 0,
    ) -> None:
        super().__init__()
        depth, height, width = in_shape
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        sizes = stages(height, width)
        wide = widths(channels, len(sizes))
        f = activation
        # the image itself is no activation: gain 1
        maps: list[nn.Module] = [initialise_(nn.Conv2d(depth, wide[0], 3, padding=1), "linear")]
        for level in range(1, len(sizes)):
            stride = _strides(sizes[level - 1], sizes[level])
            down = nn.Conv2d(wide[level - 1], wide[level], 3, stride=stride, padding=1)
            maps += [nonlinearity(f), initialise_(down, f)]
            maps += [ResidualBlock(wide[level], f) for _ in range(blocks)]
        self.maps = _channels_last(nn.Sequential(*maps, nonlinearity(f)))
        self.end = MLP(
            (wide[-1], *sizes[-1]), out_shape, hidden=hidden, activation=f, context=context
        )

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return self.end(self.maps(x.contiguous(memory_format=torch.channels_last)), *context)


class ConvDecoder(nn.Module):
    """Code to image: the encoder's way back, to exactly its sizes.

    Maps grow by nearest-neighbour interpolation and a convolution, which leaves no checkerboard. A
    learned offset for each output number, which starts at zero, lets an untrained decoder return
    any one image (:meth:`start_`).

    Args:
        in_shape: shape of one code.
        out_shape: ``(C, H, W)`` of one output, any sizes.
        channels: channels at full resolution, doubled with each halving up to eight times.
        blocks: residual blocks at each lower resolution.
        hidden: widths of fully connected layers after the code.
        activation: nonlinearity.
        context: numbers in all context vectors together; they are joined to the code.

    Shape:
        input ``(N, *in_shape)``, contexts ``(N, c_i)`` -> ``(N, C, H, W)``.

    Reference:
        Odena, Dumoulin & Olah 2016, Deconvolution and checkerboard artifacts (Distill)

    >>> ConvDecoder((20,), (6, 31, 45), channels=4)(torch.zeros(2, 20)).shape
    torch.Size([2, 6, 31, 45])
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_shape: Sequence[int],
        *,
        channels: int = 32,
        blocks: int = 1,
        hidden: Sequence[int] = (),
        activation: str = "silu",
        context: int = 0,
    ) -> None:
        super().__init__()
        depth, height, width = out_shape
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        sizes = stages(height, width)[::-1]
        wide = widths(channels, len(sizes))[::-1]
        f = activation
        self.begin = MLP(
            in_shape, (wide[0], *sizes[0]), hidden=hidden, activation=f, context=context
        )
        maps: list[nn.Module] = []
        for level in range(1, len(sizes)):
            maps += [ResidualBlock(wide[level - 1], f) for _ in range(blocks)]
            up = nn.Conv2d(wide[level - 1], wide[level], 3, padding=1)
            maps += [nonlinearity(f), Resize(sizes[level]), initialise_(up, f)]
        # the code's first map is no output but a hidden layer
        initialise_(self.begin.layers[-1], "linear")  # ty: ignore[invalid-argument-type]
        output = output_(nn.Conv2d(wide[-1], depth, 3, padding=1, bias=False))
        self.maps = _channels_last(nn.Sequential(*maps, nonlinearity(f), output))
        self.offset = nn.Parameter(torch.zeros(self.out_shape))

    def forward(self, z: Tensor, *context: Tensor) -> Tensor:
        x = self.begin(z, *context)
        return self.maps(x.contiguous(memory_format=torch.channels_last)) + self.offset

    @torch.no_grad()
    def start_(self, raw: Tensor) -> None:
        """Sets the offset, so that the untrained network returns about ``raw``.

        Args:
            raw: the output to start from, shape ``out_shape``.
        """
        self.offset.copy_(raw.reshape(self.out_shape))


class Resize(nn.Module):
    """Nearest-neighbour interpolation to a size.

    Args:
        size: height and width that come out.

    Shape:
        ``(N, C, h, w)`` -> ``(N, C, *size)``.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, size=self.size, mode="nearest")

    def extra_repr(self) -> str:
        return f"{self.size[0]} x {self.size[1]}"


def _channels_last(module: nn.Sequential) -> nn.Sequential:
    """Weights in the layout in which convolutions are fastest, on CPUs and on tensor cores."""
    return module.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]


def _strides(before: tuple[int, int], after: tuple[int, int]) -> tuple[int, int]:
    h, w = (math.ceil(b / a) for b, a in zip(before, after, strict=True))
    return h, w
