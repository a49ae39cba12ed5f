"""A multi-scale flow over images: couplings at each resolution, half of the numbers factored out.

Layers take ``(N, C, H, W)`` and tell the log-determinant of each datum, ``(N,)``. BatchNorm, which
RealNVP has between couplings, couples the examples of a batch; Glow's ActNorm stands in its place.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ..networks.conv import ResidualBlock
from ..networks.mlp import nonlinearity
from ..networks.start import initialise_, output_
from .base import Affine, Chain, Layer

# A log scale is kept within ±2, so that no coupling shrinks or stretches by more than e².
_MOST = 2.0
# A side is halved while at least so many pixels are left of it.
_SMALLEST = 2


class Squeeze(Layer):
    """Pixels to channels: 2 x 2 blocks, or 2 x 1 where only one side is even; no determinant.

    Args:
        tall, wide: how many rows and columns go into one, 1 or 2.

    References:
        Dinh, Sohl-Dickstein and Bengio, 2017, https://arxiv.org/abs/1605.08803, section 3.6

    >>> Squeeze(2, 2)(torch.zeros(5, 3, 8, 6))[0].shape
    torch.Size([5, 12, 4, 3])
    """

    def __init__(self, tall: int, wide: int) -> None:
        super().__init__()
        self.tall, self.wide = tall, wide

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // self.tall, self.tall, w // self.wide, self.wide)
        y = blocks.permute(0, 1, 3, 5, 2, 4)
        channels = c * self.tall * self.wide
        return y.reshape(n, channels, h // self.tall, w // self.wide), x.new_zeros(())

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        n, c, h, w = y.shape
        channels = c // (self.tall * self.wide)
        blocks = y.reshape(n, channels, self.tall, self.wide, h, w).permute(0, 1, 4, 2, 5, 3)
        return blocks.reshape(n, channels, h * self.tall, w * self.wide), y.new_zeros(())


class ActNorm(Affine):
    """A shift and a scale for each channel.

    Data come in standardized and couplings start as the identity, so that it starts right as it
    is; :meth:`FlowModel.start_` sets it from a batch, as Glow does.

    Args:
        shape: C, H, W of a datum.

    References:
        Kingma and Dhariwal, 2018, https://arxiv.org/abs/1807.03039, section 3.1
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__((shape[0], 1, 1), shape)

    @torch.no_grad()
    def start_at_(self, x: Tensor) -> None:
        """Make every channel of x ``(N, C, H, W)`` have mean 0 and standard deviation 1."""
        mean = x.mean((0, 2, 3), keepdim=True)[0]
        self.start_(mean, (x - mean).square().mean((0, 2, 3), keepdim=True)[0].sqrt() + 1e-6)


class Mixing(Layer):
    """An invertible 1 x 1 convolution, P L (U + diag(sign·exp(log scale))), at first a rotation.

    Args:
        shape: C, H, W of a datum.

    References:
        Kingma and Dhariwal, 2018, https://arxiv.org/abs/1807.03039, section 3.2
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = shape
        self.pixels = height * width
        rotation = torch.linalg.qr(torch.randn(channels, channels))[0]
        permutation, lower, upper = torch.linalg.lu(rotation)
        scale = upper.diagonal()
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", scale.sign())
        self.log_scale = nn.Parameter(scale.abs().log())
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))

    def _factors(self) -> tuple[Tensor, Tensor]:
        lower = self.lower.tril(-1) + torch.eye(len(self.sign)).to(self.lower)
        return lower, self.upper.triu(1) + torch.diag(self.sign * self.log_scale.exp())

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lower, upper = self._factors()
        weight = self.permutation @ lower @ upper
        y = nn.functional.conv2d(x, weight[:, :, None, None])
        return y, self.log_scale.sum() * self.pixels

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lower, upper = self._factors()
        flat = self.permutation.mT @ y.flatten(2)
        flat = torch.linalg.solve_triangular(lower, flat, upper=False, unitriangular=True)
        x = torch.linalg.solve_triangular(upper, flat, upper=True)
        return x.reshape(y.shape), -self.log_scale.sum() * self.pixels


class ConvCoupling(Layer):
    """Half of the numbers as they are; the others scaled and shifted as a network of them says.

    Args:
        shape: C, H, W of a datum.
        number: which half: the next ``number`` swaps them.
        split: "channels", half of them each, or "checkerboard", every other pixel, which one
            channel needs.
        width: channels of the network.
        blocks: its residual blocks.
        activation: its nonlinearity.

    References:
        Dinh, Sohl-Dickstein and Bengio, 2017, https://arxiv.org/abs/1605.08803, section 3.4
    """

    keep: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        number: int,
        split: Literal["channels", "checkerboard"],
        width: int,
        blocks: int,
        activation: str,
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        if split == "channels":
            keep = torch.arange(channels) < (channels + 1) // 2
            keep = keep[:, None, None]
        else:
            keep = (torch.arange(height)[:, None] + torch.arange(breadth)) % 2 == 0
            keep = keep[None]
        keep = (keep if number % 2 == 0 else ~keep).expand(shape)
        self.register_buffer("keep", keep.float(), persistent=False)
        self.network = _network(channels, 2 * channels, width, blocks, activation)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._log_scale_and_shift(x)
        return x * log_scale.exp() + shift, log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._log_scale_and_shift(y)
        return (y - shift) * (-log_scale).exp(), -log_scale.sum((1, 2, 3))

    def _log_scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log scale and shift, zero where x stays."""
        raw, shift = self.network(x * self.keep).chunk(2, 1)
        moved = 1.0 - self.keep
        return _bounded(raw) * moved, shift * moved


