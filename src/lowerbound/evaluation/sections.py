"""Parts of an evaluation that come when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .rows import Row, number, of_what, with_error

if TYPE_CHECKING:
    from .result import Likelihood

Value = tuple[float, float | None]
"""A number and its standard error, where it has one."""

_FEATURES = 4  # as many at most are told of by name in a table's notes


@runtime_checkable
class Section(Protocol):
    """A part with rows of its own: samples, representation, reconstruction."""

    @property
    def name(self) -> str:
        """By which it is asked for."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences under its rows."""
        ...

    def rows(self) -> list[Row]:
        """For people."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types."""
        ...


@dataclass(frozen=True)
class Told:
    """A section as it was written.

    Attributes:
        name: by which it is asked for.
        content: what its ``to_json`` gave.
        lines: its rows.
        notes: sentences under them.
    """

    name: str
    content: Mapping[str, Any]
    lines: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """For people."""
        return list(self.lines)

    def to_json(self) -> dict[str, Any]:
        """What the section's ``to_json`` gave."""
        return dict(self.content)

    @classmethod
    def of(cls, section: Section) -> Told:
        """A section as it will be written."""
        rows = tuple(Row(*row) for row in section.rows())
        return cls(section.name, section.to_json(), rows, tuple(section.notes))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Told:
        """What :func:`written` made."""
        rows = tuple(Row(*row) for row in content["rows"])
        return cls(content["name"], content["content"], rows, tuple(content["notes"]))


def written(section: Section) -> dict[str, Any]:
    """A section in JSON's types: ``name``, ``content``, ``rows`` and ``notes``."""
    told = section if isinstance(section, Told) else Told.of(section)
    return {
        "name": told.name,
        "content": dict(told.content),
        "rows": [list(row) for row in told.lines],
        "notes": list(told.notes),
    }


@dataclass(frozen=True)
class Bracket:
    """log p(x) of data simulated from the model, from both sides; means, nats.

    Attributes:
        lower: in expectation below log p(x).
        upper: in expectation above.
        gap: ``upper - lower``.
        gap_error: its standard error over the examples; None of a single one.
        examples: simulated.
    """

    lower: float
    upper: float
    gap: float
    gap_error: float | None
    examples: int


@dataclass(frozen=True)
class Annealing:
    """log p(x) by annealed importance sampling, of the stored values.

    Attributes:
        log_likelihood: mean over the examples; ``samples`` and ``ess`` count chains.
        examples: measured.
        acceptance: mean share of accepted moves.
        settings: steps, chains, leaps, schedule, start, seed, noise_std, and the observation noise
            in words (``observation``) where it was declared.
        same: mean log p(x) of the same examples by importance sampling (or exactly, or the bound:
            the kind of the evaluation's own); None where there is none.
        same_kind: of which kind that is.
        bracket: on data simulated from the model, where it was asked for.
    """

    log_likelihood: Likelihood
    examples: int
    acceptance: float
    settings: dict[str, Any] = field(default_factory=dict)
    same: float | None = None
    same_kind: str | None = None
    bracket: Bracket | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Annealing:
        """What ``dataclasses.asdict`` made of it."""
        from .result import Likelihood

        given = dict(content)
        given["log_likelihood"] = Likelihood(**given["log_likelihood"])
        if given.get("bracket") is not None:
            given["bracket"] = Bracket(**given["bracket"])
        return cls(**given)

    def rows(self, given: str | None, examples: int, beside: str = "") -> list[Row]:
        """For people.

        Args:
            given: what a conditional model is given.
            examples: of the evaluation beside it.
            beside: the baseline, in words.
        """
        found = self.log_likelihood
        noise = self.settings.get("noise_std")
        name = of_what("−log p(x)", given) + ", AIS"
        if noise is not None:  # of another likelihood than the rows above
            name += f", noise σ = {noise:g}"
        note = [found.note]
        if self.examples != examples:
            note.append(f"over {self.examples:,} of these examples")
        if self.same is not None:
            note.append(f"{self.same_kind} of the same examples: {number(-self.same)}")
        value = with_error(-found.value, found.standard_error)
        rows = [
            Row(name, value, "nats", found.kind, "; ".join(note)),
            Row(name, f"{found.bits_per_dim:.4f}", "bits/dim", found.kind, beside),
        ]
        text = (
            f"of {found.samples:,}; least of any example {number(found.ess_min)}; "
            f"{100 * self.acceptance:.0f} % of moves accepted"
        )
        if found.ess is not None and found.samples and found.ess_min is not None:
            few = found.samples > 1 and found.ess < 0.25 * found.samples
            text += "; few chains carry the weight: take more --ais-steps" if few else ""
        rows.append(Row("effective chains", number(found.ess), "chains", "", text))
        if self.bracket is not None:
            b = self.bracket
            text = (
                f"of {b.examples:,} examples simulated from the model, whose codes are known: "
                f"−log p(x) between {number(-b.upper)} (reverse) and {number(-b.lower)} (forward), "
                "each side in expectation"
            )
            rows.append(Row("AIS bracket", with_error(b.gap, b.gap_error), "nats", "", text))
        return rows


