"""Codes of a run: to them, back from them, between them, and along directions.

The names are those of `Latent` in ``studio/src/latent.ts``. A model computes under the lock of
:class:`~lowerbound.studio.opened.Models`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import api, exploring, sentences
from ...errors import LowerboundError
from ...exploring.examples import centre_of, stored, take
from ...exploring.writing import unit
from ...latent import Directions, Interpolation, Variations, space_of
from ...runs import Run
from .. import shown
from ..asked import Asked, Studio, path_of, route
from .latent_about import FITTED, WAYS, about
from .latent_asked import given, ref, rows_of

Array = NDArray[Any]

_CODES, _ENDS, _STEPS = 512, 12, 121  # at most, of one request
_DRAWN, _FOUND = 256, 64
SEARCHED = 1000  # held-out examples; a bound of each takes its time
_BYS = ("auto", "code", "reconstruction", "bound")
_TEXT = 2000  # letters


def about_run(studio: Studio, asked: Asked) -> Any:
    """What can be done with it."""
    path = path_of(studio, asked)
    known = studio.models.remember(path, "about", about)
    return {"name": asked.text("run"), **known}


def decode(studio: Studio, asked: Asked) -> Any:
    """Data of codes."""
    run, values = decoded(studio, asked)
    return shown.data(run.spec, values)


def encode(studio: Studio, asked: Asked) -> Any:
    """The code of an example, and what it decodes to."""
    path = path_of(studio, asked)
    with studio.models.lock:
        run = studio.models.get(path).run
        space = space_of(
            run.model, "encode", vectors=True, encoder=_encodes(asked), centre=centre_of(run)
        )
        taken = take(run, ref(studio, asked.get("ref")), space, given(asked))
        code = taken.code_in(space)
        again = stored(run, space.decode(code[None], *taken.context))[0]
    return {
        "name": taken.name,
        "code": code.tolist(),
        "original": None if taken.stored is None else shown.datum(run.spec, taken.stored),
        "reconstruction": shown.datum(run.spec, again),
        "given": given(asked) or _own_given(run, asked),
    }


def path(studio: Studio, asked: Asked) -> Any:
    """What lies between examples."""
    run, found = walked(studio, asked)
    frames = unit(run.spec, found.decoded).reshape(len(found.decoded), -1).astype(np.float64)
    steps = np.sqrt(np.square(np.diff(np.nan_to_num(frames), axis=0)).sum(1))
    return {
        "codes": found.codes.tolist(),
        "data": shown.data(run.spec, found.decoded),
        "length": float(steps.sum()),
        "jump": float(steps.max()),
    }


def directions(studio: Studio, asked: Asked) -> Any:
    """Directions of the attributes of the data."""
    return directions_of(studio, asked).to_json()


def edit(studio: Studio, asked: Asked) -> Any:
    """An example with attributes added and taken away, of an image also at its own size."""
    run, found = edited(studio, asked)
    spec = run.spec
    return {
        "original": None if found.original is None else shown.datum(spec, found.original),
        "reconstruction": shown.datum(spec, found.reconstructed),
        "edited": shown.datum(spec, found.values),
        "image": None if found.image is None else shown.of_image(found.image),
    }


def vary(studio: Studio, asked: Asked) -> Any:
    """Draws of the posterior."""
    run, found, original = varied(studio, asked)
    return {
        "original": None if original is None else shown.datum(run.spec, original),
        "reconstruction": shown.datum(run.spec, found.reconstructed[0]),
        "data": shown.data(run.spec, found.decoded[0]),
    }


def search(studio: Studio, asked: Asked) -> Any:
    """The nearest examples, or the oddest."""
    run, found = searched(studio, asked)
    spec = run.spec
    rows = zip(found.positions, found.score, found.values, found.decoded, strict=True)
    return {
        "unit": found.unit,
        "searched": found.searched,
        "items": [
            {
                "position": int(position),
                "score": float(score),
                "original": shown.datum(spec, values),
                "reconstruction": shown.datum(spec, again),
            }
            for position, score, values, again in rows
        ],
    }


def sample(studio: Studio, asked: Asked) -> Any:
    """New data, and what is to be said of the sentence that they were drawn for."""
    run, values = sampled(studio, asked)
    text = asked.text("text", None)
    notes = sentences.strange(run, [text]) if text else []
    return {"data": shown.data(run.spec, values), "notes": notes}


# The same as arrays, for what is shown and for what is written into files


def decoded(studio: Studio, asked: Asked) -> tuple[Run, Array]:
    """``(N, *event)``."""
    path = path_of(studio, asked)
    with studio.models.lock:
        run = studio.models.get(path).run
        space = space_of(run.model, "decode", vectors=True, encoder=False)
        codes = rows_of(asked, space.width, _CODES)
        return run, exploring.decode_codes(run, codes, given=given(asked))


def walked(studio: Studio, asked: Asked) -> tuple[Run, Interpolation]:
    """A path."""
    path, how = path_of(studio, asked), asked.text("how", "linear", among=WAYS)
    steps, found = asked.whole("steps", 9, low=2, high=_STEPS), asked.get("ends")
    if not isinstance(found, list) or not 2 <= len(found) <= _ENDS:
        raise LowerboundError(f"ends: expected 2 to {_ENDS} examples, came others")
    ends = [ref(studio, each) for each in found]
    with studio.models.lock:
        run = studio.models.get(path).run
        options: dict[str, Any] = {"steps": steps, "path": how, "given": given(asked)}
        return run, exploring.interpolate(run, ends, **options)


def directions_of(studio: Studio, asked: Asked) -> Directions:
    """Of all attributes, fitted once."""

    def fit(run: Run) -> Directions:
        return exploring.attributes(run, limit=FITTED)

    return studio.models.remember(path_of(studio, asked), "directions", fit)


def edited(studio: Studio, asked: Asked) -> tuple[Run, exploring.Edited]:
    """An edit."""
    path, changes = path_of(studio, asked), asked.get("changes")
    if not isinstance(changes, dict) or not changes:
        raise LowerboundError("changes: expected attributes with logits each, came others")
    logits = Asked(changes)
    add = [f"{name}:{logits.number(name, low=-1e4, high=1e4)!r}" for name in changes]
    known = directions_of(studio, asked)
    with studio.models.lock:
        run = studio.models.get(path).run
        example = ref(studio, asked.get("ref"))
        options: dict[str, Any] = {"given": given(asked), "directions": known}
        return run, exploring.edit(run, example, add=add, **options)


def varied(studio: Studio, asked: Asked) -> tuple[Run, Variations, Array | None]:
    """Draws, and the example as it came."""
    path = path_of(studio, asked)
    n = asked.whole("n", 16, low=1, high=_DRAWN)
    spread = asked.number("spread", 1.0, low=0.01, high=100.0)
    seed, example = asked.whole("seed", 0), ref(studio, asked.get("ref"))
    with studio.models.lock:
        run = studio.models.get(path).run
        options: dict[str, Any] = {"given": given(asked), "spread": spread, "seed": seed}
        found = exploring.vary(run, example, n, **options)
        space = space_of(run.model, "vary", vectors=True, centre=centre_of(run))
        return run, found, take(run, example, space, given(asked)).stored


def searched(studio: Studio, asked: Asked) -> tuple[Run, exploring.Found]:
    """What is near, or odd."""
    path, which = path_of(studio, asked), asked.get("ref", None)
    options: dict[str, Any] = {
        "k": asked.whole("k", 8, low=1, high=_FOUND),
        "by": asked.text("by", "auto", among=_BYS),
        "limit": SEARCHED,
    }
    example = None if which is None else ref(studio, which)
    if example is not None:
        options["given"] = given(asked)
    with studio.models.lock:
        run = studio.models.get(path).run
        return run, exploring.search(run, example, **options)


def sampled(studio: Studio, asked: Asked) -> tuple[Run, Array]:
    """Samples."""
    path, text = path_of(studio, asked), asked.text("text", None)
    if text is not None and len(text) > _TEXT:
        raise LowerboundError(f"text: expected at most {_TEXT} letters, came {len(text)}")
    n, seed = asked.whole("n", 16, low=1, high=_DRAWN), asked.whole("seed", 0)
    with studio.models.lock:
        run = studio.models.get(path).run
        return run, api.sample(run, n, given=given(asked), text=text or None, seed=seed)


def _encodes(asked: Asked) -> bool:
    kind = asked.get("ref")
    return not (isinstance(kind, dict) and kind.get("kind") in ("prior", "code"))


def _own_given(run: Run, asked: Asked) -> dict[str, Any] | None:
    """The condition that a held-out example brought along, as the page names it."""
    condition: Any = getattr(run.model, "condition", None)
    which = asked.get("ref")
    side = getattr(condition, "side", None)
    if side in (None, "position", "captions") or which.get("kind") != "held-out":
        return None
    test, number = run.data().test, int(which["number"])
    if side == "attributes":
        assert test.attributes is not None
        row = np.asarray(test.attributes, np.float64)[number]
        return dict(zip(condition.names, row.tolist(), strict=True))
    labels = test.labels if side == "labels" else test.factors[side]
    name = "label" if side == "labels" else str(side)
    return {name: condition.classes[int(np.asarray(labels)[number])]}


ROUTES = [
    route("GET", "run/{run}", about_run),
    route("POST", "run/{run}/decode", decode),
    route("POST", "run/{run}/encode", encode),
    route("POST", "run/{run}/path", path),
    route("GET", "run/{run}/directions", directions),
    route("POST", "run/{run}/edit", edit),
    route("POST", "run/{run}/vary", vary),
    route("POST", "run/{run}/search", search),
    route("POST", "run/{run}/sample", sample),
]
