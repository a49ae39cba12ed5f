"""Every posterior and every prior in the bounds, where log p(x) is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, MultivariateNormal

from lowerbound.bounds import elbo, iwae, log_weights
from lowerbound.distributions import (
    DiagonalGaussian,
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
    has_closed_form,
)
from lowerbound.evaluation.codes import encode_all, posterior_mean
from lowerbound.evaluation.likelihood import estimate_log_likelihood
from lowerbound.models import LatentModel, LinearGaussian

WEIGHT = torch.tensor([[1.0, 0.3], [-0.4, 0.8], [0.5, 0.5]], dtype=torch.float64)
X = torch.tensor([[1.2, -0.5, 0.1], [0.0, 0.4, 0.3]], dtype=torch.float64)


def linear() -> LinearGaussian:
    torch.manual_seed(0)
    return LinearGaussian((3,), 2, weight=WEIGHT, sigma2=torch.tensor(0.5)).double()


class Fixed(nn.Module):
    """A posterior that says the same of every datum: raw numbers ``(N, *raw_shape)``."""

    def __init__(self, family: Family, raw: Tensor) -> None:
        super().__init__()
        self.family, self.raw = family.double(), nn.Parameter(raw)

    def forward(self, x: Tensor, *context: Tensor) -> Distribution:
        return self.family(self.raw.expand(len(x), *self.family.raw_shape))


def model_of(prior: nn.Module, posterior: nn.Module) -> LatentModel:
    return LatentModel(prior.double(), linear().likelihood, posterior.double(), latent_shape=(2,))


def exact_full(x: Tensor) -> Tensor:
    """Raw numbers of FullGaussian for the exact posterior of :func:`linear`."""
    q = linear().posterior(x)
    factor = q.scale_tril
    return torch.cat(
        [q.loc, factor.diagonal(dim1=-2, dim2=-1).log(), factor[..., 1, :1]], -1
    ).detach()


class Exact(nn.Module):
    """The exact posterior as a FullGaussian."""

    def __init__(self) -> None:
        super().__init__()
        self.family = FullGaussian(2).double()

    def forward(self, x: Tensor, *context: Tensor) -> Distribution:
        return self.family(exact_full(x))


def test_exact_posterior_is_a_full_gaussian() -> None:
    """Every importance weight is log p(x), the bound is tight (EQUATIONS 19)."""
    model = model_of(StandardNormal(2), Exact())
    exact = linear().log_prob(X)
    weights = log_weights(model, X, samples=7)
    torch.testing.assert_close(weights, exact.expand(7, 2), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(elbo(model, X, kl="sampled").parts["bound"], exact)


def broad(family: Family) -> Tensor:
    """Raw numbers of a posterior that covers the prior."""
    if isinstance(family, MixtureOfGaussians):
        return family.start(torch.zeros(2), torch.full((2,), 1.2)).double()
    if isinstance(family, SquashedGaussian):
        return torch.tensor([0.0, 0.0, -1.6, -1.6]).double()  # σ of u: 0.2 of a box 14 wide
    raw = torch.zeros(family.raw_shape).double()
    return raw


REAL: dict[str, Callable[[], Family]] = {
    "diagonal": lambda: DiagonalGaussian(2),
    "full": lambda: FullGaussian(2),
    "mixture": lambda: MixtureOfGaussians(2, 3),
    "squashed": lambda: SquashedGaussian(2, -14.0, 14.0),
}


@pytest.mark.parametrize("name", REAL)
def test_iwae_converges_to_log_p(name: str) -> None:
    torch.manual_seed(0)
    family = REAL[name]()
    model = model_of(StandardNormal(2), Fixed(family, broad(family)))
    exact = linear().log_prob(X)
    with torch.no_grad():
        weights = (log_weights(model, X, samples=200_000) - exact).exp()
        found = iwae(model, X, samples=50_000)
    error = weights.std(0) / math.sqrt(len(weights))
    assert (error < 0.01).all()
    assert ((weights.mean(0) - 1).abs() <= 4 * error).all()
    assert ((found.parts["iwae"] - exact).abs() <= 8 * error).all()
    assert (found.parts["bound"] < exact).all()
    estimate = estimate_log_likelihood(model, X, samples=50_000, compile=False)
    assert ((estimate.values - exact).abs() <= 8 * error).all()


def mixture_log_p(p: Any, x: Tensor) -> Tensor:
    """log p(x) where p(z) is a mixture of diagonal normals: one of normals in x."""
    covariance = WEIGHT @ torch.diag_embed(p.scale.square()) @ WEIGHT.mT
    covariance = covariance + 0.5 * torch.eye(3, dtype=torch.float64)
    parts = MultivariateNormal(p.loc @ WEIGHT.mT, covariance)
    return (parts.log_prob(x.unsqueeze(-2)) + p.logits.log_softmax(-1)).logsumexp(-1)


def vamp() -> VampPrior:
    head = Head(nn.Linear(3, 4), DiagonalGaussian(2)).double()
    return VampPrior(head, (3,), 6).double()


@pytest.mark.parametrize(
    "build", [lambda: GaussianMixturePrior(2, 4), vamp], ids=["mixture", "vamp"]
)
def test_mixture_priors_have_their_own_log_p(build: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = model_of(build(), Fixed(DiagonalGaussian(2), torch.full((4,), 0.3).double()))
    exact = mixture_log_p(model.prior(), X).detach()
    with torch.no_grad():
        weights = (log_weights(model, X, samples=200_000) - exact).exp()
    error = weights.std(0) / math.sqrt(len(weights))
    assert (error < 0.02).all()
    assert ((weights.mean(0) - 1).abs() <= 4 * error).all()


def test_codes_on_a_circle_and_in_a_box_by_quadrature() -> None:
    torch.manual_seed(0)
    phi = torch.arange(2000, dtype=torch.float64) * (2 * math.pi / 2000)
    circle = torch.stack([phi.cos(), phi.sin()], -1)
    edge = (torch.arange(300, dtype=torch.float64) + 0.5) / 150 - 1
    box = torch.cartesian_prod(edge, edge)
    likelihood = linear().likelihood
    for prior, family, grid in (
        (SphereUniform(2), VonMisesFisher(2), circle),
        (UniformPrior(2), SquashedGaussian(2), box),
    ):
        density = likelihood(grid.unsqueeze(1)).log_prob(X)
        exact = density.logsumexp(0) - math.log(len(grid))
        # A scale of 2 before the sigmoid: narrower ones leave the edges to a few large weights.
        raw = torch.tensor([0.3, -0.4, 0.7, 0.7][: family.raw_shape[0]]).double()
        model = model_of(prior, Fixed(family, raw))
        with torch.no_grad():
            weights = (log_weights(model, X, samples=200_000) - exact).exp()
        error = weights.std(0) / math.sqrt(len(weights)) + 1e-5  # the grid's own
        assert (error < 0.01).all()
        assert ((weights.mean(0) - 1).abs() <= 4 * error).all()


PAIRS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Family]]] = {
    "full": (lambda: StandardNormal(2), lambda: FullGaussian(2)),
    "sphere": (lambda: SphereUniform(2), lambda: VonMisesFisher(2)),
    "box": (lambda: UniformPrior(2), lambda: SquashedGaussian(2)),
    "mixture": (lambda: GaussianMixturePrior(2, 3), lambda: MixtureOfGaussians(2, 3)),
    "vamp": (vamp, lambda: FullGaussian(2)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_analytic_and_sampled_rates_agree(name: str) -> None:
    """In mean, in their gradients' mean, and along the two ways that evaluation takes."""
    torch.manual_seed(0)
    prior, family = PAIRS[name][0](), PAIRS[name][1]()
    raw = 0.5 * torch.randn(family.raw_shape).double()
    posterior = Fixed(family, raw)
    model = model_of(prior, posterior)
    x = X[:1].expand(4000, 3)
    found = []
    for kind in ("analytic", "sampled"):
        terms = elbo(model, x, kl=kind)
        numbers = posterior.raw
        (gradient,) = torch.autograd.grad(terms.loss, numbers)
        assert gradient.isfinite().all()
        found.append(terms.parts["rate"])
    analytic, sampled = found
    error = (sampled.var() / len(sampled) + analytic.var() / len(analytic)).sqrt()
    assert abs(float(analytic.mean() - sampled.mean())) <= 4 * float(error) + 1e-9
    q = model.encode(X)
    closed = has_closed_form(q, model.prior())
    assert closed is (name in ("full", "sphere"))
    if closed:
        assert float(analytic.std()) < 1e-9
    draws = q.sample((20_000,))
    mean = posterior_mean(q)
    assert ((draws.mean(0) - mean).abs() <= 4.5 * draws.std(0) / math.sqrt(20_000)).all()
    codes = encode_all(model, X)
    torch.testing.assert_close(codes.means, mean.detach())
    assert (codes.rate is not None) is closed


@pytest.mark.parametrize("name", PAIRS)
def test_traces_without_a_break(name: str) -> None:
    """The objective is one graph, and its gradient that of eager code from the same noise."""
    torch.manual_seed(0)
    prior, family = PAIRS[name][0](), PAIRS[name][1]()
    model = model_of(prior, Fixed(family, 0.5 * torch.randn(family.raw_shape).double()))
    parameters = [p for p in model.parameters() if p.requires_grad]
    objective = elbo if name == "sphere" else iwae
    traced = torch.compile(objective, fullgraph=True, backend="eager")
    results = []
    for run in (objective, traced):
        torch.manual_seed(1)
        loss = run(model, X, samples=3).loss
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        results.append((loss.detach(), *(g for g in gradients if g is not None)))
    assert len(results[0]) == len(results[1]) > 1
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)
