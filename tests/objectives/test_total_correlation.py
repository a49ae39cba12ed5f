"""β-TCVAE by quadrature over a data set of six examples, FactorVAE on correlated Gaussians."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from lowerbound.bounds import elbo
from lowerbound.distributions import DiagonalNormal, StandardNormal
from lowerbound.errors import LowerboundError
from lowerbound.objectives import beta_tc, factor, factor_discriminator

DOUBLE = torch.float64
EXAMPLES = 6


def seeded(objective: Any, *arguments: Any, **options: Any) -> Any:
    torch.manual_seed(1)
    return objective(*arguments, **options)


@pytest.fixture
def few(x: Tensor) -> Tensor:
    return x[:EXAMPLES]


def exact(q: DiagonalNormal) -> dict[str, float]:
    """The three terms, and KL(q(z)‖p(z)), of q(z) = 1/N Σ q(z|x_n) on a grid of codes."""
    axis = torch.linspace(-7.0, 7.0, 701, dtype=DOUBLE)
    cell = float(axis[1] - axis[0]) ** 2
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        each = q.log_prob(grid[:, None])  # (cells, N)
        joint = each.logsumexp(1) - math.log(EXAMPLES)
        single = Normal(q.loc, q.scale).log_prob(grid[:, None])  # (cells, N, 2)
        product = (single.logsumexp(1) - math.log(EXAMPLES)).sum(1)
        prior = Normal(0.0, 1.0).log_prob(grid).sum(1)
    weight = joint.exp() * cell
    assert float(weight.sum()) == pytest.approx(1.0, abs=1e-6)
    information = ((each - joint[:, None]) * each.exp()).mean(1).sum() * cell
    return {
        "mutual_information": float(information),
        "total_correlation": float((weight * (joint - product)).sum()),
        "dimension_kl": float((weight * (product - prior)).sum()),
        "aggregate": float((weight * (joint - prior)).sum()),
    }


def test_the_decomposition_by_quadrature(linear: Any, few: Tensor) -> None:
    """With the data as one batch each term is unbiased; two of them are KL(q(z)‖p(z))."""
    with torch.no_grad():
        linear.slope.add_(0.15)  # correlates the codes' dimensions
        linear.log_scale.sub_(0.5)
        truth = exact(linear.encode(few))
        draws: dict[str, list[Tensor]] = {name: [] for name in truth}
        for _ in range(1500):
            parts = beta_tc(linear, few, examples=EXAMPLES).parts
            for name in ("mutual_information", "total_correlation", "dimension_kl"):
                draws[name].append(parts[name].mean())
            aggregate = parts["total_correlation"] + parts["dimension_kl"]
            draws["aggregate"].append(aggregate.mean())
    assert truth["total_correlation"] > 0.1
    assert truth["total_correlation"] + truth["dimension_kl"] == pytest.approx(truth["aggregate"])
    for name, expected in truth.items():
        values = torch.stack(draws[name])
        error = float(values.std()) / math.sqrt(len(values))
        assert abs(float(values.mean()) - expected) < 4 * error, name


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
@pytest.mark.parametrize("samples", [1, 3])
def test_terms_sum_to_the_rate(linear: Any, x: Tensor, sampling: Any, samples: int) -> None:
    """Example by example, whatever the estimate of q(z); hence the ELBO at weights of 1."""
    options = {"sampling": sampling, "samples": samples, "examples": 100}
    ours = seeded(beta_tc, linear, x, beta=torch.tensor(1.0), **options)
    theirs = seeded(elbo, linear, x, kl="sampled", samples=samples)
    names = ("mutual_information", "total_correlation", "dimension_kl")
    torch.testing.assert_close(sum(ours.parts[n] for n in names), theirs.parts["rate"])
    torch.testing.assert_close(ours.loss, theirs.loss)
    for name, value in theirs.parts.items():
        torch.testing.assert_close(ours.parts[name], value, rtol=0, atol=0)
    weighed = seeded(beta_tc, linear, x, alpha=0.5, beta=4.0, gamma=2.0, **options)
    parts = weighed.parts
    expected = parts["distortion"] + 0.5 * parts["mutual_information"]
    expected = expected + 4.0 * parts["total_correlation"] + 2.0 * parts["dimension_kl"]
    torch.testing.assert_close(weighed.loss.detach(), expected.mean())


def test_a_batch_larger_than_the_data_counts_itself(linear: Any, x: Tensor) -> None:
    """Held-out examples may be more than those trained on."""
    with torch.no_grad():
        small = seeded(beta_tc, linear, x, examples=3).parts
        own = seeded(beta_tc, linear, x, examples=len(x)).parts
    torch.testing.assert_close(small, own, rtol=0, atol=0)


def test_a_posterior_without_dimensions_of_its_own_is_refused(linear: Any, x: Tensor) -> None:
    from torch.distributions import MultivariateNormal

    linear.encode = lambda x: MultivariateNormal(
        torch.zeros(len(x), 2).double(), torch.eye(2).double()
    )
    with pytest.raises(LowerboundError, match="dimensions have densities of their own"):
        beta_tc(linear, x, examples=100)


class Correlated(nn.Module):
    """Codes are the data, a Gaussian whose total correlation is −½ log(1 − ρ²)."""

    event_shape = (2,)

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.prior = StandardNormal(2).double()
        self.shift = nn.Parameter(torch.zeros(2, dtype=DOUBLE))
        self.discriminator = discriminator

    def encode(self, x: Tensor) -> DiagonalNormal:
        return DiagonalNormal(x + self.shift, torch.tensor(-6.0, dtype=DOUBLE))

    def decode(self, z: Tensor) -> DiagonalNormal:
        return DiagonalNormal(z, torch.tensor(0.0, dtype=DOUBLE))


class Quadratic(nn.Module):
    """The family that holds the true log ratio of two Gaussians."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(4, dtype=DOUBLE))

    def forward(self, z: Tensor) -> Tensor:
        a, b = z.unbind(-1)
        features = torch.stack([a * b, a * a, b * b, torch.ones_like(a)], -1)
        return (features @ self.weights)[:, None]


