"""The density of a missing part: what is left of the whole's when the observed part's is taken."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.distributions import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogisticMixture,
    Family,
    Gaussian,
    IndependentBernoulli,
    OptimalNormal,
    PointMass,
)
from lowerbound.distributions.gaussian import RunningVariance
from lowerbound.distributions.masked import Masked
from lowerbound.errors import LowerboundError

SHAPE = (2, 3, 4)


def _values(kind: str, *lead: int) -> Tensor:
    u = torch.rand(*lead, *SHAPE, dtype=torch.float64)
    values = {"binary": u.round(), "unit": u, "real": 4 * u - 2, "levels": (u * 6).round() / 6}
    return (u * 5).long() if kind == "categories" else values[kind]


CASES: dict[str, tuple[Family, str]] = {
    "bernoulli": (Bernoulli(SHAPE), "binary"),
    "continuous bernoulli": (ContinuousBernoulli(SHAPE), "unit"),
    "categorical": (Categorical(SHAPE, levels=5), "categories"),
    "discretized logistic": (DiscretizedLogisticMixture(SHAPE, levels=7, components=3), "levels"),
    **{
        f"gaussian {sigma}": (Gaussian(SHAPE, sigma=sigma, value=0.7), "real")  # ty: ignore
        for sigma in ("fixed", "learned", "per-dimension", "per-datum", "optimal")
    },
}


@pytest.mark.parametrize("case", CASES)
def test_missing_and_observed_part_add_up_to_the_whole(case: str) -> None:
    torch.manual_seed(0)
    family, kind = CASES[case]
    family = family.double().eval()
    raw = torch.randn(5, 3, *family.raw_shape, dtype=torch.float64)  # samples, data
    x, mask = _values(kind, 3), (torch.rand(3, *SHAPE) < 0.4).double()
    whole = family(raw)
    missing = Masked(whole, x, mask).log_prob(x)
    observed = Masked(whole, x, 1 - mask).log_prob(x)
    assert missing.shape == (5, 3)
    torch.testing.assert_close(missing + observed, whole.log_prob(x), rtol=0, atol=1e-12)
    nothing = Masked(whole, x, torch.ones_like(mask)).log_prob(x)
    assert (nothing == 0).all()
    torch.testing.assert_close(
        Masked(whole, x, 0 * mask).log_prob(x), whole.log_prob(x), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("case", CASES)
def test_observed_values_stay_and_missing_ones_are_drawn(case: str) -> None:
    torch.manual_seed(0)
    family, kind = CASES[case]
    family = family.double().eval()
    whole = family(torch.randn(family.raw_shape, dtype=torch.float64))
    x, mask = _values(kind), (torch.rand(SHAPE) < 0.5).double()
    other = x.masked_fill(mask < 0.5, 3)  # what is not observed is not looked at
    p, known = Masked(whole, other, mask), mask > 0.5
    drawn = p.sample((4000,))
    assert (drawn[:, known] == x[known]).all() and (p.mean[known] == x[known]).all()
    free = drawn[:, ~known].double()
    error = 4.5 * free.std(0) / 4000**0.5
    assert ((free.mean(0) - whole.mean[~known]).abs() <= error).all()
    torch.testing.assert_close(p.mean[~known], whole.mean[~known].to(p.mean.dtype))


def test_completions_sum_to_one() -> None:
    torch.manual_seed(0)
    base = IndependentBernoulli(torch.randn(6, dtype=torch.float64))
    mask = torch.tensor([1.0, 0, 0, 1, 0, 1])
    p = Masked(base, torch.ones(6, dtype=torch.float64), mask)
    total = 0.0
    for bits in itertools.product((0.0, 1.0), repeat=3):
        value = torch.ones(6, dtype=torch.float64)
        value[[1, 2, 4]] = torch.tensor(bits, dtype=torch.float64)
        total += float(p.log_prob(value).exp())
    assert abs(total - 1) < 1e-14


def test_where_an_observed_value_has_no_probability_nothing_is_lost() -> None:
    base = IndependentBernoulli(torch.tensor([-torch.inf, 0.0], requires_grad=True))
    value = torch.ones(2)
    p = Masked(base, value, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(p.log_prob(value).detach(), torch.tensor(0.5).log())


def test_the_optimal_variance_is_that_of_the_missing_part() -> None:
    torch.manual_seed(0)
    tracked = RunningVariance(1.0).double().train()
    loc = torch.zeros(50, 4, dtype=torch.float64)
    x, mask = torch.randn(50, 4, dtype=torch.float64), (torch.rand(50, 4) < 0.5).double()
    x = x.masked_fill(mask > 0.5, 100.0)  # must not count
    log_p = Masked(OptimalNormal(loc, tracked), x, mask).log_prob(x)
    squared = x[mask < 0.5].square()
    variance = squared.mean()
    torch.testing.assert_close(tracked(), variance)
    expected = torch.distributions.Normal(0.0, variance.sqrt()).log_prob(x[mask < 0.5]).sum()
    torch.testing.assert_close(log_p.sum(), expected)
    fixed = Masked(OptimalNormal(loc, tracked.eval()), x, mask)
    torch.testing.assert_close(fixed.log_prob(x).sum(), expected)


def test_what_couples_its_places_is_refused() -> None:
    base: Distribution = PointMass(torch.zeros(3))
    with pytest.raises(LowerboundError, match=r"independent over the datum, .* came PointMass"):
        Masked(base, torch.zeros(3), torch.zeros(3)).log_prob(torch.zeros(3))


def test_the_likelihood_compiles_into_one_graph() -> None:
    family: Any = Gaussian(4, sigma="optimal")

    def f(raw: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        return Masked(family(raw), x, mask).log_prob(x)

    raw, x, mask = torch.randn(3, 8, 4), torch.randn(8, 4), (torch.rand(8, 4) < 0.5).float()
    compiled = torch.compile(f, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(raw, x, mask), f(raw, x, mask))
