"""Mixtures of Gaussians: densities by torch, implicit gradients by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from lowerbound.distributions import (
    GaussianMixtureDistribution,
    GaussianMixturePrior,
    MixtureOfGaussians,
    has_closed_form,
    kl,
    sample_with_log_prob,
)
from lowerbound.distributions.implicit import with_gradient
from lowerbound.errors import LowerboundError


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def mixture(*batch: int, components: int = 4, size: int = 3) -> GaussianMixtureDistribution:
    family = MixtureOfGaussians(size, components).double()
    return family(rand(*batch, *family.raw_shape))


def torch_of(q: GaussianMixtureDistribution) -> MixtureSameFamily:
    parts = Independent(Normal(q.loc, q.scale), q.event_rank)
    return MixtureSameFamily(Categorical(logits=q.logits), parts)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(
    ("batch", "lead"), [((), (7,)), ((), (2, 5)), ((5,), (5,)), ((5,), (2, 5))]
)
def test_log_prob_equals_torch(batch: tuple[int, ...], lead: tuple[int, ...], size: int) -> None:
    q, z = mixture(*batch, size=size), rand(*lead, size, seed=1)
    torch.testing.assert_close(q.log_prob(z), torch_of(q).log_prob(z), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(q.mean, torch_of(q).mean)
    torch.testing.assert_close(q.variance, torch_of(q).variance)
    log_joint = torch_of(q).component_distribution.log_prob(z.unsqueeze(-2)) + q.logits
    torch.testing.assert_close(q.responsibilities(z), log_joint.softmax(-1))


def test_codes_with_a_shape() -> None:
    family = MixtureOfGaussians((2, 1, 2), 3).double()
    q, z = family(rand(5, 27)), rand(6, 5, 2, 1, 2, seed=1)
    torch.testing.assert_close(q.log_prob(z), torch_of(q).log_prob(z))
    torch.testing.assert_close(q.expand((6, 5)).log_prob(z), q.log_prob(z))
    one = family(rand(27))
    torch.testing.assert_close(one.log_prob(z), torch_of(one).log_prob(z))
    assert one.sample((4,)).shape == (4, 2, 1, 2)
    z = q.expand((6, 5)).rsample((4,))
    assert z.shape == (4, 6, 5, 2, 1, 2)


def test_covariance_is_that_of_the_components_and_between_them() -> None:
    """E zz' − E z E z', component by component."""
    q = MixtureOfGaussians((2, 1, 2), 3).double()(rand(5, 27))
    for b in range(5):
        weights, loc = q.logits[b].softmax(-1).numpy(), q.loc[b].flatten(1).numpy()
        second = sum(
            w * (np.outer(m, m) + np.diag(s**2))
            for w, m, s in zip(weights, loc, q.scale[b].flatten(1).numpy(), strict=True)
        )
        expected = second - np.outer(weights @ loc, weights @ loc)
        np.testing.assert_allclose(q.covariance_matrix[b].numpy(), expected, atol=1e-12)
    diagonal = q.covariance_matrix.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(diagonal, q.variance.flatten(1))


def test_float32_of_one_mixture_for_all_keeps_its_digits() -> None:
    """Small scales far from the origin: what a written-out square would lose in float32."""
    loc, scale = 5 + 3 * rand(50, 20), 0.02 * rand(50, 20, seed=1).exp()
    wide = GaussianMixtureDistribution(rand(50, seed=2), loc, scale)
    narrow = GaussianMixtureDistribution(wide.logits.float(), loc.float(), scale.float())
    z = wide.sample((200,)).float()
    log_p = narrow.log_prob(z)
    assert log_p.dtype == torch.float32
    rounded = GaussianMixtureDistribution(
        narrow.logits.double(), narrow.loc.double(), narrow.scale.double()
    )
    exact = torch_of(rounded).log_prob(z.double())
    torch.testing.assert_close(log_p.double(), exact, rtol=1e-6, atol=1e-5)


def test_gradient_of_log_prob_equals_torch() -> None:
    raw, z = rand(28).requires_grad_(), rand(9, 3, seed=1).requires_grad_()
    q = MixtureOfGaussians(3, 4).double()(raw)
    own, other = (
        torch.autograd.grad(p.log_prob(z).sum(), (raw, z), retain_graph=True)
        for p in (q, torch_of(q))
    )
    for a, b in zip(own, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch", [(), (2,)])
def test_draws_have_the_moments_and_the_weights(batch: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    q, count = mixture(*batch), 40_000
    z = q.sample((count,))
    assert ((z.mean(0) - q.mean).abs() <= 4.5 * z.std(0) / math.sqrt(count)).all()
    squares = (z - q.mean).square()
    assert ((squares.mean(0) - q.variance).abs() <= 4.5 * squares.std(0) / math.sqrt(count)).all()
    far = 100.0 * torch.arange(4.0).view(4, 1).expand(*batch, 4, 1)
    apart = GaussianMixtureDistribution(q.logits, far, torch.ones_like(far))
    chosen = (apart.sample((count,)).squeeze(-1) / 100).round().long()
    found = torch.nn.functional.one_hot(chosen, 4).double().mean(0)
    weights = q.logits.softmax(-1)
    assert ((found - weights).abs() <= 4.5 * (weights / count).sqrt()).all()


def expectation(raw: np.ndarray, size: int, f: Callable[[np.ndarray], np.ndarray]) -> float:
    """E f(z) of a mixture of two, by a trapezoid rule that is exact to rounding."""
    logits, loc = raw[:2], raw[2 : 2 + 2 * size].reshape(2, size)
    scale = np.exp(raw[2 + 2 * size :]).reshape(2, size)
    weights = np.exp(logits) / np.exp(logits).sum()
    axis = np.linspace(-12, 12, 601)
    z = np.stack(np.meshgrid(*[axis] * size, indexing="ij"), -1)
    square = ((z[..., None, :] - loc) / scale) ** 2
    density = weights * np.exp(-0.5 * square.sum(-1)) / scale.prod(-1)
    density = density.sum(-1) / (2 * np.pi) ** (size / 2)
    return float((density * f(z)).sum() * (axis[1] - axis[0]) ** size)


CASES = {
    1: np.array([0.4, -0.3, -1.5, 1.2, -0.4, 0.1]),
    2: np.array([0.4, -0.3, -1.5, 0.3, 1.0, -0.6, -0.4, 0.2, 0.1, -0.5]),
}


@pytest.mark.parametrize("size", CASES)
def test_implicit_gradient_equals_quadrature(size: int) -> None:
    """Of E f(z) in every parameter, the weights' logits included; f couples the dimensions."""
    torch.manual_seed(0)
    raw, step = CASES[size], 1e-4
    numbers = torch.tensor(raw).expand(400, len(raw)).clone().requires_grad_()
    z = MixtureOfGaussians(size, 2).double()(numbers).rsample((1000,))
    first, last = z[..., 0], z[..., -1]
    values = (first + 0.5 * last).sin() + first * last.square() / (1 + last.square())
    (each,) = torch.autograd.grad(values.mean(0).sum(), numbers)

    def f(z: np.ndarray) -> np.ndarray:
        first, last = z[..., 0], z[..., -1]
        return np.sin(first + 0.5 * last) + first * last**2 / (1 + last**2)

    steps = step * np.eye(len(raw))
    rise = [
        (expectation(raw + s, size, f) - expectation(raw - s, size, f)) / (2 * step) for s in steps
    ]
    error = each.std(0).numpy() / math.sqrt(len(each))
    assert (np.abs(each.mean(0).numpy() - rise) <= 4 * error + 1e-8).all()
    assert (np.abs(rise) > 20 * error).sum() >= len(raw) // 2


