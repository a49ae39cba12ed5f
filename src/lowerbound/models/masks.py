"""Which part of a datum is missing: by name, drawn anew, or from an image.

A mask names what is *missing*. Fixed masks are the same for every example: quadrants, halves, the
centre, an image. Random masks are drawn for each example of each call from torch's default
generator, which whoever calls seeds: so they change from step to step in training and are the same
at every evaluation.

>>> fixed("quadrants:3", (1, 4, 4))[0].int()  # only the lower left quadrant is known
tensor([[1, 1, 1, 1],
        [1, 1, 1, 1],
        [0, 0, 1, 1],
        [0, 0, 1, 1]], dtype=torch.int32)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import LowerboundError, nearest
from ..noise import uniform

HALVES = ("left", "right", "top", "bottom")
NAMES = ("quadrants:1", "quadrants:2", "quadrants:3", *HALVES, "centre", "boxes", "pixels")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".npy")
# Sides of a random box, as parts of the image's.
_BOX = (0.25, 0.75)


def is_random(name: str) -> bool:
    """Whether a mask's name stands for draws: ``boxes``, ``pixels``, ``pixels:0.5``."""
    return name.partition(":")[0] in ("boxes", "pixels")


def is_file(name: str) -> bool:
    """Whether a mask's name is that of a file."""
    return Path(name).suffix.lower() in _SUFFIXES


