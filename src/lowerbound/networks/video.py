"""Networks for clips (F, C, H, W): frame by frame, or all frames of a clip at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from ..errors import LowerboundError
from .conv import ConvDecoder, ConvEncoder
from .grid import GridDecoder

Shape = tuple[int, ...]


class ClipDecoder(nn.Module):
    """Vectors on a grid of places in each frame to a clip, the same network for every frame.

    Args:
        width: numbers of a vector that comes in.
        frames: F.
        out_shape: ``(k * F, C, H, W)``, raw parameters of a clip: k of each number, those of all
            numbers together, as families have them.
        context: numbers in all context vectors together; they are joined to each vector.
        **options: downsampling, channels and blocks of `GridDecoder`.

    Shape:
        ``(N, P, width)``, P = F·h·w in the order of time, contexts ``(N, c_i)`` ->
        ``(N, *out_shape)``.

    >>> import torch
    >>> decoder = ClipDecoder(5, 3, (6, 1, 16, 16), channels=8)
    >>> decoder(torch.zeros(2, 3 * 16, 5)).shape
    torch.Size([2, 6, 1, 16, 16])
    """

    def __init__(
        self,
        width: int,
        frames: int,
        out_shape: Sequence[int],
        *,
        context: int = 0,
        **options: int,
    ) -> None:
        super().__init__()
        many, depth, *size = out_shape
        self.frames, self.out_shape = frames, tuple(out_shape)
        self.blocks = (many // frames, depth)
        shape = (math.prod(self.blocks), *size)
        self.network = GridDecoder(width, shape, context=context, **options)

    def forward(self, vectors: Tensor, *context: Tensor) -> Tensor:
        count, frames = vectors.shape[0], self.frames
        folded = vectors.reshape(count * frames, -1, vectors.shape[-1])
        beside = [c.repeat_interleave(frames, 0) for c in context]
        x = self.network(folded, *beside)
        # (N, F, k, C, H, W): the k parameters of a number stand outermost
        x = x.reshape(count, frames, *self.blocks, *x.shape[2:]).transpose(1, 2)
        return x.reshape(count, *self.out_shape)

    def start_(self, raw: Tensor) -> None:
        """Sets the offset, so that the untrained network returns about ``raw`` (``out_shape``), as
        it is over all frames."""
        many, depth = self.blocks
        frames = raw.reshape(many, self.frames, depth, *self.out_shape[2:])
        self.network.start_(frames.mean(1))


class FramesAsChannels(nn.Module):
    """A network of images on clips, whose frames are its channels.

    Args:
        network: of ``(N, F * C, H, W)``.

    Shape:
        input ``(N, F, C, H, W)``, contexts ``(N, c_i)`` -> what the network gives.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, *context: Tensor) -> Tensor:
        return self.network(x.flatten(1, 2), *context)


class ChannelsAsFrames(nn.Module):
    """The way back: the channels of what a network returns are parameters of clips.

    Args:
        network: returns ``(N, channels, H, W)``.
        out_shape: ``(..., F, C, H, W)``, as many numbers.
    """

    def __init__(self, network: ConvDecoder, out_shape: Sequence[int]) -> None:
        super().__init__()
        self.network, self.out_shape = network, tuple(out_shape)

    def forward(self, z: Tensor, *context: Tensor) -> Tensor:
        return self.network(z, *context).reshape(-1, *self.out_shape)

    def start_(self, raw: Tensor) -> None:
        """Sets the offset, so that the untrained network returns about ``raw`` (``out_shape``)."""
        self.network.start_(raw.reshape(self.network.out_shape))


def clip_networks(
    event_shape: Shape,
    channels: int = 32,
    blocks: int = 1,
    hidden: Sequence[int] = (),
    activation: str = "silu",
) -> tuple[Callable[..., nn.Module], Callable[..., nn.Module]]:
    """Encoder and decoder between clips and one code each (see `lowerbound.networks.Pair`).

    The first convolution sees all frames at a place together, so that it can tell motion.

    Args:
        event_shape: ``(F, C, H, W)`` of one clip, H and W at least 4.
        channels: channels at full resolution.
        blocks: residual blocks at each lower resolution.
        hidden: widths of fully connected layers next to the code.
        activation: nonlinearity.

    Raises:
        LowerboundError: the examples are no clips of frames of at least 4 x 4.
    """
    if len(event_shape) != 4 or min(event_shape[2:]) < 4:
        raise LowerboundError(
            f"network video: expected clips (frames, channels, height >= 4, width >= 4), came "
            f"examples of shape {event_shape}; pass network mlp or conv"
        )
    frames, depth, height, width = event_shape
    options: dict[str, Any] = {"channels": channels, "blocks": blocks, "activation": activation}

    def encoder(out_shape: Shape, context: int = 0) -> nn.Module:
        shape = (frames * depth, height, width)
        network = ConvEncoder(shape, out_shape, hidden=tuple(hidden), context=context, **options)
        return FramesAsChannels(network)

    def decoder(in_shape: Shape, out_shape: Shape, context: int = 0) -> nn.Module:
        shape = (math.prod(out_shape[:-2]), *out_shape[-2:])
        build = partial(ConvDecoder, hidden=tuple(hidden)[::-1], **options)
        return ChannelsAsFrames(build(in_shape, shape, context=context), out_shape)

    return encoder, decoder
