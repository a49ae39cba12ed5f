"""Denoising with a trained run: of files and arrays, and of held-out data that are corrupted first.

>>> import lowerbound as lb
>>> run = lb.train("digits", "denoising-autoencoder")  # doctest: +SKIP
>>> clean = lb.denoise(run, "noisy.png")  # doctest: +SKIP
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .data import DataSpec, Prepare, held_out
from .errors import LowerboundError
from .runs import Run
from .training.checkpoint import write_out
from .training.noise import mix

Array = NDArray[Any]

_HELD_OUT_SEED = 0  # as in every report on held-out data
_ROWS = 256
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow has it


def denoise(run: str | Path | Run, x: Any) -> Array:
    """What a denoiser makes of noisy data.

    Args:
        run: a run or its folder, of recipe denoising-autoencoder or masked-autoencoder.
        x: noisy data, ``(n, *event_shape)`` or one datum, in the units of the data; or a file:
            an image (black is their least value, white their greatest) of the data's size, to which
            it is cropped and scaled where they were, or .npy.

    Returns:
        ``(n, *event_shape)`` in the units of the data, not rounded to levels.

    Raises:
        LowerboundError: the run is no denoiser, or x does not fit it.
    """
    run, model = _opened(run)
    scaled = run.info["data"]["options"].get("size") is not None
    noisy = read(x, run.spec, scaled) if isinstance(x, str | Path) else np.asarray(x)
    event = tuple(run.spec.event_shape)
    if noisy.shape == event:
        noisy = noisy[None]
    if noisy.shape[1:] != event or noisy.dtype.kind not in "buif":
        shown = ", ".join(map(str, event))
        raise LowerboundError(
            f"expected numbers of shape (n, {shown}), came {noisy.dtype} of {noisy.shape}"
        )
    if not np.isfinite(noisy).all():
        raise LowerboundError("expected finite numbers, came NaN or infinity; replace them first")
    prepare = Prepare(run.spec)
    return _stored(
        run.spec, _denoised(model, prepare(torch.from_numpy(np.ascontiguousarray(noisy))))
    )


def held_out_denoised(
    run: str | Path | Run, n: int = 10, *, seed: int = 0
) -> tuple[Array, Array, Array]:
    """Held-out data, corrupted as in training, and denoised.

    Args:
        run: a run or its folder.
        n: how many.
        seed: of the choice of examples and of the corruption.

    Returns:
        clean, corrupted and denoised data, ``(n, *event_shape)`` each, in the units of the data.

    Raises:
        LowerboundError: the run is no denoiser.
    """
    run, model = _opened(run)
    if n < 1:
        raise LowerboundError(f"n: expected a whole number of at least 1, came {n}; pass e.g. 10")
    data = run.data()
    order = torch.Generator().manual_seed(mix(seed))
    chosen = torch.randperm(len(data.test), generator=order)[:n]
    x = held_out(data.test, run.spec, _HELD_OUT_SEED)[chosen]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(seed))
        corrupted = model.corrupt(x)
    found = _denoised(model, corrupted)
    clean, noisy, better = (_stored(run.spec, values) for values in (x, corrupted, found))
    return clean, noisy, better


def read(path: str | Path, spec: DataSpec, scaled: bool = False) -> Array:
    """An image or .npy as data in their units, ``(n, *event_shape)`` or one datum.

    Args:
        path: of the file.
        spec: of the data.
        scaled: crop and scale an image to the size of the data, as these were.

    Raises:
        LowerboundError: there is no such file, or it holds something else.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise LowerboundError(f"expected an image or .npy, came {path}: there is no such file")
    if path.suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise LowerboundError(f"{path} does not open as .npy: {error}") from None
    if spec.kind != "image":
        raise LowerboundError(
            f"expected a .npy file, as the data are no images, came {path.name}; save it as .npy"
        )
    from .data.decode import Files, open_image

    size = (spec.event_shape[1], spec.event_shape[2]) if scaled else None
    pixels = open_image(Files((path.name,), lambda name: path.read_bytes()), path.name, size, spec)
    if isinstance(pixels, str):
        raise LowerboundError(f"expected an image or .npy, came {path.name}: {pixels}")
    channels, height, width = spec.event_shape
    if pixels.shape[:2] != (height, width):
        raise LowerboundError(
            f"expected an image of {width} x {height} pixels, came {pixels.shape[1]} x "
            f"{pixels.shape[0]}; crop or scale it"
        )
    if channels not in (1, 3):
        raise LowerboundError(
            f"expected a .npy file for data of {channels} channels, came {path.name}"
        )
    if pixels.ndim == 2:
        image = np.repeat(pixels[None], channels, axis=0).astype(np.float64)
    else:
        image = pixels.transpose(2, 0, 1).astype(np.float64)
        if channels == 1:
            image = np.tensordot(_GREY, image, 1)[None]
    black, white = spec.shown
    return image / 255.0 * (white - black) + black