def fixed(name: str, event_shape: tuple[int, ...]) -> Tensor:
    """What a mask's name says is missing.

    ``quadrants:1`` is the lower right one, ``quadrants:2`` the right half, ``quadrants:3`` all but
    the lower left one, as in Sohn et al. 2015 and in Pyro's example (pyro-ppl/pyro,
    examples/cvae/mnist.py, which counts the quadrants that are known). Of a vector there are the
    ``left`` and the ``right`` half. In an image file what is bright is missing.

    Args:
        name: quadrants:1, quadrants:2, quadrants:3, left, right, top, bottom, centre, or the path
            of an image or a .npy.
        event_shape: of one datum.

    Returns:
        bool ``event_shape``, True where the datum is missing.

    Raises:
        LowerboundError: an unknown name, one that the datum's shape does not have, an image of
            another size, a mask that hides all or nothing.
    """
    path = Path(name).expanduser()
    if is_file(name):
        return checked(read(path, event_shape), f"mask {path.name}")
    if name not in NAMES or is_random(name):
        hint = nearest(name, NAMES) or f"; there are: {', '.join(NAMES)}, or an image file"
        raise LowerboundError(f"unknown mask '{name}'{hint}")
    missing = torch.zeros(event_shape, dtype=torch.bool)
    width = event_shape[-1]
    if name in ("left", "right"):
        missing[..., slice(width // 2) if name == "left" else slice(width // 2, None)] = True
        return checked(missing, f"mask {name}")
    if len(event_shape) != 3:
        raise LowerboundError(
            f"mask {name}: expected images, came examples of shape {tuple(event_shape)}; pass mask "
            f"left, right or pixels"
        )
    height = event_shape[-2]
    upper, lower = slice(height // 2), slice(height // 2, None)
    if name in ("top", "bottom"):
        missing[:, upper if name == "top" else lower] = True
    elif name == "centre":
        rows, columns = (slice(n // 4, n - n // 4) for n in (height, width))
        missing[:, rows, columns] = True
    else:
        count = int(name.partition(":")[2])
        right = slice(width // 2, None)
        missing[:, lower if count == 1 else slice(None), right] = True
        if count == 3:
            missing[:, upper] = True
    return checked(missing, f"mask {name}")


def checked(missing: Tensor, what: str) -> Tensor:
    """The mask, if there is something to complete and something to complete it from.

    Raises:
        LowerboundError: it hides all or nothing.
    """
    if bool(missing.all()) or not bool(missing.any()):
        hides = "all" if bool(missing.all()) else "nothing"
        raise LowerboundError(
            f"{what}: expected a part of each example to be missing, came a mask that hides "
            f"{hides}; pass another"
        )
    return missing


def read(path: Path, event_shape: tuple[int, ...]) -> Tensor:
    """A mask from an image (bright is missing) or a .npy (what is not zero is missing).

    Args:
        path: of the file.
        event_shape: of one datum; one mask serves all channels.

    Returns:
        bool ``event_shape``.

    Raises:
        LowerboundError: it does not open, or is of another size.
    """
    import numpy as np
    from PIL import Image

    try:
        if path.suffix.lower() == ".npy":
            found = np.load(path, allow_pickle=False) != 0
        else:
            with Image.open(path) as image:
                found = np.asarray(image.convert("L")) > 127
    except FileNotFoundError:
        raise LowerboundError(f"mask {path}: expected a file, came no such file") from None
    except (OSError, ValueError) as error:
        raise LowerboundError(f"mask {path}: it does not open ({error})") from None
    return _sized(found, event_shape, f"mask {path.name}")


def of_array(mask: Any, event_shape: tuple[int, ...]) -> Tensor:
    """A mask from an array or tensor: what is not zero is missing.

    Args:
        mask: of the event's shape, or of an image's height and width.
        event_shape: of one datum.

    Returns:
        bool ``event_shape``.

    Raises:
        LowerboundError: it is none of numbers, of another size, or hides all or nothing.
    """
    import numpy as np

    found = mask.detach().cpu().numpy() if isinstance(mask, Tensor) else np.asarray(mask)
    if found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        raise LowerboundError(
            f"mask: expected a name, or an array of {tuple(event_shape)} that is True where the "
            f"example is missing, came {type(mask).__name__} of {found.dtype}; pass e.g. 'left'"
        )
    return checked(_sized(found != 0, event_shape, "mask"), "mask")


def _sized(found: Any, event_shape: tuple[int, ...], what: str) -> Tensor:
    shape = tuple(event_shape)
    if tuple(found.shape) not in (shape, shape[1:] if len(shape) == 3 else shape):
        size = " x ".join(str(n) for n in (shape[1:] if len(shape) == 3 else shape))
        came = " x ".join(str(n) for n in found.shape) or "one number"
        raise LowerboundError(f"{what}: expected a size of {size}, came {came}; scale it")
    return torch.from_numpy(found.copy()).expand(shape).clone()


def check_random(name: str, event_shape: tuple[int, ...]) -> float | None:
    """The fraction in ``pixels:0.5``, None where the name has none.

    Raises:
        LowerboundError: no such mask, no fraction between 0 and 1, or boxes of what is no image.
    """
    kind, _, text = name.partition(":")
    if kind == "boxes" and len(event_shape) != 3:
        raise LowerboundError(
            f"mask boxes: expected images, came examples of shape {tuple(event_shape)}; pass mask "
            f"pixels"
        )
    if not text:
        return None
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1.0
    if kind == "boxes" or not 0.0 < fraction < 1.0:
        raise LowerboundError(
            f"mask {kind}: expected "
            + ("no number behind it" if kind == "boxes" else "a fraction above 0 and below 1")
            + f", came '{text}'; pass {'boxes' if kind == 'boxes' else 'pixels:0.5'}"
        )
    return fraction


def boxes(count: int, event_shape: tuple[int, ...], device: torch.device) -> Tensor:
    """One missing box in each image: sides of a quarter to three quarters, anywhere in it.

    Returns:
        bool ``(count, *event_shape)``.
    """
    size = torch.tensor(event_shape[-2:], device=device)
    drawn = uniform((count, 4), device).unflatten(1, (2, 2))  # sides, places
    low, high = _BOX
    sides = ((low + (high - low) * drawn[:, 0]) * size).round().clamp_min(1)
    first = (drawn[:, 1] * (size - sides + 1)).floor()
    inside = []
    for axis in (0, 1):
        place = torch.arange(event_shape[-2 + axis], device=device)
        start, stop = first[:, axis, None], (first + sides)[:, axis, None]
        inside.append((place >= start) & (place < stop))
    box = inside[0][:, :, None] & inside[1][:, None, :]
    return box[:, None].expand(count, *event_shape)


def pixels(
    count: int, event_shape: tuple[int, ...], device: torch.device, fraction: float | None = None
) -> Tensor:
    """Missing positions, each for itself; of an image all channels of a pixel together.

    Args:
        count: examples.
        event_shape: of one datum.
        device: where the mask goes.
        fraction: of positions that are missing; None draws one for each example.

    Returns:
        bool ``(count, *event_shape)``.
    """
    shape = (1, *event_shape[1:]) if len(event_shape) == 3 else tuple(event_shape)
    level = fraction if fraction is not None else uniform((count, *[1] * len(shape)), device)
    return (uniform((count, *shape), device) < level).expand(count, *event_shape)
