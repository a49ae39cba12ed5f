"""Spectrograms: what is heard, to be looked at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lowerbound.sound import LogMel, hertz, mel

from .style import INK, MUTED, RULE, new_figure, plain

Array = NDArray[Any]

_BANDS = 48
_RANGE = 9.0  # nats of power from white to black: 39 dB
_SOFTER = 6.0  # by how much a clip may be softer than the loudest and still be drawn as bright
_TICKS = (250, 500, 1000, 2000, 4000, 8000, 16000)


def log_mel(waves: Array, rate: int) -> Array:
    """Log-mel spectrograms of waves ``(N, T)``: ``(N, 48, frames)``, frames of 32 ms every 4 ms."""
    window = 2 ** max(5, round(math.log2(0.032 * rate)))
    hop = max(1, window // 8)
    count = -waves.shape[1] % hop
    padded = np.pad(np.asarray(waves, np.float32), ((0, 0), (0, count)))
    return LogMel(rate, window, hop, _BANDS)(torch.from_numpy(padded)).numpy()


def spectrograms(
    waves: Array,
    rate: int,
    title: str,
    *,
    columns: int | None = None,
    names: Sequence[str] | None = None,
    rows: Sequence[str] | None = None,
) -> Figure:
    """Waves and their log-mel spectrograms, in a grid.

    Args:
        waves: ``(N, T)`` in [-1, 1].
        rate: samples per second.
        title: what they are.
        columns: of the grid; by default up to 4.
        names: of each column, or of each wave.
        rows: of each row.
    """
    waves = np.asarray(waves)
    count = len(waves)
    columns = columns or min(4, count)
    lines = math.ceil(count / columns)
    figure = new_figure(min(13.0, 2.3 * columns + 0.8), 1.45 * lines + 0.75, title)
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True)
    found = log_mel(waves, rate)
    # Each clip by its own loudness, but silence is not to look like sound.
    tops = np.quantile(found.reshape(count, -1), 0.995, axis=1)
    tops = np.maximum(tops, tops.max() - _SOFTER)
    loudest = np.abs(waves).max(1)
    loudest = np.maximum(loudest, 0.05 * loudest.max()) + 1e-9
    for place, axes in enumerate(grid.ravel()):
        if place >= count:
            axes.set_axis_off()
            continue
        line, column = divmod(place, columns)
        _one(axes, found[place], waves[place], rate, tops[place], loudest[place])
        if names is not None and (len(names) > columns or line == 0):
            axes.set_title(plain(names[place]), fontsize=8.5, color=INK, loc="left", pad=3)
        if column:
            axes.set_yticks([])
        elif rows is not None:
            axes.set_ylabel(plain(rows[line]), fontsize=8.5, color=INK)
        else:
            axes.set_ylabel("Hz", fontsize=8, color=MUTED)
        if line == lines - 1 or place + columns >= count:
            axes.set_xlabel("seconds", fontsize=8, color=MUTED)
            axes.tick_params(labelbottom=True)
    return figure


def _one(axes: Axes, found: Array, wave: Array, rate: int, top: float, loudest: float) -> None:
    """A spectrogram, with the wave in a strip under it."""
    seconds = len(wave) / rate
    low, high = 0.0, float(mel(rate / 2))
    strip = 0.28 * (high - low)
    axes.imshow(
        found,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top - _RANGE,
        vmax=top,
        extent=(0.0, seconds, low, high),
        interpolation="bilinear",
    )
    # Least and greatest within each column of pixels: a wave has more samples than those.
    each = max(1, len(wave) // 400)
    folded = wave[: len(wave) // each * each].reshape(-1, each)
    times = (np.arange(len(folded)) + 0.5) * each / rate
    half = 0.42 * strip / loudest
    middle = low - 0.5 * strip
    axes.fill_between(
        times, middle + half * folded.min(1), middle + half * folded.max(1), color=INK, lw=0.3
    )
    axes.set_xlim(0.0, seconds)
    axes.set_ylim(low - strip, high)
    ticks = [tick for tick in _TICKS if tick < rate / 2]
    ticks = ticks[:: 2 if len(ticks) > 4 else 1]
    axes.set_yticks([float(mel(tick)) for tick in ticks], [f"{tick:,}" for tick in ticks])
    axes.tick_params(colors=MUTED, labelsize=7.5, length=2, color=RULE)
    axes.spines[:].set_color(RULE)


def band_centres(rate: int) -> Array:
    """Of the spectrogram's bands, Hz."""
    return hertz(np.linspace(0.0, float(mel(rate / 2)), _BANDS + 2))[1:-1]
