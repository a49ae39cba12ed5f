"""What can be done with a run, and the dimensions of its codes; `About` of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from ... import conditioning, exploring
from ...data import Data
from ...errors import LowerboundError
from ...evaluation.decoding import evaluating
from ...exploring.editing import attribute_values
from ...exploring.examples import centre_of, examples_of
from ...exploring.writing import suffixes
from ...latent import Space, bounds_of, reconstruction_errors, space_of
from ...latent import traverse as latent_traverse
from ...runs import Run
from .latent_asked import code_path

MEASURED = 400  # held-out examples that dimensions are known by; some data are slow to read
FITTED = 4000  # training examples that directions are fitted to, as of exploring.attributes
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
        "text": side == "captions",
        "held_out": held_out,
        "conditions": conditions(run, data),
        "files": list(suffixes(spec)) if spec.kind != "sequence" else [".npy"],
        "dimensions": [],
        "colours": _colours(run, data) if encodes else [],
        "attributes": _attributes(run, data) if encodes and decodes else [],
    }
    # Of indices there is nothing between one and the next, nor do they lie on a map.
    real = space is not None and not space.vectors
    if space is not None and real and decodes:
        listed = _or_none(lambda: dimensions(run, space) if encodes else of_prior(run, space))
        found["dimensions"], real = listed or [], listed is not None
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
    }
    return [name for name, is_so in can.items() if is_so]


def dimensions(run: Run, space: Space) -> list[dict[str, Any]]:
    """Rate, mean and deviation of each dimension of codes of data, the largest rate first."""
    chosen = examples_of(run, MEASURED)
    if len(chosen.x) < 2:
        return of_prior(run, space)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ends = latent_traverse(
            run.model, chosen.x, *chosen.context, start=None, most=_LISTED, steps=2, width=1.0,
            centre=space.centre,
        )  # fmt: skip
    rates = [None] * len(ends.dimensions) if ends.kl is None else ends.kl.tolist()
    return [
        _dimension(index, rate, (low + high) / 2, (high - low) / 2)
        for index, rate, (low, high) in zip(ends.dimensions, rates, ends.values, strict=True)
    ]


def of_prior(run: Run, space: Space) -> list[dict[str, Any]]:
    """The same of a model without an encoder: those first that change the most of the datum."""
    model: Any = run.model
    if not hasattr(model, "prior"):
        return []
    with torch.no_grad(), torch.random.fork_rng(devices=[]), evaluating(model):
        torch.manual_seed(0)
        context = conditioning.contexts_for(run, _DRAWS, None, 0)
        draws = conditioning.draw_codes(model, _DRAWS, *context).flatten(1).double().numpy()
        mean, deviation = draws.mean(0), draws.std(0)
        some = np.argsort(-deviation, kind="stable")[: 4 * _LISTED]
        codes = np.tile(mean, (2 * len(some), 1))
        for row, d in enumerate(some):
            codes[2 * row : 2 * row + 2, d] += np.array([-2.0, 2.0]) * deviation[d]
        ends = space.decode(codes, *(each[:1] for each in context))
    ends = ends.reshape(len(some), 2, -1).astype(np.float64)
    moved = np.square(ends[:, 1] - ends[:, 0]).sum(1)
    ranked = some[np.argsort(-moved, kind="stable")[:_LISTED]]
    return [_dimension(d, None, mean[d], deviation[d]) for d in ranked]


def conditions(run: Run, data: Data | None) -> list[dict[str, Any]]:
    """What can be given to a conditional model; see `Condition` of the page."""
    condition: Any = getattr(run.model, "condition", None)
    side = getattr(condition, "side", None)
    if condition is None or side in (None, "position", "captions"):
        return []
    if side != "attributes":
        name = "label" if side == "labels" else str(side)
        return [{"name": name, "kind": "choice", "choices": list(condition.classes)}]
    spec = run.spec
    mean, std = spec.attribute_mean or (), spec.attribute_std or ()
    known = None
    if data is not None and data.train.attributes is not None:
        known = np.asarray(data.train.attributes, np.float64)
    found = []
    for place, name in enumerate(condition.names):
        middle = float(mean[place]) if mean else 0.0
        spread = float(std[place]) if std else 1.0
        low, high = middle - 2 * spread, middle + 2 * spread
        if known is not None:
            low, high = float(known[:, place].min()), float(known[:, place].max())
        found.append({"name": name, "kind": "number", "low": low, "high": high, "typical": middle})
    return found


def _dimension(index: int, rate: float | None, mean: float, deviation: float) -> dict[str, Any]:
    return {
        "index": int(index),
        "rate": None if rate is None else float(rate),
        "mean": float(mean),
        "deviation": float(deviation),
    }


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
