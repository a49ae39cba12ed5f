"""A conditional model in closed form: z|c ~ N(M c, S), x|z,c ~ N(W z + B c, σ²), S diagonal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.bounds import elbo, iwae, log_weights
from lowerbound.data import load
from lowerbound.distributions import DiagonalNormal, Gaussian
from lowerbound.distributions.masked import Masked
from lowerbound.evaluation import estimate_log_likelihood, evaluate, prior_monte_carlo
from lowerbound.models import LatentModel
from lowerbound.options import check
from lowerbound.recipes import RECIPES

D, LATENT, GIVEN, SIGMA = 4, 2, 3, 0.5


class Conditional(nn.Module):
    """A function of the contexts that returns a distribution."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *context: Tensor) -> Any:
        return self.function(*context)


@pytest.fixture
def exact() -> tuple[LatentModel, Any, Tensor, Tensor]:
    """The model, its p(x|c), and data from it."""
    torch.manual_seed(0)
    w, b, m = (
        torch.randn(*s, dtype=torch.float64) for s in ((D, LATENT), (D, GIVEN), (LATENT, GIVEN))
    )
    log_s = torch.tensor([0.3, -0.4], dtype=torch.float64)
    variance = (2 * log_s).exp()
    precision = torch.diag(1 / variance) + w.mT @ w / SIGMA**2
    covariance = torch.linalg.inv(precision)

    def posterior(x: Tensor, c: Tensor) -> MultivariateNormal:
        mean = (c @ m.mT / variance + (x - c @ b.mT) @ w / SIGMA**2) @ covariance
        return MultivariateNormal(mean, covariance_matrix=covariance, validate_args=False)

    def marginal(c: Tensor) -> MultivariateNormal:
        noise = SIGMA**2 * torch.eye(D, dtype=torch.float64)
        return MultivariateNormal(c @ (w @ m + b).mT, (w * variance) @ w.mT + noise)

    log_sigma = torch.tensor(SIGMA, dtype=torch.float64).log()
    model = LatentModel(
        Conditional(lambda c: DiagonalNormal(c @ m.mT, log_s.expand(*c.shape[:-1], LATENT))),
        Conditional(lambda z, c: DiagonalNormal(z @ w.mT + c @ b.mT, log_sigma)),
        Conditional(posterior),
        event_shape=(D,),
        latent_shape=(LATENT,),
    )
    c = torch.randn(40, GIVEN, dtype=torch.float64)
    return model, marginal, marginal(c).sample(), c


def test_bounds_are_tight_under_the_exact_posterior(exact: Any) -> None:
    model, marginal, x, c = exact
    truth = marginal(c).log_prob(x)
    weights = log_weights(model, x, c, samples=9)
    torch.testing.assert_close(weights, truth.expand(9, -1), rtol=0, atol=1e-11)
    assert abs(float(elbo(model, x, c, kl="sampled").loss + truth.mean())) < 1e-11
    assert abs(float(iwae(model, x, c, samples=3).loss + truth.mean())) < 1e-11


def test_all_three_estimates_are_of_the_conditional_likelihood(exact: Any) -> None:
    model, marginal, x, c = exact
    truth = marginal(c).log_prob(x)
    by_posterior = estimate_log_likelihood(model, x, c, samples=5, compile=False)
    torch.testing.assert_close(by_posterior.values, truth, rtol=0, atol=1e-11)
    by_prior = prior_monte_carlo(model, x, c, samples=200_000)
    # the delta method's standard error: relative one of the mean weight
    error = (1 / by_prior.ess - 1 / 200_000).sqrt()
    assert ((by_prior.values - truth).abs() < 4.5 * error).all() and error.max() < 0.1
    torch.testing.assert_close(by_prior.rate, torch.zeros_like(truth))
    few = prior_monte_carlo(model, x, c, samples=10).values
    assert float(few.mean()) < float(truth.mean()) - 0.5  # a bound, and a loose one


def test_evaluation_tells_them_apart_with_their_counts(exact: Any) -> None:
    from lowerbound.data.spec import DataSpec
    from lowerbound.evaluation import Evaluation

    model, marginal, x, c = exact
    spec = DataSpec("toy", "vector", (D,), "real")
    result = evaluate(model, spec, x, c, samples=2000)
    truth = float(marginal(c).log_prob(x).mean())
    assert result.log_likelihood is not None and result.prior_monte_carlo is not None
    assert result.bound is not None
    assert result.log_likelihood.samples == result.prior_monte_carlo.samples == 2000
    assert abs(result.log_likelihood.value - truth) < 1e-9
    assert abs(result.bound.value - truth) < 1e-9  # the posterior is exact here
    assert truth - 0.5 < result.prior_monte_carlo.value < truth + 0.1
    assert result.prior_monte_carlo.ess is not None and result.prior_monte_carlo.ess < 1000
    text = str(result)
    for words in ("importance-weighted estimate with k = 2,000", "Monte Carlo over the prior"):
        assert words in text
    assert "distortion + rate, codes from the posterior, k = 2,000" in text
    again = Evaluation.from_json(result.to_json())
    assert again == result
    unconditional = result.to_json() | {"prior_monte_carlo": None}
    assert Evaluation.from_json(unconditional).prior_monte_carlo is None


