"""Bounds on a linear-Gaussian model, where every quantity has a closed form."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from lowerbound.bounds import elbo, iwae, log_weights
from lowerbound.distributions import DiagonalNormal, StandardNormal, kl

DATA, LATENT, POINTS = 5, 2, 40
DOUBLE = torch.float64


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


class LinearGaussian(nn.Module):
    """z ~ N(0, I), x | z ~ N(W z + b, σ² I), and a posterior of one's choice.

    Written out here with dense covariances, so that it shares nothing with the library's own.
    """

    event_shape = (DATA,)

    def __init__(self, posterior: str) -> None:
        super().__init__()
        self.prior = StandardNormal(LATENT).double()
        self.weight = 0.6 * randn(DATA, LATENT, seed=0)
        self.bias = randn(DATA, seed=1)
        self.log_sigma = torch.tensor(-0.3, dtype=DOUBLE)
        # an amortized posterior that is near the truth, and is not it
        self.slope = nn.Parameter(0.9 * self.exact(torch.eye(DATA, dtype=DOUBLE))[0].mT)
        self.log_scale = nn.Parameter(torch.tensor([-0.5, -0.4], dtype=DOUBLE))
        self.posterior = posterior

    def exact(self, centred: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and covariance of p(z|x)."""
        noise = (2 * self.log_sigma).exp()
        covariance = torch.linalg.inv(
            torch.eye(LATENT, dtype=DOUBLE) + self.weight.mT @ self.weight / noise
        )
        return centred @ self.weight @ covariance / noise, covariance

    def encode(self, x: Tensor) -> DiagonalNormal | MultivariateNormal:
        if self.posterior == "exact":
            return MultivariateNormal(*self.exact(x - self.bias), validate_args=False)
        loc = (x - self.bias) @ self.slope.mT
        return DiagonalNormal(loc, self.log_scale.expand_as(loc))

    def decode(self, z: Tensor) -> DiagonalNormal:
        return DiagonalNormal(z @ self.weight.mT + self.bias, self.log_sigma)

    def log_prob(self, x: Tensor) -> Tensor:
        noise = (2 * self.log_sigma).exp() * torch.eye(DATA, dtype=DOUBLE)
        return MultivariateNormal(self.bias, self.weight @ self.weight.mT + noise).log_prob(x)

    def exact_terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """−E_q log p(x|z) and KL(q‖p(z)) under the amortized posterior, in closed form."""
        q = self.encode(x)
        variance = (2 * self.log_scale).exp()
        noise = (2 * self.log_sigma).exp()
        residual = (x - self.bias - q.mean @ self.weight.mT).square().sum(-1)
        spread = (self.weight.square() * variance).sum()
        distortion = 0.5 * (
            (residual + spread) / noise + DATA * (math.log(2 * math.pi) + 2 * self.log_sigma)
        )
        rate = 0.5 * (variance.sum() + q.mean.square().sum(-1) - LATENT) - self.log_scale.sum()
        return distortion, rate


@pytest.fixture
def x() -> Tensor:
    model = LinearGaussian("exact")
    torch.manual_seed(0)
    return model.decode(model.prior().sample((POINTS,))).sample()


def test_every_weight_of_the_exact_posterior_is_log_p(x: Tensor) -> None:
    """Equations 8, 12 and 19."""
    model = LinearGaussian("exact")
    expected = model.log_prob(x).expand(50, POINTS)
    torch.testing.assert_close(log_weights(model, x, samples=50), expected, atol=1e-10, rtol=0)
    torch.testing.assert_close(
        iwae(model, x, samples=3).parts["iwae"], expected[0], atol=1e-10, rtol=0
    )


def test_entropy_form_equals_reconstruction_form(x: Tensor) -> None:
    """Equation 15 = equation 17 = the closed form, expectations over q taken exactly."""
    model = LinearGaussian("amortized")
    q = model.encode(x)
    distortion, rate = model.exact_terms(x)
    # E_q log p(z): a quadratic, so two points μ ± σ in each latent dimension are exact
    variance = q.variance
    cross = -0.5 * (q.mean.square() + variance + math.log(2 * math.pi)).sum(-1)
    entropy_form = -distortion + cross + q.entropy()
    reconstruction_form = -distortion - kl(q, model.prior())
    torch.testing.assert_close(entropy_form, reconstruction_form, atol=1e-12, rtol=0)
    torch.testing.assert_close(reconstruction_form, -distortion - rate, atol=1e-12, rtol=0)


