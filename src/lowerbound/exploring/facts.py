"""What a page with sliders must know of a run: the dimensions of its codes, and its conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import conditioning
from ..data import Data
from ..evaluation.decoding import evaluating
from ..latent import Space, ranges
from ..runs import Run
from .examples import examples_of

Array = NDArray[Any]


def dimensions(run: Run, space: Space, *, most: int, examples: int) -> list[dict[str, Any]]:
    """Rate, mean and deviation of each dimension of codes of data, the largest rate first.

    Args:
        run: that encodes and decodes.
        space: of its codes.
        most: dimensions.
        examples: held-out ones by which they are known, two at least.

    Returns:
        for each ``index``, ``rate`` (nats, or None), ``mean`` and ``deviation``.

    Raises:
        LowerboundError: too few examples, or codes that have no dimensions of their own.
    """
    chosen = examples_of(run, examples)
    found = ranges(run.model, chosen.x, *chosen.context)
    rates = [None] * space.width if found.kl is None else found.kl
    return [_dimension(d, rates[d], found.mean[d], found.deviation[d]) for d in found.order[:most]]


def dimensions_of_prior(run: Run, space: Space, *, most: int, draws: int) -> list[dict[str, Any]]:
    """The same by draws of the prior, those first that change the most of the datum.

    Args:
        run: with a prior, that decodes.
        space: of its codes.
        most: dimensions.
        draws: by which they are known.
    """
    codes, context = codes_of_prior(run, draws)
    mean, deviation = codes.mean(0), codes.std(0)
    some = np.argsort(-deviation, kind="stable")[: 4 * most]
    moved = np.tile(mean, (2 * len(some), 1))
    for row, d in enumerate(some):
        moved[2 * row : 2 * row + 2, d] += np.array([-2.0, 2.0]) * deviation[d]
    with torch.no_grad(), evaluating(run.model):
        ends = space.decode(moved, *(each[:1] for each in context))
    ends = ends.reshape(len(some), 2, -1).astype(np.float64)
    change = np.square(ends[:, 1] - ends[:, 0]).sum(1)
    ranked = some[np.argsort(-change, kind="stable")[:most]]
    return [_dimension(d, None, mean[d], deviation[d]) for d in ranked]


def codes_of_prior(run: Run, n: int) -> tuple[Array, tuple[Tensor, ...]]:
    """Codes drawn from the prior ``(n, latent)``, and the conditions that they go with."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]), evaluating(run.model):
        torch.manual_seed(0)
        context = conditioning.contexts_for(run, n, None, 0)
        codes = conditioning.draw_codes(run.model, n, *context)
    return codes.flatten(1).double().numpy(), context


def conditions(run: Run, data: Data | None) -> list[dict[str, Any]]:
    """What can be given to a conditional model; `Condition` of ``studio/src/latent.ts``.

    Args:
        run: any.
        data: its own, for the ranges of attributes; None: mean ± 2 standard deviations.
    """
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
    told = {"mean": float(mean), "deviation": float(deviation)}
    return {"index": int(index), "rate": None if rate is None else float(rate), **told}
