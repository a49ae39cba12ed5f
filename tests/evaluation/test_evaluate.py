"""Units, kinds, signs and errors of what is reported."""

import json
import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.data.spec import DataSpec
from lowerbound.distributions import Categorical, Delta, DiagonalGaussian, Head, StandardNormal
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import (
    Evaluation,
    baseline_bits_per_dim,
    bits_per_dim,
    encode_all,
    estimate_log_likelihood,
    evaluate,
    mean_and_error,
)
from lowerbound.evaluation.effort import affordable
from lowerbound.models import Autoencoder, LatentModel, LinearGaussian

Inexact = Callable[..., LatentModel]


def spec_of(kind: str = "vector", shape: tuple[int, ...] = (4,), **rest: Any) -> DataSpec:
    return DataSpec("planted", kind, shape, **{"support": "real", **rest})


@pytest.fixture
def x(linear: LinearGaussian) -> Tensor:
    torch.manual_seed(2)
    return linear.sample(300)


def test_exact(linear: LinearGaussian, x: Tensor) -> None:
    found = evaluate(linear, spec_of(), x, name="pca")
    known = linear.log_prob(x)
    assert found.log_likelihood is not None
    assert found.log_likelihood.kind == "exact"
    assert found.log_likelihood.value == pytest.approx(float(known.mean()), abs=1e-12)
    error = float(known.std()) / math.sqrt(300)
    assert found.log_likelihood.standard_error == pytest.approx(error, rel=1e-12)
    bits = -float(known.mean()) / (4 * math.log(2))
    assert found.log_likelihood.bits_per_dim == pytest.approx(bits, rel=1e-12)
    assert found.log_likelihood.samples is None
    # The exact posterior closes the gap, whatever is drawn.
    assert found.bound is not None
    assert found.bound.value == pytest.approx(found.log_likelihood.value, abs=1e-10)
    assert found.rate == pytest.approx(float(_rates(linear, x).mean()), rel=1e-12)
    assert found.distortion == pytest.approx(-found.log_likelihood.value - found.rate, abs=1e-10)
    assert found.data["examples"] == 300


def _rates(linear: LinearGaussian, x: Tensor) -> Tensor:
    """KL(N(m, S) ‖ N(0, I)) written out."""
    q: Any = linear.encode(x)
    mean, covariance = q.mean, q.covariance_matrix
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    square = mean.square().sum(-1)
    return 0.5 * (trace + square - mean.shape[-1] - torch.linalg.slogdet(covariance)[1])


def test_of_one_example_the_rate_is_exact_and_units_are_undefined(
    linear: LinearGaussian, x: Tensor
) -> None:
    found = evaluate(linear, spec_of(), x[:1])
    assert found.rate == pytest.approx(float(_rates(linear, x[:1])), rel=1e-12)
    assert found.active_units is None
    (row,) = (row for row in found.table() if row[0] == "active units")
    assert row.value == "–" and "undefined of one example" in row[-1]
    assert Evaluation.from_json(found.to_json()).active_units is None
    assert evaluate(linear, spec_of(), x[:2]).active_units is not None


def test_estimate(linear: LinearGaussian, inexact: Inexact, x: Tensor) -> None:
    found = evaluate(inexact(), spec_of(), x, samples=2000)
    known = float(linear.log_prob(x).mean())
    likelihood, bound = found.log_likelihood, found.bound
    assert likelihood is not None
    assert bound is not None
    assert likelihood.kind == "estimate"
    assert "k = 2,000" in likelihood.note
    assert "in expectation a lower bound on log p(x)" in likelihood.note
    assert likelihood.value == pytest.approx(known, abs=0.005)
    assert bound.value < known - 0.05
    assert found.distortion is not None
    assert found.rate is not None
    assert bound.value == pytest.approx(-(found.distortion + found.rate), abs=1e-9)
    assert likelihood.ess is not None
    assert likelihood.ess_min is not None
    assert likelihood.ess_p5 is not None
    assert 1 < likelihood.ess_min <= likelihood.ess_p5 <= likelihood.ess < 2000


def test_the_bound_comes_from_the_draws_of_the_estimate(inexact: Inexact, x: Tensor) -> None:
    model = inexact()
    for samples, seed in [(2, 0), (2, 1), (2, 2), (3, 0), (50, 0)]:
        found = evaluate(model, spec_of(), x[:3], samples=samples, seed=seed)
        same = estimate_log_likelihood(model, x[:3], samples=samples, seed=seed)
        assert found.rate == float(same.rate.mean())
        assert found.distortion == float(same.distortion.mean())
        assert found.bound is not None and found.log_likelihood is not None
        assert found.bound.value <= found.log_likelihood.value
        # That of each dimension is in closed form.
        codes = encode_all(model, x[:3])
        assert found.kl_per_dimension is not None and codes.rate is not None
        assert sum(found.kl_per_dimension) == pytest.approx(float(codes.rate.mean()), rel=1e-12)
        assert found.rate != float(codes.rate.mean())
    alone = evaluate(model, spec_of(), x[:3], samples=1)
    assert alone.rate == float(encode_all(model, x[:3]).rate.mean())


