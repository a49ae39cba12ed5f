"""One trial: a run in the sweep's folder, and its number on validation data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..data import held_out
from ..errors import LowerboundError
from ..evaluation import encode_all, estimate_log_likelihood, held_out_contexts
from ..evaluation.conditional import counted
from ..runs import DESCRIPTION, Run
from ..session import begin, go_on
from ..training.events import HeldOut
from ..training.units import without_phase
from .plan import MEASURED, numbers_of

#: Importance samples where log p(x) is not exact: the same for all trials of all sweeps.
SAMPLES = 100
_ENDED = ("done", "early stopping", "solved")


class Pruned(Exception):
    """A trial lies behind the others and is given up."""


class Lacking(LowerboundError):
    """A run has not the number that decides."""


class Interrupted(Exception):
    """Somebody asked to stop; the trial's run is saved."""


def train(
    path: Path,
    data: Any,
    recipe: str,
    options: Mapping[str, Any],
    look: Callable[[HeldOut], None] = lambda event: None,
) -> Run:
    """Train a run, or go on with the one that is there.

    Args:
        path: of the run.
        data: what `load` takes, or a `Data`.
        recipe: its name.
        options: of recipe, training and data.
        look: told each held-out report; may raise `Pruned`.

    Raises:
        LowerboundError: the values do not fit one another, or training diverged.
        Interrupted: it was stopped.
    """

    def follow(event: Any) -> None:
        if isinstance(event, HeldOut):
            look(event)

    if (path / DESCRIPTION).is_file():
        run = Run.open(path)
        if run.info["status"]["reason"] not in _ENDED:
            source = None if run.info["data"]["source"] is not None else data
            run = go_on(run, None, source, follow)
        elif run.info["data"]["source"] is None:
            run.give(data)
    else:
        run = begin(data, recipe, path, options, follow)
    if run.info["status"]["reason"] == "interrupted":
        raise Interrupted
    return run


def value_of(run: Run, best: str) -> float:
    """A number of a run on its validation data.

    Raises:
        Lacking: the run has no such number; those that it has are named.
    """
    data = run.data()
    assert data.validation is not None
    found: dict[str, float] = {}
    if best in (*MEASURED, "bits_per_dim"):
        found = measured(run, data.validation)
    if best not in found:
        lines = [line for line in run.metrics() if line.get("split") == "validation"]
        found |= without_phase(lines[-1]) if lines else {}
    if best not in found:
        about = ("step", "epoch", "seconds", "split", "examples")
        there = [name for name in found if name not in about]
        why = getattr(run.model, "no_likelihood", None)
        because = f" ({why})" if why and best in ("log_likelihood", "bound", "bits_per_dim") else ""
        raise Lacking(
            f"--best {best}: these runs have no such number{because}; they have "
            f"{', '.join(there) or 'none'}"
        )
    return float(found[best])


def measured(run: Run, split: Any) -> dict[str, float]:
    """Means over a split, nats of the stored values: what `plan.MEASURED` names, as far as the
    model has it."""
    model, spec = run.model, run.spec
    x = held_out(split, spec)
    context = held_out_contexts(model, x, split)
    shift, dimensions = counted(model, spec, *context)
    mean_shift = float(torch.as_tensor(shift, dtype=torch.float64).mean())
    found: dict[str, float] = {}
    there, _ = numbers_of(model, spec)
    sampled = "bound" in there
    exact = "log_likelihood" in there and hasattr(model, "log_prob")
    if exact:
        log_prob: Any = model.log_prob
        with torch.no_grad():
            parts = [
                log_prob(x[i : i + 256], *(c[i : i + 256] for c in context)).double()
                for i in range(0, len(x), 256)
            ]
        found["log_likelihood"] = float(torch.cat(parts).mean()) + mean_shift
    if sampled:
        told = estimate_log_likelihood(model, x, *context, samples=SAMPLES)
        found.setdefault("log_likelihood", float(told.values.double().mean()) + mean_shift)
        found["rate"] = float(told.rate.double().mean())
        found["distortion"] = float(told.distortion.double().mean()) - mean_shift
        found["bound"] = -(found["rate"] + found["distortion"])
    if "log_likelihood" in found:
        found["bits_per_dim"] = -found["log_likelihood"] / (dimensions * math.log(2.0))
    if "squared_error" in there:
        codes = encode_all(model, x, *context)
        if codes.squared_error is not None:
            found["squared_error"] = float(codes.squared_error.double().mean())
    return found


def prepared_as(run: Run) -> list[Any]:
    """What the numbers of a run are about; trials that differ in it do not compare."""
    spec = run.spec
    return [spec.support, spec.levels, spec.binarize, spec.dequantize]