def test_a_prior_without_condition_is_drawn_from_for_each_datum() -> None:
    from lowerbound.models import LinearGaussian

    torch.manual_seed(0)
    model = LinearGaussian((D,), 1, weight=torch.randn(D, 1)).double()
    x = torch.randn(30, D, dtype=torch.float64)
    found = prior_monte_carlo(model, x, samples=100_000)
    error = (1 / found.ess - 1e-5).sqrt()
    assert ((found.values - model.log_prob(x)).abs() < 4.5 * error).all()


def test_a_trained_cvae_reaches_the_maximum_of_the_conditional_likelihood() -> None:
    """Linear networks: p(x|c) is regression on c with one factor's noise, whose maximum likelihood
    is least squares and probabilistic PCA of the residuals."""
    random = np.random.default_rng(0)
    count = 500
    c = random.normal(size=(count, 2)) * [1.0, 30.0] + [0.0, 1900.0]  # standardized by the model
    w, b = random.normal(size=(3, 1)), random.normal(size=(3, 2)) / [1.0, 30.0]
    x = (
        random.normal(size=(count, 1)) @ w.T
        + (c - [0.0, 1900.0]) @ b.T
        + 0.4 * random.normal(size=(count, 3))
    )
    arrays = {"train": x, "train_attributes": c, "test": x[:50], "test_attributes": c[:50]}
    data = load(arrays, standardize=False)
    given = {"given": "attributes", "latent_dim": 1, "hidden": ()}
    given |= {"likelihood": {"name": "gaussian", "sigma": "learned"}}
    cvae = RECIPES["cvae"]
    torch.manual_seed(0)
    model, (phase,) = cvae(data.spec, **check(cvae, given))
    assert data.train.attributes is not None
    values = torch.from_numpy(x).float()
    context = model.condition(values, torch.from_numpy(data.train.attributes))  # ty: ignore
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    steps = 600
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        phase.objective(model, values, *context).loss.backward()
        optimizer.step()
        decay.step()
    design = np.concatenate([c - c.mean(0), np.ones((count, 1))], 1)
    residual = x - design @ np.linalg.lstsq(design, x, rcond=None)[0]
    eigenvalues = np.linalg.eigvalsh(residual.T @ residual / count)[::-1]
    noise = eigenvalues[1:].mean()
    log_det = np.log(eigenvalues[0]) + 2 * np.log(noise)
    best = -0.5 * (3 * np.log(2 * np.pi) + log_det + 3)
    with torch.no_grad():
        found = estimate_log_likelihood(model.eval(), values, *context, samples=50, compile=False)
    assert best - 0.02 < float(found.values.mean()) <= best + 0.002


def test_a_completed_gaussian_is_the_conditional_of_the_joint(exact: Any) -> None:
    """p(x₂|x₁) of a joint normal, as a model with an exact posterior given both parts."""
    torch.manual_seed(1)
    root = torch.randn(D, D, dtype=torch.float64)
    joint = MultivariateNormal(torch.zeros(D).double(), root @ root.mT + torch.eye(D))
    cov, known = joint.covariance_matrix, 2
    gain = cov[known:, :known] @ torch.linalg.inv(cov[:known, :known])
    rest = cov[known:, known:] - gain @ cov[:known, known:]
    noise = 0.5 * torch.linalg.eigvalsh(rest)[0]
    factor = torch.linalg.cholesky(rest - noise * torch.eye(D - known).double())
    inverse = torch.linalg.inv(torch.eye(2).double() + factor.mT @ factor / noise)
    family = Gaussian(D, sigma="fixed", value=float(noise.sqrt())).double()

    def decode(z: Tensor, observed: Tensor, mask: Tensor) -> Masked:
        mean = observed[..., :known] @ gain.mT + z @ factor.mT
        whole = torch.cat([torch.zeros_like(mean), mean], -1)
        return Masked(family(whole), observed, mask)

    def encode(x: Tensor, observed: Tensor, mask: Tensor) -> MultivariateNormal:
        rest = x[..., known:] - observed[..., :known] @ gain.mT
        return MultivariateNormal(rest @ factor @ inverse / noise, inverse, validate_args=False)

    def prior(observed: Tensor, mask: Tensor) -> DiagonalNormal:
        zeros = torch.zeros(*observed.shape[:-1], 2, dtype=torch.float64)
        return DiagonalNormal(zeros, zeros)

    model = LatentModel(
        *(Conditional(f) for f in (prior, decode, encode)), event_shape=(D,), latent_shape=(2,)
    )
    x, mask = joint.sample((20,)), torch.tensor([1.0, 1, 0, 0]).double().expand(20, D)
    marginal = MultivariateNormal(torch.zeros(known).double(), cov[:known, :known])
    truth = joint.log_prob(x) - marginal.log_prob(x[:, :known])
    found = log_weights(model, x, x * mask, mask, samples=4)
    torch.testing.assert_close(found, truth.expand(4, -1), rtol=0, atol=1e-6)
