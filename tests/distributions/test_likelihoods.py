"""Every likelihood sums or integrates to 1, and equals what others compute."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lowerbound.distributions import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    Delta,
    DiagonalGaussian,
    DiscretizedLogisticMixture,
    Family,
    Gaussian,
    IndependentBernoulli,
    IndependentCategorical,
    IndependentContinuousBernoulli,
)
from lowerbound.errors import LowerboundError

IMAGE = (3, 4, 2)
LEARNT = ("learned", "per-dimension", "per-datum", "optimal")
FAMILIES = {
    "bernoulli": Bernoulli(IMAGE),
    "continuous-bernoulli": ContinuousBernoulli(IMAGE),
    "gaussian-fixed": Gaussian(IMAGE, sigma="fixed", value=0.3),
    **{f"gaussian-{sigma}": Gaussian(IMAGE, sigma=sigma) for sigma in LEARNT},
    "categorical": Categorical(IMAGE, levels=4),
    "discretized-logistic": DiscretizedLogisticMixture(IMAGE, levels=7, components=2),
    "posterior": DiagonalGaussian(IMAGE),
    "delta": Delta(IMAGE),
}
FAMILIES = {name: family.eval() for name, family in FAMILIES.items()}
each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
logits = st.floats(-30, 30, width=32)


def one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def integral(log_density: torch.Tensor, grid: torch.Tensor) -> float:
    return torch.trapezoid(log_density.exp(), grid).item()


@settings(deadline=None)
@given(logits)
def test_bernoulli_sums_to_1(logit: float) -> None:
    values = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    total = IndependentBernoulli(one(logit)).log_prob(values).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.lists(logits, min_size=2, max_size=6))
def test_categorical_sums_to_1(values: list[float]) -> None:
    table = torch.tensor(values, dtype=torch.float64)[:, None]
    p = IndependentCategorical(table)
    indices = torch.arange(len(values))[:, None]
    torch.testing.assert_close(p.log_prob(indices).exp().sum(), one(1)[0])
    torch.testing.assert_close(p.log_prob(indices), table[:, 0].log_softmax(0))


@settings(max_examples=30, deadline=None)
@given(logits)
def test_continuous_bernoulli_integrates_to_1(logit: float) -> None:
    grid = torch.linspace(0, 1, 10_001, dtype=torch.float64)
    density = IndependentContinuousBernoulli(one(logit)).log_prob(grid[:, None])
    assert integral(density, grid) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("sigma", ["fixed", "learned", "per-dimension", "per-datum", "optimal"])
def test_gaussian_integrates_to_1(sigma: str) -> None:
    family = Gaussian(1, sigma=sigma, value=0.3).double().eval()  # ty: ignore[invalid-argument-type]
    raw = torch.tensor([0.2, -0.5][: family.channels], dtype=torch.float64)
    grid = torch.linspace(-6, 6, 20_001, dtype=torch.float64)
    assert integral(family(raw).log_prob(grid[:, None]), grid) == pytest.approx(1, abs=1e-9)


def test_gaussian_equals_scipy() -> None:
    loc, log_scale, x = torch.randn(3, 5, 4, dtype=torch.float64)
    ours = DiagonalGaussian(4)(torch.cat([loc, log_scale], -1)).log_prob(x)
    theirs = stats.norm(loc, log_scale.exp()).logpdf(x).sum(-1)
    torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("lead", [(), (5,), (3, 5)])
def test_bernoulli_equals_torch(lead: tuple[int, ...]) -> None:
    table, x = torch.randn(5, 4, dtype=torch.float64), torch.rand(*lead, 4).round().double()
    theirs = torch.distributions.Bernoulli(logits=table)
    ours = IndependentBernoulli(table)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x).sum(-1))
    torch.testing.assert_close(ours.entropy(), theirs.entropy().sum(-1))
    torch.testing.assert_close(ours.variance, theirs.variance)


def test_bernoulli_of_greys_is_the_cross_entropy() -> None:
    table, x = torch.randn(6, 5, 4), torch.rand(5, 4)
    cross = torch.nn.functional.binary_cross_entropy_with_logits(
        table, x.expand_as(table), reduction="none"
    )
    torch.testing.assert_close(IndependentBernoulli(table).log_prob(x), -cross.sum(-1))


def test_bernoulli_keeps_its_logits_and_gradient() -> None:
    """The product is written into a temporary, never into what autograd or the caller holds."""
    table = torch.randn(6, 5, 4, dtype=torch.float64, requires_grad=True)
    x = torch.rand(5, 4, dtype=torch.float64)
    before = table.detach().clone()
    assert torch.autograd.gradcheck(lambda t: IndependentBernoulli(t).log_prob(x), table)
    torch.testing.assert_close(table.detach(), before, rtol=0, atol=0)
    assert IndependentBernoulli(table).log_prob(x.bool()).shape == (6, 5)


def test_extreme_logits_stay_finite() -> None:
    table = torch.tensor([[-1e4, 1e4]], requires_grad=True)
    for distribution in (IndependentBernoulli(table), IndependentContinuousBernoulli(table)):
        value = distribution.log_prob(torch.tensor([1.0, 0.0])).sum()
        (gradient,) = torch.autograd.grad(value, table)
        assert value.isfinite()
        assert gradient.isfinite().all()


def test_categorical_equals_torch() -> None:
    table, x = torch.randn(5, 4, 3), torch.randint(4, (7, 5, 3))
    theirs = torch.distributions.Categorical(logits=table.movedim(-2, -1))
    ours = IndependentCategorical(table)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x).sum(-1))
    torch.testing.assert_close(ours.entropy(), theirs.entropy().sum(-1))
    assert torch.equal(ours.mode, theirs.mode)


def test_categorical_with_impossible_categories() -> None:
    p = IndependentCategorical(torch.tensor([[0.0], [-torch.inf], [0.0]]))
    assert p.log_prob(torch.tensor([2])).exp().item() == pytest.approx(0.5)
    assert p.entropy().exp().item() == pytest.approx(2)
    assert set(p.sample((100,)).flatten().tolist()) == {0, 2}


@each_family
@pytest.mark.parametrize("lead", [(), (5,), (2, 5)])
def test_shapes(family: Family, lead: tuple[int, ...]) -> None:
    raw = torch.randn(*lead, *family.raw_shape)
    p = family(raw)
    assert p.batch_shape == lead
    assert p.event_shape == IMAGE
    assert p.mean.shape == (*lead, *IMAGE)
    x = p.sample()
    assert x.shape == (*lead, *IMAGE)
    assert p.log_prob(x).shape == lead
    assert p.sample((6, 1)).shape == (6, 1, *lead, *IMAGE)
    assert p.log_prob(p.sample((6,))).shape == (6, *lead)
    assert type(p).__name__ in repr(p)


@each_family
def test_log_prob_of_a_value_under_many(family: Family) -> None:
    """Broadcasting over samples is the loop over them."""
    p = family(torch.randn(4, 3, *family.raw_shape))
    x = p.sample()[0]
    one_by_one = [p.log_prob(x[i].expand(4, 3, *IMAGE))[:, i] for i in range(3)]
    torch.testing.assert_close(p.log_prob(x), torch.stack(one_by_one, -1))


@each_family
def test_mean_is_that_of_samples(family: Family) -> None:
    torch.manual_seed(0)
    p = family(0.5 * torch.randn(family.raw_shape))
    draws = p.sample((20_000,)).double()
    error = draws.std(0) / len(draws) ** 0.5
    # the discretized logistic has seven levels here, whose mean is exact
    assert ((draws.mean(0) - p.mean).abs() <= 4.5 * error + 1e-6).all()


@each_family
def test_start_is_the_marginal(family: Family) -> None:
    mean, std = torch.linspace(0.1, 0.9, 24).view(IMAGE), torch.full(IMAGE, 0.2)
    raw = family.start(mean, std)
    assert raw.shape == family.raw_shape
    if not isinstance(family, Categorical):
        torch.testing.assert_close(family(raw).mean, mean, atol=0.06, rtol=0)


@pytest.mark.parametrize("name", ["posterior", "gaussian-per-datum", "gaussian-optimal"])
def test_start_takes_the_std(name: str) -> None:
    family, std = FAMILIES[name], torch.full(IMAGE, 0.2)
    torch.testing.assert_close(family(family.start(torch.zeros(IMAGE), std)).stddev, std)


@each_family
def test_start_of_constant_data_is_finite(family: Family) -> None:
    p = family(family.start(torch.zeros(IMAGE), torch.zeros(IMAGE)))
    assert p.log_prob(torch.zeros(IMAGE, dtype=p.sample().dtype)).isfinite()


def test_tokens_come_in_blocks() -> None:
    family = Categorical(2, levels=3)
    assert family.raw_shape == (6,)
    raw = torch.tensor([0.0, 0.0, 9.0, 0.0, 0.0, 9.0])  # category 1 at place 0, 2 at place 1
    assert family(raw).mode.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda: Bernoulli(()), "event shape"),
        (lambda: Gaussian(3, sigma="free"), "expected sigma to be one of"),  # ty: ignore
        (lambda: Gaussian(3, value=-1.0), "positive sigma"),
        (lambda: Categorical(3, levels=1), "two or more levels"),
        (lambda: DiscretizedLogisticMixture(3, components=0), "one or more components"),
    ],
)
def test_refused(build, expected: str) -> None:
    with pytest.raises(LowerboundError, match=expected):
        build()
