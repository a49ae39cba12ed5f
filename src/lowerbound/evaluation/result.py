"""What is known about a trained model: numbers, each with its unit, its kind and its error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from ..plain import finite
from .rows import Row, count, number, of_what, with_error
from .sections import Annealing, Section, Told, written

Kind = Literal["exact", "lower bound", "estimate"]
ErrorAt = Literal["posterior mean", "likeliest component", "codes", "denoised"]
#: How a reconstruction is named in the table.
_AT = {
    "posterior mean": "‖x − E[x|z]‖² at the posterior mean",
    "likeliest component": "‖x − E[x|z]‖² at the likeliest component",
    "codes": "‖x − E[x|z]‖² at the codes of x",
}
_WHOLE = {"rest": "x"}  # the hidden part and the rest together
_FEW = 5.0  # effective samples below which the table warns


@dataclass(frozen=True)
class Likelihood:
    """Mean log p(x) for each held-out example, of the *stored* values.

    Attributes:
        value: nats; negative for discrete data.
        kind: ``"exact"``, ``"lower bound"`` (the ELBO) or ``"estimate"`` (importance-weighted).
        note: what that means here, in words.
        samples: importance or posterior samples for each example; ``None`` where exact.
        ess: effective sample size, mean over the examples; ``None`` but for estimates.
        ess_min: the least of any example.
        ess_p5: its 5th percentile.
        standard_error: of ``value`` over the examples, nats: how far another test set of this size
            would move it. Does not contain the bias of a bound. ``None`` for a single example.
        bits_per_dim: ``-value / (D log 2)``.
    """

    value: float
    kind: Kind
    note: str
    samples: int | None
    ess: float | None
    standard_error: float | None
    bits_per_dim: float
    ess_min: float | None = None
    ess_p5: float | None = None
    unit: str = "nats"


@dataclass(frozen=True)
class Bound:
    """Mean evidence lower bound for each held-out example, of the stored values, nats.

    Always ``-(distortion + rate)``, whatever the weights of the objective in training.
    """

    value: float
    standard_error: float | None


@dataclass(frozen=True)
class Gap:
    """Means over held-out examples, nats each: what an encoder's answer costs.

    log p(x) = ``amortized`` + ``amortization`` + ``approximation`` (EQUATIONS 21).

    Attributes:
        log_likelihood: log p(x), or what stands for it (`kind`).
        kind: ``"exact"``, or ``"estimate"``: importance-weighted from the refined posteriors, in
            expectation below log p(x), so that the approximation gap is at least what it says.
        refined: ELBO of the posteriors refined one by one.
        amortized: ELBO of the encoder's answers.
        amortization: ``refined - amortized``.
        amortization_error: its standard error over the examples; None of a single one.
        approximation: ``log_likelihood - refined``.
        approximation_error: likewise.
        examples: measured.
        settings: steps, learning_rate, samples, seed.
    """

    log_likelihood: float
    kind: Literal["exact", "estimate"]
    refined: float
    amortized: float
    amortization: float
    amortization_error: float | None
    approximation: float
    approximation_error: float | None
    examples: int
    settings: dict[str, Any]

    def shifted(self, nats: float) -> Gap:
        """The same of the stored values, whose log-density is greater by so many nats."""
        moved = {n: getattr(self, n) + nats for n in ("log_likelihood", "refined", "amortized")}
        return replace(self, **moved)


@dataclass(frozen=True)
class Evaluation:
    """What :func:`lowerbound.evaluation.evaluate` returns.

    Attributes:
        model: its name.
        data: name, split, examples (measured), of (how many there are), event_shape, binarize,
            dequantize.
        log_likelihood: ``None`` for a model without one.
        no_likelihood: the reason for that.
        bound: of a model with a likelihood and a prior.
        rate: mean KL(q(z|x) || p(z)), nats.
        distortion: mean E_q[-log p(x|z)], nats, of the stored values.
        active_units: latent dimensions in use, ``Var_x(E_q[z]) > 0.01``; ``None`` of indices, and
            of a single example.
        latent_dim: numbers in a code.
        kl_per_dimension: the rate's parts, nats, where posterior and prior factorise.
        squared_error: mean ``||x - E[x|z]||^2`` at the posterior mean, summed over the datum, in
            the model's units.
        baseline_bits_per_dim: of the uniform distribution over the levels, or over the range of an
            image of continuous values; ``None`` of other continuous data.
        settings: how the numbers were got (samples, rows, precision, compiled, seed, seconds).
        prior_monte_carlo: of a conditional model, log p(x|c) by codes drawn from p(z|c); ``None``
            for others. ``log_likelihood`` is the same by importance sampling from the posterior.
        gap: how the bound falls short of log p(x), where it was asked for.
        given: what a conditional model is given, in a word: ``"label"``, ``"attributes"``,
            ``"rest"`` (log p is then of the hidden part); ``None`` for others.
        dimensions: numbers that log p is of, on average; what bits/dim divides by.
        hidden_error: of a denoiser whose corruption hides, the squared error of what was hidden.
        error_at: of which reconstruction ``squared_error`` is; ``"denoised"``: of data that were
            corrupted as in training.
        pseudo_likelihood: mean log p(x_t | the tokens that are not hidden), nats per hidden token.
        unfinished: of a model whose training has not ended, how far it came.
        uniform_rate: of a model whose codes are indices, their rate under a uniform prior, nats.
        codebook: of a model whose codes are indices: ``levels``, ``usage`` (the share of entries
            that any code of these data is), ``perplexity`` (e to the entropy of frequencies).
        annealing: log p(x) by annealed importance sampling, where it was asked for.
        sections: further parts that were asked for: samples, representation, reconstruction.
    """

    model: str
    data: dict[str, Any]
    log_likelihood: Likelihood | None
    no_likelihood: str | None
    bound: Bound | None
    rate: float | None
    distortion: float | None
    active_units: int | None
    latent_dim: int
    kl_per_dimension: list[float] | None
    squared_error: float | None
    baseline_bits_per_dim: float | None
    settings: dict[str, Any] = field(default_factory=dict)
    prior_monte_carlo: Likelihood | None = None
    gap: Gap | None = None
    given: str | None = None
    dimensions: float | None = None
    hidden_error: float | None = None
    error_at: ErrorAt = "posterior mean"
    pseudo_likelihood: Bound | None = None
    unfinished: str | None = None
    uniform_rate: float | None = None
    codebook: dict[str, float] | None = None
    annealing: Annealing | None = None
    sections: tuple[Section, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; a number that is not finite becomes ``None``."""
        plain = asdict(replace(self, sections=()))
        plain["sections"] = [written(section) for section in self.sections]
        return {"format": 1, **finite(plain)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Evaluation:
        """What :meth:`to_json` wrote. Keys of later versions are left aside."""
        given = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        if given["log_likelihood"] is not None:
            given["log_likelihood"] = Likelihood(**given["log_likelihood"])
        for name in ("bound", "pseudo_likelihood"):
            if given.get(name) is not None:
                given[name] = Bound(**given[name])
        if given.get("prior_monte_carlo") is not None:
            given["prior_monte_carlo"] = Likelihood(**given["prior_monte_carlo"])
        if given.get("gap") is not None:
            given["gap"] = Gap(**given["gap"])
        if given.get("annealing") is not None:
            given["annealing"] = Annealing.from_json(given["annealing"])
        given["sections"] = tuple(map(Told.from_json, given.get("sections") or ()))
        return cls(**given)

    def title(self) -> str:
        """What was measured on what, in a line."""
        data = self.data
        measured, there = data["examples"], data.get("of", data["examples"])
        many = f"{measured:,}" if measured == there else f"{measured:,} of {there:,}"
        shape = " x ".join(str(size) for size in data["event_shape"])
        whole = (
            f"{self.model} on {data['name']}: mean over {many} {data['split']} examples of {shape}"
        )
        if self.given == "rest":
            whole += f", of the hidden part ({count(self.dimensions, 'numbers')}) given the rest"
        elif self.given is not None:
            whole += f", given the {self.given}"
        return whole + (f"; unfinished: {self.unfinished}" if self.unfinished else "")

    def __str__(self) -> str:
        """The table as plain text, in aligned columns."""
        parts = [(section.name, section.rows()) for section in self.sections]
        everything = [Row("quantity", "value", "unit", "kind", ""), *self.table()]
        shown = [*everything, *(row for _, rows in parts for row in rows)]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]

        def line(row: Row) -> str:
            cells = [
                cell.rjust(width) if name == "value" else cell.ljust(width)
                for name, cell, width in zip(Row._fields, row, widths, strict=True)
            ]
            return "  ".join(cells).rstrip()

        lines = [self.title(), *map(line, everything)]
        for section, (name, rows) in zip(self.sections, parts, strict=True):
            lines += ["", name, *map(line, rows), *section.notes]
        return "\n".join(lines)

    def table(self) -> list[Row]:
        """The numbers for people, likelihood first, each with its unit and kind."""
        rows = []
        name = of_what("−log p(x)", self.given)
        if self.log_likelihood is not None:
            found = self.log_likelihood
            value = with_error(-found.value, found.standard_error)
            rows.append(Row(name, value, "nats", found.kind, found.note))
            bits = f"{found.bits_per_dim:.4f}"
            rows.append(Row(name, bits, "bits/dim", found.kind, self._beside()))
            if found.ess is not None:
                text = f"of {found.samples:,}; least of any example {number(found.ess_min)}"
                text += self._warning(found)
                rows.append(Row("effective sample size", number(found.ess), "samples", "", text))
        elif self.no_likelihood is not None:
            rows.append(Row(name, "–", "", "none", f"no likelihood: {self.no_likelihood}"))
        if self.annealing is not None:
            examples = self.data["examples"]
            rows += self.annealing.rows(self.given, examples, self._beside())
        if self.pseudo_likelihood is not None:
            found = self.pseudo_likelihood
            value = with_error(-found.value, found.standard_error)
            text = (
                "−log p(hidden token | tokens not hidden), held out; not comparable with −log p(x)"
            )
            rows.append(Row("pseudo-likelihood", value, "nats per hidden token", "", text))
        if self.bound is not None:
            value = with_error(-self.bound.value, self.bound.standard_error)
            text = "distortion + rate"
            if self.prior_monte_carlo is not None:  # the three are apart, each with its count
                text += f", codes from the posterior, k = {self.settings.get('samples'):,}"
            rows.append(Row("−bound (ELBO)", value, "nats", "lower bound", text))
        if self.prior_monte_carlo is not None:
            found = self.prior_monte_carlo
            value = with_error(-found.value, found.standard_error)
            text = f"{found.note}; effective sample size {number(found.ess)}"
            rows.append(
                Row(f"{name}, prior", value, "nats", found.kind, text + self._warning(found))
            )
        if self.gap is not None:
            gap = self.gap
            value = with_error(gap.amortization, gap.amortization_error)
            text = "ELBO of posteriors refined one by one − ELBO of the encoder's"
            rows.append(Row("amortization gap", value, "nats", "", text))
            value = with_error(gap.approximation, gap.approximation_error)
            text = f"log p(x) ({gap.kind}) − ELBO of the refined posteriors"
            if gap.kind == "estimate":
                text += f"; that −log p(x), with codes from these: {number(-gap.log_likelihood)}"
            rows.append(Row("approximation gap", value, "nats", "", text))
        if self.distortion is not None:
            text = {None: "E_q[−log p(x|z)]", "rest": "E_q[−log p(hidden | z, rest)]"}.get(
                self.given, f"E_q[−log p(x | z, {self.given})]"
            )
            rows.append(Row("distortion", number(self.distortion), "nats", "", text))
        if self.rate is not None:
            text = "KL(q(z|x) ‖ p(z))"
            if self.given is not None:
                text = (
                    f"KL(q(z | {_WHOLE.get(self.given, 'x, ' + self.given)}) ‖ p(z | {self.given}))"
                )
            if self.uniform_rate is not None:
                text += f", the model's prior: {self._bits(self.rate)}"
            rows.append(Row("rate", number(self.rate), "nats", "", text))
        if self.uniform_rate is not None:
            rows.append(self._uniform(self.uniform_rate))
        if self.codebook is not None:
            book, levels = self.codebook, f"of {self.codebook['levels']:,.0f}"
            used = f"{book['usage'] * book['levels']:,.0f}"
            text = f"{book['usage']:.1%}; as many equally frequent entries would tell as much: "
            text += f"{number(book['perplexity'])} (perplexity)"
            rows.append(Row("codebook entries used", used, levels, "", text))
        if self.active_units is None and self._of_one():
            text = "undefined of one example: it has no variance"
            rows.append(Row("active units", "–", f"of {self.latent_dim}", "", text))
        if self.active_units is not None:
            text = "variance over x of E_q[z] > 0.01"
            rows.append(
                Row("active units", f"{self.active_units}", f"of {self.latent_dim}", "", text)
            )
        denoised = "‖x − f(x~)‖², x~ corrupted as in training, x as the model sees it"
        if self.hidden_error is not None:
            value = number(self.hidden_error)
            text = f"{denoised}: of what the corruption hid alone"
            rows.append(Row("squared error, hidden", value, "per example", "", text))
        if self.squared_error is not None:
            text = f"{denoised}: of the whole example"
            if self.error_at in _AT:
                text = f"{_AT[self.error_at]}, x as the model sees it"
            rows.append(Row("squared error", number(self.squared_error), "per example", "", text))
        return rows

    def _of_one(self) -> bool:
        """Whether codes that are numbers were measured by a single example."""
        numbers = self.rate is not None and self.error_at in ("posterior mean", "denoised")
        return numbers and self.data["examples"] == 1

    def _beside(self) -> str:
        """What bits/dim are of, and the baseline that knows nothing of the data."""
        baseline, parts = self.baseline_bits_per_dim, []
        if self.given is not None and self.dimensions is not None:
            hidden = "hidden " if self.given == "rest" else ""
            parts.append(f"for each of {count(self.dimensions, f'{hidden}numbers')}")
        if baseline is not None:
            what = "range" if self.data.get("continuous") else "levels"
            parts.append(f"uniform over the {what}: {number(baseline)}")
        return "; ".join(parts)

    def _bits(self, nats: float) -> str:
        """Nats for an example as bits for each of its numbers."""
        dimensions = self.dimensions or math.prod(self.data["event_shape"])
        return f"{nats / (dimensions * math.log(2)):.4f} bits/dim"

    def _uniform(self, rate: float) -> Row:
        """The rate of indices as they are, all as probable."""
        text = f"positions · log K, codes all as probable: {self._bits(rate)}"
        if self.distortion is not None:
            whole = self.distortion + rate
            text += f"; −bound then {number(whole)} nats, {self._bits(whole)}"
        return Row("rate, uniform codes", number(rate), "nats", "", text)

    def _warning(self, found: Likelihood) -> str:
        """That an estimate rests on few samples, where it does."""
        if found.ess is None or found.ess >= _FEW:
            return ""
        name = of_what("log p(x)", self.given)
        return f"; few samples carry the weight: with more, {name} comes out higher"