def test_what_is_affordable_is_measured_and_how_many_there_are_is_told(
    inexact: Inexact, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluate(inexact(), spec_of(), x)
    assert (found.settings["samples"], found.data["examples"], found.data["of"]) == (1000, 300, 300)
    few = partial(affordable, budget=1.0)
    monkeypatch.setattr(sys.modules[evaluate.__module__], "affordable", few)
    found = evaluate(inexact(), spec_of(), x, of=5000)
    assert (found.settings["samples"], found.data["examples"], found.data["of"]) == (10, 100, 5000)
    first = evaluate(inexact(), spec_of(), x[:100], samples=10)
    assert found.log_likelihood == first.log_likelihood
    found = evaluate(inexact(), spec_of(), x, samples=20)  # what is asked for is done
    assert (found.settings["samples"], found.data["examples"]) == (20, 300)


def test_lower_bound(inexact: Inexact, x: Tensor) -> None:
    found = evaluate(inexact(), spec_of(), x, samples=1)
    assert found.log_likelihood is not None
    assert found.bound is not None
    assert found.log_likelihood.kind == "lower bound"
    assert found.log_likelihood.value == found.bound.value
    assert found.log_likelihood.ess is None


def test_the_jacobian_counts_for_stored_values_only(inexact: Inexact, x: Tensor) -> None:
    plain = evaluate(inexact(), spec_of(), x, samples=50)
    spec = spec_of(support="unit", levels=256, dequantize="uniform", log_jacobian=-7.0)
    moved = evaluate(inexact(), spec, x, samples=50)
    assert plain.log_likelihood is not None
    assert moved.log_likelihood is not None
    assert plain.bound is not None
    assert moved.bound is not None
    assert plain.distortion is not None
    assert moved.distortion is not None
    assert moved.log_likelihood.value == pytest.approx(plain.log_likelihood.value - 7)
    assert moved.bound.value == pytest.approx(plain.bound.value - 7)
    assert moved.distortion == pytest.approx(plain.distortion + 7)
    assert moved.rate == plain.rate
    assert moved.log_likelihood.standard_error == pytest.approx(plain.log_likelihood.standard_error)
    assert moved.baseline_bits_per_dim == 8
    assert "of the dequantized density, in expectation a lower bound on the discrete log P(x)" in (
        moved.log_likelihood.note
    )


def test_no_likelihood_for_an_autoencoder() -> None:
    torch.manual_seed(0)
    model = Autoencoder(Head(nn.Linear(4, 2), Delta(2)), Head(nn.Linear(2, 4), Delta(4)))
    x = torch.randn(60, 4)
    found = evaluate(model, spec_of(), x)
    assert found.log_likelihood is None
    assert found.bound is None
    assert found.rate is None
    assert found.no_likelihood is not None
    assert "squared error" in found.no_likelihood
    with torch.no_grad():
        error = (model.decode(model.encode(x).mean).mean - x).square().sum(1).mean()
    assert found.squared_error == pytest.approx(float(error), rel=1e-6)
    assert found.latent_dim == 2
    assert "no likelihood" in found.table()[0].note


def test_a_refused_likelihood_keeps_its_rate(bernoulli: LatentModel, pixels: Tensor) -> None:
    bernoulli.no_likelihood = "grey pixels under a Bernoulli"
    found = evaluate(bernoulli, spec_of(shape=(30,), support="unit"), pixels)
    assert found.log_likelihood is None
    assert found.bound is None
    assert found.distortion is None
    assert found.rate is not None


def test_a_likelihood_of_other_data_is_none(bernoulli: LatentModel, pixels: Tensor) -> None:
    found = evaluate(bernoulli, spec_of(shape=(30,)), pixels, samples=2)
    assert (found.log_likelihood, found.bound, found.distortion) == (None, None, None)
    reason = "likelihood Bernoulli: it is one of data that are binary, not real"
    assert found.no_likelihood == reason
    found = evaluate(bernoulli, spec_of(shape=(30,), support="binary"), pixels, samples=2)
    assert found.log_likelihood is not None and found.no_likelihood is None


def test_tokens_stay_integers_and_have_no_squared_error() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(15, 4))
    model = LatentModel(
        StandardNormal(2),
        Head(nn.Linear(2, 20), Categorical((5,), levels=4)),
        Head(encoder, DiagonalGaussian(2)),
    )
    with torch.no_grad():  # whatever the code, every token is as likely
        model.likelihood.network.weight.zero_()
        model.likelihood.network.bias.zero_()
    spec = spec_of("tokens", (5,), support="categories", levels=4)
    found = evaluate(model, spec, torch.randint(4, (30, 5)), samples=5000)
    assert found.log_likelihood is not None
    assert found.log_likelihood.bits_per_dim == pytest.approx(2.0, abs=0.01)
    assert found.distortion == pytest.approx(5 * math.log(4), rel=1e-5)
    assert found.squared_error is None