def write(path: str | Path, run: Run, values: Array) -> Path:
    """Write denoised data as .npy, or images as the .png of their own size (side by side).

    Raises:
        LowerboundError: the name ends in something else, the data are no images, or the file
            cannot be written.
    """
    from PIL import Image

    from . import plots

    path, spec = Path(path), run.spec
    if path.suffix not in (".png", ".npy"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{path.name}'")
    content = io.BytesIO()
    if path.suffix == ".npy":
        np.save(content, values, allow_pickle=False)
    elif spec.kind != "image" or spec.event_shape[0] not in (1, 3):
        raise LowerboundError(
            f"expected a name that ends in .npy, as the data are no grey or colour images, came "
            f"'{path.name}'"
        )
    else:
        sheet = plots.image_array(_unit(spec, values), gap=0)
        shown = sheet[..., 0] if spec.event_shape[0] == 1 else sheet
        Image.fromarray(shown).save(content, "png")
    return write_out(path, content.getvalue())


def write_triples(path: str | Path, run: Run, clean: Array, corrupted: Array, found: Array) -> Path:
    """Write clean | corrupted | denoised data as a picture, or as .npy ``(n, 3, *event_shape)``.

    Raises:
        LowerboundError: as :func:`write`.
    """
    from . import pictures, plots

    path, spec = Path(path), run.spec
    if path.suffix not in (".png", ".npy"):
        raise LowerboundError(f"expected a name that ends in .png or .npy, came '{path.name}'")
    if path.suffix == ".npy":
        content = io.BytesIO()
        np.save(content, np.stack([clean, corrupted, found], 1), allow_pickle=False)
        return write_out(path, content.getvalue())
    if spec.kind == "image":
        shown = [_unit(spec, values) for values in (clean, corrupted, found)]
        figure = plots.denoised(*shown, title=f"{spec.name}: held-out data, denoised")
    else:
        names = run.data().facts.columns
        figure = pictures.reconstructions_figure(spec, clean, found, names)
    return write_out(path, plots.to_png(figure))


def _opened(run: str | Path | Run) -> tuple[Run, Any]:
    run = run if isinstance(run, Run) else Run.open(run)
    model: Any = run.model
    if not hasattr(model, "denoise"):
        raise LowerboundError(
            f"{run.path} is no denoiser ({run.name}); train one with --recipe denoising-autoencoder"
        )
    return run, model


def _denoised(model: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.cat([model.denoise(rows) for rows in x.split(_ROWS)])


def _stored(spec: DataSpec, x: torch.Tensor) -> Array:
    return Prepare(spec).expected(x).numpy()


def _unit(spec: DataSpec, values: Array) -> Array:
    """Stored values of images in [0, 1], channels that can be shown."""
    black, white = spec.shown
    images = np.clip((values - black) / ((white - black) or 1.0), 0.0, 1.0)
    channels = images.shape[1]
    return images if channels in (1, 3) else images[:, : 3 if channels > 3 else 1]