@dataclass(frozen=True)
class Horizon:
    """Forecasts so many steps ahead; standard errors are over sequences, None of a single one.

    Attributes:
        error: root of the mean squared error of the forecasts' means, with its standard error; in
            the unit of `Forecasts`.
        repeat: the same of repeating the last known value.
        sequences: of which something is known so far ahead.
        numbers: known there, of all of them.
        features: the error and that of repeating in each feature's own unit, by its name; None of
            a feature that too few sequences show there. Empty of a single feature, and of frames.
    """

    error: Value
    repeat: Value
    sequences: int
    numbers: int
    features: dict[str, tuple[Value, Value] | None]


@dataclass(frozen=True)
class Forecasts:
    """Of the last part of each sequence, from the part before it.

    Attributes:
        sequences: that were rolled out.
        of: sequences that were measured: some are too short, and of many the first ones are taken.
        given: steps that a forecast was made from: of the sequence in the middle, and the least and
            the most of any.
        unit: of errors.
        horizons: by steps ahead, as far as enough sequences go.
        beyond: the greatest horizon that any sequence reaches; None without a forecast.
        share: of each sequence that a forecast is made from.
        least: sequences that a horizon needs.
        spread: standard deviation of each feature of the held-out data in its own unit, by name,
            where errors are told in it.
        covered: share of the data inside the central intervals, by level, with its standard error.
        numbers: known ones that this is the share of.
    """

    sequences: int
    of: int
    given: tuple[int, int, int]
    unit: str
    horizons: dict[int, Horizon]
    beyond: int | None
    share: float
    least: int
    spread: dict[str, float]
    covered: dict[float, Value]
    numbers: int

    def rows(self) -> list[Row]:
        """For people."""
        rows = []
        own = "; of each feature in its own standard deviation" if self.spread else ""
        for horizon, at in self.horizons.items():
            steps = "1 step" if horizon == 1 else f"{horizon} steps"
            told = f"root of the mean squared error {steps} ahead, of {_counted(at)}{own}"
            told += f"; repeating the last value: {with_error(*at.repeat)}"
            features = [f"{k} {with_error(*v[0])}" for k, v in at.features.items() if v is not None]
            if 0 < len(features) <= _FEATURES:
                told += f"; in their own units: {', '.join(features)}"
            rows.append(Row(f"error at {horizon}", with_error(*at.error), self.unit, "", told))
        for level, (share, error) in self.covered.items():
            told = f"of {self.numbers:,} held-out numbers within the forecasts' central interval, "
            told += f"1 to {max(self.horizons)} steps ahead together"
            value = with_error(100 * share, None if error is None else 100 * error)
            rows.append(Row(f"inside {level:.0%}", value, "%", "", told))
        return rows

    def notes(self) -> tuple[str, ...]:
        """Sentences: where forecasts begin, and which are left out."""
        if self.beyond is None:
            return ("no forecasts: expected held-out sequences of at least 2 known steps",)
        _, low, high = self.given
        steps = f"{low}" if low == high else f"{low} to {high}"
        text = f"forecasts of {self.sequences:,} of {self.of:,} sequences, each from the first "
        text += (
            f"{self.share:.0%} of its own steps ({steps}); ± is the standard error over sequences"
        )
        furthest = max(self.horizons, default=0)
        if self.beyond > furthest:
            text += f"; more than {furthest} ahead (up to {self.beyond}) is left out, for fewer "
            text += f"than {self.least} sequences go so far"
        return (text,)

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types: ``error``, ``repeat`` and the like by horizon."""
        at = {f"{h:g}": each for h, each in self.horizons.items()}
        shares = {f"{level:g}": each for level, each in self.covered.items()}
        return {
            "given": self.given[0],
            "given_least": self.given[1],
            "given_most": self.given[2],
            "given_share": self.share,
            "forecasts": self.sequences,
            "of": self.of,
            "unit": self.unit,
            "error": {h: each.error[0] for h, each in at.items()},
            "error_standard_error": {h: each.error[1] for h, each in at.items()},
            "repeat": {h: each.repeat[0] for h, each in at.items()},
            "repeat_standard_error": {h: each.repeat[1] for h, each in at.items()},
            "sequences": {h: each.sequences for h, each in at.items()},
            "numbers": {h: each.numbers for h, each in at.items()},
            "least_sequences": self.least,
            "longest_horizon": self.beyond,
            "features": {name: self._feature(name, at) for name in self.spread},
            "covered": {level: share for level, (share, _) in shares.items()},
            "covered_standard_error": {level: error for level, (_, error) in shares.items()},
            "covered_numbers": self.numbers,
        }

    def _feature(self, name: str, at: dict[str, Horizon]) -> dict[str, Any]:
        """Of one feature, in its own unit."""
        told = {h: each.features[name] for h, each in at.items()}
        found = {h: each for h, each in told.items() if each is not None}
        return {
            "standard_deviation": self.spread[name],
            "error": {h: error[0] for h, (error, _) in found.items()},
            "error_standard_error": {h: error[1] for h, (error, _) in found.items()},
            "repeat": {h: repeat[0] for h, (_, repeat) in found.items()},
        }


def _counted(at: Horizon) -> str:
    many = f"{at.sequences:,} sequence" + ("" if at.sequences == 1 else "s")
    return many if at.numbers == at.sequences else f"{many} ({at.numbers:,} numbers)"
