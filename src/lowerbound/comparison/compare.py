"""Runs beside one another: what compares in one table, what does not apart, with the reason."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import LowerboundError, nearest
from ..evaluation.rate_distortion import Point, RateDistortion
from ..runs import Run
from .measure import Measured, Quantity, effort_of, measure
from .paired import Paired, paired

MIXED = Quantity("−log p(x)", "none")


@dataclass(frozen=True)
class Group:
    """Runs whose numbers are about the same thing.

    Attributes:
        runs: in the order they were named; the first that has a quantity is the one that the others
            are held against.
        quantities: columns, of those that any of the runs has.
        apart: why this group is not in the first one, and what in it is held apart from what.
    """

    runs: tuple[Measured, ...]
    quantities: tuple[Quantity, ...]
    apart: tuple[str, ...] = ()

    def against(self, quantity: Quantity) -> Measured:
        """The run that the others are held against."""
        return next(run for run in self.runs if quantity in run.values)

    def difference(self, run: Measured, quantity: Quantity) -> Paired | None:
        """Against that one; None for itself, and for runs without the quantity."""
        other = self.against(quantity)
        if run is other or quantity not in run.values:
            return None
        return paired(run.values[quantity], other.values[quantity])

    def best(self, quantity: Quantity) -> Measured:
        """The run of the least mean; what is no number, of a run that diverged, comes last."""

        def cost(run: Measured) -> float:
            mean = float(run.values[quantity].mean())
            return math.inf if math.isnan(mean) else mean

        return min((run for run in self.runs if quantity in run.values), key=cost)

    def curve(self) -> RateDistortion | None:
        """Those that have a rate and a distortion, as points; None of none."""
        having = [run for run in self.runs if "rate" in run.means]
        told = [run for run in having if all(map(math.isfinite, run.means.values()))]
        if not told:
            return None
        points = [
            Point(run.name, run.beta, run.means["rate"], run.means["distortion"]) for run in told
        ]
        found = [point._asdict() for point in points]
        target = told[0].target
        return RateDistortion.from_points(found, target.name, told[0].bits / math.log(2.0))


@dataclass(frozen=True)
class Comparison:
    """What `lowerbound.compare` returns.

    Attributes:
        groups: of runs that compare.
        settings: samples, examples, seed.
        notes: what holds for all.
    """

    groups: tuple[Group, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[Measured, ...]:
        """All of them."""
        return tuple(run for group in self.groups for run in group.runs)

    def run(self, name: str) -> Measured:
        """The run of that name.

        Raises:
            LowerboundError: there is none.
        """
        for run in self.runs:
            if name in (run.name, run.path):
                return run
        names = [run.name for run in self.runs]
        raise LowerboundError(
            f"no run '{name}' is compared" + (nearest(name, names) or f"; there are {names}")
        )

    def refusal(self, ours: str, theirs: str) -> str | None:
        """Why log p(x) of two runs is not compared; None where it is."""
        first, second = self.run(ours), self.run(theirs)
        reason = first.target.apart(second.target)
        if reason is not None:
            return reason
        for run in (first, second):
            if run.no_likelihood is not None:
                return f"{run.name} has no likelihood: {run.no_likelihood}"
        if any(q.of_likelihood or q is MIXED for q in first.values if q in second.values):
            return None
        return (
            f"{kind_of(first)} against {kind_of(second)}: pass across_kinds=True to have both said"
        )

    def difference(self, ours: str, theirs: str, quantity: Quantity | None = None) -> Paired:
        """ours − theirs in nats on the same examples; negative where the first is better.

        Args:
            ours: name of a run.
            theirs: name of another.
            quantity: which; None takes the closest to log p(x) that both have: exact, an estimate
                of the same k, then the bound.

        Raises:
            LowerboundError: the two do not compare; the line says why.
        """
        first, second = self.run(ours), self.run(theirs)
        reason = self.refusal(ours, theirs) if quantity is None else None
        reason = reason or first.target.apart(second.target)
        if reason is not None:
            raise LowerboundError(f"{ours} and {theirs} are not compared: {reason}")
        both = [q for q in first.values if q in second.values]
        chosen = [q for q in both if q == quantity or (quantity is None and is_bound(q))]
        if not chosen:
            title = quantity.title() if quantity else "log p(x)"
            raise LowerboundError(f"{ours} and {theirs} are not compared: not both have {title}")
        return paired(first.values[chosen[0]], second.values[chosen[0]])

    def rate_distortion(self) -> tuple[RateDistortion, ...]:
        """Of each group with such runs, how much rate buys how little distortion.

        Raises:
            LowerboundError: no run has a rate and a distortion.
        """
        found = [curve for group in self.groups if (curve := group.curve()) is not None]
        if not found:
            names = ", ".join(run.name for run in self.runs)
            raise LowerboundError(
                "rate against distortion: expected runs with a prior, an encoder and a likelihood, "
                f"came {names}, which have no rate and no distortion; pass runs of beta-vae, each "
                "of another --beta"
            )
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types."""
        return {
            "format": 1,
            "settings": self.settings,
            "groups": [_group_json(group) for group in self.groups],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        from .write import markdown

        return markdown(self)


def compare(
    runs: Sequence[str | Path | Run],
    *,
    samples: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    across_kinds: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Hold runs against one another on the same test examples.

    Every run is measured anew with the same number of samples on the same examples, whose values
    are kept in its folder (``comparison.npz``) for the next time. Differences are taken example by
    example, against the first run that has the quantity.

    Args:
        runs: two or more, or their folders.
        samples: importance samples for each example where log p(x) is not exact; None: as many as
            are affordable for all of them.
        limit: so many test examples at most.
        seed: of the posterior's samples.
        across_kinds: also put exact values, estimates and bounds of log p(x) into one column, and
            say of each which it is.
        progress: called with (examples done, examples in all, of all runs).

    Raises:
        LowerboundError: fewer than two, one twice, no run, no weights, data that are gone.
    """
    opened = [run if isinstance(run, Run) else Run.open(run) for run in runs]
    if len(opened) < 2:
        raise LowerboundError(
            f"compare: expected two runs or more, came {len(opened)}; pass their folders"
        )
    places = [run.path.resolve() for run in opened]
    for place, path in enumerate(places):
        if path in places[:place]:
            raise LowerboundError(f"compare: expected different runs, came {path} twice")
    asked = samples, limit
    efforts = [effort_of(run, limit) for run in opened] if samples is None else []
    if efforts:
        samples = min(k for k, _ in efforts)
        fewest = min(n for _, n in efforts)
        if fewest < min(_count(run, limit) for run in opened):
            limit = fewest
    assert samples is not None
    measured: list[Measured] = []
    names = _names(opened)
    total = sum(_count(run, limit) for run in opened)
    done = 0
    for run, name in zip(opened, names, strict=True):
        so_far = done

        def told(some: int, _: int, so_far: int = so_far) -> None:
            if progress is not None:
                progress(so_far + some, total)

        found = measure(run, samples=samples, limit=limit, seed=seed, name=name, progress=told)
        measured.append(_mixed(found) if across_kinds else found)
        done += found.target.examples
        told(found.target.examples, 0)
    if progress is not None:
        progress(total, total)
    settings = {"samples": samples, "limit": limit, "seed": seed, "asked": list(asked)}
    return Comparison(_grouped(measured, across_kinds), settings, _notes(measured))


def _grouped(measured: Sequence[Measured], across_kinds: bool) -> tuple[Group, ...]:
    groups: list[list[Measured]] = []
    for run in measured:
        home = next((g for g in groups if g[0].target.apart(run.target) is None), None)
        if home is None:
            groups.append([run])
        else:
            home.append(run)
    found = []
    for members in groups:
        apart = []
        if members is not groups[0]:
            reason = members[0].target.apart(groups[0][0].target)
            names = ", ".join(run.name for run in members)
            apart.append(f"{names} held apart from {groups[0][0].name}: {reason}")
        apart += [
            f"{run.name}: no likelihood, so that its loss is compared with nothing: "
            f"{run.no_likelihood}"
            for run in members
            if run.no_likelihood is not None
        ]
        apart += _kinds_apart(members, across_kinds)
        quantities = {q: None for run in members for q in run.values}
        found.append(Group(tuple(members), tuple(sorted(quantities, key=_rank)), tuple(apart)))
    return tuple(found)


def _kinds_apart(members: Sequence[Measured], across_kinds: bool) -> list[str]:
    """That numbers of different kinds are not held against one another, and why."""
    kinds: dict[str, list[str]] = {}
    for run in members:
        if run.no_likelihood is None:
            kinds.setdefault(kind_of(run), []).append(run.name)
    if len(kinds) < 2:
        return []
    text = ", ".join(f"{kind} ({', '.join(names)})" for kind, names in kinds.items())
    if across_kinds:
        return [
            f"−log p(x) of any kind: {text}. An estimate and a bound lie above −log p(x) in "
            "expectation: against an exact value, a run that is told by one may be better than it "
            "seems, never worse"
        ]
    return [
        f"−log p(x) is held apart by kind: {text}; an estimate and a bound lie above −log p(x) in "
        "expectation. --across-kinds puts them into one column and says of each which it is"
    ]


def _mixed(run: Measured) -> Measured:
    """With −log p(x) of whatever kind there is, the closest one."""
    closest = [q for q in sorted(run.values, key=_rank) if is_bound(q)]
    if not closest:
        return run
    return replace(run, values={**run.values, MIXED: run.values[closest[0]]})


def is_bound(quantity: Quantity) -> bool:
    return quantity.of_likelihood or quantity == MIXED


def _rank(quantity: Quantity) -> tuple[int, int]:
    order = ("none", "exact", "estimate", "lower bound", "")
    return order.index(quantity.kind), -(quantity.samples or 0)


def kind_of(run: Measured) -> str:
    """The closest number to log p(x) that a run has, in words."""
    found = sorted((q for q in run.values if q.of_likelihood), key=_rank)
    if not found:
        return "none"
    return found[0].kind + (f" k = {found[0].samples:,}" if found[0].kind == "estimate" else "")


def _names(runs: Sequence[Run]) -> list[str]:
    short = [run.path.resolve().name for run in runs]
    return [
        name if short.count(name) == 1 else str(run.path)
        for run, name in zip(runs, short, strict=True)
    ]


def _count(run: Run, limit: int | None) -> int:
    count = run.spec.test
    return count if limit is None else min(count, limit)


def _notes(measured: Sequence[Measured]) -> tuple[str, ...]:
    notes = [
        "± is a standard error over test examples, of differences a paired one (95 % intervals, "
        "Student's t). Another seed of training may move a run by more: train several."
    ]
    notes += [f"{run.name} is unfinished: {run.unfinished}" for run in measured if run.unfinished]
    return tuple(notes)


def _group_json(group: Group) -> dict[str, Any]:
    columns = []
    for quantity in group.quantities:
        columns.append(
            {
                "quantity": quantity.name,
                "kind": "of any kind" if quantity == MIXED else quantity.kind or None,
                "samples": quantity.samples,
                "unit": quantity.unit,
                "against": group.against(quantity).name,
                "best": group.best(quantity).name,
            }
        )
    rows = []
    for run in group.runs:
        cells = []
        for quantity in group.quantities:
            if quantity not in run.values:
                cells.append(None)
                continue
            values = run.values[quantity]
            n = len(values)
            cell: dict[str, Any] = {"value": float(values.mean())}
            cell["standard_error"] = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else None
            if is_bound(quantity):
                cell["bits_per_dim"] = float(values.mean()) / run.bits
            found = group.difference(run, quantity)
            cell["difference"] = None if found is None else vars(found)
            cells.append(cell)
        rows.append(
            {
                "run": run.name,
                "path": run.path,
                "model": run.model,
                "kind": kind_of(run),
                "no_likelihood": run.no_likelihood,
                "unfinished": run.unfinished,
                "means": dict(run.means),
                "cells": cells,
            }
        )
    about = {"data": group.runs[0].target.to_json(), "columns": columns, "rows": rows}
    curve = group.curve()
    about["rate_distortion"] = None if curve is None else curve.to_json()
    return {**about, "apart": list(group.apart)}
