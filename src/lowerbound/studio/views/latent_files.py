"""What a view shows, written into a file: the kinds of file that the command line writes."""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from ... import plots
from ...errors import LowerboundError
from ...exploring import writing
from ...forecast_files import write_forecast
from ...latent import spread_out
from ...runs import Run
from ..asked import Asked, Studio, path_of, route
from .latent import decoded, edited, sampled, searched, varied, walked
from .latent_forecast import forecasted
from .latent_map import coloured, placed, plane_of

Array = NDArray[Any]

_KINDS = {
    ".png": "image/png",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".wav": "audio/wav",
    ".csv": "text/csv",
    ".npy": "application/octet-stream",
}
_UNITS = {
    "density": "log density of the map",
    "bound": "bound on log p(x), nats",
    "error": "squared error of the reconstruction",
}


def file(studio: Studio, asked: Asked) -> Response:
    """One of `Asked` of the page, as bytes."""
    what = asked.text("what", among=tuple(_MADE))
    suffix = asked.text("suffix", among=tuple(_KINDS))
    return Response(_MADE[what](studio, asked, suffix), media_type=_KINDS[suffix])


def _codes(studio: Studio, asked: Asked, suffix: str) -> bytes:
    run, values = decoded(studio, asked)
    columns = asked.whole("columns", len(values), low=1, high=len(values))
    if len(values) % columns:
        raise LowerboundError(f"columns: expected full rows, came {len(values)} codes")
    return _cells(run, _rows(values, columns), suffix, "decoded codes")


def _path(studio: Studio, asked: Asked, suffix: str) -> bytes:
    run, found = walked(studio, asked)
    return _cells(run, found.decoded[None], suffix, f"{found.path} interpolation")


def _edit(studio: Studio, asked: Asked, suffix: str) -> bytes:
    run, found = edited(studio, asked)
    if found.image is not None and suffix == ".png":
        content = io.BytesIO()
        found.image.save(content, "png")
        return content.getvalue()
    if suffix == ".npy":
        return _npy(found.values)
    known = [found.original, found.reconstructed, found.values]
    values = np.stack([each for each in known if each is not None])
    return _cells(run, values[None], suffix, "edited")


def _vary(studio: Studio, asked: Asked, suffix: str) -> bytes:
    run, found, _ = varied(studio, asked)
    values = found.decoded[0]
    return _cells(run, _square(values), suffix, f"{len(values)} draws of the posterior")


def _search(studio: Studio, asked: Asked, suffix: str) -> bytes:
    run, found = searched(studio, asked)
    columns = [str(position) for position in found.positions]
    both = np.stack([found.values, found.decoded])
    title = f"{found.split} examples, by {found.unit}"
    return _cells(run, both, suffix, title, rows=["data", "model"], columns=columns)


def _sample(studio: Studio, asked: Asked, suffix: str) -> bytes:
    run, values = sampled(studio, asked)
    return _cells(run, _square(values), suffix, f"{len(values)} samples")


def _map(studio: Studio, asked: Asked, suffix: str) -> bytes:
    opened = studio.models.get(path_of(studio, asked))
    options = Asked(asked.get("options"))
    limit = options.whole("limit", 2000, low=3)
    found = placed(studio, opened, limit, options.text("method", "auto"))
    if suffix == ".npy":
        return _npy(found.map.points)
    if suffix != ".png":
        raise LowerboundError(f"a map is written as .png or .npy, came {suffix}")
    colour = options.text("colour", None)
    name, values, classes, _ = coloured(studio, opened, limit, found, colour)
    run = opened.run
    places, pictures = None, None
    if run.spec.kind in ("image", "video"):
        places = spread_out(plane_of(found.map.points))
        stored = run.data().test.stored(found.positions[places]).numpy()
        pictures = writing.unit(run.spec, stored)
        pictures = pictures if pictures.ndim == 4 else pictures[:, pictures.shape[1] // 2]
    figure = plots.places(
        found.map, values, _UNITS.get(name, name), classes=classes, shown=places, pictures=pictures,
        title=f"{run.spec.name}: codes of {len(found.codes):,} held-out examples",
    )  # fmt: skip
    return plots.to_png(figure)


def _forecast(studio: Studio, asked: Asked, suffix: str) -> bytes:
    run, found = forecasted(studio, asked)
    with tempfile.TemporaryDirectory() as folder:
        return write_forecast(Path(folder) / f"file{suffix}", run, found).read_bytes()


def _cells(run: Run, values: Array, suffix: str, what: str, **words: Any) -> bytes:
    """``(R, C, *event)`` as :func:`lowerbound.exploring.write_cells` writes them."""
    if suffix == ".npy":
        return _npy(values)
    if run.spec.kind == "sequence":
        raise LowerboundError(f"sequences are written as .npy, came {suffix}")
    with tempfile.TemporaryDirectory() as folder:
        title = f"{run.spec.name}: {what}"
        path = writing.write_cells(Path(folder) / f"file{suffix}", run, values, title, **words)
        return path.read_bytes()


def _npy(values: Array) -> bytes:
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    return content.getvalue()


def _square(values: Array) -> Array:
    """In rows as long as there are rows, where they come out even."""
    across = math.ceil(math.sqrt(len(values)))
    return _rows(values, across if len(values) % across == 0 else len(values))


def _rows(values: Array, columns: int) -> Array:
    return values.reshape(-1, columns, *values.shape[1:])


_MADE: dict[str, Callable[[Studio, Asked, str], bytes]] = {
    "codes": _codes,
    "path": _path,
    "edit": _edit,
    "vary": _vary,
    "search": _search,
    "sample": _sample,
    "map": _map,
    "forecast": _forecast,
}

ROUTES = [route("POST", "run/{run}/file", file)]
