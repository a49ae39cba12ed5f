"""The map: where held-out examples lie, what colours them, and codes behind places on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError
from ...evaluation.chosen import Chosen
from ...exploring.codes import colour_values
from ...exploring.examples import examples_of
from ...latent import (
    LatentMap,
    bounds_of,
    latent_map,
    nearest_rows,
    reconstruction_errors,
    space_of,
)
from ...runs import Run
from .. import shown
from ..asked import Asked, Studio, path_of, route

Array = NDArray[Any]

MOST = 20_000  # points
_METHODS = ("auto", "raw", "pca", "umap")
_PART = 500  # examples that are measured before others may compute
_NEAR = 4  # points by which a place on a map without axes is known
_PLACES = 1024


def map_(studio: Studio, asked: Asked) -> Any:
    """Points and their colours; see `MapReply` of the page."""
    path = path_of(studio, asked)
    limit, method = _options(asked)
    colour = asked.text("colour", None)
    chosen, _, found = placed(studio, path, limit, method)
    name, values, classes = coloured(studio, path, limit, found, colour)
    share = found.explained_variance
    return {
        "method": found.method,
        "points": shown.floats(plane_of(found.points)),
        "colour": name,
        "values": shown.floats(values),
        "classes": None if classes is None else list(classes),
        "positions": shown.wholes(chosen.positions),
        "told": None if share is None else float(share.sum()),
        "mean": found.mean.tolist() if len(found.axes) else None,
        "axes": found.axes.tolist() if len(found.axes) else None,
    }


def codes_at(studio: Studio, asked: Asked) -> Any:
    """Codes behind places on a map."""
    path = path_of(studio, asked)
    limit, method = _options(asked)
    places = asked.numbers("places", width=2, most=_PLACES)
    _, codes, found = placed(studio, path, limit, method)
    return behind(found, codes, places).tolist()


def datum(studio: Studio, asked: Asked) -> Any:
    """A held-out example."""
    run = studio.models.get(path_of(studio, asked)).run
    test = run.data().test
    position = asked.whole("position", high=len(test) - 1)
    return shown.datum(run.spec, test.stored(np.array([position])).numpy()[0])


def placed(studio: Studio, path: Path, limit: int, method: str) -> tuple[Chosen, Array, LatentMap]:
    """Examples, their codes ``(N, latent)``, and where they lie."""

    def encode(run: Run) -> tuple[Chosen, Array]:
        space = space_of(run.model, "map")
        chosen = examples_of(run, limit)
        if len(chosen.x) < 3:
            count = len(chosen.x)
            raise LowerboundError(f"map: expected at least 3 held-out examples, came {count}")
        return chosen, space.encode(chosen.x, *chosen.context)

    chosen, codes = studio.models.remember(path, ("codes", limit), encode)
    known = studio.models.get(path).known
    # Without the lock: no model computes, and a map by UMAP takes its time.
    if ("placed", limit, method) not in known:
        known["placed", limit, method] = latent_map(codes, method)  # ty: ignore
    return chosen, codes, known["placed", limit, method]


def coloured(
    studio: Studio, path: Path, limit: int, found: LatentMap, colour: str | None
) -> tuple[str, Array, tuple[str, ...] | None]:
    """The colour's name, values ``(N,)``, and classes; as of :func:`colour_values`."""
    opened = studio.models.get(path)
    run = opened.run
    key = "colour", limit, found.method, colour
    if key not in opened.known:
        chosen = examples_of(run, limit)
        if colour == "bound":
            values = _in_parts(studio, bounds_of, run.model, chosen)
            opened.known[key] = colour, values, None
        elif colour == "error":
            values = _in_parts(studio, reconstruction_errors, run.model, chosen)
            opened.known[key] = colour, values, None
        else:
            opened.known[key] = colour_values(run, chosen, found.points, colour)
    return opened.known[key]


def behind(found: LatentMap, codes: Array, places: Array) -> Array:
    """The code at each of some places ``(P, 2)``, ``(P, latent)``.

    On axes, the code in their plane that lies there; else between those of the nearest points,
    weighted by the inverse of their squared distance.
    """
    if len(found.axes):
        return found.mean + places[:, : len(found.axes)] @ found.axes
    near = nearest_rows(places, found.points, min(_NEAR, len(codes)))
    weight = 1.0 / np.maximum(np.square(near.distance), 1e-12)
    weight /= weight.sum(1, keepdims=True)
    return np.einsum("pk,pkl->pl", weight, codes[near.index])


def plane_of(points: Array) -> Array:
    """Points ``(N, 2)``; codes of one number lie beside one another by chance, like sand."""
    if points.shape[1] == 2:
        return points
    height = np.random.default_rng(0).uniform(-0.5, 0.5, len(points)) * max(points.std(), 1e-6)
    return np.stack([points[:, 0], height], 1)


def _in_parts(studio: Studio, work: Callable[..., Array], model: Any, chosen: Chosen) -> Array:
    """A number for each example; others may compute in between."""
    parts = []
    for start in range(0, len(chosen.x), _PART):
        rows = slice(start, start + _PART)
        with studio.models.lock:
            parts.append(work(model, chosen.x[rows], *(each[rows] for each in chosen.context)))
    return np.concatenate(parts)


def _options(asked: Asked) -> tuple[int, str]:
    limit = asked.whole("limit", 2000, low=3, high=MOST)
    return limit, asked.text("method", "auto", among=_METHODS)


ROUTES = [
    route("GET", "run/{run}/map", map_),
    route("POST", "run/{run}/code-at", codes_at),
    route("GET", "run/{run}/datum", datum),
]
