"""The map: where held-out examples lie, what colours them, and codes behind places on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError
from ...evaluation.chosen import Chosen
from ...exploring.bounds import bounds
from ...exploring.codes import colour_values
from ...exploring.examples import examples_of
from ...latent import (
    LatentMap,
    latent_map,
    nearest_rows,
    reconstruction_errors,
    space_of,
)
from ...runs import Run
from .. import shown
from ..asked import Asked, Studio, path_of, route
from ..opened import Opened
from .growing import Growing

Array = NDArray[Any]

MOST = 20_000  # points
_METHODS = ("auto", "raw", "pca", "umap")
_MEASURES: dict[str, Callable[..., Array]] = {
    "bound": bounds,
    "error": lambda run, *x: reconstruction_errors(run.model, *x),
}
_LATE = ("density", *_MEASURES)  # colours that come when all points are there
_SECONDS = 0.7  # that a reply waits for more points
_NEAR = 4  # points by which a place on a map without axes is known
_PLACES = 1024


@dataclass(frozen=True)
class Placed:
    """Examples on a map.

    Attributes:
        chosen: all that are to be there.
        rows: of them those that are, ``(n,)``.
        codes: theirs, ``(n, latent)``.
        map: where they lie.
    """

    chosen: Chosen
    rows: Array
    codes: Array
    map: LatentMap

    @property
    def complete(self) -> bool:
        """Whether all are there."""
        return len(self.rows) == len(self.chosen.positions)

    @property
    def positions(self) -> Array:
        """In the split, ``(n,)``."""
        return self.chosen.positions[self.rows]


def map_(studio: Studio, asked: Asked) -> Any:
    """Points and their colours, as many as become known soon; see `MapReply` of the page."""
    opened, until = studio.models.get(path_of(studio, asked)), time.monotonic() + _SECONDS
    limit, method = _options(asked)
    found = placed(studio, opened, limit, method, until)
    name, values, classes, done = coloured(
        studio, opened, limit, found, asked.text("colour", None), until
    )
    told = found.map.explained_variance
    return {
        "method": found.map.method,
        "points": shown.floats(plane_of(found.map.points)),
        "colour": name,
        "values": None if values is None else shown.floats(values),
        "classes": None if classes is None else list(classes),
        "positions": shown.wholes(found.positions),
        "told": None if told is None else float(told.sum()),
        "mean": found.map.mean.tolist() if len(found.map.axes) else None,
        "axes": found.map.axes.tolist() if len(found.map.axes) else None,
        "done": done,
        "of": len(found.chosen.positions),
    }


def codes_at(studio: Studio, asked: Asked) -> Any:
    """Codes behind places on a map."""
    opened = studio.models.get(path_of(studio, asked))
    limit, method = _options(asked)
    places = asked.numbers("places", width=2, most=_PLACES)
    found = placed(studio, opened, limit, method)
    return behind(found.map, found.codes, places).tolist()


def datum(studio: Studio, asked: Asked) -> Any:
    """A held-out example."""
    run = studio.models.get(path_of(studio, asked)).run
    test = run.data().test
    position = asked.whole("position", high=len(test) - 1)
    return shown.datum(run.spec, test.stored(np.array([position])).numpy()[0])


def placed(
    studio: Studio, opened: Opened, limit: int, method: str, until: float | None = None
) -> Placed:
    """Examples and where they lie.

    Until all are encoded they lie in the plane of the first of them.

    Args:
        studio: it.
        opened: a run; while it trains on, what is asked of it here stays that of these weights.
        limit: examples.
        method: of :func:`latent_map`.
        until: of `time.monotonic`; those that are encoded by then. None: all.
    """

    def begin(run: Run) -> tuple[Chosen, Growing]:
        space = space_of(run.model, "map")
        chosen = examples_of(run, limit)
        if len(chosen.x) < 3:
            count = len(chosen.x)
            raise LowerboundError(f"map: expected at least 3 held-out examples, came {count}")

        # What is known of one number of points is so of any other.
        kept: dict[int, Array] = opened.known.setdefault("code of", {})

        def encode(rows: Array) -> Array:
            positions = chosen.positions[rows].tolist()
            new = [k for k, position in enumerate(positions) if position not in kept]
            if new:
                x = chosen.x[rows[new]]
                codes = space.encode(x, *(each[rows[new]] for each in chosen.context))
                kept.update(zip((positions[k] for k in new), codes, strict=True))
            return np.stack([kept[position] for position in positions])

        return chosen, Growing(len(chosen.x), encode)

    chosen, growing = studio.models.remember(opened, ("codes", limit), begin)
    growing.grow(studio.models.lock, until)
    complete, rows, codes = growing.now()
    known = opened.known
    # Without the lock: no model computes, and a map by UMAP takes its time.
    key = ("placed", limit, method) if complete else ("begun", limit)
    if key not in known:
        known[key] = latent_map(codes, method if complete else "auto")  # ty: ignore
    found = known[key]
    if not complete:
        found = replace(found, points=(codes - found.mean) @ found.axes.T)
    return Placed(chosen, rows, codes, found)


def coloured(
    studio: Studio,
    opened: Opened,
    limit: int,
    found: Placed,
    colour: str | None,
    until: float | None = None,
) -> tuple[str, Array | None, tuple[str, ...] | None, int]:
    """What points are coloured by.

    Returns:
        the colour's name, values ``(n,)`` (NaN where not known yet, None where they come when all
        are there), classes as of :func:`colour_values`, and how many are placed and coloured.
    """
    run, here = opened.run, found.chosen._replace(positions=found.positions)
    if colour in _MEASURES and found.complete:
        growing = studio.models.remember(
            opened, ("measure", limit, colour), lambda run: _measuring(run, found.chosen, colour)
        )
        growing.grow(studio.models.lock, until)
        _, rows, known = growing.now()
        values = np.full(growing.count, np.nan)
        values[rows] = known
        return colour, values, None, len(rows)
    if not found.complete and (colour in _LATE or (colour is None and not _labelled(run))):
        return colour or "density", None, None, len(found.rows)
    key = "colour", limit, found.map.method, colour, len(found.rows)
    if key not in opened.known:
        try:
            told = colour_values(run, here, found.map.points, colour)
        except LowerboundError:
            if found.complete:
                raise
            return str(colour), None, None, len(found.rows)  # those that are there are all alike
        if not found.complete:
            return *told, len(found.rows)
        opened.known[key] = told
    return *opened.known[key], len(found.rows)


def _labelled(run: Run) -> bool:
    return run.data().test.labels is not None


def _measuring(run: Run, chosen: Chosen, colour: str) -> Growing:
    def work(rows: Array) -> Array:
        return _MEASURES[colour](run, chosen.x[rows], *(c[rows] for c in chosen.context))

    return Growing(len(chosen.x), work)


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


def _options(asked: Asked) -> tuple[int, str]:
    limit = asked.whole("limit", 2000, low=3, high=MOST)
    return limit, asked.text("method", "auto", among=_METHODS)


ROUTES = [
    route("GET", "run/{run}/map", map_),
    route("POST", "run/{run}/code-at", codes_at),
    route("GET", "run/{run}/datum", datum),
]
