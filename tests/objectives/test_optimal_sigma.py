"""Sigma "optimal" where draws are weighted: the maximizer of the very bound, found by scipy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from lowerbound.bounds import elbo, iwae
from lowerbound.distributions import DiagonalNormal, Gaussian, StandardNormal
from lowerbound.distributions.masked import Masked
from lowerbound.objectives import (
    ciwae,
    importance_weighted,
    miwae,
    monte_carlo_em,
    naive,
    wake,
)

TRUE = 0.3


class Model(nn.Module):
    """x = zW + 0.3 e, with W known, σ to be found, and a posterior that is not quite right."""

    event_shape = (4,)

    def __init__(self, family: Gaussian, hidden: Tensor | None = None) -> None:
        super().__init__()
        self.prior = StandardNormal(2).double()
        self.family = family.double()
        self.weight = torch.tensor([[1.0, 0.5, 0.0, -0.4], [0.0, 0.6, -0.8, 0.3]]).double()
        self.hidden = hidden

    def encode(self, x: Tensor) -> DiagonalNormal:
        precision = torch.eye(2).double() + self.weight @ self.weight.mT / TRUE**2
        mean = torch.linalg.solve(precision, self.weight @ x.mT / TRUE**2).mT
        scale = precision.diagonal().rsqrt() * 1.4
        return DiagonalNormal(mean + 0.1, scale.log().expand_as(mean))

    def decode(self, z: Tensor) -> Any:
        p = self.family(z @ self.weight)
        return p if self.hidden is None else Masked(p, torch.zeros(4).double(), ~self.hidden)


def data(count: int = 30) -> Tensor:
    torch.manual_seed(3)
    weight = Model(Gaussian(4)).weight
    return torch.randn(count, 2).double() @ weight + TRUE * torch.randn(count, 4).double()


def best(objective: Callable[..., Any], x: Tensor, hidden: Tensor | None) -> float:
    """σ of the least loss, among all fixed ones and with the same draws."""

    def loss(log_sigma: float) -> float:
        torch.manual_seed(1)
        model = Model(Gaussian(4, sigma="fixed", value=math.exp(log_sigma)), hidden)
        with torch.no_grad():
            return float(objective(model, x).loss)

    found = minimize_scalar(loss, bounds=(-3.0, 0.5), method="bounded", options={"xatol": 1e-9})
    return math.exp(found.x)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A running average that forgets where it started in some tens of steps."""
    monkeypatch.setattr("lowerbound.distributions.gaussian.DECAY", 0.7)


CASES = {
    "naive": partial(naive, samples=50),
    "iwae": partial(iwae, samples=20),
    "dreg": partial(importance_weighted, samples=20, estimator="dreg"),
    "miwae": partial(miwae, groups=4, samples=5),
    "ciwae": partial(ciwae, samples=10, beta=0.3),
    "elbo": partial(elbo, samples=3),
}
HIDDEN = torch.tensor([True, False, True, True])


@pytest.mark.parametrize("hidden", [None, HIDDEN], ids=["whole", "masked"])
@pytest.mark.parametrize("name", CASES)
def test_it_is_the_maximizer_of_the_bound(name: str, hidden: Tensor | None, quick: None) -> None:
    """From σ = 1 on, the same batch and draws again and again."""
    x, objective = data(), CASES[name]
    model = Model(Gaussian(4), hidden)
    for _ in range(60):
        torch.manual_seed(1)
        with torch.no_grad():
            objective(model, x)
    found = float(model.family.tracked().sqrt())
    assert found == pytest.approx(best(objective, x, hidden), rel=1e-3)


@pytest.mark.parametrize(
    "objective",
    [
        partial(naive, samples=400),
        partial(monte_carlo_em, samples=400, proposal="prior"),
        partial(monte_carlo_em, samples=100),
        partial(wake, samples=100),
        partial(iwae, samples=100),
    ],
    ids=["naive", "em by the prior", "em", "wake", "iwae"],
)
def test_it_is_that_of_the_data(objective: Callable[..., Any], quick: None) -> None:
    """Of the model that the data are from, over fresh draws: 0.3, to the data's own error."""
    x, model = data(300), Model(Gaussian(4))
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(50):
            objective(model, x)
    # σ of 300 times 4 − 2 free numbers has a relative standard error of 1/√(2 · 600).
    assert float(model.family.tracked().sqrt()) == pytest.approx(TRUE, rel=4 / math.sqrt(1200))


def test_evaluation_takes_the_tracked_value_and_moves_nothing() -> None:
    x, model = data(), Model(Gaussian(4, value=0.5)).eval()
    fixed = Model(Gaussian(4, sigma="fixed", value=0.5))
    for objective in CASES.values():
        losses = []
        for each in (model, fixed):
            torch.manual_seed(1)
            losses.append(objective(each, x).loss)
        torch.testing.assert_close(losses[0], losses[1], rtol=1e-6, atol=1e-6)
    assert float(model.family.tracked.count) == 0
