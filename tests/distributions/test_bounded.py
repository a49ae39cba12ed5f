"""Codes in a box: densities by torch and by quadrature, gradients by finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch.distributions import (
    AffineTransform,
    ComposeTransform,
    Independent,
    Normal,
    SigmoidTransform,
    TransformedDistribution,
    Uniform,
)

from lowerbound.distributions import (
    DiagonalGaussian,
    IndependentUniform,
    SquashedGaussian,
    SquashedNormal,
    UniformPrior,
    has_closed_form,
    kl,
    sample_with_log_prob,
)
from lowerbound.errors import LowerboundError


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def squashed(low: float = -1.0, high: float = 1.0) -> SquashedNormal:
    return SquashedNormal(2 * rand(4, 3), 0.5 * rand(4, 3, seed=1), low, high)


def torch_of(q: SquashedNormal) -> Independent:
    stretch = AffineTransform(q.low, q.high - q.low)
    steps = ComposeTransform([SigmoidTransform(), stretch])
    return Independent(TransformedDistribution(Normal(q.loc, q.log_scale.exp()), steps), 1)


def one(loc: float, scale: float) -> SquashedNormal:
    loc_, scale_ = (torch.tensor(v, dtype=torch.float64) for v in (loc, scale))
    return SquashedNormal(loc_, scale_.log(), -2.0, 5.0, 0)


def expected(loc: float, scale: float, f: Callable[[float], float]) -> float:
    """E f(z) of ``one``, over the normal that is squashed: no edge, no singularity."""

    def integrand(e: float) -> float:
        u = loc + scale * e
        unit = 0.5 * (1 + math.tanh(0.5 * u))
        return f(-2 + 7 * unit) * math.exp(-0.5 * e * e) / math.sqrt(2 * math.pi)

    return quad(integrand, -12, 12, epsabs=1e-12, epsrel=1e-12, limit=500, points=[-loc / scale])[0]


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (-2.0, 5.0)])
def test_log_prob_equals_torch(low: float, high: float) -> None:
    q = squashed(low, high)
    z = torch_of(q).sample((6,))
    torch.testing.assert_close(q.log_prob(z), torch_of(q).log_prob(z), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("loc", "scale"), [(0.0, 1.8), (1.5, 0.3), (-3.0, 1.0)])
def test_integrates_to_1(loc: float, scale: float) -> None:
    q = one(loc, scale)
    total, _ = quad(lambda z: float(q.log_prob(torch.tensor(z).double()).exp()), -2, 5, limit=400)
    assert total == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(("loc", "scale"), [(0.0, 1.8), (1.5, 1e-3), (-3.0, 1.0), (2.0, 7.3)])
def test_moments_equal_quadrature(loc: float, scale: float) -> None:
    q = one(loc, scale)
    mean = expected(loc, scale, lambda z: z)
    assert float(q.mean) == pytest.approx(mean, abs=1e-9)
    variance = expected(loc, scale, lambda z: (z - mean) ** 2)
    assert float(q.variance) == pytest.approx(variance, abs=1e-9)


def test_draw_scores_itself_with_the_whole_gradient() -> None:
    loc, log_scale = rand(4, 3).requires_grad_(), rand(4, 3, seed=1).requires_grad_()
    gradients = []
    for fused in (True, False):
        torch.manual_seed(0)
        q = SquashedNormal(loc, log_scale, -2.0, 5.0)
        if fused:
            z, log_q = sample_with_log_prob(q, (5,))
        else:
            z = q.rsample((5,))
            log_q = q.log_prob(z)
        gradients.append(torch.autograd.grad((log_q + z.cos().sum(-1)).sum(), (loc, log_scale)))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


def test_gradient_of_an_expectation_equals_quadrature() -> None:
    torch.manual_seed(0)
    loc, scale, step = 0.7, 1.3, 1e-4
    numbers = torch.tensor([loc, scale], dtype=torch.float64).expand(200_000, 2).clone()
    numbers.requires_grad_()
    q = SquashedNormal(numbers[:, 0], numbers[:, 1].log(), -2.0, 5.0, 0)
    (each,) = torch.autograd.grad(q.rsample().cos().sum(), numbers)
    rises = (
        expected(loc + step, scale, math.cos) - expected(loc - step, scale, math.cos),
        expected(loc, scale + step, math.cos) - expected(loc, scale - step, math.cos),
    )
    error = each.std(0) / math.sqrt(len(each))
    assert ((each.mean(0) - torch.tensor(rises) / (2 * step)).abs() <= 4 * error).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0), (0.1, 0.7)])
def test_at_the_edges(dtype: torch.dtype, low: float, high: float) -> None:
    """Where the sigmoid rounds to an edge a draw's density is still that of its u."""
    torch.manual_seed(0)
    loc = torch.tensor([-60.0, -20.0, 20.0, 60.0], dtype=dtype, requires_grad=True)
    q = SquashedNormal(loc, torch.zeros_like(loc), low, high)
    z, log_q = q.rsample_and_log_prob((50,))
    assert ((z >= low) & (z <= high)).all()
    prior = UniformPrior(4, low, high).to(dtype)()
    assert prior.log_prob(z).isfinite().all()
    torch.manual_seed(0)
    u = loc + torch.randn(50, 4, dtype=dtype)  # |u| is large: log σ'(u) = −|u|
    density = Normal(loc, 1.0).log_prob(u) + u.abs() - math.log(high - low)
    torch.testing.assert_close(log_q, density.sum(-1), rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(log_q.sum() + q.log_prob(z.detach()).sum(), loc)
    assert gradient.isfinite().all()
    ends = torch.tensor([[low] * 4, [high] * 4], dtype=dtype)
    assert q.log_prob(ends).isfinite().all()
    assert (q.log_prob(ends + torch.tensor([[-0.1], [0.1]])) == -torch.inf).all()


def test_uniform_equals_torch() -> None:
    low, high = rand(4, 3), rand(4, 3) + rand(4, 3, seed=1).exp()
    own, torch_own = IndependentUniform(low, high), Independent(Uniform(low, high), 1)
    z = torch.lerp(low, high, torch.rand(6, 4, 3, dtype=torch.float64))
    torch.testing.assert_close(own.log_prob(z), torch_own.log_prob(z))
    torch.testing.assert_close(own.entropy(), torch_own.entropy())
    torch.testing.assert_close(own.mean, torch_own.mean)
    torch.testing.assert_close(own.variance, torch_own.variance)
    assert (own.log_prob(high + 1) == -torch.inf).all()
    assert torch.equal(kl(own, torch_own), torch.zeros(4).double())
    torch.manual_seed(0)
    unit = (own.sample((20_000,)) - low) / (high - low)
    assert (unit.mean(0) - 0.5).abs().max() <= 4 * math.sqrt(1 / 12 / 20_000)
    assert 0 <= unit.min() < 1e-3 and 1 - 1e-3 < unit.max() <= 1


def test_rate_under_the_uniform_equals_quadrature() -> None:
    """KL(q‖U) = −H(q) + log width, and the normal through which H(q) is known."""
    torch.manual_seed(0)
    loc, scale = 0.7, 1.3
    q = SquashedNormal(torch.tensor([loc]), torch.tensor([scale]).log())
    prior = UniformPrior(1)()
    assert not has_closed_form(q, prior)
    log_slope = expected(
        loc, scale, lambda z: math.log((z + 2) / 7 * (5 - z) / 7) if -2 < z < 5 else -50.0
    )
    exact = -(0.5 * math.log(2 * math.pi * math.e * scale**2)) - log_slope
    draws = torch.cat([kl(q.expand((1000,)), prior) for _ in range(50)])
    assert float(draws.mean()) == pytest.approx(exact, abs=4 * float(draws.std()) / 50_000**0.5)


def test_family_starts_where_it_is_asked() -> None:
    family = SquashedGaussian((2, 1), low=-2.0, high=5.0)
    q = family(family.start(torch.tensor([[0.0], [3.0]]), torch.full((2, 1), 0.1)))
    np.testing.assert_allclose(q.mean.flatten(), [0, 3], atol=0.01)
    np.testing.assert_allclose(q.variance.sqrt().flatten(), 0.1, atol=0.01)
    assert family.support == UniformPrior((2, 1), -2.0, 5.0).support == "box"
    assert SquashedGaussian(2, 0, 1).supports == {"unit"}


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (0.0, math.inf)])
def test_box_without_an_inside_is_refused(low: float, high: float) -> None:
    for build in (UniformPrior, SquashedGaussian):
        with pytest.raises(LowerboundError, match="low below high"):
            build(2, low, high)


def test_a_normal_under_the_uniform_is_infinite() -> None:
    """What refuse_mismatch spares: one draw outside is enough."""
    torch.manual_seed(0)
    q = DiagonalGaussian(2)(torch.zeros(4, 4))
    assert kl(q, UniformPrior(2)(), samples=200).isinf().all()
