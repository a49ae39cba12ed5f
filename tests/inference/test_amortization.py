"""The gap of an encoder, where the encoder, the best diagonal normal and log p(x) are known."""

from __future__ import annotations

import json

import pytest
import torch

from lowerbound.data import DataSpec
from lowerbound.distributions import DiagonalNormal
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import Evaluation, amortization_gap, evaluate
from lowerbound.recipes import RECIPES

from .conftest import Known
from .test_refine import Off, model_with


def test_a_perfect_encoder_has_none(independent: Known) -> None:
    found = amortization_gap(independent.model, independent.x, samples=100)
    evidence = independent.model.log_prob(independent.x).mean()
    assert found.kind == "exact" and abs(found.log_likelihood - evidence) < 1e-12
    assert abs(found.amortization) < 1e-9 and abs(found.approximation) < 1e-9
    assert abs(found.amortized - evidence) < 1e-9


def test_an_encoder_that_is_off_by_so_much_has_that(coupled: Known) -> None:
    """All three terms against their closed forms, within four standard errors of the draws."""
    model = model_with(coupled, Off(coupled, shift=0.3, factor=1.5))
    found = amortization_gap(model, coupled.x, steps=400, samples=4000)
    assert found.kind == "estimate"
    evidence = coupled.model.log_prob(coupled.x)
    own = coupled.divergence(model.encode(coupled.x))
    least = coupled.divergence(coupled.best)
    # The spread of log w under each q is about the root of twice the divergence.
    noise = 4 * float((2 * own).sqrt().mean()) / (4000 * len(coupled.x)) ** 0.5 + 2e-3
    assert abs(found.amortization - float((own - least).mean())) < noise
    assert abs(found.refined - float((evidence - least).mean())) < noise
    assert abs(found.log_likelihood - float(evidence.mean())) < noise
    assert found.log_likelihood - found.amortized == pytest.approx(
        found.amortization + found.approximation, abs=1e-9
    )


def test_its_error_is_that_over_examples(independent: Known) -> None:
    """An encoder that is off by δ_i for example i: a gap of ½ δ_i' precision δ_i each."""
    count = len(independent.x)
    shifts = torch.linspace(0, 0.5, count, dtype=torch.float64).unsqueeze(1)

    class Wandering(Off):
        def forward(self, x: torch.Tensor) -> DiagonalNormal:
            place = (independent.x == x[:1]).all(1).nonzero()[0, 0]
            q = super().forward(x)
            return DiagonalNormal(q.loc + shifts[place : place + len(x)], q.log_scale)

    model = model_with(independent, Wandering(independent, shift=0.0, factor=1.0))
    gaps = 0.5 * shifts.squeeze(1).square() * independent.precision.sum()
    found = amortization_gap(model, independent.x, samples=4000)
    assert found.amortization == pytest.approx(float(gaps.mean()), abs=0.02)
    expected = float(gaps.std()) / count**0.5
    assert found.amortization_error == pytest.approx(expected, rel=0.02)
    single = amortization_gap(model, independent.x[:1], samples=10)
    assert single.amortization_error is None and single.examples == 1


def test_an_evaluation_tells_it_when_asked(coupled: Known) -> None:
    """Of the stored values, like the bound beside it, and it survives its JSON."""
    model = model_with(coupled, Off(coupled, shift=0.1, factor=1.2))
    spec = DataSpec("toy", "vector", (8,), "real", log_jacobian=-3.0)
    assert evaluate(model, spec, coupled.x, samples=200).gap is None
    result = evaluate(model, spec, coupled.x, samples=1000, gap=True)
    gap, bound = result.gap, result.bound
    assert gap is not None and bound is not None and result.log_likelihood is not None
    assert gap.log_likelihood == pytest.approx(result.log_likelihood.value, abs=0.02)
    assert gap.amortized == pytest.approx(bound.value, abs=0.02)
    whole = gap.amortized + gap.amortization + gap.approximation
    assert whole == pytest.approx(gap.log_likelihood, abs=1e-9)
    assert Evaluation.from_json(json.loads(json.dumps(result.to_json()))) == result
    rows = {row.quantity: row for row in result.table()}
    assert rows["amortization gap"].unit == "nats"
    assert rows["approximation gap"].note.startswith("log p(x) (estimate) − ELBO")


def test_no_bound_no_gap() -> None:
    from lowerbound.distributions import Delta, Head
    from lowerbound.models import Autoencoder

    model = Autoencoder(
        Head(torch.nn.Linear(3, 2), Delta(2)), Head(torch.nn.Linear(2, 3), Delta(3))
    )
    with pytest.raises(LowerboundError, match="came one without: squared error has no variance"):
        amortization_gap(model, torch.zeros(4, 3))


REFUSED = {
    "autoencoder": ("real", {}, "squared error has no variance"),
    "gaussian-mixture": ("real", {}, "the prior's are categories or counts"),
    "nice": ("real", {}, "through a bijection"),
    "masked-tokens": ("categories", {}, "came one without: "),
    "vae": ("real", {"prior": "uniform", "posterior": "squashed-gaussian"}, "in a box"),
}


@pytest.mark.parametrize("recipe", REFUSED)
def test_an_evaluation_refuses_what_has_none(recipe: str) -> None:
    """In one line, before anything is measured."""
    support, options, message = REFUSED[recipe]
    spec = DataSpec("toy", "vector", (6,), support, levels=5 if support == "categories" else None)
    model = RECIPES[recipe](spec, **options).model
    x = torch.zeros(4, 6, dtype=torch.int64 if support == "categories" else torch.float32)
    with pytest.raises(LowerboundError, match=message) as caught:
        evaluate(model, spec, x, gap=True)
    told = str(caught.value)
    assert told.startswith("amortization gap: expected") and "\n" not in told


def test_rounding_is_no_gap(independent: Known) -> None:
    """A perfect encoder in float32, whose bounds differ by the last digits alone."""
    found = amortization_gap(independent.model.float(), independent.x.float(), samples=100)
    assert (found.amortization, found.amortization_error) == (0.0, 0.0)
    assert (found.approximation, found.approximation_error) == (0.0, 0.0)
    spec = DataSpec("toy", "vector", (8,), "real")
    rows = evaluate(independent.model, spec, independent.x.float(), gap=True).table()
    assert [row.value for row in rows if row.quantity.endswith("gap")] == ["0", "0"]


def test_the_table_tells_of_which_log_p_the_gap_is(coupled: Known) -> None:
    model = model_with(coupled, Off(coupled, shift=0.1, factor=1.2))
    spec = DataSpec("toy", "vector", (8,), "real")
    result = evaluate(model, spec, coupled.x, samples=100, gap=True)
    assert result.gap is not None
    rows = {row.quantity: row for row in result.table()}
    note = rows["approximation gap"].note
    told = float(note.rpartition(": ")[2].replace("−", "-"))
    refined = -result.gap.refined
    assert told == pytest.approx(refined - result.gap.approximation, abs=0.006)
