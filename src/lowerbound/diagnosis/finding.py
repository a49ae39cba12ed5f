"""What a diagnosis says: findings, the causes before what follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..plain import finite

#: Causes in the order in which they are told. A cause stands before all that may follow from it: a
#: run that diverged has every other symptom too, and numbers of no likelihood say nothing of codes.
CAUSES: dict[str, str] = {
    "no-weights": "there is no trained model",
    "diverged": "training diverged",
    "unfinished": "training has not come to its end",
    "learning-rate-high": "the learning rate is too high",
    "wrong-likelihood": "the likelihood does not fit the data",
    "sigma-vanishes": "σ runs to zero",
    "learning-rate-low": "the learning rate is too low",
    "too-short": "training was too short",
    "few-examples": "too few training examples",
    "discriminator-overpowers": "the discriminator overpowers the generator",
    "mode-collapse": "mode collapse",
    "overfitting": "over-fitting",
    "posterior-collapse": "posterior collapse",
    "dead-codes": "dead codebook entries",
    "prior-hole": "the prior is not where the codes are",
    "underfitting": "the model misses what is in the data",
    "sigma-off": "σ does not fit the errors",
    "blur": "reconstructions are blurred",
}

#: Of a model that is worse than an untrained one, what is seen in it says nothing by itself.
CONSEQUENCES = tuple(CAUSES)[tuple(CAUSES).index("sigma-vanishes") :]
_OF_LENGTH = ("learning-rate-low", "too-short", "overfitting")
#: What is not told beside a cause: a curve that diverged, or broke off, has no end to speak of.
SETTLES: dict[str, tuple[str, ...]] = {
    "diverged": _OF_LENGTH,
    "unfinished": _OF_LENGTH,
    "learning-rate-high": _OF_LENGTH,
}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run.

    Attributes:
        cause: a key of `CAUSES`.
        says: the cause in plain language, a sentence.
        evidence: what was measured, with numbers and units.
        helps: the flags that help, and why.
        numbers: the evidence for programs.
        settles: causes that are not told beside this finding, for they follow from it.
    """

    cause: str
    says: str
    evidence: str
    helps: str
    numbers: dict[str, Any] = field(default_factory=dict)
    settles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert {self.cause, *self.settles} <= set(CAUSES), self.cause

    @property
    def told(self) -> bool:
        """Whether it rests on numbers: what came out as none is no evidence."""
        return not any(map(_is_nan, _flat(self.numbers)))

    @property
    def weight(self) -> float:
        """Between 0 and 1; the greater, the more of the others may follow from it."""
        return round(1.0 - list(CAUSES).index(self.cause) / len(CAUSES), 3)


@dataclass(frozen=True)
class Diagnosis:
    """What `lowerbound.diagnose` returns.

    Attributes:
        run: its folder.
        model: what the model is called.
        findings: by weight, the cause that is likeliest first.
        measured: (name, value) of what was looked at, also where nothing is wrong.
        checked: names of the checks that were made.
        passed_over: checks that were not, and why, by name.
    """

    run: str
    model: str
    findings: tuple[Finding, ...]
    measured: tuple[tuple[str, str], ...] = ()
    checked: tuple[str, ...] = ()
    passed_over: Mapping[str, str] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def first(self) -> str | None:
        """The cause that is named first, a key of `CAUSES`; None of a healthy run."""
        return self.findings[0].cause if self.findings else None

    def headline(self) -> str:
        """The outcome in a line.

        >>> Diagnosis("runs/a", "vae", (), checked=("x", "y")).headline()
        'vae in runs/a: nothing found wrong in 2 checks'
        """
        place = f"{self.model} in {self.run}"
        if self.healthy:
            return f"{place}: nothing found wrong in {len(self.checked)} checks"
        more = f", and {len(self.findings) - 1} more" if len(self.findings) > 1 else ""
        return f"{place}: {CAUSES[self.findings[0].cause]}{more}"

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types."""
        return {
            "format": 1,
            "run": self.run,
            "model": self.model,
            "healthy": self.healthy,
            "findings": [
                {
                    "cause": each.cause,
                    "title": CAUSES[each.cause],
                    "weight": each.weight,
                    "says": each.says,
                    "evidence": each.evidence,
                    "helps": each.helps,
                    "numbers": finite(each.numbers),
                }
                for each in self.findings
            ],
            "measured": [list(pair) for pair in self.measured],
            "checked": list(self.checked),
            "passed_over": dict(self.passed_over),
        }

    def __str__(self) -> str:
        lines = [self.headline()]
        for place, each in enumerate(self.findings, start=1):
            lines += [f"{place}. {CAUSES[each.cause]}: {each.says}"]
            lines += [f"   evidence: {each.evidence}", f"   what helps: {each.helps}"]
        width = max((len(name) for name, _ in self.measured), default=0)
        return "\n".join([*lines, *(f"   {name:<{width}}  {text}" for name, text in self.measured)])


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By weight, the greatest first."""
    return tuple(sorted(findings, key=lambda each: -each.weight))


def number(value: float) -> str:
    """
    >>> number(87.1234), number(-0.013412), number(1234.56), number(2.0)
    ('87.12', '−0.01341', '1,235', '2')
    """
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if float(value).is_integer() and size < 1e6:
        text = f"{value:,.0f}"
    elif size >= 1e6:
        text = f"{value:.3g}"
    else:
        text = f"{value:,.0f}" if size >= 1000 else f"{value:.2f}" if size >= 1 else f"{value:.4g}"
    return text.replace("-", "−")


def _flat(value: Any) -> Iterator[Any]:
    """All values inside lists and mappings."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
