"""What can be done with a run, and the dimensions of its codes; `About` of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from ... import exploring, movies
from ...data import Data
from ...errors import LowerboundError
from ...exploring import facts
from ...exploring.editing import attribute_values
from ...exploring.examples import centre_of, examples_of
from ...exploring.writing import suffixes
from ...latent import Space, bounds_of, reconstruction_errors, space_of
from ...runs import Run
from .latent_asked import code_path

MEASURED = 400  # held-out examples that dimensions are known by; some data are slow to read
FITTED = 4000  # training examples that directions are fitted to, as of exploring.attributes
WAYS = ("linear", "spherical", "geodesic")  # between examples
_LISTED = 64  # dimensions that have sliders
_DRAWS = 1000  # of a prior, where there is no encoder
_T = TypeVar("_T")


def about(run: Run) -> dict[str, Any]:
    """All but the run's id."""
    spec, model = run.spec, run.model
    condition: Any = getattr(model, "condition", None)
    side = getattr(condition, "side", None)
    data = _data(run)
    held_out = len(data.test) if data is not None else 0
    space = _or_none(
        lambda: space_of(model, "studio", vectors=True, encoder=False, centre=centre_of(run))
    )
    # A part of a datum, or one of the training examples, is no condition to be chosen by hand.
    free = not getattr(condition, "of_x", False) and side != "position"
    width = space.width if space is not None else 0
    decodes = (
        free and width > 0 and _works(lambda: exploring.decode_codes(run, np.zeros((1, width))))
    )
    encodes = width > 0 and side != "captions" and held_out > 0
    encodes = encodes and _works(lambda: exploring.codes_of(run, [0]))
    direct = not hasattr(model, "decode") and hasattr(model, "sample")
    drawn = hasattr(model, "decode") and (hasattr(model, "prior") or condition is not None)
    samples = direct or drawn
    found: dict[str, Any] = {
        "path": code_path(run.path),
        "recipe": str(run.info["recipe"] or ""),
        "kind": spec.kind,
        "event_shape": list(spec.event_shape),
        "width": width,
        "decodes": decodes,
        "encodes": encodes,
        "samples": samples,
        "varies": encodes and _works(lambda: exploring.vary(run, 0, 1)),
        "forecasts": hasattr(model, "roll") and held_out > 0,
        "text": side == "captions",
        "held_out": held_out,
        "conditions": facts.conditions(run, data),
        "files": [each for each in suffixes(spec) if each != ".mp4" or movies.installed()],
        "dimensions": [],
        "ways": list(WAYS[:1]),
        "colours": _colours(run, data) if encodes else [],
        "attributes": _attributes(run, data) if encodes and decodes else [],
    }
    # Of indices there is nothing between one and the next, nor do they lie on a map.
    real = space is not None and not space.vectors
    if space is not None and real and decodes:
        listed = _or_none(lambda: dimensions(run, space, encodes))
        found["dimensions"], real = listed or [], listed is not None
        # Between the vectors behind indices there are straight lines alone.
        found["ways"] = list(WAYS if listed else WAYS[:1])
    between = real or (space is not None and space.vectors)
    found["tools"] = _tools(found, real, between, free)
    return found


def _tools(found: dict[str, Any], real: bool, between: bool, free: bool) -> list[str]:
    starts = found["encodes"] or (found["samples"] and found["decodes"])
    shown = found["decodes"] and starts and not found["text"]
    pictures = found["kind"] in ("image", "video")
    can = {
        "map": real and found["encodes"] and found["held_out"] >= 3,
        "sliders": real and shown and bool(found["dimensions"]),
        "plane": real and shown and len(found["dimensions"]) > 1 and pictures,
        "morph": between and (shown or (found["encodes"] and not free)),
        "attributes": real and bool(found["attributes"]),
        "samples": found["samples"],
        "similar": found["encodes"],
        "forecast": found["forecasts"],
    }
    return [name for name, is_so in can.items() if is_so]


def dimensions(run: Run, space: Space, encodes: bool) -> list[dict[str, Any]]:
    """Rate, mean and deviation of each dimension that has a slider, those that matter first."""
    if encodes and min(MEASURED, len(run.data().test)) > 1:
        return facts.dimensions(run, space, most=_LISTED, examples=MEASURED)
    if not hasattr(run.model, "prior"):
        return []
    return facts.dimensions_of_prior(run, space, most=_LISTED, draws=_DRAWS)


def _colours(run: Run, data: Data | None) -> list[str]:
    if data is None:
        return []
    some = examples_of(run, MEASURED)
    x, context = some.x[:2], tuple(each[:2] for each in some.context)
    found = ["label"] if data.test.labels is not None else []
    found.append("density")
    if _works(lambda: bounds_of(run.model, x, *context)):
        found.append("bound")
    if _works(lambda: reconstruction_errors(run.model, x, *context)):
        found.append("error")
    names = _or_none(lambda: attribute_values(run, data.test, some.positions)[1])
    known = {*found, *(run.spec.classes or ())}  # one colour for each class is there already
    return found + [name for name in names or () if name not in known]


def _attributes(run: Run, data: Data | None) -> list[str]:
    if data is None:
        return []
    count = len(data.train)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    rows = order[:FITTED].numpy()
    names = _or_none(lambda: attribute_values(run, data.train, rows)[1])
    return list(names or ())


def _data(run: Run) -> Data | None:
    """None of arrays that were in memory, or of files that have gone."""
    return _or_none(run.data)


def _or_none(work: Callable[[], _T]) -> _T | None:
    try:
        return work()
    except LowerboundError:
        return None


def _works(work: Callable[[], Any]) -> bool:
    """Whether a model can do it; models of one's own may fail in ways of their own."""
    try:
        with torch.no_grad():
            work()
    except Exception:
        return False
    return True