def test_active_units_of_a_planted_model() -> None:
    # E_q[z] = (x1, 0.2 x2, 0.02 x3, 0): variances 1, 0.04, 0.0004, 0 against 0.01.
    network = nn.Linear(4, 8)
    with torch.no_grad():
        network.weight.zero_()
        network.bias.zero_()
        network.weight[:4] = torch.diag(torch.tensor([1.0, 0.2, 0.02, 0.0]))
        network.bias[7] = -1.0
    model = LatentModel(
        StandardNormal(4),
        Head(nn.Linear(4, 8), DiagonalGaussian(4)),
        Head(network, DiagonalGaussian(4)),
    )
    torch.manual_seed(0)
    x = torch.randn(2000, 4)
    codes = encode_all(model, x)
    assert codes.active_units == 2
    torch.testing.assert_close(codes.means, x * torch.tensor([1.0, 0.2, 0.02, 0.0]))
    assert codes.kl_per_dimension is not None
    assert codes.rate is not None
    # 1/2 (sigma^2 + mu^2 - 1 - log sigma^2) with sigma = 1, 1, 1, 1/e
    known = [0.5 * float(x[:, 0].square().mean()), 0.02 * float(x[:, 1].square().mean())]
    assert codes.kl_per_dimension[:2].tolist() == pytest.approx(known, rel=1e-5)
    assert float(codes.kl_per_dimension[3]) == pytest.approx(0.5 * (math.exp(-2) - 1 + 2))
    assert float(codes.kl_per_dimension.sum()) == pytest.approx(float(codes.rate.mean()), rel=1e-5)


def test_arithmetic() -> None:
    assert bits_per_dim(-3072 * 8 * math.log(2), 3072) == pytest.approx(8)
    assert mean_and_error(torch.tensor([4.0])) == (4.0, None)
    values = torch.arange(10.0)
    mean, error = mean_and_error(values)
    assert mean == 4.5
    assert error == pytest.approx(math.sqrt(sum((v - 4.5) ** 2 for v in range(10)) / 9 / 10))


@pytest.mark.parametrize(
    ("given", "bits"),
    [
        ({"support": "binary", "levels": 256, "binarize": "stochastic"}, 1.0),
        ({"support": "levels", "levels": 17}, math.log2(17)),
        ({"support": "categories", "levels": 4}, 2.0),
        ({"support": "unit", "levels": 256, "dequantize": "uniform"}, 8.0),
        ({"support": "unit", "levels": 256}, None),
        ({"support": "real"}, None),
    ],
)
def test_baseline(given: dict[str, Any], bits: float | None) -> None:
    assert baseline_bits_per_dim(spec_of(**given)) == bits


def test_json_both_ways(inexact: Inexact, x: Tensor) -> None:
    found = evaluate(inexact(), spec_of(binarize="stochastic"), x, samples=10)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(text)) == found
    assert list(json.loads(text)) == [
        "format",
        "model",
        "data",
        "log_likelihood",
        "no_likelihood",
        "bound",
        "rate",
        "distortion",
        "active_units",
        "latent_dim",
        "kl_per_dimension",
        "squared_error",
        "baseline_bits_per_dim",
        "settings",
        "prior_monte_carlo",
        "gap",
        "given",
        "dimensions",
        "hidden_error",
        "error_at",
        "pseudo_likelihood",
        "unfinished",
        "uniform_rate",
        "codebook",
        "annealing",
        "sections",
    ]
    assert found.log_likelihood is not None
    assert found.log_likelihood.note.endswith("binarized once from a fixed seed")


def test_printed_as_a_table_of_plain_text(inexact: Inexact, x: Tensor) -> None:
    found = evaluate(inexact(), spec_of(), x, samples=10, of=5000)
    title, head, *lines = str(found).splitlines()
    assert title == "model on planted: mean over 300 of 5,000 test examples of 4"
    assert head.split() == ["quantity", "value", "unit", "kind"]
    rows = found.table()
    assert len(lines) == len(rows)
    ends = {line.index(row.value) + len(row.value) for line, row in zip(lines, rows, strict=True)}
    assert ends == {head.index("value") + len("value")}
    for line, row in zip(lines, rows, strict=True):
        assert line.startswith(row.quantity)
        assert line[head.index("unit") :].startswith(row.unit)
        assert line[head.index("kind") :].startswith(row.kind)
        assert line.endswith(row.note)
    assert not [line for line in (head, *lines) if line != line.rstrip()]


def test_bad_shape(linear: LinearGaussian) -> None:
    with pytest.raises(LowerboundError, match=r"expected x of shape \(N, 4\), got \(3, 5\)"):
        evaluate(linear, spec_of(), torch.zeros(3, 5))
