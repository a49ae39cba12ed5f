"""A datum as JSON that a browser can show: the union `Datum` of ``studio/src/latent.ts``."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .. import listening, plots
from ..data import DataSpec
from ..exploring.writing import unit
from ..sound import LogMel, write_wav

Array = NDArray[Any]

_FRAME_SECONDS = 0.1
_BANDS, _WINDOW, _HOP = 48, 256, 64
_DEEP = 7.0  # nepers of power under the loudest that a spectrogram still shows


def datum(spec: DataSpec, values: Array) -> dict[str, Any]:
    """What is shown of a datum.

    Args:
        spec: of the data.
        values: ``event_shape``, in the units of the data.
    """
    if spec.kind == "image":
        return picture(spec, values)
    if spec.kind == "video":
        return _film(spec, values)
    if spec.kind == "audio":
        return _sound(spec, values)
    if spec.kind == "tokens":
        tokens = [int(v) for v in np.rint(values).reshape(-1)]
        return {"kind": "tokens", "tokens": tokens, "levels": int(spec.levels or 2)}
    width = values.shape[-1]
    names = list(spec.columns or (f"x{d}" for d in range(width)))
    if spec.kind == "sequence":
        return {"kind": "series", "names": names, "steps": [numbers(row) for row in values]}
    return {"kind": "row", "names": names, "values": numbers(values)}


def data(spec: DataSpec, values: Array) -> list[dict[str, Any]]:
    """Several of them, ``(N, *event)``."""
    return [datum(spec, each) for each in values]


def picture(spec: DataSpec, values: Array) -> dict[str, Any]:
    """An image ``(C, H, W)`` at its own size."""
    return of_image(Image.fromarray(_levels(unit(spec, values))))


def of_image(image: Image.Image) -> dict[str, Any]:
    """A picture as it is."""
    content = io.BytesIO()
    # What is looked at for a moment need not be small.
    image.save(content, "png", compress_level=1)
    return {
        "kind": "image",
        "src": uri("image/png", content.getvalue()),
        "width": image.width,
        "height": image.height,
    }


def uri(kind: str, content: bytes) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def floats(values: Array) -> str:
    """Numbers as the page reads them: base64 of little-endian float32."""
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()


def wholes(values: Array) -> str:
    """The same of whole numbers, uint32."""
    return base64.b64encode(np.ascontiguousarray(values, "<u4").tobytes()).decode()


def _levels(shown: Array) -> Array:
    """``(C, H, W)`` in [0, 1] to 8 bits ``(H, W)`` or ``(H, W, 3)``."""
    levels = np.rint(255.0 * np.asarray(shown, np.float64).clip(0.0, 1.0)).astype(np.uint8)
    return levels[0] if len(levels) == 1 else np.ascontiguousarray(np.moveaxis(levels, 0, -1))


def _film(spec: DataSpec, values: Array) -> dict[str, Any]:
    frames = unit(spec, values)
    return {
        "kind": "film",
        "src": uri("image/gif", plots.gif(frames, seconds=_FRAME_SECONDS)),
        "width": frames.shape[-1],
        "height": frames.shape[-2],
        "frames": len(frames),
    }


def _sound(spec: DataSpec, values: Array) -> dict[str, Any]:
    rate = listening.rate_of(spec)
    wave = listening.waves_of(values.reshape(1, -1))[0]
    content = io.BytesIO()
    _spectrogram(wave, rate).save(content, "png", compress_level=1)
    return {
        "kind": "sound",
        "src": uri("audio/wav", write_wav(wave, rate)),
        "picture": uri("image/png", content.getvalue()),
        "seconds": len(wave) / rate,
    }


def _spectrogram(wave: Array, rate: int) -> Image.Image:
    """Log-mel power, low notes at the bottom; the colours go down to `_DEEP` below the loudest."""
    padded = np.pad(wave, (0, -len(wave) % _HOP)).astype(np.float32)
    with torch.no_grad():
        bands = _mel(rate)(torch.from_numpy(padded)[None])[0].numpy()
    share = ((bands - bands.max()) / _DEEP + 1.0).clip(0.0, 1.0)
    return Image.fromarray(_colours()[np.rint(255 * share[::-1]).astype(np.uint8)])


@cache
def _mel(rate: int) -> LogMel:
    return LogMel(rate, _WINDOW, _HOP, _BANDS)


@cache
def _colours() -> Array:
    """Magma, ``(256, 3)`` uint8."""
    from matplotlib import colormaps

    return np.rint(255 * colormaps["magma"](np.arange(256))[:, :3]).astype(np.uint8)


def numbers(values: Array) -> list[float | None]:
    """JSON knows no NaN."""
    return [float(v) if np.isfinite(v) else None for v in np.asarray(values).reshape(-1)]
