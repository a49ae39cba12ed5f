"""What a page to give away knows of a run besides its networks: codes, colours, directions."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, features

from .. import conditioning, exploring
from ..data import DataSpec
from ..errors import LowerboundError
from ..evaluation.chosen import Chosen
from ..evaluation.decoding import evaluating
from ..exploring.codes import colour_values
from ..exploring.editing import attribute_values
from ..exploring.examples import examples_of
from ..latent import Space, latent_map
from ..latent import traverse as latent_traverse
from ..runs import Run

Array = NDArray[Any]

_MOST_NUMBERS = 2**18  # of all codes together
_LISTED = 32  # dimensions with sliders
_DRAWS = 128  # of the prior
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
        points = plane.points if plane.points.shape[1] == 2 else np.repeat(plane.points, 2, 1)
        for name in _colours(run, chosen):
            with contextlib.suppress(LowerboundError, NotImplementedError, ValueError):
                _, values, classes = colour_values(run, chosen, points, name)
                arrays[f"colour:{name}"] = np.asarray(values, np.float32)
                told["colours"][name] = None if classes is None else list(classes)
    return told, arrays, chosen


def dimensions(run: Run, space: Space) -> list[dict[str, Any]]:
    """Rate, mean and deviation of each dimension that has a slider, those that matter first."""
    model: Any = run.model
    if hasattr(model, "encode"):
        with contextlib.suppress(LowerboundError):
            some = examples_of(run, _MEASURED)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                found = latent_traverse(
                    model, some.x, *some.context, start=None, most=_LISTED, steps=2, width=1.0,
                    centre=space.centre,
                )  # fmt: skip
            rates = [None] * len(found.values) if found.kl is None else found.kl.tolist()
            ends = zip(found.dimensions, rates, found.values.tolist(), strict=True)
            return [_dimension(d, rate, (a + b) / 2, (b - a) / 2) for d, rate, (a, b) in ends]
    codes, given = draws(run, space, 512)
    mean, deviation = codes.mean(0), codes.std(0)
    some_of = np.argsort(-deviation, kind="stable")[: 4 * _LISTED]
    moved = np.tile(mean, (2 * len(some_of), 1))
    for row, d in enumerate(some_of):
        moved[2 * row : 2 * row + 2, d] += np.array([-2.0, 2.0]) * deviation[d]
    with torch.no_grad(), evaluating(model):
        decoded = space.decode(moved, *(each[:1] for each in given)).reshape(len(some_of), 2, -1)
    change = np.square(decoded[:, 1] - decoded[:, 0]).sum(1)
    ranked = some_of[np.argsort(-change, kind="stable")[:_LISTED]]
    return [_dimension(d, None, mean[d], deviation[d]) for d in ranked]


def draws(run: Run, space: Space, n: int = _DRAWS) -> tuple[Array, tuple[torch.Tensor, ...]]:
    """Codes of the prior ``(n, width)``, and the conditions that they go with."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]), evaluating(run.model):
        torch.manual_seed(0)
        context = conditioning.contexts_for(run, n, None, 0)
        codes = conditioning.draw_codes(run.model, n, *context)
    return codes.reshape(n, -1).double().numpy(), context


def conditions(run: Run) -> list[dict[str, Any]]:
    """What the model is given; see `Condition` of the page."""
    condition: Any = getattr(run.model, "condition", None)
    side = getattr(condition, "side", None)
    if side in (None, "position"):
        return []
    if side != "attributes":
        name = "label" if side == "labels" else str(side)
        return [{"name": name, "kind": "choice", "choices": list(condition.classes)}]
    found = []
    attributes = np.asarray(run.data().train.attributes, np.float64)
    for place, name in enumerate(condition.names):
        column = attributes[:, place]
        low, high, typical = float(column.min()), float(column.max()), float(column.mean())
        found.append({"name": name, "kind": "number", "low": low, "high": high, "typical": typical})
    return found


def directions(run: Run) -> dict[str, Any] | None:
    """Steps of codes along which attributes change; None where the data have none."""
    try:
        found = exploring.attributes(run)
    except LowerboundError:
        return None
    names = ("vectors", "weights", "biases", "typical", "natural", "accuracy", "share")
    told = {name: np.round(getattr(found, name), 6).tolist() for name in names}
    return {"names": list(found.names), **told, "vague": [found.vague(n) for n in found.names]}


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
    return {"kind": "rows", "count": count}, {"originals": rows.astype(np.float32)}


def _sheet(spec: DataSpec, stored: Array) -> tuple[dict[str, Any], dict[str, Array]]:
    """All pictures side by side, each at most 64 pixels long, as one file."""
    span = (spec.high - spec.low) or 1.0
    levels = np.rint(255 * ((stored - spec.low) / span).clip(0, 1)).astype(np.uint8)
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


def _dimension(index: int, rate: float | None, mean: float, deviation: float) -> dict[str, Any]:
    told = {"mean": float(mean), "deviation": float(deviation)}
    return {"index": int(index), "rate": None if rate is None else float(rate), **told}
