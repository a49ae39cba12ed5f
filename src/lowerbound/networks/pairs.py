"""An encoder and a decoder that belong together, whatever their inputs' and outputs' shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from torch import nn

from ..errors import LowerboundError
from .conv import ConvDecoder, ConvEncoder
from .dcgan import Norm, StridedDecoder, StridedEncoder
from .mlp import MLP, TokenEmbedding

Shape = tuple[int, ...]


class Pair(NamedTuple):
    """The two networks of an encoder-decoder model, each still to be given its free shape.

    Both also take ``context=`` (numbers in all context vectors together).

    Args:
        encoder: ``encoder(out_shape)`` -> a network from ``(N, *event_shape)``.
        decoder: ``decoder(in_shape, out_shape)`` -> a network from codes to raw parameters.
        positions: along time, of networks that have codes there: the encoder's ``out_shape`` and
            the decoder's ``in_shape`` may then be ``(positions, D)``. None of others.
    """

    encoder: Callable[..., nn.Module]
    decoder: Callable[..., nn.Module]
    positions: int | None = None


def mlp_pair(
    event_shape: Shape,
    hidden: Sequence[int] = (512, 512),
    activation: str = "relu",
    levels: int | None = None,
) -> Pair:
    """Two MLPs; ``hidden`` from the data to the code, the decoder's reversed.

    Args:
        event_shape: shape of one example.
        hidden: widths of the encoder's hidden layers; empty for one linear map each.
        activation: nonlinearity of the hidden layers.
        levels: number of classes, where the examples are integer tokens.

    >>> encoder, decoder = mlp_pair((784,), (200, 100))[:2]
    >>> [l.out_features for l in decoder((2,), (784,)).layers if isinstance(l, nn.Linear)]
    [100, 200, 784]
    """

    def encoder(out_shape: Shape, context: int = 0) -> nn.Module:
        front = None if levels is None else TokenEmbedding(levels)
        shape = event_shape if front is None else (*event_shape, front.width)
        return MLP(
            shape, out_shape, hidden=hidden, activation=activation, context=context, front=front
        )

    return Pair(encoder, partial(MLP, hidden=tuple(hidden)[::-1], activation=activation))


def conv_pair(
    event_shape: Shape,
    channels: int = 32,
    blocks: int = 1,
    hidden: Sequence[int] = (),
    activation: str = "silu",
) -> Pair:
    """A residual convolutional encoder and the decoder that mirrors its sizes.

    Args:
        event_shape: ``(C, H, W)`` of one image, H and W at least 4.
        channels: channels at full resolution.
        blocks: residual blocks at each lower resolution.
        hidden: widths of fully connected layers next to the code.
        activation: nonlinearity.

    Raises:
        LowerboundError: the examples are no images of at least 4 x 4.
    """
    if len(event_shape) != 3 or min(event_shape[1:]) < 4:
        raise LowerboundError(
            f"network conv: expected images (channels, height >= 4, width >= 4), came examples of "
            f"shape {event_shape}; pass network mlp"
        )
    options = {"channels": channels, "blocks": blocks, "activation": activation}
    return Pair(
        partial(ConvEncoder, event_shape, hidden=tuple(hidden), **options),
        partial(ConvDecoder, hidden=tuple(hidden)[::-1], **options),
    )


def strided_pair(
    event_shape: Shape,
    channels: int = 32,
    norm: Norm = "group",
    decoder_norm: Norm | None = None,
    activation: str | None = None,
) -> Pair:
    """The networks of DCGAN: strided convolutions, nothing else.

    Args:
        event_shape: ``(C, H, W)`` of one image, H and W at least 6.
        channels: after the first convolution.
        norm: of feature maps.
        decoder_norm: on the way up; by default the same.
        activation: nonlinearity; by default leaky ReLUs on the way down and ReLUs on the way up.

    Raises:
        LowerboundError: the examples are no images of at least 6 x 6.
    """
    if len(event_shape) != 3 or min(event_shape[1:]) < 6:
        raise LowerboundError(
            f"network dcgan: expected images (channels, height >= 6, width >= 6), came examples of "
            f"shape {event_shape}; pass network conv or mlp"
        )
    both = {"channels": channels, **({} if activation is None else {"activation": activation})}
    encoder = partial(StridedEncoder, event_shape, norm=norm, **both)
    return Pair(encoder, partial(StridedDecoder, norm=decoder_norm or norm, **both))
