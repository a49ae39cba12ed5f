"""Sound as numbers: mu-law, sampling rates, silence, log-mel spectrograms.

>>> codes = mu_law(np.array([-1.0, 0.0, 0.01, 1.0]))
>>> codes.tolist(), expand(codes).round(2).tolist()
([0, 128, 157, 255], [-1.0, 0.0, 0.01, 1.0])
"""

from __future__ import annotations

import io
import math
import wave as waves
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Levels of a sample.
LEVELS = 256
#: The level of silence.
SILENCE = LEVELS // 2
_FLOOR = 1e-10  # power under the logarithm of a spectrogram, where a sine of amplitude 1 has 1
_HALF = 32  # zero crossings on either side of the filter that changes a sampling rate
_BETA = 9.0  # of its Kaiser window: what would fold back is 90 dB down
_CUT = 0.91  # of the lower Nyquist frequency, half down: flat up to 0.82, nothing from 1 on


def mu_law(wave: np.ndarray, levels: int = LEVELS) -> np.ndarray:
    """Levels of a wave: fine where it is soft, coarse where it is loud.

    ``floor((f + 1) / 2 mu + 1/2)`` with ``f = sign(v) log(1 + mu |v|) / log(1 + mu)``, mu being
    ``levels - 1``; what is beyond full scale is clipped.

    Args:
        wave: ``(*shape)`` in [-1, 1].
        levels: how many, at most 256.

    Returns:
        ``(*shape)`` uint8 in [0, levels).

    References:
        ITU-T G.711, 1988; van den Oord et al., 2016, WaveNet, https://arxiv.org/abs/1609.03499, 2.2
    """
    mu = levels - 1
    v = np.clip(np.asarray(wave, np.float64), -1.0, 1.0)
    f = np.sign(v) * np.log1p(mu * np.abs(v)) / math.log1p(mu)
    return np.floor((f + 1.0) * (0.5 * mu) + 0.5).astype(np.uint8)


def expand(codes: np.ndarray, levels: int = LEVELS) -> np.ndarray:
    """The wave of mu-law levels: ``sign(f) ((1 + mu)^|f| - 1) / mu`` with ``f = 2 code / mu - 1``.

    ``mu_law(expand(codes))`` is ``codes``. Of 256 levels none is exactly zero: silence is 9e-5.

    Args:
        codes: ``(*shape)`` in [0, levels), whole or (of means) fractions.
        levels: how many.

    Returns:
        ``(*shape)`` float64 in [-1, 1].
    """
    mu = levels - 1
    f = 2.0 * np.asarray(codes, np.float64) / mu - 1.0
    return np.sign(f) * np.expm1(np.abs(f) * math.log1p(mu)) / mu


def resample(wave: np.ndarray, source: int, target: int) -> np.ndarray:
    """A wave at another sampling rate, band-limited: by a polyphase filter, Kaiser-windowed sinc.

    Args:
        wave: ``(T,)``.
        source: its samples per second.
        target: those wanted.

    Returns:
        ``(ceil(T target / source),)``, of the same level and delay.
    """
    if source == target:
        return wave
    from scipy.signal import resample_poly

    shared = math.gcd(source, target)
    up, down = target // shared, source // shared
    return resample_poly(wave, up, down, window=_filter(max(up, down)))


@cache
def _filter(most: int) -> np.ndarray:
    from scipy.signal import firwin

    return firwin(2 * _HALF * most + 1, _CUT / most, window=("kaiser", _BETA))


def sounding(wave: np.ndarray, rate: int, below: float) -> slice:
    """Where a wave sounds: without the silence before and after.

    Args:
        wave: ``(T,)``.
        rate: samples per second.
        below: what is so many dB softer than the loudest 10 ms counts as silence.

    Returns:
        the part, at least 10 ms; all of a wave that is nothing but silence.
    """
    step = max(1, rate // 100)
    frames = np.pad(wave, (0, -len(wave) % step)).reshape(-1, step)
    power = np.square(frames, dtype=np.float64).mean(1)
    loud = np.flatnonzero(power > power.max() * 10.0 ** (-below / 10.0))
    if not len(loud):
        return slice(0, len(wave))
    return slice(int(loud[0]) * step, min(len(wave), (int(loud[-1]) + 1) * step))


def mel(hertz: float | np.ndarray) -> np.ndarray:
    """The mel scale, 2595 log10(1 + f / 700): equal steps sound equally far apart."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz, np.float64) / 700.0)


def hertz(mels: float | np.ndarray) -> np.ndarray:
    """What :func:`mel` takes, of what it gives."""
    return 700.0 * (10.0 ** (np.asarray(mels, np.float64) / 2595.0) - 1.0)


class LogMel(nn.Module):
    """Log-mel spectrogram: ``(N, T)`` waves to ``(N, bands, T / hop)``, natural logarithm of power.

    Frames are centred on their hop, so that frame k belongs to samples ``[k hop, (k + 1) hop)``.
    A Fourier transform by two products, which compile; triangular bands of height 1.

    Args:
        rate: samples per second.
        window: samples of a frame, under a Hann window.
        hop: samples from frame to frame; T is a multiple of it.
        bands: how many mel bands between 0 and half the rate.

    References:
        Davis and Mermelstein, 1980, IEEE Transactions on Acoustics, Speech and Signal Processing 28

    >>> tone = torch.sin(2 * torch.pi * 1000 * torch.arange(8000) / 8000)
    >>> spectrum = LogMel(8000, 256, 80, 40)(tone[None])
    >>> spectrum.shape, bool((spectrum[0, :, 50].argmax() - 19).abs() <= 1)
    (torch.Size([1, 40, 100]), True)
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, rate: int, window: int = 256, hop: int = 64, bands: int = 40) -> None:
        super().__init__()
        self.window, self.hop, self.bands = window, hop, bands
        count = window // 2 + 1
        angle = 2.0 * np.pi / window * np.outer(np.arange(count), np.arange(window))
        hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
        # Scaled so that a sine of amplitude 1 has a power of 1.
        basis = np.concatenate([np.cos(angle), -np.sin(angle)]) * hann * (2.0 / hann.sum())
        edges = hertz(np.linspace(0.0, mel(rate / 2), bands + 2))
        bins = np.arange(count) * rate / window
        rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
        fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
        filters = np.clip(np.minimum(rise, fall), 0.0, None)
        self.register_buffer("basis", torch.from_numpy(basis).float()[:, None], persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        left = (self.window - self.hop) // 2
        padded = F.pad(wave[:, None], (left, self.window - self.hop - left))
        real, imaginary = F.conv1d(padded, self.basis, stride=self.hop).chunk(2, 1)
        return (self.filters @ (real.square() + imaginary.square()) + _FLOOR).log()


def write_wav(wave: np.ndarray, rate: int) -> bytes:
    """A wave ``(T,)`` in [-1, 1] as the bytes of a WAV file: one channel, 16 bits."""
    whole = np.clip(np.rint(np.asarray(wave, np.float64) * 32767.0), -32768, 32767)
    content = io.BytesIO()
    with waves.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.astype("<i2").tobytes())
    return content.getvalue()
