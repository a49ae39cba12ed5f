"""Annealing where log p(x) is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lowerbound.distributions import DiagonalGaussian, Gaussian, Head, StandardNormal, UniformPrior
from lowerbound.errors import LowerboundError
from lowerbound.evaluation import estimate_log_likelihood
from lowerbound.evaluation.annealing import (
    Anneal,
    Store,
    anneal,
    sandwich,
    simulated,
    temperatures,
)
from lowerbound.evaluation.annealing import ais as module
from lowerbound.mixtures import GaussianMixture
from lowerbound.models import LatentModel, LinearGaussian

Inexact = Callable[..., LatentModel]


@pytest.fixture
def x(linear: LinearGaussian) -> Tensor:
    torch.manual_seed(11)
    return linear.sample(10)


def test_within_two_hundredths_of_a_nat_at_every_point(linear: LinearGaussian, x: Tensor) -> None:
    """Annealing from the prior and importance sampling, against probabilistic PCA's log p(x)."""
    x = x[:4]
    exact = linear.log_prob(x)
    how = Anneal(steps=250, chains=3000, leaps=2)
    found = anneal(linear, x, settings=how)
    assert (found.values - exact).abs().max() < 0.02
    assert found.values.shape == found.ess.shape == found.acceptance.shape == (4,)
    assert (found.ess > 1500).all() and (found.ess < 3000).all()
    again = estimate_log_likelihood(linear, x, samples=20_000).values
    assert (again - exact).abs().max() < 0.02


def test_from_a_posterior_that_is_off(linear: LinearGaussian, inexact: Inexact, x: Tensor) -> None:
    how = Anneal(steps=40, chains=1024, leaps=3, start="posterior")
    found = anneal(inexact(), x, settings=how)
    assert (found.values - linear.log_prob(x)).abs().max() < 0.02
    assert (found.ess > 800).all()


def test_the_mean_weight_is_p_of_x(linear: LinearGaussian, x: Tensor) -> None:
    """Whatever the number of temperatures: with few of them the weights spread, and that is all."""
    for steps in (1, 3, 8):
        how = Anneal(steps=steps, chains=40_000, leaps=2, schedule="linear", seed=steps)
        found = anneal(linear, x[:2], settings=how)
        weights = (found.log_weights - linear.log_prob(x[:2])).exp()
        error = weights.std(0) / 40_000**0.5
        assert ((weights.mean(0) - 1).abs() < 4 * error).all()
        assert (error < 0.5).all()


def test_below_and_above_in_expectation(linear: LinearGaussian) -> None:
    """Both sides with one chain and few temperatures, where the gap is wide; the more, the less."""
    gaps = []
    for steps in (8, 32):
        both = sandwich(linear, 400, settings=Anneal(steps=steps, chains=1, leaps=2))
        exact = linear.log_prob(both.x)
        below, above = exact - both.lower, both.upper - exact
        for each in (below, above):
            assert each.mean() > 4 * each.std() / 20
        gaps.append(float(both.gap.mean()))
    assert gaps[0] > 2 * gaps[1] > 0
    tight = sandwich(linear, 30, settings=Anneal(steps=100, chains=64, leaps=3))
    exact = linear.log_prob(tight.x)
    assert abs(float((tight.lower - exact).mean())) < 0.05
    assert abs(float((tight.upper - exact).mean())) < 0.05


def test_simulated_data_are_the_models_own(linear: LinearGaussian) -> None:
    codes, x = simulated(linear, 20_000, seed=3)
    known = linear.linear.weight @ linear.linear.weight.mT + 0.5 * torch.eye(4)
    torch.testing.assert_close(x.T.cov(), known.double(), rtol=0, atol=0.2)
    noise = x - codes @ linear.linear.weight.mT - linear.linear.mean
    torch.testing.assert_close(noise.var(0), torch.full((4,), 0.5).double(), rtol=0, atol=0.03)


