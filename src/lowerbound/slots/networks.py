"""Pairs of an encoder's and a decoder's network, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..options import Span
from .types import Activation, Builders

if TYPE_CHECKING:
    from ..networks import Pair


def mlp(
    event_shape: tuple[int, ...],
    *,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (512, 512),
    activation: Activation = "relu",
    levels: Annotated[int | None, Span(min=2, unit="classes")] = None,
) -> Pair:
    """Fully connected encoder and decoder, for data of any shape.

    Args:
        event_shape: shape of one example.
        hidden: widths of the hidden layers from the data to the code; the decoder mirrors them. An
            empty list is one linear map.
        activation: nonlinearity of the hidden layers.
        levels: number of classes of integer tokens, which the encoder embeds first; recipes take it
            from the data.
    """
    from ..networks.pairs import mlp_pair

    return mlp_pair(event_shape, hidden, activation, levels)


def conv(
    event_shape: tuple[int, ...],
    *,
    channels: Annotated[int, Span(min=1, unit="channels")] = 32,
    blocks: Annotated[int, Span(min=0)] = 1,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (),
    activation: Activation = "silu",
) -> Pair:
    """Residual convolutional encoder and decoder, for images of any size and channel count.

    Args:
        event_shape: channels, height, width of one image.
        channels: channels at full resolution; doubled with each halving, up to eight times.
        blocks: residual blocks at each lower resolution.
        hidden: widths of fully connected layers between the last feature map and the code; the
            decoder mirrors them.
        activation: nonlinearity.

    Reference:
        He et al. 2016, Identity mappings in deep residual networks, arXiv 1603.05027
    """
    from ..networks.pairs import conv_pair

    return conv_pair(event_shape, channels, blocks, hidden, activation)


BUILDERS: Builders = {"mlp": mlp, "conv": conv}
