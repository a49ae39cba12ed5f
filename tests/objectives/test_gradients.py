"""Estimators of the posterior's gradient: one value, one mean, and the papers' variances."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
    ExpTransform,
    Independent,
    Laplace,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    TransformedDistribution,
    Uniform,
)

from lowerbound.bounds import elbo, iwae, log_weights
from lowerbound.distributions import (
    DiagonalNormal,
    FullNormal,
    GaussianMixtureDistribution,
    IndependentUniform,
    SquashedNormal,
    StandardNormal,
    UniformPrior,
    VonMisesFisher,
)
from lowerbound.errors import LowerboundError
from lowerbound.objectives import (
    ESTIMATORS,
    detached,
    importance_weighted,
    score_function,
    sticking_the_landing,
    wake,
)

DRAWS = 250


def leaf(*shape: int) -> Tensor:
    return torch.rand(shape).add(0.5).requires_grad_()


POSTERIORS = {
    "diagonal": lambda: DiagonalNormal(leaf(4, 2), leaf(4, 2)),
    "one scale": lambda: DiagonalNormal(leaf(4, 2), leaf()),
    "unit": lambda: StandardNormal(2)(),
    "full own": lambda: FullNormal(leaf(4, 2), torch.diag_embed(leaf(4, 2))),
    "mixture": lambda: GaussianMixtureDistribution(leaf(4, 3), leaf(4, 3, 2), leaf(4, 3, 2)),
    "box": lambda: IndependentUniform(-leaf(4, 2), leaf(4, 2)),
    "squashed": lambda: SquashedNormal(leaf(4, 2), leaf(4, 2), low=-2.0, high=3.0),
    "sphere": lambda: VonMisesFisher(3)(leaf(4, 4)),
    "normal": lambda: Independent(Normal(leaf(4, 2), leaf(4, 2)), 1),
    "laplace": lambda: Independent(Laplace(leaf(4, 2), leaf(4, 2)), 1),
    "uniform": lambda: Independent(Uniform(-leaf(4, 2), leaf(4, 2), validate_args=False), 1),
    "full": lambda: MultivariateNormal(leaf(4, 2), scale_tril=torch.diag_embed(leaf(4, 2))),
    "low rank": lambda: LowRankMultivariateNormal(leaf(4, 2), leaf(4, 2, 1), leaf(4, 2)),
}


@pytest.mark.parametrize("make", POSTERIORS.values(), ids=POSTERIORS.keys())
def test_detached_is_the_same_density_without_a_gradient(make: Any) -> None:
    q = make()
    z = q.rsample((3,)).detach()
    inside = detached(q)
    torch.testing.assert_close(inside.log_prob(z), q.log_prob(z).detach(), rtol=0, atol=0)
    assert not inside.log_prob(z).requires_grad
    assert (inside.batch_shape, inside.event_shape) == (q.batch_shape, q.event_shape)


def test_detached_asks_the_distribution_itself_first() -> None:
    class Own(DiagonalNormal):
        def detached(self) -> str:
            return "mine"

    assert detached(Own(torch.zeros(2), torch.zeros(2))) == "mine"


def test_flows_are_refused_with_the_way_out() -> None:
    flow: Distribution = TransformedDistribution(Normal(leaf(2), leaf(2)), [ExpTransform()])
    with pytest.raises(LowerboundError, match="came TransformedDistribution; pass est"):
        detached(flow)


def test_sticking_the_landing_has_the_value_of_the_elbo(linear: Any, x: Tensor) -> None:
    torch.manual_seed(1)
    ours = sticking_the_landing(linear, x, samples=3)
    torch.manual_seed(1)
    theirs = elbo(linear, x, samples=3, kl="sampled")
    torch.testing.assert_close(ours.loss, theirs.loss, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.parts, theirs.parts, rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_value_and_generative_gradient_are_those_of_iwae(
    linear: Any, x: Tensor, estimator: Any
) -> None:
    torch.manual_seed(1)
    ours = importance_weighted(linear, x, samples=6, estimator=estimator)
    torch.manual_seed(1)
    theirs = iwae(linear, x, samples=6)
    torch.testing.assert_close(ours.loss, theirs.loss, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.parts, theirs.parts, rtol=0, atol=1e-12)
    pairs = zip(
        torch.autograd.grad(ours.loss, linear.generative),
        torch.autograd.grad(theirs.loss, linear.generative),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("factor", [1.0, -3.0])
def test_doubly_reparameterized_is_the_papers_formula(
    linear: Any, x: Tensor, factor: float
) -> None:
    """Σ_k w̃_k² (∂log w_k/∂z_k)(∂z_k/∂φ), also if the loss is multiplied by something."""
    torch.manual_seed(1)
    loss = factor * importance_weighted(linear, x, samples=6, estimator="dreg").loss
    ours = torch.autograd.grad(loss, linear.inferring)
    torch.manual_seed(1)
    q = linear.encode(x)
    z = q.rsample((6,))
    code = z.detach().requires_grad_()
    log_w = linear.decode(code).log_prob(x) + linear.prior().log_prob(code)
    log_w = log_w - detached(q).log_prob(code)
    (slope,) = torch.autograd.grad(log_w.sum(), code)
    share = log_w.detach().softmax(0)[..., None]
    theirs = torch.autograd.grad(
        (-factor * share**2 * slope * z).sum((0, 2)).mean(), linear.inferring
    )
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_means_agree(linear: Any, x: Tensor, gradients: Any, agree: Any) -> None:
    """Sticking the landing and score functions against the ELBO's plain gradient."""
    plain = gradients(lambda: elbo(linear, x, kl="sampled").loss, linear.inferring, DRAWS)
    landing = gradients(lambda: sticking_the_landing(linear, x).loss, linear.inferring, DRAWS)
    agree(landing, plain)
    reward = elbo(linear, x).parts["bound"]
    cases: Any = (("none", 1), ("samples", 3), ("batch", 1), (reward, 1))
    for baseline, samples in cases:
        score = gradients(
            lambda b=baseline, s=samples: score_function(linear, x, samples=s, baseline=b).loss,
            linear.inferring,
            DRAWS,
        )
        agree(score, plain)
        if baseline == "none":
            assert score.var(0).sum() > 2 * plain.var(0).sum()


