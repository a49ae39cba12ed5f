"""Every closed-form KL equals Monte Carlo, within 4 standard errors."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import (
    Categorical,
    Distribution,
    Exponential,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    Uniform,
)

from lowerbound.distributions import (
    DiagonalNormal,
    IndependentBernoulli,
    IndependentCategorical,
    PointMass,
    StandardNormal,
    has_closed_form,
    kl,
    sample_with_log_prob,
)
from lowerbound.errors import LowerboundError


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def diagonal(*batch: int, seed: int = 0) -> DiagonalNormal:
    return DiagonalNormal(rand(*batch, 3, seed=seed), 0.4 * rand(*batch, 3, seed=seed + 1))


def full(*batch: int, seed: int = 0) -> MultivariateNormal:
    factor = rand(*batch, 3, 3, seed=seed)
    covariance = factor @ factor.mT + 0.5 * torch.eye(3, dtype=torch.float64)
    return MultivariateNormal(rand(*batch, 3, seed=seed + 1), covariance, validate_args=False)


def torch_normal(seed: int = 0) -> Independent:
    return Independent(Normal(rand(4, 3, seed=seed), rand(4, 3, seed=seed + 1).exp()), 1)


def uniform(low: float, high: float) -> Independent:
    ends = torch.tensor([low, high], dtype=torch.float64)
    return Independent(Uniform(ends[0].expand(4, 3), ends[1].expand(4, 3)), 1)


def torch_bernoulli(seed: int) -> Independent:
    return Independent(torch.distributions.Bernoulli(logits=rand(4, 3, seed=seed)), 1)


standard = StandardNormal(3).double()()
PAIRS: dict[str, tuple[Distribution, Distribution]] = {
    "diagonal-standard": (diagonal(4), standard),
    "diagonal-diagonal": (diagonal(4), diagonal(4, seed=5)),
    "diagonal-one for all": (diagonal(4), diagonal(seed=5)),
    "standard-diagonal": (standard, diagonal(4)),
    "shared sigma": (DiagonalNormal(rand(4, 3), torch.tensor(0.3).double()), standard),
    "shared sigma as p": (diagonal(4), DiagonalNormal(rand(3), torch.tensor(0.3).double())),
    "images": (
        DiagonalNormal(rand(4, 2, 2, 3), rand(4, 2, 2, 3, seed=1), 3),
        StandardNormal((2, 2, 3)).double()(),
    ),
    "full-standard": (full(4), standard),
    "full-diagonal": (full(4), diagonal(4)),
    "diagonal-full": (diagonal(4), full(seed=3)),
    "full-full": (full(4), full(4, seed=7)),
    "torch normal-standard": (torch_normal(), standard),
    "diagonal-torch normal": (diagonal(4), torch_normal(3)),
    "one number": (Normal(rand(4), rand(4).exp()), Normal(rand(4, seed=2), rand(4).cosh())),
    "bernoulli": (IndependentBernoulli(rand(4, 3)), IndependentBernoulli(rand(4, 3, seed=1))),
    "torch bernoulli": (torch_bernoulli(0), IndependentBernoulli(rand(3, seed=1))),
    "categorical": (
        IndependentCategorical(rand(4, 5, 3)),
        IndependentCategorical(rand(5, 3, seed=1)),
    ),
    "torch categorical": (
        Independent(Categorical(logits=rand(4, 3, 5)), 1),
        IndependentCategorical(rand(4, 5, 3, seed=1)),
    ),
    "uniform": (uniform(0.0, 0.5), uniform(-1.0, 2.0)),
}


@pytest.mark.parametrize(("q", "p"), PAIRS.values(), ids=PAIRS.keys())
def test_closed_form_equals_monte_carlo(q: Distribution, p: Distribution) -> None:
    torch.manual_seed(0)
    assert has_closed_form(q, p)
    missing = (1,) * (len(p.batch_shape) - len(q.batch_shape))
    x = q.sample((20_000, *missing))
    ratio = q.log_prob(x) - p.log_prob(x)
    exact = kl(q, p)
    assert exact.shape == ratio.shape[1:]
    error = ratio.std(0) / len(x) ** 0.5
    assert ((ratio.mean(0) - exact).abs() <= 4 * error + 1e-12).all()
    assert (exact >= 0).all()


def torch_pairs() -> dict[str, tuple[Distribution, Distribution]]:
    tables = [Categorical(logits=rand(4, 3, 5, seed=seed)) for seed in (0, 1)]
    covariances = [torch.diag_embed(rand(4, 3, seed=seed).exp()) for seed in (0, 1)]
    return {
        "normal": (torch_normal(), torch_normal(3)),
        "bernoulli": (torch_bernoulli(0), torch_bernoulli(1)),
        "categorical": (Independent(tables[0], 1), Independent(tables[1], 1)),
        "uniform": PAIRS["uniform"],
        "full": (full(4), full(4, seed=7)),
        "diagonal covariance": tuple(MultivariateNormal(rand(4, 3), c) for c in covariances),
    }


@pytest.mark.parametrize(("q", "p"), torch_pairs().values(), ids=torch_pairs().keys())
def test_equals_torch(q: Distribution, p: Distribution) -> None:
    torch.testing.assert_close(kl(q, p), torch.distributions.kl_divergence(q, p))


@pytest.mark.parametrize("name", ["diagonal-standard", "full-full", "bernoulli", "categorical"])
def test_of_itself_is_0(name: str) -> None:
    q, _ = PAIRS[name]
    torch.testing.assert_close(kl(q, q), torch.zeros(4).double(), atol=1e-14, rtol=0)


def test_is_not_symmetric() -> None:
    """KL(q‖p) of N(0, 1/4) and N(0, 1), and the other way round (EQUATIONS 16)."""
    narrow = DiagonalNormal(torch.zeros(1).double(), torch.tensor([0.5]).double().log())
    wide = StandardNormal(1).double()()
    assert kl(narrow, wide).item() == pytest.approx(math.log(2) - 0.375)
    assert kl(wide, narrow).item() == pytest.approx(1.5 - math.log(2))


def test_float32_prior_under_float64_posterior() -> None:
    prior = StandardNormal(3)()
    for q in (diagonal(4), full(4)):
        torch.testing.assert_close(kl(q, prior), kl(q, standard))


def test_point_mass_costs_its_code_length() -> None:
    """Under a uniform prior over K codes the rate is positions · log K, exactly."""
    codes = PointMass(torch.randint(512, (4, 64)))
    prior = IndependentCategorical(torch.zeros(512, 64))
    assert has_closed_form(codes, prior)
    torch.testing.assert_close(kl(codes, prior), torch.full((4,), 64 * math.log(512)))
    with pytest.raises(LowerboundError, match="point mass"):
        kl(PointMass(torch.zeros(4, 3)), standard)


def test_uniform_outside_is_infinite() -> None:
    assert kl(uniform(-2.0, 0.5), uniform(-1.0, 2.0)).isinf().all()


def test_impossible_categories() -> None:
    sure = IndependentCategorical(torch.tensor([[0.0], [-torch.inf]]))
    even = IndependentCategorical(torch.zeros(2, 1))
    assert kl(sure, even).item() == pytest.approx(math.log(2))
    assert kl(even, sure).isinf()


def test_monte_carlo_where_there_is_no_closed_form() -> None:
    torch.manual_seed(0)
    mixture = MixtureSameFamily(
        Categorical(torch.ones(2)), DiagonalNormal(torch.randn(2, 3), torch.zeros(2, 3))
    )
    q = DiagonalNormal(torch.zeros(5, 3), torch.zeros(5, 3))
    assert not has_closed_form(q, mixture)
    estimate = kl(q, mixture, samples=4000)
    assert kl(StandardNormal(3)(), q.expand((2, 5))).shape == (2, 5)
    reference = kl(q, mixture, samples=40_000)
    assert estimate.shape == (5,)
    torch.testing.assert_close(estimate, reference, atol=0.15, rtol=0)


def test_posterior_without_reparameterization_is_refused_in_training_only() -> None:
    logits = torch.zeros(5, 3, requires_grad=True)
    with pytest.raises(LowerboundError, match="reparameterized"):
        sample_with_log_prob(IndependentBernoulli(logits))
    with torch.no_grad():
        z, log_q = sample_with_log_prob(IndependentBernoulli(logits), (2,))
    assert (z.shape, log_q.shape) == ((2, 5, 3), (2, 5))


def test_draw_scores_itself() -> None:
    """log q of a fused draw, and its whole gradient, are those of log_prob(rsample())."""
    for build in (lambda a, b: DiagonalNormal(a, b), lambda a, b: torch_like(a, b)):
        loc, log_scale = rand(4, 3).requires_grad_(), rand(4, 3, seed=1).requires_grad_()
        torch.manual_seed(0)
        q = build(loc, log_scale)
        z, log_q = sample_with_log_prob(q, (6,))
        torch.testing.assert_close(log_q, q.log_prob(z))
        fused = torch.autograd.grad(
            log_q.sum(), (loc, log_scale), retain_graph=True, materialize_grads=True
        )
        plain = torch.autograd.grad(q.log_prob(z).sum(), (loc, log_scale))
        for a, b in zip(fused, plain, strict=True):
            torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)


def torch_like(loc: torch.Tensor, log_scale: torch.Tensor) -> Independent:
    return Independent(Normal(loc, log_scale.exp()), 1)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(LowerboundError, match="over the same event"):
        kl(diagonal(4), StandardNormal(2)())
    with pytest.raises(LowerboundError, match="Independent"):
        kl(Normal(torch.zeros(4, 3), 1.0), standard)


def test_other_supports_fall_back() -> None:
    assert not has_closed_form(Exponential(torch.ones(3)), Normal(torch.zeros(3), 1.0))