class FactorOut(Layer):
    """Half of the channels leave, standardized by what the other half says of them.

    Args:
        shape: C, H, W of a datum; the first C/2 channels, rounded up, go on.
        width, blocks, activation: of the network.

    References:
        Kingma and Dhariwal, 2018, https://arxiv.org/abs/1807.03039 (its learned priors of the
        factored-out halves, written as a map to the standard normal)
    """

    def __init__(
        self, shape: tuple[int, int, int], width: int, blocks: int, activation: str
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.shape = shape
        self.onward = (channels + 1) // 2
        leaving = channels - self.onward
        self.network = _network(self.onward, 2 * leaving, width, blocks, activation)
        # Borders of images have a mean and scale of their own, which a convolution does not see.
        self.place = Affine((leaving, height, breadth))

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of a datum that go on, and that leave."""
        channels, height, breadth = self.shape
        return self.onward * height * breadth, (channels - self.onward) * height * breadth

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``(N, C, H, W)`` to the half that goes on and the half that leaves, joined again."""
        onward, leaving = x.split([self.onward, x.shape[1] - self.onward], 1)
        raw, shift = self.network(onward).chunk(2, 1)
        log_scale = _bounded(raw)
        placed, log_det = self.place(leaving)
        placed = placed * log_scale.exp() + shift
        return torch.cat((onward, placed), 1), log_det + log_scale.sum((1, 2, 3))

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        onward, placed = y.split([self.onward, y.shape[1] - self.onward], 1)
        raw, shift = self.network(onward).chunk(2, 1)
        log_scale = _bounded(raw)
        leaving, log_det = self.place.inverse((placed - shift) * (-log_scale).exp())
        return torch.cat((onward, leaving), 1), log_det - log_scale.sum((1, 2, 3))


class MultiScale(Layer):
    """An image to as many standard normal numbers, scale by scale.

    At each scale: a squeeze of the sides that are even, ``steps`` steps of the kind, and half of
    the channels leave. A step of ``glow`` is ActNorm, 1 x 1 convolution and coupling of channels;
    one of ``realnvp`` ActNorm and a coupling, first by checkerboards at the scale's resolution,
    then of channels after the squeeze. Sides that are odd stay as they are, so that any size goes.

    Args:
        event_shape: C, H, W.
        kind: "realnvp" or "glow".
        scales: at most so many; by default as many as the sides can be halved, up to three.
        steps: couplings of each sort at each scale.
        width: channels of a coupling's network.
        blocks: residual blocks of it.
        activation: nonlinearity.

    References:
        Dinh, Sohl-Dickstein and Bengio, 2017, https://arxiv.org/abs/1605.08803, section 3.6
        Kingma and Dhariwal, 2018, https://arxiv.org/abs/1807.03039

    Shape:
        ``(N, C, H, W)`` <-> ``(N, C·H·W)``.

    >>> flow = MultiScale((3, 6, 5), "glow", width=8)
    >>> flow(torch.zeros(2, 3, 6, 5))[0].shape
    torch.Size([2, 90])
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        kind: Literal["realnvp", "glow"] = "glow",
        *,
        scales: int | None = None,
        steps: int = 4,
        width: int = 64,
        blocks: int = 1,
        activation: str = "relu",
    ) -> None:
        super().__init__()
        shape = (event_shape[0], event_shape[1], event_shape[2])
        net = (width, blocks, activation)
        most = 3 if scales is None else scales
        self.scales, self.outs = nn.ModuleList(), nn.ModuleList()
        for level in range(most):
            tall, wide = _halves(shape[1]), _halves(shape[2])
            if level and tall * wide == 1:
                break
            layers: list[Layer] = []
            if kind == "realnvp":
                layers += _steps(shape, steps, "checkerboard", net)
            if tall * wide > 1:
                layers.append(Squeeze(tall, wide))
                shape = (shape[0] * tall * wide, shape[1] // tall, shape[2] // wide)
            if kind == "glow" or shape[0] > 1:
                layers += _steps(shape, steps, "channels", net, mix=kind == "glow")
            self.scales.append(Chain(layers))
            more = level + 1 < most and _halves(shape[1]) * _halves(shape[2]) > 1 and shape[0] > 1
            if more:
                out = FactorOut(shape, *net)
                self.outs.append(out)
                shape = (out.onward, *shape[1:])
            else:
                break
        self.last = Affine(shape)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_det = x.new_zeros(())
        left: list[Tensor] = []
        for level, scale in enumerate(self.scales):
            x, change = scale(x)
            log_det = log_det + change
            if level < len(self.outs):
                x, change = self.outs[level](x)
                log_det = log_det + change
                onward = self._out(level).onward
                left.append(x[:, onward:].flatten(1))
                x = x[:, :onward]
        x, change = self.last(x)
        return torch.cat([*left, x.flatten(1)], 1), log_det + change

    def inverse(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        outs = [self._out(level) for level in range(len(self.outs))]
        pieces = list(y.split([*(out.sizes[1] for out in outs), self.last.loc.numel()], 1))
        x, log_det = self.last.inverse(pieces.pop().unflatten(1, self.last.loc.shape))
        for level in reversed(range(len(self.scales))):
            if level < len(outs):
                channels, height, breadth = outs[level].shape
                leaving = (channels - outs[level].onward, height, breadth)
                x = torch.cat((x, pieces.pop().unflatten(1, leaving)), 1)
                x, change = outs[level].inverse(x)
                log_det = log_det + change
            scale = self.scales[level]
            assert isinstance(scale, Layer)
            x, change = scale.inverse(x)
            log_det = log_det + change
        return x, log_det

    def _out(self, level: int) -> FactorOut:
        out = self.outs[level]
        assert isinstance(out, FactorOut)
        return out


def _halves(side: int) -> int:
    return 2 if side % 2 == 0 and side >= 2 * _SMALLEST else 1


def _steps(
    shape: tuple[int, int, int],
    steps: int,
    split: Literal["channels", "checkerboard"],
    net: tuple[int, int, str],
    mix: bool = False,
) -> list[Layer]:
    """``steps`` couplings, each with its ActNorm, and its 1 x 1 convolution if asked."""
    layers: list[Layer] = []
    # One channel has no half.
    split = "checkerboard" if shape[0] == 1 else split
    for number in range(steps):
        layers.append(ActNorm(shape))
        if mix and shape[0] > 1:
            layers.append(Mixing(shape))
        if math.prod(shape) > 1:
            # A convolution that mixes channels makes swapping needless, and it does no harm.
            layers.append(ConvCoupling(shape, number, split, *net))
    return layers


def _network(takes: int, gives: int, width: int, blocks: int, activation: str) -> nn.Module:
    """Residual blocks between two convolutions; the last starts at zero: a coupling as identity."""
    return nn.Sequential(
        initialise_(nn.Conv2d(takes, width, 3, padding=1), "linear"),
        *(ResidualBlock(width, activation) for _ in range(blocks)),
        nonlinearity(activation),
        output_(nn.Conv2d(width, gives, 3, padding=1), gain=0.0),
    )


def _bounded(raw: Tensor) -> Tensor:
    """A log scale within ±2, raw where it is small."""
    return _MOST * torch.tanh(raw / _MOST)