@pytest.mark.parametrize("size", [1, 3])
def test_one_component_is_location_and_scale(size: int) -> None:
    loc, scale = rand(5, 1, size).requires_grad_(), rand(5, 1, size, seed=1).exp()
    scale.requires_grad_()
    logits = torch.zeros(5, 1, dtype=torch.float64, requires_grad=True)
    z = GaussianMixtureDistribution(logits, loc, scale).rsample((7,))
    weight = rand(7, 5, size, seed=2)
    own = torch.autograd.grad((weight * z).sum(), (logits, loc, scale))
    noise = ((z - loc.squeeze(1)) / scale.squeeze(1)).detach()
    torch.testing.assert_close(own[0], torch.zeros(5, 1).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(own[1].squeeze(1), weight.sum(0))
    torch.testing.assert_close(own[2].squeeze(1), (weight * noise).sum(0))


def test_equal_components_are_one() -> None:
    """Their gradients add up to those of the one normal that they are."""
    loc = torch.zeros(1, 3, 2, dtype=torch.float64, requires_grad=True)
    logits = rand(1, 3)
    z = GaussianMixtureDistribution(logits, loc, torch.ones_like(loc)).rsample((50,))
    (gradient,) = torch.autograd.grad(z.sum(), loc)
    torch.testing.assert_close(gradient.sum(1), torch.full((1, 2), 50.0).double())
    torch.testing.assert_close(gradient[0, :, 0] / 50, logits[0].softmax(-1))


def test_gradient_far_out_is_finite_in_float32() -> None:
    """Modes 100 scales apart, and scales at the end of their range."""
    torch.manual_seed(0)
    family = MixtureOfGaussians(4, 3)
    raw = torch.cat([torch.zeros(3), 5 * torch.randn(12), torch.full((12,), -10.0)])
    raw = raw.expand(1000, -1).clone().requires_grad_()
    z, log_q = sample_with_log_prob(family(raw))
    (gradient,) = torch.autograd.grad(z.sum() - 1e-3 * log_q.sum(), raw)
    assert gradient.isfinite().all()
    # Where the components do not overlap, each draw moves with its own.
    torch.testing.assert_close(
        gradient[:, 3:15].sum(-1), torch.full((1000,), 4.0), rtol=1e-3, atol=0
    )


def test_float32_tails_equal_float64() -> None:
    loc = torch.tensor([[[-1.0], [1.0]]])
    z = torch.tensor([[[-6.5]], [[-3.0]], [[0.1]], [[3.0]], [[6.5]]])
    results = []
    for dtype in (torch.float32, torch.float64):
        numbers = loc.to(dtype).requires_grad_()
        logits, scale = torch.zeros(1, 2, dtype=dtype), torch.ones(1, 2, 1, dtype=dtype)
        moved = with_gradient(z.to(dtype), logits, numbers, scale)
        assert torch.equal(moved, z.to(dtype))
        results.append(
            [torch.autograd.grad(m.sum(), numbers, retain_graph=True)[0] for m in moved.unbind()]
        )
    for narrow, wide in zip(*results, strict=True):
        torch.testing.assert_close(narrow.double(), wide, rtol=1e-4, atol=1e-5)
    # far above both, the nearer component carries the draw: weights e^(±z)
    assert results[1][-1].flatten()[1] > 0.99


def test_draw_scores_itself_along_the_implicit_path() -> None:
    """E of the score is 0: the whole derivative of E log q is that of the entropy."""
    torch.manual_seed(0)
    raw = torch.tensor(CASES[2]).expand(400, -1).clone().requires_grad_()
    log_q = sample_with_log_prob(MixtureOfGaussians(2, 2).double()(raw), (1000,))[1]
    (each,) = torch.autograd.grad(log_q.mean(0).sum(), raw)

    def entropy(raw: np.ndarray) -> float:
        q = MixtureOfGaussians(2, 2).double()(torch.tensor(raw))
        return expectation(raw, 2, lambda z: q.log_prob(torch.tensor(z)).numpy())

    steps = 1e-4 * np.eye(len(CASES[2]))
    rise = [(entropy(CASES[2] + s) - entropy(CASES[2] - s)) / 2e-4 for s in steps]
    error = each.std(0).numpy() / math.sqrt(len(each))
    assert (np.abs(each.mean(0).numpy() - rise) <= 4 * error + 1e-7).all()


def test_prior_starts_as_a_standard_normal_in_mean_and_variance() -> None:
    torch.manual_seed(0)
    for shape, count in (((6,), 10), ((2, 3), 5), ((3,), 1)):
        prior = GaussianMixturePrior(shape, count)
        p = prior()
        torch.testing.assert_close(p.mean, torch.zeros(shape), atol=1e-6, rtol=0)
        torch.testing.assert_close(p.variance, torch.ones(shape))
        assert {name for name, _ in prior.named_parameters()} == {"logits", "loc", "log_scale"}
        if count > 1:
            assert torch.pdist(p.loc.flatten(1)).min() > 0.3


def test_family_starts_where_it_is_asked() -> None:
    torch.manual_seed(0)
    family = MixtureOfGaussians((2, 1), components=4)
    mean, std = torch.tensor([[0.5], [3.0]]), torch.tensor([[2.0], [0.1]])
    q = family(family.start(mean, std))
    torch.testing.assert_close(q.mean, mean)
    torch.testing.assert_close(q.variance, std.square())


def test_rate_is_sampled_and_agrees_with_quadrature() -> None:
    torch.manual_seed(0)
    q = MixtureOfGaussians(1, 2).double()(torch.tensor(CASES[1]))
    p = GaussianMixturePrior(1, 3).double()()
    assert not has_closed_form(q, p)

    def ratio(z: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return (q.log_prob(torch.tensor(z)) - p.log_prob(torch.tensor(z))).numpy()

    exact = expectation(CASES[1], 1, ratio)
    with torch.no_grad():
        draws = torch.stack([kl(q, p, samples=500) for _ in range(40)])
    assert float(draws.mean()) == pytest.approx(exact, abs=4 * float(draws.std()) / 40**0.5)


@pytest.mark.parametrize("build", [MixtureOfGaussians, GaussianMixturePrior])
def test_no_component_is_refused(build: Callable[..., object]) -> None:
    with pytest.raises(LowerboundError, match="one or more components"):
        build(2, components=0)
