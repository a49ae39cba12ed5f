"""Capacity, free bits and the entropy form: equal to the ELBO where they must be."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from lowerbound.bounds import elbo
from lowerbound.distributions import DiagonalNormal, StandardNormal, kl
from lowerbound.errors import LowerboundError
from lowerbound.objectives import capacity, entropy_form, free_bits
from lowerbound.objectives.factors import factors


def everything(model: Any) -> list[Any]:
    return list(model.parameters())


def same(ours: Tensor, theirs: Tensor, parameters: list[Any]) -> None:
    """Value and gradient."""
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    pairs = zip(
        torch.autograd.grad(ours, parameters, retain_graph=True),
        torch.autograd.grad(theirs, parameters, retain_graph=True),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("samples", [1, 3])
def test_capacity_of_nothing_is_a_beta_vae(linear: Any, x: Tensor, samples: int) -> None:
    torch.manual_seed(1)
    ours = capacity(linear, x, gamma=7.0, capacity=torch.tensor(0.0), samples=samples)
    torch.manual_seed(1)
    theirs = elbo(linear, x, beta=7.0, samples=samples)
    same(ours.loss, theirs.loss, everything(linear))
    torch.testing.assert_close(ours.parts, theirs.parts, rtol=0, atol=0)


def test_capacity_pulls_the_rate_from_both_sides(linear: Any, x: Tensor) -> None:
    torch.manual_seed(1)
    rate = elbo(linear, x).parts["rate"]
    low, high = float(rate.min()) / 2, float(rate.max()) * 2
    for target, sign in ((low, 1.0), (high, -1.0)):
        torch.manual_seed(1)
        ours = capacity(linear, x, gamma=5.0, capacity=target)
        torch.manual_seed(1)
        theirs = elbo(linear, x, beta=sign * 5.0).loss - sign * 5.0 * target
        same(ours.loss, theirs, everything(linear))


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("groups", ["dimension", "channel", "code"])
def test_no_free_bits_is_the_elbo(linear: Any, x: Tensor, groups: Any, average: bool) -> None:
    torch.manual_seed(1)
    ours = free_bits(linear, x, floor=0.0, groups=groups, average=average)
    torch.manual_seed(1)
    theirs = elbo(linear, x)
    same(ours.loss, theirs.loss, everything(linear))
    torch.testing.assert_close(ours.parts["free_rate"].mean(), theirs.parts["rate"].mean())


def test_free_bits_are_the_papers_formula(linear: Any, x: Tensor) -> None:
    """Σ_j max(λ, mean over the batch of KL_j), with KL_j written out."""
    q = linear.encode(x)
    rates = 0.5 * (q.variance + q.loc.square() - 1) - q.log_scale  # (B, 2)
    floor = float(rates.detach().mean(0).mean())  # between the two
    torch.manual_seed(1)
    ours = free_bits(linear, x, floor=torch.tensor(floor, dtype=x.dtype))
    torch.manual_seed(1)
    distortion = elbo(linear, x, beta=0.0).loss
    same(
        ours.loss,
        distortion + rates.mean(0).clamp(min=floor).sum(),
        everything(linear),
    )
    torch.manual_seed(1)
    each = free_bits(linear, x, floor=floor, average=False)
    torch.manual_seed(1)
    distortion = elbo(linear, x, beta=0.0).loss
    same(each.loss, distortion + rates.clamp(min=floor).sum(1).mean(), everything(linear))
    torch.testing.assert_close(each.parts["free_rate"], rates.clamp(min=floor).sum(1).detach())


def test_the_rate_is_free_below_the_floor(linear: Any, x: Tensor) -> None:
    torch.manual_seed(1)
    ours = free_bits(linear, x, floor=1e3)
    torch.manual_seed(1)
    theirs = elbo(linear, x, beta=0.0)
    same(ours.loss, theirs.loss + 2e3, everything(linear))
    torch.testing.assert_close(ours.parts["bound"], theirs.parts["bound"], rtol=0, atol=0)


def test_a_channel_is_a_group() -> None:
    """Codes (3, 2, 2): three rates of four numbers each."""

    class Maps(torch.nn.Module):
        event_shape = (12,)

        def __init__(self) -> None:
            super().__init__()
            self.prior = StandardNormal((3, 2, 2))

        def encode(self, x: Tensor) -> DiagonalNormal:
            return DiagonalNormal(x.view(-1, 3, 2, 2), torch.zeros(()), 3)

        def decode(self, z: Tensor) -> DiagonalNormal:
            return DiagonalNormal(z.flatten(-3), torch.zeros(()))

    x = torch.randn(7, 12)
    rates = 0.5 * x.view(7, 3, 4).square().sum(2)
    floor = float(rates.mean(0).median())
    found = free_bits(Maps(), x, floor=floor, groups="channel")
    expected = rates.mean(0).clamp(min=floor).sum()
    torch.testing.assert_close(found.parts["free_rate"], expected.expand(7))
    each = free_bits(Maps(), x, floor=floor, groups="channel", average=False)
    torch.testing.assert_close(each.parts["free_rate"], rates.clamp(min=floor).sum(1))


def test_factors_have_the_densities_of_the_dimensions() -> None:
    loc, scale = torch.randn(4, 3), torch.rand(4, 3) + 0.5
    z, prior = torch.randn(4, 3), StandardNormal(3)()
    own = DiagonalNormal(loc, scale.log())
    torchs = Independent(Normal(loc, scale), 1)
    for q in (own, torchs):
        each = factors(q)
        assert (each.batch_shape, each.event_shape) == ((4, 3), ())
        torch.testing.assert_close(each.log_prob(z), Normal(loc, scale).log_prob(z))
        torch.testing.assert_close(kl(each, factors(prior)).sum(1), kl(own, prior))
    shared = factors(DiagonalNormal(loc, torch.tensor(0.5)))
    torch.testing.assert_close(shared.log_prob(z), Normal(loc, math.exp(0.5)).log_prob(z))
    with pytest.raises(LowerboundError, match=r"expected a diagonal normal.*came Multivariate"):
        factors(MultivariateNormal(loc, torch.eye(3)))


def test_unknown_groups_are_refused(linear: Any, x: Tensor) -> None:
    with pytest.raises(LowerboundError, match="'dimension', 'channel' or 'code', came 'pixel'"):
        free_bits(linear, x, groups="pixel")  # ty: ignore


def test_entropy_form_is_the_elbo_in_closed_form(linear: Any, x: Tensor, cubature: int) -> None:
    """Equations 15 and 17: expectations by points that are exact for quadratics."""
    ours = entropy_form(linear, x, samples=cubature)
    theirs = elbo(linear, x, samples=cubature)
    same(ours.loss, theirs.loss, everything(linear))
    for name, value in theirs.parts.items():
        torch.testing.assert_close(ours.parts[name], value, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.parts["entropy"], linear.encode(x).entropy().detach())


def test_entropy_is_sampled_where_it_has_no_closed_form(linear: Any, x: Tensor) -> None:
    class Unknown(DiagonalNormal):
        entropy = Distribution.entropy

    encode = linear.encode
    linear.encode = lambda x: Unknown(encode(x).loc, encode(x).log_scale)
    torch.manual_seed(1)
    ours = entropy_form(linear, x, samples=4)
    torch.manual_seed(1)
    same(ours.loss, elbo(linear, x, samples=4, kl="sampled").loss, everything(linear))


def test_without_its_entropy_the_posterior_collapses(linear: Any, x: Tensor, cubature: int) -> None:
    """Equation 15: with H(q) the exact posterior is found, without it σ goes to 0."""
    exact = type(linear)().exact_()
    for entropy in (1.0, 0.0):
        linear.exact_()
        with torch.no_grad():
            linear.slope.zero_()
            linear.log_scale.zero_()
        search = torch.optim.LBFGS(
            linear.inferring,
            max_iter=100,
            line_search_fn="strong_wolfe",
            tolerance_grad=1e-12,
            tolerance_change=1e-18,
        )

        def closure(search: Any = search, entropy: float = entropy) -> Tensor:
            search.zero_grad()
            loss = entropy_form(linear, x, samples=cubature, entropy=entropy).loss
            loss.backward()
            return loss

        for _ in range(3):
            search.step(closure)
        if entropy:
            torch.testing.assert_close(linear.encode(x).loc, exact.encode(x).loc, rtol=0, atol=1e-5)
            torch.testing.assert_close(linear.log_scale, exact.log_scale, rtol=0, atol=1e-6)
        else:
            assert (linear.log_scale.exp() < 1e-3 * exact.log_scale.exp()).all()
            # what is left is the mode of p(z|x), which for a Gaussian is its mean
            torch.testing.assert_close(linear.encode(x).loc, exact.encode(x).loc, rtol=0, atol=1e-4)
