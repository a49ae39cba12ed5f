"""Pairs of an encoder's and a decoder's network, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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


def wave(
    event_shape: tuple[int, ...],
    *,
    stride: Annotated[int | None, Span(min=8, unit="samples")] = None,
    channels: Annotated[int, Span(min=1, unit="channels")] = 128,
    blocks: Annotated[int, Span(min=0)] = 3,
    front: Literal["mel", "samples"] = "mel",
    center: bool | None = None,
    rate: Annotated[int, Span(min=1, unit="samples per second")] = 8000,
    levels: Annotated[int | None, Span(min=2, unit="levels")] = None,
) -> Pair:
    """Convolutions over time, for windows of sound.

    Args:
        event_shape: samples of one window.
        stride: samples of a position, a power of two; by default about 16 ms.
        channels: of the convolutions.
        blocks: residual blocks.
        front: what the encoder begins with: a log-mel spectrogram, or strided convolutions of the
            samples.
        center: take the mean over time off each mel band; by default of codes along time alone.
        rate: samples per second; recipes take it from the data.
        levels: of the samples; recipes take it from the data.

    Reference:
        van den Oord et al. 2017, Neural discrete representation learning, arXiv 1711.00937, 4.3
    """
    from ..networks.wave import wave_pair

    return wave_pair(event_shape, rate, stride, channels, blocks, front, center, levels)


def video(
    event_shape: tuple[int, ...],
    *,
    channels: Annotated[int, Span(min=1, unit="channels")] = 32,
    blocks: Annotated[int, Span(min=0)] = 1,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (),
    activation: Activation = "silu",
) -> Pair:
    """Residual convolutional encoder and decoder of clips, all frames of a clip at once.

    Args:
        event_shape: frames, channels, height, width of one clip.
        channels: channels at full resolution; doubled with each halving, up to eight times.
        blocks: residual blocks at each lower resolution.
        hidden: widths of fully connected layers between the last feature map and the code; the
            decoder mirrors them.
        activation: nonlinearity.
    """
    from ..networks import Pair
    from ..networks.video import clip_networks

    return Pair(*clip_networks(event_shape, channels, blocks, hidden, activation))


def dcgan(
    event_shape: tuple[int, ...],
    *,
    channels: Annotated[int, Span(min=1, unit="channels")] = 32,
    norm: Literal["group", "batch", "none"] = "group",
    decoder_norm: Literal["group", "batch", "none"] | None = None,
    activation: Activation | None = None,
) -> Pair:
    """The networks of DCGAN, for images of any size: strided convolutions, no residuals.

    Args:
        event_shape: channels, height, width of one image.
        channels: after the first convolution; doubled with each further one, up to eight times.
        norm: of feature maps: over groups of channels of one example, over the batch (the paper's),
            or none.
        decoder_norm: on the way up; by default the same, and of a GAN's generator batch.
        activation: nonlinearity; by default leaky ReLUs on the way down and ReLUs on the way up.

    Reference:
        Radford, Metz & Chintala 2016, arXiv 1511.06434
    """
    from ..networks.pairs import strided_pair

    return strided_pair(event_shape, channels, norm, decoder_norm, activation)


BUILDERS: Builders = {"mlp": mlp, "conv": conv, "dcgan": dcgan, "wave": wave, "video": video}
