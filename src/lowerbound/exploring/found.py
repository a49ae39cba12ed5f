"""Searching a run's data: neighbours of an example, and examples like no other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..conditioning import Given
from ..errors import LowerboundError
from ..latent import anomalies, nearest_rows
from ..latent.space import space_of
from ..runs import Run
from .bounds import log_jacobian
from .examples import Example, centre_of, examples_of, open_model, stored, take

Array = NDArray[Any]


@dataclass(frozen=True)
class Found:
    """What :func:`search` returns.

    Attributes:
        positions: of the examples found, among those searched (training or held-out), ``(k,)``.
        score: of each: a distance, nats, or a squared error, ``(k,)``.
        unit: of the score.
        values: the examples, in the units of the data, ``(k, *event)``.
        decoded: what the model makes of each, ``(k, *event)``.
        example: what was looked for; None of anomalies.
        searched: how many examples were.
        split: "training" or "held-out".
        again: what the model makes of the example, ``event_shape``; None of anomalies.
    """

    positions: Array
    score: Array
    unit: str
    values: Array
    decoded: Array
    example: Example | None
    searched: int
    split: str
    again: Array | None = None


def search(
    run: str | Path | Run,
    example: Any = None,
    *,
    k: int = 8,
    by: Literal["auto", "code", "reconstruction", "bound"] = "auto",
    train: bool = False,
    limit: int | None = None,
    given: Given = None,
) -> Found:
    """The examples nearest to one; or, without one, those that fit least.

    Args:
        run: a run or its folder.
        example: whatever :func:`~lowerbound.exploring.take` takes; itself is not among what is
            found where it is held out.
        k: how many.
        by: of neighbours, the distance of codes, or of what codes decode to (reconstruction); of
            anomalies, the bound on -log p(x), the distance of the code to its fifth neighbour, or
            the error of the reconstruction. auto is code, and bound (reconstruction where there is
            no bound).
        train: search the training examples, not the held-out ones.
        limit: search so many at most.
        given: of a conditional run, the condition of the example.
    """
    run, model = open_model(run)
    space = space_of(model, "search", vectors=True, centre=centre_of(run))
    chosen = examples_of(run, limit, train=train)
    split = run.data().train if train else run.data().test
    if example is None:
        if given is not None:
            raise LowerboundError(
                "search: expected a condition for an example alone, came one without; leave it out"
            )
        if by == "auto":
            by = "reconstruction" if getattr(model, "no_likelihood", None) else "bound"
        ranking = anomalies(model, chosen.x, *chosen.context, by=by)
        if not 1 <= k <= len(chosen.x):
            raise LowerboundError(f"k: expected from 1 to {len(chosen.x)}, came {k}")
        index, score, unit, taken = ranking.index[:k], ranking.score[:k], ranking.unit, None
        score = score - log_jacobian(run) if ranking.by == "bound" else score
    else:
        if by == "bound":
            raise LowerboundError(
                "search: expected code or reconstruction to find neighbours by, came bound; leave "
                "out the example to find anomalies"
            )
        taken = take(run, example, space, given)
        index, score = _neighbours(run, space, chosen, taken, k, by, train)
        unit = "distance"
    rows = chosen.positions[index]
    context = tuple(each[index] for each in chosen.context)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoded = space.decode(space.encode(chosen.x[index], *context), *context)
        again = None
        if taken is not None:
            again = stored(run, space.decode(taken.code_in(space)[None], *taken.context))[0]
    return Found(
        rows, score, unit, split.stored(rows).numpy(), stored(run, decoded), taken,
        len(chosen.x), "training" if train else "held-out", again,
    )  # fmt: skip


def _neighbours(
    run: Run, space: Any, chosen: Any, taken: Example, k: int, by: str, train: bool
) -> tuple[Array, Array]:
    query = taken.code_in(space)[None]
    rows = space.encode(chosen.x, *chosen.context)
    if by == "reconstruction":
        query = space.decode(query, *taken.context)
        rows = space.decode(rows, *chosen.context)
    own = np.zeros(len(rows), bool)
    if not train and taken.name.startswith("held-out "):
        own = chosen.positions == int(taken.name.split()[1])
    kept = np.flatnonzero(~own)
    near = nearest_rows(query, rows[kept], k)
    return kept[near.index[0]], near.distance[0]
