"""Refinement of a posterior, against the best diagonal normals of linear-Gaussian models."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.bounds import elbo
from lowerbound.distributions import (
    Bernoulli,
    Delta,
    DiagonalGaussian,
    DiagonalNormal,
    Family,
    FullGaussian,
    GaussianMixturePrior,
    Head,
    MixtureOfGaussians,
    SphereUniform,
    SquashedGaussian,
    StandardNormal,
    UniformPrior,
    VampPrior,
    VonMisesFisher,
)
from lowerbound.distributions.onehot import OneHot
from lowerbound.errors import LowerboundError
from lowerbound.inference import With, refine, refined_elbo
from lowerbound.mixtures import GaussianMixture
from lowerbound.models import LatentModel

from .conftest import Known


class Off(nn.Module):
    """A poor encoder: the posterior's mean moved by `shift`, σ off by a factor."""

    def __init__(self, exact: Known, shift: float = 0.5, factor: float = 2.0) -> None:
        super().__init__()
        self.exact, self.shift, self.factor = exact, shift, factor

    def forward(self, x: Tensor) -> DiagonalNormal:
        loc = self.exact.model.encode(x).mean + self.shift
        log_scale = -0.5 * self.exact.precision.diagonal().log() + torch.tensor(self.factor).log()
        return DiagonalNormal(loc, log_scale.expand_as(loc))


def model_with(exact: Known, posterior: nn.Module) -> LatentModel:
    return LatentModel(exact.model.prior, exact.model.likelihood, posterior)


def test_it_is_the_posterior_where_that_is_diagonal(independent: Known) -> None:
    q = refine(independent.model, independent.x, start="prior")
    torch.testing.assert_close(q.mean, independent.mean, atol=1e-10, rtol=0)
    torch.testing.assert_close(q.variance, independent.best.variance, atol=1e-10, rtol=0)
    assert independent.divergence(q).max() < 1e-12


@pytest.mark.parametrize("start", ["prior", "encoder"])
def test_it_is_the_best_diagonal_fit_of_a_coupled_posterior(coupled: Known, start: str) -> None:
    """Only as far as noise goes: the gradient of log σ has some where dimensions are coupled."""
    model = model_with(coupled, Off(coupled))
    q = refine(model, coupled.x, start=start, steps=400, samples=32)
    least = coupled.divergence(coupled.best)
    assert least.min() > 0.1  # no diagonal normal is the posterior
    excess = coupled.divergence(q) - least
    assert excess.min() > -1e-12 and excess.max() < 2e-3
    torch.testing.assert_close(q.mean, coupled.mean, atol=1e-4, rtol=0)


def test_more_steps_come_nearer(coupled: Known) -> None:
    model = model_with(coupled, Off(coupled, shift=1.0))
    left = [coupled.divergence(refine(model, coupled.x, steps=n)).mean() for n in (2, 10, 100)]
    assert coupled.divergence(model.encode(coupled.x)).mean() > left[0] > left[1] > left[2]


def test_each_datum_has_its_own_answer(coupled: Known) -> None:
    """Whatever else is in the batch, and however it is cut: to the rounding of products."""
    whole = refine(coupled.model, coupled.x, start="prior", samples=128)  # cut in threes
    some = refine(coupled.model, coupled.x.flip(0)[:7], start="prior", samples=128)
    torch.testing.assert_close(some.mean, whole.mean.flip(0)[:7], atol=1e-12, rtol=0)
    torch.testing.assert_close(some.variance, whole.variance.flip(0)[:7], atol=1e-12, rtol=0)


def test_it_leaves_no_trace(coupled: Known) -> None:
    network = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5))
    model = LatentModel(
        StandardNormal(2),
        Head(network, Bernoulli(8)),
        Head(nn.Linear(8, 4), DiagonalGaussian(2)),
    ).double()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    x = (coupled.x > 0).double()
    first, again = refine(model, x), refine(model, x)
    assert torch.equal(first.mean, again.mean) and torch.equal(first.scale, again.scale)
    assert torch.equal(state, torch.get_rng_state()) and model.training and network[1].training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters()) and not first.mean.requires_grad


def test_a_bound_rises_where_nothing_is_gaussian() -> None:
    torch.manual_seed(0)
    model = LatentModel(
        StandardNormal(2),
        Head(nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 30)), Bernoulli(30)),
        Head(nn.Linear(30, 4), DiagonalGaussian(2)),
    ).double()
    for parameter in model.likelihood.parameters():
        parameter.data.mul_(3)
    x = model.sample(50)
    bounds = [
        elbo(With(model, q), x, samples=2000).parts["bound"]
        for q in (model.encode(x), refine(model, x), refine(model, x, start="prior"))
    ]
    assert (bounds[1] > bounds[0] - 0.02).all() and (bounds[1] - bounds[0]).mean() > 0.5
    assert abs((bounds[2] - bounds[1]).mean()) < 0.1


