"""The table of a comparison, line by line, for every way of showing it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from ..evaluation.rate_distortion import RateDistortion
from ..evaluation.rows import number, with_error
from .compare import MIXED, Group, is_bound, kind_of
from .paired import Paired

HEADER = ("quantity", "run", "value", "bits/dim", "difference", "95 % interval", "")
CURVE = (
    "run",
    "β",
    "rate, nats",
    "distortion, nats",
    "−ELBO, nats",
    "rate, bits/dim",
    "distortion, bits/dim",
    "",
)


class Line(NamedTuple):
    """One run's value of one quantity.

    Attributes:
        quantity: with its kind; "" where it is that of the line above.
        run: its name.
        value: mean ± standard error.
        bits: bits/dim, "" of what is no −log p.
        difference: to the run it is held against, ± paired standard error; "against" of that one.
        interval: of the difference.
        note: which is best; the kind, where kinds are mixed.
        best: whether it is.
    """

    quantity: str
    run: str
    value: str
    bits: str
    difference: str
    interval: str
    note: str
    best: bool


def lines(group: Group) -> Iterator[list[Line]]:
    """For each quantity, a line for each run that has it."""
    for quantity in group.quantities:
        found: list[Line] = []
        having = [run for run in group.runs if quantity in run.values]
        costs = {float(run.values[quantity].mean()) for run in having}
        best = group.best(quantity) if len(costs) > 1 else None
        for run in having:
            values = run.values[quantity]
            n = len(values)
            error = float(values.std(ddof=1)) / n**0.5 if n > 1 else None
            difference = group.difference(run, quantity)
            notes = []
            if quantity == MIXED:
                notes.append(kind_of(run))
            if run is best:
                notes.append("best")
            if difference is not None and difference.said:
                notes.append(difference.said)
            title = "−log p(x), of any kind" if quantity == MIXED else quantity.title()
            unit = quantity.unit
            found.append(
                Line(
                    "" if found else f"{title}, {unit}",
                    run.name,
                    with_error(float(values.mean()), error),
                    f"{float(values.mean()) / run.bits:.4f}" if is_bound(quantity) else "",
                    "held against"
                    if difference is None
                    else _signed(difference.mean, difference.error),
                    "" if difference is None else _interval(difference),
                    ", ".join(notes),
                    run is best,
                )
            )
        if len(having) == 1:
            found[0] = found[0]._replace(difference="alone")
        yield found


def without(group: Group) -> list[str]:
    """What is told beside: rate and distortion, which no difference is taken of."""
    return [
        f"{run.name}: rate {number(run.means['rate'])}, "
        f"distortion {number(run.means['distortion'])} nats"
        for run in group.runs
        if "rate" in run.means
    ]


def curve_lines(curve: RateDistortion) -> list[tuple[str, ...]]:
    """A line for each model, by its rate: see `CURVE`."""
    bounds = [point.rate + point.distortion for point in curve.points]
    found = []
    for point, bits, kept, bound in zip(
        curve.points, curve.bits(), curve.frontier(), bounds, strict=True
    ):
        notes = [] if kept else ["another has less of both"]
        if len(bounds) > 1 and bound == min(bounds):
            notes.insert(0, "best bound")
        nats = (number(value) for value in (point.rate, point.distortion, bound))
        weight = "" if point.beta is None else f"{point.beta:g}"
        found.append((point.name, weight, *nats, *(f"{b:.4f}" for b in bits), ", ".join(notes)))
    return found


def _interval(found: Paired) -> str:
    """With the decimals of the error.

    >>> _interval(Paired(1.0, 0.1, 0.8041, 1.1959, 100, 1.0))
    '0.80 to 1.20'
    """
    if not math.isfinite(found.low):
        return ""
    if found.error == 0.0:
        return f"{number(found.low)} to {number(found.high)}"
    low, high = (with_error(end, found.error).partition(" ±")[0] for end in (found.low, found.high))
    return f"{low} to {high}"


def _signed(value: float, error: float) -> str:
    """
    >>> _signed(1.25, 0.1), _signed(-0.5, 0.25)
    ('+1.25 ± 0.10', '−0.50 ± 0.25')
    """
    text = with_error(value, error)
    return text if value <= 0 else f"+{text}"