def test_elbo_by_exact_cubature(x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """log p(x|z), log p(z) and log q are quadratic in z: 2·LATENT points give E_q exactly.

    With them in the place of random draws, elbo returns the closed form to rounding, in both
    forms, distortion and rate alike.
    """
    model = LinearGaussian("amortized")
    points = math.sqrt(LATENT) * torch.eye(LATENT, dtype=DOUBLE)
    points = torch.cat([points, -points])[:, None]  # (2·LATENT, 1, LATENT)
    monkeypatch.setattr(
        DiagonalNormal, "_noise", lambda self, shape: points.expand(*shape, *self.loc.shape)
    )
    distortion, rate = model.exact_terms(x)
    for form in ("analytic", "sampled"):
        parts = elbo(model, x, samples=2 * LATENT, kl=form).parts
        torch.testing.assert_close(parts["distortion"], distortion.detach(), atol=1e-12, rtol=0)
        torch.testing.assert_close(parts["rate"], rate.detach(), atol=1e-12, rtol=0)
        torch.testing.assert_close(
            parts["bound"], -(distortion + rate).detach(), atol=1e-12, rtol=0
        )


def test_gap_is_the_divergence_from_the_posterior(x: Tensor) -> None:
    """log p(x) = L + KL(q‖p(z|x)) (equation 18), for good and for bad posteriors."""
    truth, model = LinearGaussian("exact"), LinearGaussian("amortized")
    for step in range(3):
        distortion, rate = model.exact_terms(x)
        gap = kl(model.encode(x), truth.encode(x))
        torch.testing.assert_close(
            -(distortion + rate) + gap, model.log_prob(x), atol=1e-10, rtol=0
        )
        with torch.no_grad():
            model.log_scale.add_(0.7 * (step - 1))
            model.slope.mul_(0.5)


def test_importance_weighted_bound_of_20_000(x: Tensor) -> None:
    """Within 0.02 nat of log p(x), at every point."""
    torch.manual_seed(0)
    model = LinearGaussian("amortized")
    with torch.no_grad():
        parts = iwae(model, x, samples=20_000).parts
    torch.testing.assert_close(parts["iwae"], model.log_prob(x), atol=0.02, rtol=0)
    assert (parts["bound"] < model.log_prob(x) - 0.02).float().mean() > 0.9  # K was needed


def test_iwae_rises_with_samples_towards_log_p(x: Tensor) -> None:
    """ELBO = IWAE-1 ≤ IWAE-K ≤ log p(x) in expectation (equation 13), by the same draws."""
    torch.manual_seed(0)
    model = LinearGaussian("amortized")
    with torch.no_grad():
        model.log_scale.sub_(0.4)
        weights = log_weights(model, x, samples=64 * 256).view(64, 256, POINTS)
    values = []
    for k in (1, 2, 4, 16, 64):
        groups = weights.view(64 // k, k, 256, POINTS).logsumexp(1) - math.log(k)
        values.append(groups.mean(0))  # (256, POINTS): the same draws, k at a time
    for lower, upper in pairwise(values):
        # Jensen holds for each group of draws, not only in expectation
        assert (lower <= upper + 1e-12).all()
    top = values[-1].mean(1)
    error = top.std() / len(top) ** 0.5
    assert top.mean() <= model.log_prob(x).mean() + 4 * error
    distortion, rate = model.exact_terms(x)
    start = values[0].mean(1)
    assert (start.mean() + (distortion + rate).mean()).abs() < 4 * start.std() / len(start) ** 0.5


@pytest.mark.parametrize("form", ["analytic", "sampled"])
def test_reparameterized_gradient_is_unbiased(x: Tensor, form) -> None:
    """Equation 23: the mean of many gradients is the gradient of the closed form."""
    torch.manual_seed(0)
    model = LinearGaussian("amortized")
    parameters = [model.slope, model.log_scale]
    distortion, rate = model.exact_terms(x)
    exact = torch.autograd.grad((distortion + rate).mean(), parameters)
    draws = [torch.autograd.grad(elbo(model, x, kl=form).loss, parameters) for _ in range(200)]
    for truth, samples in zip(exact, zip(*draws, strict=True), strict=True):
        stacked = torch.stack(samples)
        error = stacked.std(0) / len(stacked) ** 0.5
        assert ((stacked.mean(0) - truth).abs() <= 4 * error + 1e-12).all()


def test_reparameterized_gradient_varies_less_than_the_score_function(x: Tensor) -> None:
    """Equation 23, against E_q[r ∇ log q]."""
    torch.manual_seed(0)
    model = LinearGaussian("amortized")
    pathwise, score = [], []
    for _ in range(200):
        loss = elbo(model, x, kl="sampled").loss
        pathwise.append(torch.autograd.grad(loss, model.log_scale)[0])
        q = model.encode(x)
        z = q.sample()
        reward = model.decode(z).log_prob(x) + model.prior().log_prob(z) - q.log_prob(z).detach()
        score.append(
            torch.autograd.grad(-(reward.detach() * q.log_prob(z)).mean(), model.log_scale)[0]
        )
    a, b = torch.stack(pathwise), torch.stack(score)
    error = (a.var(0) / 200 + b.var(0) / 200).sqrt()
    assert ((a.mean(0) - b.mean(0)).abs() < 4 * error).all()
    assert (a.var(0) < 0.5 * b.var(0)).all()


def test_gradient_of_iwae_is_normalised_importance_weighting(x: Tensor) -> None:
    """∇ −log 1/K Σ w = −Σ w̃ ∇ log w."""
    model = LinearGaussian("amortized")
    torch.manual_seed(3)
    (ours,) = torch.autograd.grad(iwae(model, x, samples=6).loss, model.slope)
    torch.manual_seed(3)
    weights = log_weights(model, x, samples=6)
    surrogate = -(weights.detach().softmax(0) * weights).sum(0).mean()
    (theirs,) = torch.autograd.grad(surrogate, model.slope)
    torch.testing.assert_close(ours, theirs)