@pytest.mark.parametrize("target", [0.5, 0.65, 0.9])
def test_steps_are_adapted_to_an_acceptance(target: float) -> None:
    """Of data that are told about to very different degrees, each has a step of its own."""
    torch.manual_seed(0)
    scales = torch.tensor([0.02, 1.0]).double()

    class Told(nn.Module):
        event_shape = (5,)

        def forward(self, z: Tensor, how: Tensor) -> torch.distributions.Distribution:
            scale = scales[how].unsqueeze(-1)
            normal = torch.distributions.Normal(z, scale, validate_args=False)
            return torch.distributions.Independent(normal, 1, validate_args=False)

    prior = StandardNormal(5).double()
    model = LatentModel(prior, Told(), nn.Identity(), latent_shape=(5,))
    x, how = torch.randn(40, 5, dtype=torch.float64), torch.arange(40) % 2
    settings = Anneal(steps=200, chains=32, leaps=4, acceptance=target)
    found = anneal(model, x, how, settings=settings)
    assert found.acceptance.mean() == pytest.approx(target, abs=0.05)
    for kind in (0, 1):
        assert found.acceptance[how == kind].mean() == pytest.approx(target, abs=0.1)
    exact = torch.distributions.Normal(0.0, (1 + scales[how] ** 2).sqrt()[:, None]).log_prob(x)
    assert (found.values - exact.sum(1))[how == 1].abs().max() < 0.5


def test_other_priors(linear: LinearGaussian, x: Tensor) -> None:
    """A mixture as prior: log p(x) is that of a mixture of linear-Gaussian models."""
    weights = torch.tensor([0.3, 0.7]).double()
    means = torch.tensor([[-1.5, 0.5], [1.0, 1.0]]).double()
    covariances = torch.eye(2).double().expand(2, 2, 2) * 0.4
    mixture = GaussianMixture((2,), 2).double().set_(weights, means, covariances)
    model = LatentModel(
        mixture.as_prior(), linear.likelihood, nn.Identity(), event_shape=(4,), latent_shape=(2,)
    )
    x = x[:5]
    found = anneal(model, x, settings=Anneal(steps=100, chains=512, leaps=3))
    p = linear.linear
    parts = [
        torch.distributions.MultivariateNormal(
            p.weight @ mean + p.mean, 0.4 * p.weight @ p.weight.mT + 0.5 * torch.eye(4).double()
        ).log_prob(x)
        + weight.log()
        for weight, mean in zip(weights, means, strict=True)
    ]
    exact = torch.stack(parts).logsumexp(0)
    assert (found.values - exact).abs().max() < 0.15


def test_float32_is_as_good(linear: LinearGaussian, x: Tensor) -> None:
    how = Anneal(steps=60, chains=512, leaps=3)
    double = anneal(linear, x, settings=how).values - linear.log_prob(x)
    single = anneal(linear.float(), x, settings=how).values - linear.double().log_prob(x)
    assert single.abs().max() < 0.15 and double.abs().max() < 0.15


class Stop(Exception):
    pass


