"""What is measured of a run: the parts that are asked for, and how they join what is known."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from .errors import LowerboundError, nearest
from .evaluation import Evaluation, Row, Section, Told
from .runs import EVALUATION, WEIGHTS, Run, effort, kept

#: Names of what can be asked for; the modules of those that are sections.
METRICS = ("likelihood", "samples", "representation", "reconstruction")
_SECTIONS = {
    "samples": "lowerbound.sample_quality",
    "representation": "lowerbound.evaluation.representation",
    "reconstruction": "lowerbound.evaluation.reconstruction",
}
#: What is measured where nothing is asked for: likelihood, and the squared error beside it.
DEFAULT = ("likelihood",)


def chosen(metrics: str | Sequence[str] | None) -> tuple[str, ...]:
    """What to measure, in the order of `METRICS`.

    Raises:
        LowerboundError: an unknown name (the nearest is offered), or none.

    >>> chosen("samples,likelihood"), chosen(None)
    (('likelihood', 'samples'), ('likelihood',))
    """
    if metrics is None:
        return DEFAULT
    names = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    names = [str(name).strip() for name in names if str(name).strip()]
    for name in names:
        if name not in (*METRICS, "all"):
            known = (*METRICS, "all")
            raise LowerboundError(
                f"metrics: expected {', '.join(METRICS)} or all, came '{name}'"
                + nearest(name, known)
            )
    if not names:
        raise LowerboundError(f"metrics: expected {', '.join(METRICS)} or all, came none")
    return METRICS if "all" in names else tuple(name for name in METRICS if name in names)


def sections(
    run: Run,
    asked: Sequence[str],
    *,
    limit: int | None = None,
    features: str = "auto",
    factors: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Section]:
    """Measure the parts with rows of their own.

    Where all of `METRICS` are asked for, a part that does not fit the run says so in its place.

    Args:
        run: a run.
        asked: see `chosen`.
        limit: so many held-out examples at most.
        features: by which samples are compared with data.
        factors: a table of what varies, which codes are held against; None: labels, attributes.
        seed: of draws.
        progress: called with (done, in all); a method ``stage`` of it is told what is being done.

    Raises:
        LowerboundError: a part that was asked for does not fit the run.
    """
    stage: Any = getattr(progress, "stage", None)
    options: dict[str, dict[str, Any]] = {
        "samples": {"seed": seed, "features": features}
        | ({} if limit is None else {"count": limit}),
        "representation": {"seed": seed, "limit": limit, "factors": factors},
        "reconstruction": {"seed": seed, "limit": limit},
    }
    for name, module in _SECTIONS.items():
        if name not in asked:
            continue
        if stage is not None:
            stage(f"measuring {name}")
        measure = importlib.import_module(module).measure
        try:
            yield measure(run, **options[name], progress=progress)
        except LowerboundError as error:
            if tuple(asked) != METRICS:
                raise
            yield Told(name, {}, (Row(name, "–", "", "none", f"not measured: {error}"),))


def joined(run: Run, found: Evaluation, likelihood: bool) -> Evaluation | None:
    """An evaluation with the parts of an earlier one, of the same weights, that it lacks.

    The numbers of more examples, or of more samples of each, stay where they are known; None where
    nothing would be new.

    Args:
        run: where the earlier one is.
        found: the new one.
        likelihood: whether that was asked for.
    """
    before = _current(run)
    if before is None:
        return found
    names = {section.name for section in found.sections}
    order = ("steps", *METRICS)  # of sequences, what is measured unasked comes first
    parts = [*found.sections, *(each for each in before.sections if each.name not in names)]
    more = {
        "sections": tuple(sorted(parts, key=lambda section: order.index(section.name))),
        "annealing": found.annealing or before.annealing,
    }
    if likelihood and kept(run.path, effort(found.to_json())) is None:
        if found.gap is None and before.data == found.data:
            more["gap"] = before.gap
        return replace(found, **more)
    return replace(before, **more) if found.sections or found.annealing else None


def _current(run: Run) -> Evaluation | None:
    """The evaluation that is there, unless it is of older weights or cannot be read."""
    file, weights = run.path / EVALUATION, run.path / WEIGHTS
    try:
        if weights.exists() and weights.stat().st_mtime > file.stat().st_mtime:
            return None
        return run.evaluation
    except (OSError, ValueError, KeyError, TypeError):
        return None
