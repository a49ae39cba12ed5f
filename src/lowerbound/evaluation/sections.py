"""Parts of an evaluation that come when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .rows import Row, number, of_what, with_error

if TYPE_CHECKING:
    from .result import Likelihood


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
