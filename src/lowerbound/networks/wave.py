"""Networks of sound: from samples to a slower grid of positions, and back."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import LowerboundError
from ..sound import LEVELS, LogMel, expand
from .pairs import Pair
from .start import initialise_, output_

Shape = tuple[int, ...]

_CODE_SECONDS = 0.016  # of one position where nobody said: about 60 codes per second of speech
_FRAME_SECONDS = 0.032  # of a spectrogram's frame
_MIDDLE, _SPREAD = -12.0, 3.5  # of log-mel values, that networks get numbers around zero
_SILENT = 1e-3  # of the loudest frame's power: softer ones do not count as sound
_PHASES = 8  # contexts within a position; the same is told to all samples of one


def stride_of(rate: int) -> int:
    """Samples of a position: the power of two nearest 16 ms, 8 to 256.

    >>> stride_of(8000), stride_of(16000)
    (128, 256)
    """
    return 2 ** min(8, max(3, round(math.log2(_CODE_SECONDS * rate))))


class Residual(nn.Module):
    """x + convolution(silu(convolution(silu(x)))) over time, ``(N, C, P)``."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.first = initialise_(nn.Conv1d(channels, channels, kernel, padding=kernel // 2), "silu")
        self.second = output_(nn.Conv1d(channels, channels, kernel, padding=kernel // 2))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class WaveEncoder(nn.Module):
    """Mu-law samples ``(N, T)`` to features of slower positions, ``(N, T / stride, out)``.

    T may be any multiple of the stride: of a window in training, of a whole clip afterwards.

    Args:
        out: numbers of each position.
        rate: samples per second.
        stride: samples of a position, a power of two of at least 8; None: about 16 ms.
        channels: of the convolutions.
        blocks: residual blocks.
        front: what they begin with: "mel", a log-mel spectrogram (two frames to a position), from
            which speech is learnt in far fewer steps; or "samples", strided convolutions of the
            samples themselves.
        center: take the mean over time off each mel band, frames of silence left out: what is the
            same throughout, such as a voice's colour, is then left to the condition.
        levels: of the samples.

    References:
        van den Oord, Vinyals and Kavukcuoglu, 2017, https://arxiv.org/abs/1711.00937, 4.3;
        Chorowski et al., 2019, https://arxiv.org/abs/1901.08810 (spectral features, their rate)
    """

    table: Tensor

    def __init__(
        self,
        out: int,
        rate: int,
        stride: int | None = None,
        channels: int = 128,
        blocks: int = 3,
        front: str = "mel",
        center: bool = True,
        levels: int = LEVELS,
    ) -> None:
        super().__init__()
        self.stride = check_stride(stride or stride_of(rate))
        self.center = center
        self.mel: LogMel | None = None
        downs: list[nn.Module] = []
        if front == "mel":
            hop = self.stride // 2
            window = max(2 * hop, 2 ** round(math.log2(_FRAME_SECONDS * rate)))
            self.mel = LogMel(rate, window, hop, bands=40)
            downs.append(_down(40, channels, 2))
        elif front == "samples":
            width, left = 1, self.stride
            while left > 1:
                factor = 4 if left >= 4 else 2
                left //= factor
                grown = max(16, channels // max(1, left))
                downs += [_down(width, min(channels, grown), factor), nn.SiLU()]
                width = min(channels, grown)
            downs.append(initialise_(nn.Conv1d(width, channels, 1), "silu"))
        else:
            raise LowerboundError(f"front: expected mel or samples, came {front!r}")
        self.down = nn.Sequential(*downs)
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.last = output_(nn.Conv1d(channels, out, 1), 1.0)
        wave = torch.from_numpy(expand(np.arange(levels), levels)).float()
        companded = torch.linspace(-1.0, 1.0, levels)
        table = wave if self.mel is not None else companded
        self.register_buffer("table", table, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        if samples.shape[-1] % self.stride:
            raise LowerboundError(
                f"expected samples in multiples of {self.stride}, the samples of a position, came "
                f"{samples.shape[-1]}; fill them up with silence"
            )
        x = self.table[samples] if not samples.is_floating_point() else self._of_levels(samples)
        h = x.unsqueeze(1) if self.mel is None else self._bands(self.mel(x))
        return self.last(F.silu(self.blocks(self.down(h)))).mT

    def _of_levels(self, unit: Tensor) -> Tensor:
        """Levels on [0, 1] as the table has them."""
        top = len(self.table) - 1
        return self.table[(unit * top).round().long()]

    def _bands(self, found: Tensor) -> Tensor:
        if not self.center:
            return (found - _MIDDLE) / _SPREAD
        power = found.exp().sum(1, keepdim=True)
        sounds = (power > _SILENT * power.amax(-1, keepdim=True)).to(found.dtype)
        mean = (found * sounds).sum(-1, keepdim=True) / sounds.sum(-1, keepdim=True).clamp(min=1.0)
        # Silence stays what it is: lower than anything that sounds.
        return torch.where(sounds > 0, found - mean, found - _MIDDLE) / _SPREAD


class Upsample(nn.Module):
    """Vectors of positions ``(N, P, D)`` to a context for every sample, ``(N, P stride, out)``.

    Args:
        width: D.
        out: numbers of a sample's context.
        stride: samples of a position.
        channels: of the convolutions, which let a sample see the positions around its own.
        blocks: residual blocks.
    """

    def __init__(
        self, width: int, out: int, stride: int, channels: int = 128, blocks: int = 2
    ) -> None:
        super().__init__()
        self.phases = min(_PHASES, stride)
        self.out, self.repeat = out, stride // self.phases
        self.first = initialise_(nn.Conv1d(width, channels, 3, padding=1), "silu")
        self.blocks = nn.Sequential(*(Residual(channels) for _ in range(blocks)))
        self.last = output_(nn.Conv1d(channels, self.phases * out, 1), 1.0)

    def forward(self, vectors: Tensor) -> Tensor:
        h = self.last(F.silu(self.blocks(self.first(vectors.mT))))  # (N, phases * out, P)
        each = h.mT.reshape(h.shape[0], -1, self.out)  # (N, P * phases, out)
        return each.repeat_interleave(self.repeat, 1)


def check_stride(stride: int) -> int:
    """The stride, if it is one.

    Raises:
        LowerboundError: no power of two, or below 8.
    """
    if stride < 8 or stride & (stride - 1):
        raise LowerboundError(
            f"stride: expected a power of two, 8 or more, came {stride}; pass e.g. 128"
        )
    return stride


class _Flat(nn.Module):
    """An encoder of one vector: positions joined, ``(N, T) -> (N, *out_shape)``."""

    def __init__(self, out_shape: Shape, context: int, samples: int, **options: Any) -> None:
        super().__init__()
        self.out_shape = tuple(out_shape)
        self.encoder = WaveEncoder(16, **options)
        features = 16 * (samples // self.encoder.stride) + context
        self.last = output_(nn.Linear(features, math.prod(out_shape)))

    def forward(self, samples: Tensor, *context: Tensor) -> Tensor:
        h = F.silu(self.encoder(samples)).flatten(1)
        return self.last(torch.cat([h, *context], 1)).reshape(-1, *self.out_shape)


class _Unflat(nn.Module):
    """From one vector to raw numbers of every sample: ``(N, *in_shape) -> (N, *out_shape)``."""

    def __init__(
        self,
        in_shape: Shape,
        out_shape: Shape,
        context: int = 0,
        *,
        samples: int,
        stride: int,
        channels: int,
        blocks: int,
    ) -> None:
        super().__init__()
        self.out_shape, self.positions = tuple(out_shape), samples // stride
        each = math.prod(out_shape) // samples
        self.first = nn.Linear(math.prod(in_shape) + context, 32 * self.positions)
        self.up = Upsample(32, 32, stride, channels, blocks)
        self.blocks = nn.Sequential(Residual(32, 9), Residual(32, 9))
        self.last = output_(nn.Conv1d(32, each, 9, padding=4))
        # Neighbours are told apart by where in a position they stand.
        self.place = nn.Parameter(0.1 * torch.randn(32, stride))

    def forward(self, z: Tensor, *context: Tensor) -> Tensor:
        h = self.first(torch.cat([z.flatten(1), *context], 1))
        h = self.up(h.reshape(h.shape[0], self.positions, 32)).mT
        h = self.last(self.blocks(h + self.place.repeat(1, self.positions)))
        return h.reshape(-1, *self.out_shape)

    @torch.no_grad()
    def start_(self, raw: Tensor) -> None:
        """One bias for all samples: the mean over time of what is asked for."""
        assert self.last.bias is not None
        self.last.bias.copy_(raw.reshape(len(self.last.bias), -1).mean(1))


def wave_pair(
    event_shape: Shape,
    rate: int = 8000,
    stride: int | None = None,
    channels: int = 128,
    blocks: int = 3,
    front: str = "mel",
    center: bool | None = None,
    levels: int | None = None,
) -> Pair:
    """An encoder from sound and a decoder to it, by one vector or by vectors along time.

    To vectors ``(positions, D)`` the encoder is a `WaveEncoder`, and from there to contexts of
    samples ``(T, C)`` the decoder is an `Upsample`, for a WaveNet. From a vector ``(D,)`` to raw
    numbers, as in a VAE, all samples are independent given the code, which blurs sound.

    Args:
        event_shape: ``(T,)`` samples.
        rate: samples per second.
        stride, channels, blocks, front: see `WaveEncoder`.
        center: see `WaveEncoder`; by default of codes along time alone.
        levels: of the samples.

    Raises:
        LowerboundError: the examples are no sound, or their length is no multiple of the stride.
    """
    stride = check_stride(stride or stride_of(rate))
    if len(event_shape) != 1 or event_shape[0] % stride:
        raise LowerboundError(
            f"network wave: expected windows of sound, a multiple of {stride} samples, came "
            f"examples of shape {event_shape}; pass another network, window or stride"
        )
    shared = {"stride": stride, "channels": channels, "blocks": blocks}
    own = {"rate": rate, "front": front, "levels": levels or LEVELS}
    return Pair(
        partial(_encoder, event_shape[0], center=center, **own, **shared),
        partial(_decoder, event_shape[0], **shared),
        event_shape[0] // stride,
    )


def _encoder(
    samples: int, out_shape: Shape, context: int = 0, *, center: bool | None, **options: Any
) -> nn.Module:
    if len(out_shape) == 2 and not context:
        return WaveEncoder(out_shape[1], center=center is not False, **options)
    return _Flat(out_shape, context, samples, center=bool(center), **options)


def _decoder(
    samples: int, in_shape: Shape, out_shape: Shape, context: int = 0, **options: Any
) -> nn.Module:
    if len(in_shape) == 2 and len(out_shape) == 2:
        return Upsample(in_shape[1], out_shape[1], **options)
    return _Unflat(in_shape, out_shape, context, samples=samples, **options)


def _down(width: int, channels: int, factor: int) -> nn.Conv1d:
    """A convolution that keeps every `factor`-th place."""
    kernel = 2 * factor
    found = nn.Conv1d(width, channels, kernel, stride=factor, padding=factor // 2)
    return initialise_(found, "silu")