@pytest.mark.parametrize("samples", [2, 16])
def test_doubly_reparameterized_agrees_with_plain_and_varies_less(
    linear: Any, x: Tensor, gradients: Any, agree: Any, samples: int
) -> None:
    plain, dreg = (
        gradients(
            lambda e=estimator: importance_weighted(linear, x, samples=samples, estimator=e).loss,
            linear.inferring,
            DRAWS,
        )
        for estimator in ("plain", "dreg")
    )
    agree(dreg, plain)
    assert dreg.var(0).sum() < 0.5 * plain.var(0).sum()


def test_more_samples_help_the_doubly_reparameterized_gradient_alone(
    linear: Any, x: Tensor, gradients: Any
) -> None:
    """Signal to noise of the posterior: falls with K plainly, rises with dreg (√K each).

    The posterior is wider than the exact one, so that weights have the moments that this needs.
    """
    with torch.no_grad():
        linear.exact_().log_scale.add_(0.3)
        linear.slope.mul_(0.9)
    ratios: dict[str, list[float]] = {"plain": [], "dreg": []}
    for samples in (4, 64):
        plain, dreg = (
            gradients(
                lambda e=estimator, k=samples: (
                    importance_weighted(linear, x, samples=k, estimator=e).loss
                ),
                linear.inferring,
                DRAWS,
            )
            for estimator in ("plain", "dreg")
        )
        signal = dreg.mean(0).norm()  # that of both, better known
        ratios["plain"].append(float(signal / plain.var(0).sum().sqrt()))
        ratios["dreg"].append(float(signal / dreg.var(0).sum().sqrt()))
    assert ratios["plain"][1] < 0.4 * ratios["plain"][0]
    assert ratios["dreg"][1] > 2.5 * ratios["dreg"][0]


def test_no_noise_is_left_at_the_exact_posterior(linear: Any, x: Tensor, gradients: Any) -> None:
    linear.exact_()
    landing = gradients(lambda: sticking_the_landing(linear, x).loss, linear.inferring, 3)
    torch.testing.assert_close(landing, torch.zeros_like(landing), rtol=0, atol=1e-12)
    for estimator in ("stl", "dreg"):
        none = gradients(
            lambda e=estimator: importance_weighted(linear, x, estimator=e).loss,
            linear.inferring,
            3,
        )
        torch.testing.assert_close(none, torch.zeros_like(none), rtol=0, atol=1e-12)
    plain = gradients(lambda: elbo(linear, x, kl="sampled").loss, linear.inferring, 50)
    assert (plain.std(0) > 1e-3).all()


def test_baselines_lower_the_variance(linear: Any, x: Tensor, gradients: Any) -> None:
    none, batch = (
        gradients(
            lambda b=baseline: score_function(linear, x, baseline=b).loss, linear.inferring, DRAWS
        )
        for baseline in ("none", "batch")
    )
    assert batch.var(0).sum() < 0.5 * none.var(0).sum()
    alone, samples = (
        gradients(
            lambda b=baseline: score_function(linear, x, samples=4, baseline=b).loss,
            linear.inferring,
            DRAWS,
        )
        for baseline in ("none", "samples")
    )
    assert samples.var(0).sum() < 0.5 * alone.var(0).sum()


