"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import LowerboundError
from ..runs import Run
from . import codes, game, likelihood, solved, training
from .check import Check
from .evidence import Evidence
from .finding import SETTLES, Diagnosis, Finding, ordered

#: What is asked of every run. Each of them stands alone: another is added by adding a line.
#: Of two that name one cause the first is told: what looks at codes, before what they cause.
CHECKS: tuple[Check, ...] = (
    *training.CHECKS,
    *solved.CHECKS,
    *codes.CHECKS,
    *likelihood.CHECKS,
    *game.CHECKS,
)


def diagnose(
    run: str | Path | Run,
    *,
    recipe: Any = None,
    seed: int = 0,
    checks: Sequence[Check] = CHECKS,
    progress: Callable[[int, int], None] | None = None,
) -> Diagnosis:
    """What is wrong with a run, the likeliest cause first, with the evidence and what helps.

    Reads what the run reported while it trained and how it ended, and measures some hundred of its
    examples anew, in a few seconds; nothing is written.

    Args:
        run: a run or its folder; one that was stopped or died, too.
        recipe: the function that built the model, for a run of one's own model.
        seed: of the choice of examples and of all noise.
        checks: what is asked.
        progress: called with (checks made, checks in all).

    Raises:
        LowerboundError: it is no run.

    >>> diagnose("no/such/run")
    Traceback (most recent call last):
        ...
    lowerbound.errors.LowerboundError: no/such/run is no run: there is no such folder; ...
    """
    opened = run if isinstance(run, Run) else Run.open(run, recipe)
    evidence = Evidence(opened, seed)
    findings: list[Finding] = []
    checked: list[str] = []
    passed_over: dict[str, str] = {}
    for place, each in enumerate(checks):
        try:
            why = each.needs(evidence)
            found = each.look(evidence) if why is None else None
        except LowerboundError as error:  # data that are no longer there, numbers that are none
            why, found = str(error), None
        if found is not None and not found.told:
            why, found = "not told: a number came out as none", None
        if why is not None:
            passed_over[each.name] = why
        else:
            checked.append(each.name)
        if found is not None and found.cause not in {other.cause for other in findings}:
            findings.append(found)
        if progress is not None:
            progress(place + 1, len(checks))
    named = opened.info["recipe"]
    model = named.rpartition(":")[2] if named else type(evidence.model).__name__
    return Diagnosis(
        str(opened.path),
        model,
        _told(findings),
        tuple((n, text) for n, text in evidence.measured.items() if "nan" not in text.split()),
        tuple(checked),
        passed_over,
    )


def _told(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """By weight, without advice that is none once a cause that stands before it is known."""
    settled = {
        other for each in findings for other in (*SETTLES.get(each.cause, ()), *each.settles)
    }
    return ordered(each for each in findings if each.cause not in settled)
