"""Adversarial losses against their known optima, penalties against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from lowerbound.adversarial import (
    Loss,
    discriminator_loss,
    generator_loss,
    lipschitz,
    r1,
    slope,
)

TOGETHER = torch.float64


def normal(x: torch.Tensor, mean: float, std: float) -> torch.Tensor:
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def two_densities() -> tuple[torch.Tensor, torch.Tensor, float]:
    """N(0, 1) and N(1, 2²) on a grid, where both sum to 1 with its step."""
    x = torch.linspace(-12, 14, 2601, dtype=TOGETHER)
    p, q = normal(x, 0.0, 1.0), normal(x, 1.0, 2.0)
    return p, q, 0.01


def slopes(kind: Loss, logit: torch.Tensor, p: torch.Tensor, q: torch.Tensor):
    """First and second derivative of p·(loss on data) + q·(loss on samples) at each point."""
    at = logit.clone().requires_grad_()
    none = torch.zeros_like(at)
    real = discriminator_loss(at, none, kind) - discriminator_loss(none, none, kind)
    fake = discriminator_loss(none, at, kind) - discriminator_loss(none, none, kind)
    (first,) = torch.autograd.grad((p * real + q * fake).sum(), at, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), at)
    return first.detach(), second


def test_the_optimal_discriminator_is_p_over_p_plus_q() -> None:
    """Both derivatives say so, at every point."""
    p, q, step = two_densities()
    logit = (p / q).log()
    first, second = slopes("non-saturating", logit, p, q)
    assert first.abs().max() < 1e-14 and (second > 0).all()
    # The loss there is 2 log 2 − 2 JSD(p, q).
    value = step * float(
        (p * discriminator_loss(logit, torch.full_like(logit, -1e3))).sum()
        + (q * discriminator_loss(torch.full_like(logit, 1e3), logit)).sum()
    )
    m = (p + q) / 2
    divergence = 0.5 * step * float((p * (p / m).log() + q * (q / m).log()).sum())
    assert abs(value - (2 * math.log(2) - 2 * divergence)) < 1e-8


def test_the_optimal_least_squares_discriminator_has_the_same_form() -> None:
    p, q, _ = two_densities()
    first, second = slopes("least-squares", p / (p + q), p, q)
    assert first.abs().max() < 1e-14 and (second > 0).all()


def test_the_optimal_hinge_discriminator_is_a_sign() -> None:
    """Where p > q any logit from 1 on does, and the loss is 2 − 2 TV(p, q)."""
    p, q, step = two_densities()
    best = torch.where(p > q, 1.0, -1.0).to(TOGETHER)

    def loss(logit: torch.Tensor) -> float:
        real, fake = torch.relu(1 - logit), torch.relu(1 + logit)
        ours = discriminator_loss(logit, logit, "hinge")
        torch.testing.assert_close(ours, real + fake)
        return step * float((p * real + q * fake).sum())

    variation = 0.5 * step * float((p - q).abs().sum())
    assert abs(loss(best) - (2 - 2 * variation)) < 1e-8
    for other in (0.9 * best, best + 0.3, torch.zeros_like(best), -best):
        assert loss(other) > loss(best) + 1e-3


@pytest.mark.parametrize("kind", ["non-saturating", "least-squares", "hinge", "wasserstein"])
def test_generators_are_drawn_to_what_is_taken_for_data(kind: Loss) -> None:
    logit = torch.linspace(-3, 0.9, 40, dtype=TOGETHER, requires_grad=True)
    (gradient,) = torch.autograd.grad(generator_loss(logit, kind).sum(), logit)
    assert (gradient < 0).all()
    if kind == "non-saturating":  # −∂ log D = −(1 − D): strong where the discriminator is sure
        torch.testing.assert_close(gradient, logit.detach().sigmoid() - 1)


def test_penalties_of_a_linear_critic_are_those_of_its_weights() -> None:
    w = torch.tensor([[3.0, -1.0, 2.0]], dtype=TOGETHER, requires_grad=True)
    x, fake = torch.randn(2, 7, 3, dtype=TOGETHER)

    def critic(at: torch.Tensor) -> torch.Tensor:
        return (at @ w.T).squeeze(1)

    norm = w.detach().norm()
    torch.testing.assert_close(slope(critic, x), w.detach().expand(7, 3), check_stride=False)
    steep = r1(critic, x)
    torch.testing.assert_close(steep.detach(), (norm**2).expand(7))
    torch.testing.assert_close(torch.autograd.grad(steep.mean(), w)[0], 2 * w.detach())
    off = lipschitz(critic, x, fake, torch.rand(7, dtype=TOGETHER))
    torch.testing.assert_close(off.detach(), ((norm - 1) ** 2).expand(7))
    expected = 2 * (norm - 1) * w.detach() / norm
    torch.testing.assert_close(torch.autograd.grad(off.mean(), w)[0], expected)


def test_the_slope_between_is_taken_between() -> None:
    """Of x², whose slope 2x tells where it was taken."""
    real, fake = torch.full((5, 1), 2.0, dtype=TOGETHER), torch.zeros(5, 1, dtype=TOGETHER)
    share = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=TOGETHER)
    found = lipschitz(lambda x: x.square().sum(1), real, fake, share)
    torch.testing.assert_close(found, (4 * share - 1).square(), atol=1e-5, rtol=0)


def test_a_flat_critic_stops_nothing() -> None:
    w = torch.zeros(3, requires_grad=True)
    x = torch.randn(4, 3)
    off = lipschitz(lambda at: at @ w, x, x + 1, torch.rand(4))
    (gradient,) = torch.autograd.grad(off.mean(), w)
    assert off.isfinite().all() and gradient.isfinite().all()


def test_without_gradients_penalties_are_the_same_numbers() -> None:
    """So that held-out reports, which record none, tell of them too."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    x = torch.randn(6, 3)

    def critic(at: torch.Tensor) -> torch.Tensor:
        return network(at).squeeze(1)

    with torch.no_grad():
        without = r1(critic, x)
    assert not without.requires_grad
    torch.testing.assert_close(without, r1(critic, x).detach())