def test_training_under_the_refined_posterior(independent: Known) -> None:
    """Its bound lies between that of the encoder and log p(x), and its gradient with respect to the
    likelihood is that under the posterior it found, while the encoder gets none."""
    model = model_with(independent, Off(independent))
    scale = nn.Parameter(torch.ones((), dtype=torch.float64))

    class Scaled(nn.Module):
        event_shape = (8,)

        def forward(self, z: Tensor) -> DiagonalNormal:
            return independent.model.decode(scale * z)

    model.likelihood = Scaled()
    evidence = independent.model.log_prob(independent.x)
    torch.manual_seed(0)
    poor = elbo(model, independent.x, samples=4000).parts["bound"]
    loss, parts = refined_elbo(model, independent.x, steps=40, learning_rate=0.5, samples=4000)
    error = parts["bound"].std() / len(evidence) ** 0.5
    assert (poor.mean() + 1 < parts["bound"].mean()) and error < 1
    torch.testing.assert_close(parts["bound"], evidence, atol=0.5, rtol=0)
    assert abs((parts["bound"] - evidence).mean()) < 0.05
    (found,) = torch.autograd.grad(loss, scale)
    # Fisher: at the model as it is, E_{p(z|x)} of the gradient is that of log p(x).
    step = 1e-4
    ends = []
    for sign in (-1, 1):
        weight = independent.model.linear.weight * (1 + sign * step)
        moved = type(independent.model)(
            (8,), 3, weight=weight, sigma2=independent.model.linear.sigma2
        ).double()
        ends.append(-moved.log_prob(independent.x).mean())
    torch.testing.assert_close(found, (ends[1] - ends[0]) / (2 * step), atol=0.2, rtol=0.02)


def test_refusals(coupled: Known) -> None:
    with pytest.raises(LowerboundError, match="even number of samples, came steps=10 and sam"):
        refine(coupled.model, coupled.x, steps=10, samples=3)
    with pytest.raises(LowerboundError, match="expected start 'encoder', 'prior'"):
        refine(coupled.model, coupled.x, start="decoder")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match=r"expected x of shape \(batch, 8\)"):
        refine(coupled.model, coupled.x[:, :1])


@pytest.mark.parametrize("log_sigma", [-8.0, 7.0])
def test_it_starts_at_the_scale_it_is_given(coupled: Known, log_sigma: float) -> None:
    """A step of next to nothing from a full normal whose σ is far from 1."""
    scale = math.exp(log_sigma) * torch.eye(3, dtype=torch.float64)
    start = MultivariateNormal(coupled.mean, scale_tril=scale.expand(len(coupled.x), 3, 3))
    q = refine(coupled.model, coupled.x, start=start, steps=1, learning_rate=1e-12)
    torch.testing.assert_close(q.scale.log(), torch.full_like(q.mean, log_sigma), atol=1e-9, rtol=0)


SPACES = {
    "box": (UniformPrior(2), SquashedGaussian(2), "the prior's are numbers in a box"),
    "squashed": (StandardNormal(2), SquashedGaussian(2), "the posterior's are numbers in a box"),
    "sphere": (SphereUniform(2), VonMisesFisher(2), "the prior's are unit vectors, on a sphere"),
    "point": (StandardNormal(2), Delta(2), "the posterior's are certain, points without"),
    "one-hot": (StandardNormal(2), OneHot(2), "the posterior's are categories, vectors with"),
}


@pytest.mark.parametrize("space", SPACES)
def test_codes_that_do_not_fill_the_space_are_refused(space: str) -> None:
    prior, family, message = SPACES[space]
    head = Head(nn.Linear(3, family.raw_shape[0]), family)
    model = LatentModel(prior, Head(nn.Linear(2, 3), Bernoulli(3)), head)
    state = torch.get_rng_state()
    with pytest.raises(LowerboundError, match=f"expected codes on all of R.n, .*{message}"):
        refine(model, torch.zeros(4, 3))
    assert torch.equal(state, torch.get_rng_state())
    if space in ("squashed", "point", "one-hot"):  # where the encoder is not asked
        assert refine(model, torch.zeros(4, 3), start="prior", steps=1).mean.shape == (4, 2)


@pytest.mark.parametrize("family", [FullGaussian(2), MixtureOfGaussians(2, 3)])
def test_what_fills_the_space_is_not(family: Family) -> None:
    head = Head(nn.Linear(3, family.raw_shape[0]), family)
    for prior in (GaussianMixturePrior(2), VampPrior(head, (3,), 4)):
        model = LatentModel(prior, Head(nn.Linear(2, 3), Bernoulli(3)), head)
        assert refine(model, torch.zeros(4, 3), steps=1).mean.shape == (4, 2)


def test_an_index_is_refused() -> None:
    mixture = GaussianMixture((3,), components=2)
    with pytest.raises(LowerboundError, match="the prior's are categories or counts"):
        refine(mixture, torch.zeros(4, 3))
