"""σ-VAE: the optimal variance, tracked for evaluation (2006.13202)."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lowerbound.distributions import Gaussian


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 16, 5, generator=generator, dtype=torch.float64).unbind()


def test_optimal_variance_is_the_mean_squared_error() -> None:
    loc, x = batch()
    log_prob = Gaussian(5)(loc).log_prob(x)
    mse = (x - loc).square().mean()
    expected = torch.distributions.Normal(loc, mse.sqrt()).log_prob(x).sum(-1)
    torch.testing.assert_close(log_prob, expected, rtol=1e-13, atol=1e-13)
    # at the optimum the energy is exactly half a nat for each number
    assert log_prob.mean().item() == pytest.approx(
        -2.5 * (math.log(2 * math.pi * mse.item()) + 1), abs=1e-12
    )


@settings(deadline=None, max_examples=30)
@given(st.floats(0.01, 100))
def test_no_fixed_sigma_is_better(sigma: float) -> None:
    loc, x = batch()
    fixed = Gaussian(5, sigma="fixed", value=sigma).double()(loc).log_prob(x).mean()
    assert Gaussian(5)(loc).log_prob(x).mean() >= fixed


def test_gradient_is_that_of_the_maximized_bound() -> None:
    """Envelope theorem: with σ* detached the gradient is that of −D/2 log MSE."""
    loc, x = batch()
    loc.requires_grad_()
    (detached,) = torch.autograd.grad(Gaussian(5)(loc).log_prob(x).mean(), loc)
    (whole,) = torch.autograd.grad(-2.5 * (x - loc).square().mean().log(), loc)
    torch.testing.assert_close(detached, whole)


def test_eval_mode_is_a_density_of_the_tracked_variance() -> None:
    loc, x = batch()
    family = Gaussian(5)
    family(loc).log_prob(x)
    family.eval()
    variance = family.tracked().item()
    # one batch: unbiased from the first on
    assert variance == pytest.approx((x - loc).square().mean().item(), rel=1e-5)
    before = family.state_dict()
    other = family(loc).log_prob(x + 3)
    expected = torch.distributions.Normal(loc, variance**0.5).log_prob(x + 3).sum(-1)
    torch.testing.assert_close(other, expected)
    assert all(torch.equal(before[key], value) for key, value in family.state_dict().items())


def test_tracked_variance_is_the_unbiased_running_mean() -> None:
    family = Gaussian(1)
    errors = [1.0, 2.0, 0.5, 3.0]
    for error in errors:
        family(torch.zeros(4, 1)).log_prob(torch.full((4, 1), error))
    weights = [0.99 ** (len(errors) - 1 - i) for i in range(len(errors))]
    expected = sum(w * e**2 for w, e in zip(weights, errors, strict=True)) / sum(weights)
    assert family.tracked().item() == pytest.approx(expected, rel=1e-5)


def test_before_any_batch_it_is_where_it_was_started() -> None:
    family = Gaussian(2, value=0.5).eval()
    assert family(torch.zeros(2)).scale.item() == pytest.approx(0.5)
    family.start(torch.zeros(2), torch.tensor([3.0, 4.0]))
    assert family(torch.zeros(2)).scale.item() == pytest.approx(12.5**0.5)


def test_perfect_reconstruction_stays_finite() -> None:
    x = torch.ones(3, 2, requires_grad=True)
    value = Gaussian(2)(x).log_prob(torch.ones(2)).mean()
    value.backward()
    assert value.isfinite()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_start_of_learned_sigmas() -> None:
    std = torch.tensor([0.1, 0.3])
    family = Gaussian(2, sigma="per-dimension")
    torch.testing.assert_close(family(family.start(torch.zeros(2), std)).stddev, std)
    family = Gaussian(2, sigma="learned")
    scale = family(family.start(torch.zeros(2), std)).scale
    assert scale.item() == pytest.approx(0.05**0.5)
    assert [p.requires_grad for p in family.parameters()] == [True]
    family = Gaussian(2, sigma="fixed", value=0.7)
    assert family(family.start(torch.zeros(2), std)).scale.item() == pytest.approx(0.7)
    assert not list(family.parameters())


@pytest.mark.parametrize("sigma", ["fixed", "learned", "optimal"])
def test_float32_family_under_float64_data(sigma: str) -> None:
    p = Gaussian(2, sigma=sigma)(torch.zeros(3, 2, dtype=torch.float64))  # ty: ignore
    assert p.rsample((4,)).dtype == torch.float64
    assert p.log_prob(p.sample()).dtype == torch.float64
    assert p.entropy().shape == (3,)
