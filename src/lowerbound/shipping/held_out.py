"""What a page to give away knows of a run besides its networks: codes, colours, directions."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from .. import exploring
from ..data import DataSpec
from ..errors import LowerboundError
from ..evaluation.chosen import Chosen
from ..exploring import facts
from ..exploring.codes import colour_values
from ..exploring.editing import attribute_values
from ..exploring.examples import examples_of
from ..latent import Space, latent_map
from ..runs import Run
from .inputs import numbers

Array = NDArray[Any]

_MOST_NUMBERS = 2**18  # of all codes together
_LISTED = 32  # dimensions with sliders
_MOVED = 512  # draws of a prior that dimensions are known by
_MEASURED = 1000  # examples that dimensions are known by
_COLOURS = 16
_TILE, _LOSSLESS = 64, 300_000  # pixels of a thumbnail's side; bytes of all of them
_ROWS, _WAVES = 2**19, 2**20  # bytes of examples that are no pictures


def mapped(run: Run, space: Space, limit: int) -> tuple[dict[str, Any], dict[str, Array], Chosen]:
    """Held-out examples: codes, colours and the plane of the map.

    Returns:
        what is told of them, arrays, and the examples.
    """
    count = max(3, min(limit, _MOST_NUMBERS // max(1, space.width)))
    chosen = examples_of(run, count)
    codes = space.encode(chosen.x, *chosen.context)
    arrays: dict[str, Array] = {
        "codes": codes.astype(np.float32),
        "positions": chosen.positions.astype(np.uint32),
    }
    told: dict[str, Any] = {"map": None, "colours": {}}
    if len(codes) >= 3:
        plane = latent_map(codes)
        axes = plane.axes if len(plane.axes) == 2 else np.concatenate([plane.axes, plane.axes])
        variance = plane.explained_variance
        told["map"] = {
            "method": plane.method,
            "mean": plane.mean.tolist(),
            "axes": axes.tolist(),
            "told": None if variance is None else float(variance.sum()),
        }
        for name in _colours(run, chosen):
            with contextlib.suppress(LowerboundError, NotImplementedError, ValueError):
                _, values, classes = colour_values(run, chosen, plane.points, name)
                arrays[f"colour:{name}"] = np.asarray(values, np.float32)
                told["colours"][name] = None if classes is None else list(classes)
    return told, arrays, chosen


def dimensions(run: Run, space: Space) -> list[dict[str, Any]]:
    """Rate, mean and deviation of each dimension that has a slider, those that matter first."""
    if hasattr(run.model, "encode"):
        with contextlib.suppress(LowerboundError):
            return facts.dimensions(run, space, most=_LISTED, examples=_MEASURED)
    return facts.dimensions_of_prior(run, space, most=_LISTED, draws=_MOVED)


def directions(run: Run) -> dict[str, Any] | None:
    """Steps of codes along which attributes change; None where the data have none."""
    try:
        return exploring.attributes(run).to_json()
    except LowerboundError:
        return None


def originals(run: Run, chosen: Chosen) -> tuple[dict[str, Any], dict[str, Array]]:
    """The held-out examples themselves: pictures on one sheet, rows, a few sounds."""
    spec, test = run.spec, run.data().test
    if spec.kind == "image":
        stored = test.stored(chosen.positions).numpy()
        return _sheet(spec, stored)
    if spec.kind == "audio":
        count = min(len(chosen.positions), max(1, _WAVES // spec.event_shape[0]))
        levels = test.stored(chosen.positions[:count]).numpy()
        return {"kind": "sounds", "count": count}, {"originals": levels.astype(np.uint8)}
    count = min(len(chosen.positions), max(1, _ROWS // max(1, 4 * spec.dimensions)))
    rows = test.stored(chosen.positions[:count]).numpy()
    return {"kind": "rows", "count": count}, {"originals": numbers(rows)}


def _sheet(spec: DataSpec, stored: Array) -> tuple[dict[str, Any], dict[str, Array]]:
    """All pictures side by side, each at most 64 pixels long, as one file."""
    black, white = spec.shown
    span = (white - black) or 1.0
    levels = np.rint(255 * ((stored - black) / span).clip(0, 1)).astype(np.uint8)
    tiles = [np.moveaxis(each, 0, -1) if len(each) == 3 else each[0] for each in levels]
    height, width = tiles[0].shape[:2]
    scale = min(1.0, _TILE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    across = math.ceil(math.sqrt(len(tiles)))
    mode = "RGB" if levels.shape[1] == 3 else "L"
    sheet = Image.new(mode, (across * size[0], math.ceil(len(tiles) / across) * size[1]))
    for place, tile in enumerate(tiles):
        image = Image.fromarray(tile)
        image = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)
        sheet.paste(image, (place % across * size[0], place // across * size[1]))
    kind, content = _compressed(sheet)
    told = {"kind": kind, "across": across, "width": size[0], "height": size[1]}
    return {**told, "count": len(tiles)}, {"originals": np.frombuffer(content, np.uint8)}


def _compressed(sheet: Image.Image) -> tuple[str, bytes]:
    """As it is where that is small, else with a loss that is not seen."""
    content = io.BytesIO()
    if not features.check("webp"):
        sheet.save(content, "png", optimize=True)
        return "image/png", content.getvalue()
    sheet.save(content, "webp", lossless=True, method=4)
    if content.tell() > _LOSSLESS:
        content = io.BytesIO()
        sheet.save(content, "webp", quality=82, method=4)
    return "image/webp", content.getvalue()


def _colours(run: Run, chosen: Chosen) -> list[str]:
    test = run.data().test
    found = ["label"] if test.labels is not None else []
    found += ["density", "bound", "error"]
    with contextlib.suppress(LowerboundError):
        found += attribute_values(run, test, chosen.positions)[1]
    classes = set(run.spec.classes or ())  # told by the label
    return [name for name in dict.fromkeys(found) if name not in classes][:_COLOURS]
