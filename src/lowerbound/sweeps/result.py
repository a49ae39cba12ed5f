"""What came of a sweep."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tried:
    """A trial.

    Attributes:
        number: of the trial.
        options: that were varied, by name.
        value: on validation data; of a pruned one, the last that was reported; None if it failed.
        state: complete, pruned, failed or running.
        why: of a failed one.
        run: its folder.
    """

    number: int
    options: dict[str, Any]
    value: float | None
    state: str
    why: str = ""
    run: str = ""


@dataclass(frozen=True)
class Seeded:
    """The best options trained with another seed.

    Attributes:
        seed: of weights, order and noise.
        validation: the number that was chosen by, on validation data.
        test: the same on test data, which no choice has seen; None of a number that training alone
            reports.
        run: its folder.
    """

    seed: int
    validation: float
    test: float | None
    run: str


@dataclass(frozen=True)
class Sweep:
    """What `lowerbound.sweep` returns.

    Attributes:
        folder: of the sweep.
        recipe: that was varied.
        best: the number.
        direction: maximize or minimize.
        vary: what was varied, as texts.
        trials: in the order they were proposed.
        seeds: the best options with other seeds, measured on test data.
        unfinished: that it was interrupted, in words.
    """

    folder: str
    recipe: str
    best: str
    direction: str
    vary: tuple[str, ...]
    trials: tuple[Tried, ...]
    seeds: tuple[Seeded, ...] = ()
    unfinished: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def ranked(self) -> list[Tried]:
        """Trials that came to their end, the best first."""
        done = [t for t in self.trials if t.state == "complete" and t.value is not None]
        sign = -1.0 if self.direction == "maximize" else 1.0
        return sorted(done, key=lambda t: (sign * t.value, t.number))  # ty: ignore

    @property
    def winner(self) -> Tried | None:
        """The best of them."""
        return self.ranked[0] if self.ranked else None

    @property
    def test(self) -> tuple[float, float | None] | None:
        """Mean over seeds on test data, and the standard deviation of one seed's value."""
        values = [each.test for each in self.seeds if each.test is not None]
        if not values:
            return None
        return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None

    @property
    def unit(self) -> str:
        """Of the number; "" of those without one."""
        from .plan import unit_of

        return unit_of(self.best)

    def claim(self) -> str:
        """The outcome in words that may stand in a paper."""
        if self.winner is None:
            return "no trial has come to its end"
        unit = f" {self.unit}" if self.unit else ""
        options = ", ".join(f"{k} {shown(v)}" for k, v in self.winner.options.items())
        text = f"best of {len(self.ranked)} trials by validation {self.best}: {options}"
        if self.test is None:
            return f"{text} ({shown(self.winner.value)}{unit})"
        mean, spread = self.test
        more = "" if spread is None else f" ± {shown(spread)}{unit} (standard deviation over seeds)"
        count = len(self.seeds)
        seeds = f"{count} new seed{'s' if count > 1 else ''}"
        said = f"{shown(mean)}{unit}" if spread is None else f"{shown(mean)}{more}"
        return f"{text}; on test data with {seeds} {self.best} {said}"

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types."""
        winner, test = self.winner, self.test
        return {
            "format": 1,
            "folder": self.folder,
            "recipe": self.recipe,
            "best": self.best,
            "unit": self.unit,
            "direction": self.direction,
            "vary": list(self.vary),
            "trials": [vars(each) for each in self.trials],
            "winner": None if winner is None else vars(winner),
            "seeds": [vars(each) for each in self.seeds],
            "test": None if test is None else {"mean": test[0], "standard_deviation": test[1]},
            "unfinished": self.unfinished,
            "settings": self.settings,
        }

    def __str__(self) -> str:
        rows = [[str(t.number), t.state, shown(t.value), _options(t)] for t in self.ranked[:10]]
        lines = [f"{n:>6}  {state:<9}  {value:>10}  {text}" for n, state, value, text in rows]
        return "\n".join([self.claim(), *lines])


def _options(tried: Tried) -> str:
    return " ".join(f"{key}={shown(value)}" for key, value in tried.options.items())


def shown(value: Any) -> str:
    """
    >>> shown(0.00123456), shown(-12.3456), shown(None), shown("elbo")
    ('0.001235', '−12.35', '–', 'elbo')
    """
    if value is None:
        return "–"
    return f"{value:.4g}".replace("-", "−") if isinstance(value, float) else str(value)
