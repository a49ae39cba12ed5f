"""The continuous Bernoulli, above all near λ = 1/2 (1907.06845)."""

from __future__ import annotations

import math

import pytest
import torch

from lowerbound.distributions import ContinuousBernoulli, IndependentContinuousBernoulli

NEAR = torch.tensor([0.0, 1e-30, 1e-8, -1e-4, 1e-3, -0.1, 0.499999, 0.500001, -0.5, 0.6, 3.0])


def distribution(logits: torch.Tensor) -> IndependentContinuousBernoulli:
    return IndependentContinuousBernoulli(logits, event_rank=0)


def test_constant_at_one_half_is_2() -> None:
    assert distribution(torch.zeros((), dtype=torch.float64)).log_constant().exp().item() == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_equals_atanh_form(dtype: torch.dtype) -> None:
    """C(λ) = 2 atanh(1 − 2λ)/(1 − 2λ), evaluated in float64 away from 1/2."""
    logits = torch.cat([torch.linspace(-15, -0.05, 200), torch.linspace(0.05, 15, 200)]).double()
    gap = 1 - 2 * logits.sigmoid()
    expected = (2 * torch.atanh(gap) / gap).log()
    actual = distribution(logits.to(dtype)).log_constant()
    tolerance = 1e-11 if dtype is torch.float64 else 1e-6
    torch.testing.assert_close(actual.double(), expected, atol=tolerance, rtol=tolerance)


def test_equals_torch() -> None:
    logits, x = torch.linspace(-6, 6, 60), torch.rand(60)
    theirs = torch.distributions.ContinuousBernoulli(logits=logits)
    ours = distribution(logits)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(ours.mean, theirs.mean, atol=2e-4, rtol=1e-4)


def test_series_meets_direct_form() -> None:
    below, above = (torch.tensor(x, dtype=torch.float64) for x in (0.5 - 1e-13, 0.5 + 1e-13))
    for of in (lambda d: d.log_constant(), lambda d: d.mean):
        assert abs(of(distribution(below)) - of(distribution(above))).item() < 2e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_near_one_half(dtype: torch.dtype) -> None:
    """d log p/dl = x − mean, finite at and around l = 0, for which the mean is 1/2 + l/12."""
    logits = NEAR.to(dtype).requires_grad_()
    (gradient,) = torch.autograd.grad(distribution(logits).log_prob(torch.ones(())).sum(), logits)
    assert gradient.isfinite().all()
    expected = 1 - distribution(logits).mean
    tolerance = 1e-12 if dtype is torch.float64 else 1e-6
    torch.testing.assert_close(gradient, expected, atol=tolerance, rtol=0)
    small = NEAR.abs() < 1e-2
    torch.testing.assert_close(
        gradient[small], 0.5 - logits[small] / 12, atol=max(tolerance, 2e-12), rtol=0
    )


def test_mean_by_quadrature() -> None:
    logits = torch.tensor([-20.0, -2.0, 0.3, 1.0, 8.0], dtype=torch.float64)
    grid = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    density = distribution(logits[:, None]).log_prob(grid).exp()
    torch.testing.assert_close(
        torch.trapezoid(grid * density, grid), distribution(logits).mean, atol=1e-8, rtol=0
    )


def test_entropy_of_the_uniform_is_0_and_of_others_by_quadrature() -> None:
    assert distribution(torch.zeros(())).entropy().item() == 0
    d = distribution(torch.tensor(3.0, dtype=torch.float64))
    grid = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    log_density = d.log_prob(grid)
    expected = -torch.trapezoid(log_density.exp() * log_density, grid)
    torch.testing.assert_close(d.entropy(), expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("logit", [-200.0, -3.0, 0.0, 1e-3, 4.0, 200.0])
def test_samples_follow_the_distribution_function(logit: float) -> None:
    torch.manual_seed(0)
    logits = torch.tensor(logit, dtype=torch.float64, requires_grad=True)
    x = distribution(logits).rsample((4000,)).sort().values
    assert ((x >= 0) & (x <= 1)).all()
    shape = abs(logit)
    cdf = x if shape < 1e-2 else torch.expm1(-shape * (1 - x if logit > 0 else x))
    if shape >= 1e-2:
        cdf = cdf / math.expm1(-shape)
        cdf = 1 - cdf if logit > 0 else cdf
    gap = (cdf - torch.linspace(0, 1, 4000)).abs().max()
    assert gap < 1.63 / 4000**0.5  # Kolmogorov-Smirnov at 1 %
    x.mean().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite()


def test_start_inverts_the_mean() -> None:
    mean = torch.tensor([0.0, 0.01, 0.3, 0.5, 0.9, 1.0], dtype=torch.float64)
    family = ContinuousBernoulli(6)
    torch.testing.assert_close(
        family(family.start(mean, mean)).mean, mean.clamp(0.01, 0.99), atol=1e-12, rtol=0
    )