def test_killed_and_gone_on_with(
    linear: LinearGaussian, x: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any instant, to the same bits; and what is done is not done again."""
    monkeypatch.setattr(module, "_at_once", lambda *_: 4)  # three blocks, the last not full
    monkeypatch.setattr(module, "EVERY", 0.0)
    how = Anneal(steps=20, chains=8, leaps=3)
    whole = anneal(linear, x, settings=how)
    moves = 0

    def counted(*given, **more):
        nonlocal moves
        moves += 1
        if moves == last:
            raise Stop
        return original(*given, **more)

    original = module.transition
    monkeypatch.setattr(module, "transition", counted)
    for number, last in enumerate((1, 10, 19, 25, 50)):
        store = Store(tmp_path / str(number))
        moves = 0
        with pytest.raises(Stop):
            anneal(linear, x, settings=how, store=store)
        begun, moves, last = last, 0, -1
        found = anneal(linear, x, settings=how, store=store)
        assert moves == 3 * 19 - (begun - 1)
        assert torch.equal(found.log_weights, whole.log_weights)
        assert torch.equal(found.acceptance, whole.acceptance)
        moves = 0
        anneal(linear, x, settings=how, store=store)
        assert moves == 0
        assert not list(store.folder.glob("*.part.*"))
    # Other weights, other data or settings are other numbers.
    with torch.no_grad():
        linear.linear.weight[0, 0] += 1e-9
    anneal(linear, x, settings=how, store=store)
    assert moves == 57


def test_neither_other_data_nor_the_callers_randomness_matter(
    linear: LinearGaussian, x: Tensor
) -> None:
    how = Anneal(steps=10, chains=4, leaps=2)
    whole = anneal(linear, x, settings=how)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    some = anneal(linear, x[:3], settings=how)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(some.values, whole.values[:3], rtol=0, atol=1e-9)
    other = anneal(linear, x[:3], settings=Anneal(steps=10, chains=4, leaps=2, seed=1))
    assert not torch.allclose(other.values, some.values, atol=1e-5)


def test_compiled_equals_eager(linear: LinearGaussian, x: Tensor) -> None:
    how = Anneal(steps=6, chains=4, leaps=2)
    eager = anneal(linear, x, settings=how, compile=False)
    compiled = anneal(linear, x, settings=how, compile=True)
    torch.testing.assert_close(compiled.values, eager.values, rtol=0, atol=1e-9)


def test_progress_is_counted_in_examples(linear: LinearGaussian, x: Tensor) -> None:
    seen: list[tuple[int, int]] = []
    how = Anneal(steps=3, chains=2, leaps=1)
    anneal(linear, x, settings=how, progress=lambda *count: seen.append(count))
    assert seen[-1] == (10, 10) and all(total == 10 for _, total in seen)


@pytest.mark.parametrize("schedule", ["sigmoid", "geometric", "linear"])
def test_temperatures_rise_from_nought_to_one(schedule: str) -> None:
    for steps in (1, 2, 3, 100):
        found = temperatures(steps, schedule)  # ty: ignore[invalid-argument-type]
        assert len(found) == steps + 1 and (found[0], found[-1]) == (0.0, 1.0)
        assert all(a < b for a, b in pairwise(found))
    middle = temperatures(100, "sigmoid")
    assert middle[50] == pytest.approx(0.5) and middle[1] < 0.1 * (middle[51] - middle[50])
    ratio = [b / a for a, b in pairwise(temperatures(9, "geometric")[1:])]
    assert max(ratio) == pytest.approx(min(ratio))


def test_refusals(linear: LinearGaussian, x: Tensor) -> None:
    how = Anneal(steps=2, chains=2, leaps=1)
    box = LatentModel(
        UniformPrior(2), linear.likelihood, linear.posterior, event_shape=(4,), latent_shape=(2,)
    )
    with pytest.raises(LowerboundError, match=r"in all of R.n, those of .* numbers in a box"):
        anneal(box, x.float(), settings=how)
    with pytest.raises(LowerboundError, match=r"expected x of shape \(N, 4\), got \(10, 1\)"):
        anneal(linear, x[:, :1], settings=how)
    with pytest.raises(LowerboundError, match="chains: expected at least 1, came 0; pass"):
        Anneal(chains=0)
    with pytest.raises(LowerboundError, match="schedule: expected sigmoid, geometric or linear"):
        Anneal(schedule="cosine")  # ty: ignore[invalid-argument-type]
    linear.no_likelihood = "squared error alone"
    with pytest.raises(LowerboundError, match=r"no likelihood .squared error alone.*--noise-std"):
        anneal(linear, x, settings=how)
    with pytest.raises(LowerboundError, match="needs a prior, Identity has none"):
        anneal(Bare(), x, settings=how)


class Bare(nn.Identity):
    event_shape = latent_shape = (4,)

    def __init__(self) -> None:
        super().__init__()
        self.__class__.__name__ = "Identity"


def test_a_likelihood_that_is_not_a_number_is_told(x: Tensor) -> None:
    torch.manual_seed(0)
    decoder = nn.Linear(2, 4)
    model = LatentModel(
        StandardNormal(2),
        Head(decoder, Gaussian(4)),
        Head(nn.Linear(4, 4), DiagonalGaussian(2)),
    )
    with torch.no_grad():
        decoder.weight[0, 0] = math.nan
    with pytest.raises(LowerboundError, match="example 0 is not a number"):
        anneal(model, x.float(), settings=Anneal(steps=2, chains=2, leaps=1))
