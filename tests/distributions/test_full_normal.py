"""The full-covariance posterior, held against torch's multivariate normal and Monte Carlo."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from lowerbound.distributions import (
    DiagonalNormal,
    FullGaussian,
    FullNormal,
    StandardNormal,
    has_closed_form,
    kl,
)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def full(*batch: int, size: int = 3, seed: int = 0) -> FullNormal:
    return FullGaussian(size).double()(rand(*batch, 2 * size + size * (size - 1) // 2, seed=seed))


def torch_of(q: FullNormal) -> MultivariateNormal:
    return MultivariateNormal(q.loc.flatten(-q.event_rank), scale_tril=q.scale_tril)


@pytest.mark.parametrize(("batch", "lead"), [((), (7,)), ((4,), (4,)), ((4,), (6, 5, 4)), ((), ())])
def test_log_prob_equals_torch(batch: tuple[int, ...], lead: tuple[int, ...]) -> None:
    q, z = full(*batch), rand(*lead, 3, seed=1)
    torch.testing.assert_close(q.log_prob(z), torch_of(q).log_prob(z), rtol=1e-12, atol=1e-12)


def test_value_without_the_batch_broadcasts() -> None:
    q, z = full(4), rand(3, seed=1)
    torch.testing.assert_close(q.log_prob(z), torch_of(q).log_prob(z))
    torch.testing.assert_close(q.expand((2, 4)).log_prob(z), q.log_prob(z).expand(2, 4))


def test_moments_and_entropy_equal_torch() -> None:
    q = full(4)
    p = torch_of(q)
    torch.testing.assert_close(q.variance, p.variance)
    torch.testing.assert_close(q.covariance_matrix, p.covariance_matrix)
    torch.testing.assert_close(q.entropy(), p.entropy())
    assert torch.equal(q.mean, p.mean)


def test_draws_have_the_covariance() -> None:
    torch.manual_seed(0)
    q, count = full(2), 40_000
    z, log_q = q.rsample_and_log_prob((count,))
    torch.testing.assert_close(log_q, torch_of(q).log_prob(z))
    centred = z - q.mean
    products = centred.unsqueeze(-1) * centred.unsqueeze(-2)
    error = products.std(0) / math.sqrt(count)
    assert ((products.mean(0) - q.covariance_matrix).abs() <= 4 * error).all()
    assert (centred.mean(0).abs() <= 4 * q.variance.sqrt() / math.sqrt(count)).all()


def test_draw_scores_itself_with_the_whole_gradient() -> None:
    raw = rand(4, 9).requires_grad_()
    gradients = []
    for fused in (True, False):
        torch.manual_seed(0)
        q = FullGaussian(3).double()(raw)
        if fused:
            z, log_q = q.rsample_and_log_prob((5,))
        else:
            z = q.rsample((5,))
            log_q = q.log_prob(z)
        gradients.append(torch.autograd.grad((log_q + z.cos().sum(-1)).sum(), raw)[0])
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def shaped(seed: int) -> FullNormal:
    return FullGaussian((2, 1, 2)).double()(rand(5, 14, seed=seed))


@pytest.mark.parametrize(
    ("q", "p"),
    [
        (full(4), StandardNormal(3).double()()),
        (full(4), StandardNormal(3)()),
        (full(4), DiagonalNormal(rand(4, 3), rand(3, seed=1).expand(4, 3))),
        (DiagonalNormal(rand(4, 3), rand(4, 3, seed=1)), full(4)),
        (full(4), full(4, seed=3)),
        (full(4), full(seed=3)),
        (full(4), torch_of(full(seed=3))),
        (torch_of(full(4)), full(seed=3)),
    ],
    ids=["unit", "unit in float32", "diagonal", "of diagonal", "full", "one", "torch", "of torch"],
)
def test_kl_equals_torch(q: FullNormal | MultivariateNormal, p: FullNormal) -> None:
    assert has_closed_form(q, p)
    sides = []
    for d in (q, p):
        if isinstance(d, MultivariateNormal):
            sides.append(d)
        elif isinstance(d, FullNormal):
            sides.append(torch_of(d))
        else:
            scale = d.scale.double().expand_as(d.loc)
            sides.append(MultivariateNormal(d.loc.double(), scale_tril=torch.diag_embed(scale)))
    torch.testing.assert_close(kl(q, p), kl_divergence(*sides), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "p",
    [
        StandardNormal((2, 1, 2)).double()(),
        DiagonalNormal(rand(5, 2, 1, 2), rand(5, 2, 1, 2, seed=2), 3),
        shaped(3),
    ],
    ids=["unit", "diagonal", "full"],
)
def test_codes_with_a_shape(p: DiagonalNormal | FullNormal) -> None:
    """A code of shape (2, 1, 2) is its four numbers in their order: KL by Monte Carlo."""
    torch.manual_seed(0)
    q = shaped(0)
    z = q.sample((20_000,))
    assert z.shape == (20_000, 5, 2, 1, 2)
    torch.testing.assert_close(q.log_prob(z), torch_of(q).log_prob(z.flatten(-3)))
    ratio = q.log_prob(z) - p.log_prob(z)
    error = ratio.std(0) / math.sqrt(len(z))
    assert ((ratio.mean(0) - kl(q, p)).abs() <= 4 * error).all()


def test_raw_is_loc_diagonal_and_what_is_below() -> None:
    family = FullGaussian(3)
    raw = torch.tensor([1.0, 2.0, 3.0, 0.0, -100.0, math.log(2), 4.0, 5.0, 6.0])
    q = family(raw)
    expected = torch.tensor([[1.0, 0, 0], [4, math.exp(-10), 0], [5, 6, 2]])
    torch.testing.assert_close(q.scale_tril, expected)
    assert q.loc.tolist() == [1, 2, 3]
    start = family(family.start(torch.arange(3.0), torch.tensor([0.5, 1.0, 2.0])))
    torch.testing.assert_close(start.variance, torch.tensor([0.25, 1.0, 4.0]))
    assert start.mean.tolist() == [0, 1, 2]
    assert not family.state_dict()  # a table of places is nothing to save
