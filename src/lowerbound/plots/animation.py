"""Clips as GIFs and movies, one or several side by side; and their frames in a row."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from .. import movies
from ..errors import LowerboundError
from .images import frame_rows, image_array

Array = NDArray[Any]

_SHOWN = 480  # pixels of a GIF's longer side, about
_MOST = 12  # times a pixel is enlarged
_COLOURS = 256  # that a GIF's palette holds
_STRIP = 10  # frames of a clip in a row


def gif(clips: Array, *, seconds: float = 0.1, columns: int | None = None, scale: int = 1) -> bytes:
    """Clips as one animated GIF, side by side where they are several.

    Frames of at most 256 colours, as all grey ones are, keep every value.

    Args:
        clips: ``(N, F, C, H, W)`` with C of 1 (grey) or 3 (RGB) in [0, 1], or uint8; or one of
            them, ``(F, C, H, W)``.
        seconds: that a frame is shown; GIFs know hundredths.
        columns: clips in a row; by default a little more than the square root of N.
        scale: how many pixels wide a pixel becomes.

    Raises:
        LowerboundError: no clips of one or three channels.
    """
    sheets = _sheets(clips, columns, scale)
    if sheets.shape[-1] == 1:
        frames = [Image.fromarray(sheet[..., 0]) for sheet in sheets]
    else:
        frames = [_indexed(sheet) for sheet in sheets]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=max(10, round(100 * seconds) * 10),
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def movie(
    clips: Array, *, seconds: float = 0.1, columns: int | None = None, scale: int = 1
) -> bytes:
    """The same as an .mp4.

    Args:
        clips: see :func:`gif`.
        seconds: that a frame is shown.
        columns: clips in a row.
        scale: how many pixels wide a pixel becomes.

    Raises:
        LowerboundError: no clips of one or three channels, or PyAV is not installed.
    """
    sheets = _sheets(clips, columns, scale)
    return movies.mp4(np.broadcast_to(sheets, (*sheets.shape[:-1], 3)), seconds)


def _sheets(clips: Array, columns: int | None, scale: int) -> Array:
    """All clips side by side, frame by frame, uint8 ``(F, H, W, 1 or 3)``."""
    clips = np.asarray(clips)
    clips = clips[None] if clips.ndim == 4 else clips
    if clips.ndim != 5 or clips.shape[2] not in (1, 3) or 0 in clips.shape:
        raise LowerboundError(
            f"expected clips of shape (N, frames, 1 or 3, height, width), got {clips.shape}"
        )
    values = clips / 255.0 if clips.dtype == np.uint8 else clips
    columns = columns or math.ceil(math.sqrt(len(clips)))
    gap = 0 if len(clips) == 1 else max(1, round(clips.shape[-1] / 16))
    sheets = np.stack([image_array(values[:, at], columns, gap) for at in range(clips.shape[1])])
    return sheets.repeat(scale, 1).repeat(scale, 2)[..., : clips.shape[2]]


def enlarged(clips: Array, columns: int | None = None) -> int:
    """How many pixels wide a pixel should be for clips ``(N, F, C, H, W)`` to be looked at."""
    columns = columns or math.ceil(math.sqrt(len(clips)))
    rows = math.ceil(len(clips) / columns)
    height, width = clips.shape[-2:]
    return int(np.clip(_SHOWN // max(columns * width, rows * height), 1, _MOST))


def strips(
    clips: Array, title: str, *, labels: Sequence[str] | None = None, given: int | None = None
) -> Figure:
    """A row for each clip, some of its frames from the first to the last.

    Args:
        clips: ``(N, F, C, H, W)`` in [0, 1].
        title: what they are.
        labels: a word before each row.
        given: so many first frames were given: a line stands after them.
    """
    clips = np.asarray(clips)
    count = clips.shape[1]
    shown = np.unique(np.linspace(0, count - 1, min(count, _STRIP)).round().astype(np.int64))
    marked = None if given is None else int((shown < given).sum())
    return frame_rows(clips[:, shown], title, [str(at + 1) for at in shown], labels, marked)


def _indexed(sheet: Array) -> Image.Image:
    """A colour image with a palette: its own colours where they are few enough."""
    flat = sheet.reshape(-1, 3)
    colours, index = np.unique(flat, axis=0, return_inverse=True)
    if len(colours) > _COLOURS:
        return Image.fromarray(sheet).quantize(_COLOURS, dither=Image.Dither.NONE)
    image = Image.fromarray(index.reshape(sheet.shape[:2]).astype(np.uint8), "P")
    image.putpalette(colours.astype(np.uint8).ravel().tolist())
    return image