def test_the_discriminator_finds_the_total_correlation() -> None:
    rho = 0.7
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]], dtype=DOUBLE)
    x = torch.randn(20_000, 2, dtype=DOUBLE) @ torch.linalg.cholesky(covariance).mT
    model = Correlated(Quadratic())
    search = torch.optim.LBFGS(
        model.discriminator.parameters(), max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        loss = seeded(factor_discriminator, model, x).loss
        loss.backward()
        return loss

    assert closure().item() == pytest.approx(math.log(2))  # it cannot tell yet
    search.step(closure)
    scale = 1 - rho**2
    truth = [rho / scale, -0.5 * rho**2 / scale, -0.5 * rho**2 / scale, -0.5 * math.log(scale)]
    torch.testing.assert_close(
        model.discriminator.weights.detach(),  # ty: ignore
        torch.tensor(truth, dtype=DOUBLE),
        rtol=0.1,
        atol=0.05,
    )
    with torch.no_grad():
        parts = factor(model, x).parts
        accuracy = factor_discriminator(model, x).parts["accuracy"].mean()
    assert float(parts["total_correlation"].mean()) == pytest.approx(
        -0.5 * math.log(scale), abs=0.02
    )
    assert 0.6 < float(accuracy) < 0.8


@pytest.mark.parametrize("samples", [1, 3])
def test_factor_is_the_elbo_and_gamma_times_the_logit(linear: Any, x: Tensor, samples: int) -> None:
    linear.discriminator = nn.Linear(2, 1).double()
    ours = seeded(factor, linear, x, gamma=torch.tensor(5.0), samples=samples)
    theirs = seeded(elbo, linear, x, samples=samples)
    for name, value in theirs.parts.items():
        torch.testing.assert_close(ours.parts[name], value, rtol=0, atol=0)
    torch.manual_seed(1)
    z = linear.encode(x).rsample((samples,))
    logits = linear.discriminator(z)[..., 0].mean(0)
    torch.testing.assert_close(ours.parts["total_correlation"], logits.detach())
    torch.testing.assert_close(ours.loss, theirs.loss + 5.0 * logits.mean())
    none = seeded(factor, linear, x, gamma=0.0, samples=samples).loss
    torch.testing.assert_close(none, theirs.loss)


def test_no_player_moves_the_other(linear: Any, x: Tensor) -> None:
    linear.discriminator = nn.Linear(2, 1).double()
    others = [*linear.generative, *linear.inferring]
    loss = factor_discriminator(linear, x).loss
    found = torch.autograd.grad(loss, others, allow_unused=True, retain_graph=True)
    assert all(gradient is None for gradient in found)
    own = torch.autograd.grad(loss, list(linear.discriminator.parameters()))
    assert all((gradient != 0).any() for gradient in own)