def test_score_function_has_the_value_and_generative_gradient_of_the_elbo(
    linear: Any, x: Tensor
) -> None:
    torch.manual_seed(1)
    ours = score_function(linear, x, samples=2)
    torch.manual_seed(1)
    theirs = elbo(linear, x, samples=2, kl="sampled")
    torch.testing.assert_close(ours.loss, theirs.loss, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.parts, theirs.parts, rtol=0, atol=1e-12)
    pairs = zip(
        torch.autograd.grad(ours.loss, linear.generative),
        torch.autograd.grad(theirs.loss, linear.generative),
        strict=True,
    )
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_score_function_trains_a_discrete_code(gradients: Any, agree: Any) -> None:
    """One bit: E_q[log w] is a sum of two terms, whose gradient is known."""
    from lowerbound.distributions import IndependentBernoulli

    class Bit(torch.nn.Module):
        event_shape = (1,)

        def __init__(self) -> None:
            super().__init__()
            self.logit = torch.nn.Parameter(torch.tensor([0.4]))

        def prior(self) -> IndependentBernoulli:
            return IndependentBernoulli(torch.zeros(1), 1)

        def encode(self, x: Tensor) -> IndependentBernoulli:
            return IndependentBernoulli(self.logit * torch.ones_like(x), 1)

        def decode(self, z: Tensor) -> DiagonalNormal:
            return DiagonalNormal(2.0 * z, torch.zeros_like(z))

    model, x = Bit(), torch.tensor([[0.3], [1.7]])
    chance = torch.cat([1 - model.logit.sigmoid(), model.logit.sigmoid()])
    bound = torch.zeros(())
    for value in (0, 1):
        z = torch.full((2, 1), float(value))
        log_w = model.decode(z).log_prob(x) + model.prior().log_prob(z) - chance[value].log()
        bound = bound - (chance[value] * log_w).mean()
    exact = torch.autograd.grad(bound, model.logit)[0]
    loss = lambda: score_function(model, x).loss  # noqa: E731  # ty: ignore
    agree(gradients(loss, [model.logit], 2000), exact)


def test_what_cannot_be_is_refused(linear: Any, x: Tensor) -> None:
    with pytest.raises(LowerboundError, match="'plain' or 'stl' or 'dreg', came 'best'"):
        importance_weighted(linear, x, estimator="best")  # ty: ignore
    with pytest.raises(LowerboundError, match="expected baseline 'none'"):
        score_function(linear, x, baseline="mean")  # ty: ignore
    with pytest.raises(LowerboundError, match="two or more samples for the baseline 'samples'"):
        score_function(linear, x, baseline="samples")
    assert log_weights(linear, x).shape == (1, len(x))


class Boxed(nn.Module):
    """Codes in [-1, 1], most of them where float32 rounds the sigmoid to an edge."""

    event_shape = (2,)

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.prior = UniformPrior(2).to(dtype)
        self.loc = nn.Parameter(torch.tensor([9.0, -14.0], dtype=dtype))
        self.log_scale = nn.Parameter(torch.tensor([0.5, 0.9], dtype=dtype))

    def encode(self, x: Tensor) -> SquashedNormal:
        return SquashedNormal(self.loc.expand_as(x), self.log_scale.expand_as(x))

    def decode(self, z: Tensor) -> DiagonalNormal:
        return DiagonalNormal(z, torch.zeros((), dtype=z.dtype))


@pytest.mark.parametrize(
    "objective",
    [
        partial(sticking_the_landing, samples=3),
        partial(importance_weighted, samples=3, estimator="stl"),
        partial(importance_weighted, samples=3, estimator="dreg"),
        partial(wake, samples=3),
        partial(score_function, samples=3, baseline="samples"),
    ],
    ids=["stl", "iwae stl", "iwae dreg", "wake", "score"],
)
def test_codes_at_an_edge_keep_their_densities(
    objective: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss and gradient in float32 are those in float64, where no sigmoid of these is 1."""
    noise = torch.randn(3, 6, 2, dtype=torch.float64)
    monkeypatch.setattr(SquashedNormal, "_noise", lambda q, shape: noise.to(q.loc.dtype))
    found = []
    for dtype in (torch.float32, torch.float64):
        model = Boxed(dtype)
        loss = objective(model, torch.zeros(6, 2, dtype=dtype)).loss
        found.append([loss.detach(), *torch.autograd.grad(loss, list(model.parameters()))])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-4)
