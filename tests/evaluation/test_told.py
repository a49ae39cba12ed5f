"""What is told of models whose codes, inputs or densities are of another kind."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.data import DataSpec
from lowerbound.distributions import PointMass
from lowerbound.evaluation import Bound, Evaluation, Likelihood, encode_all, evaluate
from lowerbound.evaluation.codes import pseudo_likelihood
from lowerbound.mixtures import GaussianMixture


def spec_of(size: int) -> DataSpec:
    return DataSpec("numbers", "vector", (size,), "real")


def rows(found: Evaluation) -> dict[tuple[str, str], Any]:
    return {(row.quantity, row.unit): row for row in found.table()}


def test_a_component_is_no_number() -> None:
    """Components 0, 1, 2 of one mixture have a variance, and none that means anything."""
    model = GaussianMixture((1,), components=3)
    model.set_(torch.ones(3), torch.tensor([[-5.0], [0.0], [5.0]]), torch.ones(3, 1, 1))
    x = torch.tensor([[-5.5], [0.25], [5.0], [4.0]])
    codes = encode_all(model, x)
    assert codes.index and codes.active_units is None
    found = evaluate(model, spec_of(1), x)
    assert found.active_units is None
    assert found.squared_error == pytest.approx((0.25 + 0.0625 + 0 + 1) / 4)
    told = rows(found)
    assert ("active units", "of 1") not in told
    assert "at the likeliest component" in told["squared error", "per example"].note


class Denoiser(nn.Module):
    """Answers twice what it sees; its corruption hides the first number of each datum."""

    event_shape, latent_shape, no_likelihood = (2,), (2,), "a distance"

    def corruption(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tensor([True, False]).expand_as(x)
        return x.masked_fill(hidden, 0.0), hidden

    def denoise(self, x: Tensor) -> Tensor:
        return 2 * x

    def encode(self, x: Tensor) -> PointMass:
        return PointMass(x)

    def decode(self, z: Tensor) -> PointMass:
        return PointMass(2 * z)


def test_a_denoiser_is_measured_on_what_it_is_for() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    found = evaluate(Denoiser(), spec_of(2), x)
    # Hidden numbers come back as 0, the others twice as large: errors x1 and x2.
    assert found.hidden_error == pytest.approx((1 + 9) / 2)
    assert found.squared_error == pytest.approx((1 + 4 + 9 + 1) / 2)
    told = rows(found)
    assert "x~ corrupted as in training" in told["squared error", "per example"].note
    assert "hid alone" in told["squared error, hidden", "per example"].note


class Tokens(nn.Module):
    """Knows a token it sees, and of a hidden one that it is 0 with probability a half."""

    mask = 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def masking(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, (torch.arange(x.shape[1]) < 2).expand_as(x)

    def predict(self, tokens: Tensor) -> Tensor:
        p = torch.eye(5)[:, :4].clone()
        p[4] = torch.tensor([0.5, 0.25, 0.125, 0.125])
        return p.clamp_min(1e-9).log()[tokens]


def test_the_pseudo_likelihood_is_that_of_hidden_tokens() -> None:
    x = torch.tensor([[0, 1, 2, 3], [2, 3, 0, 0]])
    expected = torch.tensor([(math.log(0.5) + math.log(0.25)) / 2, math.log(0.125)])
    torch.testing.assert_close(pseudo_likelihood(Tokens(), x), expected)


def told(**changes: Any) -> Evaluation:
    found = Likelihood(-20.0, "estimate", "an estimate", 50, 2.0, 0.5, 1.25, ess_min=1.0)
    content: dict[str, Any] = {
        "model": "cvae",
        "data": {"name": "digits", "split": "test", "examples": 9, "event_shape": [64]},
        "log_likelihood": found,
        "no_likelihood": None,
        "bound": None,
        "rate": 1.0,
        "distortion": 2.0,
        "active_units": 1,
        "latent_dim": 2,
        "kl_per_dimension": None,
        "squared_error": None,
        "baseline_bits_per_dim": None,
        "settings": {"samples": 50},
        "prior_monte_carlo": dataclasses.replace(found, ess=1.5),
    }
    return Evaluation(**{**content, **changes})


def test_what_a_conditional_model_is_given_is_said() -> None:
    found = told(given="label", dimensions=64.0)
    assert found.title().endswith("examples of 64, given the label")
    lines = rows(found)
    assert lines["−log p(x | label)", "bits/dim"].note == "for each of 64 numbers"
    assert lines["distortion", "nats"].note == "E_q[−log p(x | z, label)]"
    assert lines["rate", "nats"].note == "KL(q(z | x, label) ‖ p(z | label))"
    for row in (
        lines["−log p(x | label), prior", "nats"],
        lines["effective sample size", "samples"],
    ):
        assert "few samples carry the weight: with more, log p(x | label)" in row.note


def test_of_a_hidden_part_the_numbers_are_its_own() -> None:
    found = told(given="rest", dimensions=16.5)
    assert found.title().endswith("of the hidden part (16.5 numbers on average) given the rest")
    lines = rows(found)
    note = lines["−log p(hidden | rest)", "bits/dim"].note
    assert note == "for each of 16.5 hidden numbers on average"
    assert lines["rate", "nats"].note == "KL(q(z | x) ‖ p(z | rest))"


def test_unfinished_and_pseudo_likelihood_are_told_and_kept() -> None:
    found = told(unfinished="interrupted at step 30", pseudo_likelihood=Bound(-0.5, 0.01))
    assert found.title().endswith("; unfinished: interrupted at step 30")
    row = rows(found)["pseudo-likelihood", "nats per hidden token"]
    assert row.value == "0.500 ± 0.010" and "not comparable" in row.note
    assert Evaluation.from_json(found.to_json()) == found
