"""Naive sampling, Monte Carlo EM and wake-sleep against closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.bounds import iwae
from lowerbound.distributions import DiagonalNormal, StandardNormal
from lowerbound.errors import LowerboundError
from lowerbound.objectives import monte_carlo_em, naive, sleep, wake

COMMON = {"bound", "iwae", "distortion", "rate", "effective_samples"}


def test_naive_is_unbiased_for_p_and_below_log_p(linear: Any, x: Tensor) -> None:
    truth = linear.log_prob(x).detach()
    with torch.no_grad():
        values = torch.stack([naive(linear, x, samples=50).parts["iwae"] for _ in range(400)])
    ratio = (values - truth).exp()
    assert ((ratio.mean(0) - 1).abs() < 4 * ratio.std(0) / math.sqrt(400)).all()
    error = values.std(0) / math.sqrt(400)
    assert (values.mean(0) < truth + 4 * error).all()


def test_naive_gradient_is_that_of_the_value(linear: Any, x: Tensor) -> None:
    """And with many samples that of log p(x)."""
    torch.manual_seed(1)
    terms = naive(linear, x, samples=20_000)
    assert terms.parts.keys() == COMMON
    torch.testing.assert_close(terms.loss.detach(), -terms.parts["iwae"].mean())
    torch.testing.assert_close(terms.parts["rate"], torch.zeros_like(x[:, 0]))
    ours = torch.autograd.grad(terms.loss, linear.generative)
    theirs = torch.autograd.grad(-linear.log_prob(x).mean(), linear.generative)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0.1, atol=0.1)


class Pure(nn.Module):
    """z ~ N(0, I), x | z ~ N(z, σ² I): each dimension makes the prior a worse guess."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.event_shape = (size,)
        self.prior = StandardNormal(size)

    def encode(self, x: Tensor) -> DiagonalNormal:
        raise AssertionError("naive sampling has no posterior")

    def decode(self, z: Tensor) -> DiagonalNormal:
        return DiagonalNormal(z, torch.tensor(math.log(0.5)))


def test_effective_samples_fall_with_the_dimension() -> None:
    """To about one of 1,000 at 50 dimensions."""
    found = []
    for size in (1, 2, 5, 10, 50):
        x = math.sqrt(1.25) * torch.randn(64, size)
        with torch.no_grad():
            found.append(
                float(naive(Pure(size), x, samples=1000).parts["effective_samples"].mean())
            )
    assert found == sorted(found, reverse=True)
    assert found[0] > 300
    assert 1.0 <= found[-1] < 2.0


def test_fishers_identity(linear: Any, x: Tensor, cubature: int) -> None:
    """Under the exact posterior the gradient of EM's objective is that of log p(x), exactly."""
    linear.exact_()
    terms = monte_carlo_em(linear, x, samples=cubature)
    assert terms.parts.keys() == COMMON
    ours = torch.autograd.grad(terms.loss, linear.generative)
    theirs = torch.autograd.grad(-linear.log_prob(x).mean(), linear.generative)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(terms.parts["effective_samples"], torch.full_like(x[:, 0], cubature))
    torch.testing.assert_close(terms.parts["iwae"], linear.log_prob(x).detach())


def test_em_raises_the_likelihood(linear: Any, x: Tensor, cubature: int) -> None:
    """E-step: the exact posterior. M-step: some small steps with the guess kept. Never downhill."""
    truth = lambda: float(linear.log_prob(x).detach().mean())  # noqa: E731
    values = [truth()]
    for _ in range(20):
        linear.exact_()
        for _ in range(3):
            terms = monte_carlo_em(linear, x, samples=cubature)
            found = torch.autograd.grad(terms.loss, linear.generative)
            with torch.no_grad():
                for parameter, gradient in zip(linear.generative, found, strict=True):
                    parameter.sub_(0.02 * gradient)
        values.append(truth())
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.3


def test_gradient_is_that_of_iwae_and_leaves_the_posterior_alone(linear: Any, x: Tensor) -> None:
    """Σ w̃ ∇ log p(x, z) = ∇ log Σ w, at the same draws."""
    torch.manual_seed(1)
    ours = monte_carlo_em(linear, x, samples=6)
    torch.manual_seed(1)
    theirs = iwae(linear, x, samples=6)
    torch.testing.assert_close(ours.parts["iwae"], theirs.parts["iwae"])
    for name in ("bound", "distortion", "rate"):
        torch.testing.assert_close(ours.parts[name], theirs.parts[name])
    pairs = zip(
        torch.autograd.grad(ours.loss, linear.generative, retain_graph=True),
        torch.autograd.grad(theirs.loss, linear.generative),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
    none = torch.autograd.grad(ours.loss, linear.inferring, allow_unused=True)
    assert all(gradient is None for gradient in none)


def test_codes_guessed_from_the_prior(linear: Any, x: Tensor) -> None:
    """The same draws as naive sampling, hence the same gradient."""
    torch.manual_seed(1)
    ours = monte_carlo_em(linear, x, samples=8, proposal="prior")
    torch.manual_seed(1)
    theirs = naive(linear, x, samples=8)
    torch.testing.assert_close(ours.parts, theirs.parts)
    pairs = zip(
        torch.autograd.grad(ours.loss, linear.generative),
        torch.autograd.grad(theirs.loss, linear.generative),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_the_exact_posterior_is_where_wake_and_sleep_rest(
    linear: Any, x: Tensor, gradients: Any, agree: Any
) -> None:
    zero = torch.zeros(sum(p.numel() for p in linear.inferring), dtype=x.dtype)
    away = gradients(lambda: wake(linear, x, samples=20).loss, linear.inferring, 200)
    assert away.mean(0).norm() > 10 * (away.var(0) / 200).sum().sqrt()
    linear.exact_()
    agree(gradients(lambda: wake(linear, x, samples=5).loss, linear.inferring, 200), zero)
    agree(gradients(lambda: sleep(linear, x).loss, linear.inferring, 300), zero)
    for terms in (wake(linear, x), sleep(linear, x)):
        none = torch.autograd.grad(terms.loss, linear.generative, allow_unused=True)
        assert all(gradient is None for gradient in none)
    parts = wake(linear, x, samples=7).parts  # exact: all draws count the same
    torch.testing.assert_close(parts["effective_samples"], torch.full_like(x[:, 0], 7.0))


def test_unknown_proposal_is_refused(linear: Any, x: Tensor) -> None:
    with pytest.raises(LowerboundError, match="'posterior' or 'prior', came 'encoder'"):
        monte_carlo_em(linear, x, proposal="encoder")  # ty: ignore
