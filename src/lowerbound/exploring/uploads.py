"""Pictures of any size: what a model sees of one, and the change it makes brought back to it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..data import DataSpec
from ..data.decode import FAILURES, eight_bits, fitted, reason
from ..errors import LowerboundError

Array = NDArray[Any]


@dataclass(frozen=True)
class Upload:
    """A picture as it came, and the part of it that a model sees.

    Attributes:
        image: RGB or grey, as large as it came.
        alpha: its transparency, None where it has none.
        box: left, top, right and bottom of the part that the model sees, in pixels.
        pixels: that part in the model's size, 0 to 255 from black to white, ``(C, H, W)``; uint8,
            or float32 of a picture of 16 bits.
    """

    image: Image.Image
    alpha: Image.Image | None
    box: tuple[int, int, int, int]
    pixels: Array

    def with_part(self, part: Array, *, change_of: Array | None = None) -> Image.Image:
        """The picture with its part replaced, or changed, at its own size.

        Args:
            part: ``(C, H, W)`` in [0, 1], of the model's size.
            change_of: ``(C, H, W)`` in [0, 1]: only the difference of `part` to it is brought in,
                and the picture keeps the detail that the model has no eye for.
        """
        left, top, right, bottom = self.box
        size = right - left, bottom - top
        whole = np.asarray(self.image, np.float64)
        whole = whole[..., None] if whole.ndim == 2 else whole
        whole = whole.copy()
        where = (slice(top, bottom), slice(left, right))
        if change_of is None:
            whole[where] = 255 * _scaled(part, size)
        else:
            whole[where] += 255 * _scaled(part - change_of, size)
        levels = np.rint(whole.clip(0, 255)).astype(np.uint8)
        image = Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)
        if self.alpha is not None:
            image.putalpha(self.alpha)
        return image


def open_upload(path: Path, spec: DataSpec) -> Upload:
    """A picture, for a model of images.

    Raises:
        LowerboundError: it does not open, is smaller than a pixel of the model, or the model's
            images are neither grey nor in colour.
    """
    channels, height, width = spec.event_shape
    if channels not in (1, 3):
        raise LowerboundError(f"expected a .npy for data of {channels} channels, came {path.name}")
    try:
        with Image.open(io.BytesIO(path.read_bytes())) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I;16"):
                image = eight_bits(image, spec)
            deep = image.mode == "F" and opened.mode != "F"
            if image.mode in ("I", "F") and not deep:
                raise LowerboundError(
                    f"expected an image of 8 bits, came {path.name} of mode {image.mode}; save it "
                    "as PNG, or as .npy"
                )
            alpha, seen = None, image
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                whole = image.convert("RGBA")
                alpha = whole.getchannel("A")
                under = Image.new("RGBA", whole.size, "white")
                # The model sees it on white; its own colours come back under its transparency.
                image, seen = whole, Image.alpha_composite(under, whole)
            mode = "L" if channels == 1 else "RGB"
            if deep:  # the model sees all bits of it
                image = Image.fromarray(np.rint(np.asarray(image)).astype(np.uint8))
            else:
                seen = seen.convert(mode)
            image = image.convert(mode)
    except FileNotFoundError:
        raise LowerboundError(f"expected an image or a .npy, came no such file: {path}") from None
    except FAILURES as error:
        raise LowerboundError(f"{path} does not open as an image ({reason(error)})") from None
    box = middle_of(image.size, (height, width))
    small = np.asarray(fitted(seen.crop(box), (height, width)))
    pixels = small[None] if small.ndim == 2 else np.moveaxis(small, -1, 0)
    if deep:  # a smooth scaling overshoots
        pixels = np.repeat(pixels.clip(0.0, 255.0), channels, 0)
    return Upload(image, alpha, box, pixels)


def middle_of(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest box of the target's proportions in the middle: left, top, right, bottom.

    >>> middle_of((300, 400), (32, 32)), middle_of((64, 64), (32, 32))
    ((0, 50, 300, 350), (0, 0, 64, 64))
    """
    (wide, tall), (height, width) = size, target
    scale = min(wide / width, tall / height)
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (wide - w) // 2, (tall - h) // 2
    return left, top, left + w, top + h


def _scaled(part: Array, size: tuple[int, int]) -> Array:
    """``(C, H, W)`` to ``(h, w, C)``, smoothly, without rounding; as it is where it fits."""
    if part.shape[1:] == (size[1], size[0]):
        return np.moveaxis(part, 0, -1)
    planes = [
        np.asarray(
            Image.fromarray(np.asarray(plane, np.float32)).resize(size, Image.Resampling.BICUBIC)
        )
        for plane in part
    ]
    return np.stack(planes, -1).astype(np.float64)
