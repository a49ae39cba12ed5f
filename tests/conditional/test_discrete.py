"""p(x|c) = Σ_z p(x|z,c) p(z|c) with z one of K: exact, against a table written out."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lowerbound.data.spec import DataSpec
from lowerbound.distributions import IndependentBernoulli, kl
from lowerbound.distributions.categorical import IndependentCategorical
from lowerbound.distributions.onehot import OneHotCategorical
from lowerbound.evaluation import estimate_log_likelihood, evaluate
from lowerbound.models.conditional import DiscreteLatentModel
from lowerbound.objectives.enumerated import enumerated

CLASSES, CODES, NUMBERS = 3, 4, 3


class Table(nn.Module):
    """A distribution for each row of logits, chosen by one-hot codes (if any) and a class."""

    def __init__(self, logits: Tensor, family: Any) -> None:
        super().__init__()
        self.logits, self.family = nn.Parameter(logits), family

    def forward(self, *contexts: Tensor) -> Any:
        *z, c = contexts
        logits = self.logits[c]  # (*B, K, D), or (*B, K)
        return self.family((z[0].unsqueeze(-1) * logits).sum(-2) if z else logits)


@pytest.fixture
def model() -> DiscreteLatentModel:
    torch.manual_seed(0)
    prior = 2 * torch.randn(CLASSES, CODES, dtype=torch.float64)
    pixels = 2 * torch.randn(CLASSES, CODES, NUMBERS, dtype=torch.float64)
    return DiscreteLatentModel(
        Table(prior, OneHotCategorical),
        Table(pixels, IndependentBernoulli),
        None,
        event_shape=(NUMBERS,),
        latent_shape=(CODES,),
    )


def every(model: DiscreteLatentModel) -> tuple[Tensor, Tensor]:
    """Each x and each class, and p(x|c) by nothing but loops over the tables."""
    prior = model.prior.logits.detach().softmax(-1)  # ty: ignore
    coins = model.likelihood.logits.detach().sigmoid()  # ty: ignore
    table = torch.zeros(CLASSES, 2**NUMBERS, dtype=torch.float64)
    values = list(itertools.product((0.0, 1.0), repeat=NUMBERS))
    for c, (i, x), z in itertools.product(range(CLASSES), enumerate(values), range(CODES)):
        product = float(prior[c, z])
        for place, bit in enumerate(x):
            p = float(coins[c, z, place])
            product *= p if bit else 1 - p
        table[c, i] += product
    return torch.tensor(values, dtype=torch.float64), table


def test_the_sum_is_exact(model: DiscreteLatentModel) -> None:
    x, table = every(model)
    for c in range(CLASSES):
        found = model.log_prob(x, torch.full((len(x),), c))
        torch.testing.assert_close(found.exp(), table[c], rtol=0, atol=1e-12)
        assert abs(float(found.exp().sum().detach()) - 1) < 1e-12
    # the prior of the condition, not that of all: what is often printed is another number
    marginal = model.prior.logits.softmax(-1).mean(0)  # ty: ignore
    coins = model.likelihood.logits.sigmoid()[0]  # ty: ignore
    parts = torch.where(x[:, None] > 0.5, coins, 1 - coins).prod(-1)
    assert ((parts * marginal).sum(-1) - table[0]).abs().max() > 0.01


def test_the_posterior_is_bayes_and_the_bound_the_likelihood(model: DiscreteLatentModel) -> None:
    x, _ = every(model)
    c = torch.arange(len(x)) % CLASSES
    posterior = model.encode(x, c).mean
    prior, coins = model.prior.logits.softmax(-1)[c], model.likelihood.logits.sigmoid()[c]  # ty: ignore
    joint = prior * torch.where(x[:, None] > 0.5, coins, 1 - coins).prod(-1)
    torch.testing.assert_close(posterior, joint / joint.sum(-1, keepdim=True))
    loss, parts = enumerated(model, x, c)
    torch.testing.assert_close(parts["bound"], model.log_prob(x, c), rtol=0, atol=1e-12)
    torch.testing.assert_close(parts["bound"], -(parts["distortion"] + parts["rate"]))
    own = torch.autograd.grad(loss, [*model.parameters()])
    true = torch.autograd.grad(-model.log_prob(x, c).mean(), [*model.parameters()])
    for found, expected in zip(own, true, strict=True):  # Fisher's identity
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_a_network_for_a_posterior_loses_its_kl(model: DiscreteLatentModel) -> None:
    x, _ = every(model)
    c = torch.zeros(len(x), dtype=torch.int64)
    exact = model.encode(x, c)
    logits = torch.randn(CLASSES, CODES, dtype=torch.float64)

    class Rough(nn.Module):
        def forward(self, x: Tensor, c: Tensor) -> OneHotCategorical:
            return OneHotCategorical(logits[c] + x @ torch.ones(NUMBERS, CODES).double())

    rough = DiscreteLatentModel(
        model.prior, model.likelihood, Rough(), event_shape=(NUMBERS,), latent_shape=(CODES,)
    )
    parts = enumerated(rough, x, c).parts
    q, p = (d.log_probs.unsqueeze(-1) for d in (rough.encode(x, c), exact))
    gap = kl(IndependentCategorical(q), IndependentCategorical(p))  # EQUATIONS 18
    torch.testing.assert_close(parts["bound"] + gap, rough.log_prob(x, c))
    assert (gap > 1e-3).all()
    halved = enumerated(rough, x, c, beta=0.5)
    torch.testing.assert_close(halved.loss, (parts["distortion"] + 0.5 * parts["rate"]).mean())


def test_importance_weights_under_the_exact_posterior_are_the_likelihood(
    model: DiscreteLatentModel,
) -> None:
    x, _ = every(model)
    c = torch.arange(len(x)) % CLASSES
    found = estimate_log_likelihood(model, x, c, samples=7, compile=False)
    torch.testing.assert_close(found.values, model.log_prob(x, c).detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.ess, torch.full_like(found.ess, 7))


def test_it_is_evaluated_exactly(model: DiscreteLatentModel) -> None:
    x, _ = every(model)
    c = torch.arange(len(x)) % CLASSES
    spec = DataSpec("bits", "vector", (NUMBERS,), "binary", levels=2)
    result = evaluate(model, spec, x, c, name="table")
    assert result.log_likelihood is not None and result.log_likelihood.kind == "exact"
    value = float(model.log_prob(x, c).mean().detach())
    assert math.isclose(result.log_likelihood.value, value, abs_tol=1e-12)
    assert result.prior_monte_carlo is None


def test_codes_are_drawn_as_often_as_their_probability() -> None:
    torch.manual_seed(0)
    p = OneHotCategorical(torch.tensor([0.0, 1.0, 2.0]))
    drawn = p.sample((20_000,))
    assert (drawn.sum(-1) == 1).all()
    error = (p.variance / 20_000).sqrt()
    assert ((drawn.mean(0) - p.mean).abs() < 4 * error).all()
    torch.testing.assert_close(p.log_prob(drawn[:5]).exp(), (drawn[:5] * p.mean).sum(-1))
    torch.testing.assert_close(p.entropy(), -(p.mean * p.log_probs).sum())
    assert torch.equal(p.mode, torch.tensor([0.0, 0.0, 1.0]))
