"""A normal of its own for each training example: exact on a conjugate model, and by recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import lowerbound as lb
from lowerbound.data import DataSpec
from lowerbound.errors import LowerboundError
from lowerbound.models.per_datapoint import PerDatapoint
from lowerbound.objectives.gradients import sticking_the_landing
from lowerbound.recipes import RECIPES

from .conftest import Known


def fitted(exact: Known, steps: int) -> PerDatapoint:
    """Every q_i trained by Adam on the ELBO, the likelihood as it is. Along the path derivative,
    whose noise is gone where q is the posterior, so that it can get there."""
    torch.manual_seed(0)
    model = PerDatapoint(exact.model.prior, exact.model.likelihood, len(exact.x)).double()
    positions = torch.arange(len(exact.x))
    optimizer = torch.optim.Adam(model.posterior.parameters(), 0.01)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        sticking_the_landing(model, exact.x, positions, samples=4).loss.backward()
        optimizer.step()
        decay.step()
    return model


def test_it_reaches_the_exact_posterior(independent: Known) -> None:
    model = fitted(independent, 500)
    q = model.encode(independent.x, torch.arange(len(independent.x)))
    assert independent.divergence(q).max() < 1e-6
    # In another order each example still has its own.
    order = torch.randperm(len(independent.x))
    assert torch.equal(model.encode(independent.x[order], order).mean, q.mean[order])


def test_what_is_no_training_example_is_fitted_when_it_comes(independent: Known) -> None:
    model = PerDatapoint(independent.model.prior, independent.model.likelihood, 5).double()
    q = model.encode(independent.x)
    assert independent.divergence(q).max() < 1e-9


def test_its_parameters_are_counted() -> None:
    """|θ| + (|μ| + |σ|) N (EQUATIONS 11)."""
    spec = DataSpec("toy", "vector", (12,), "real", train=100)
    model, _ = RECIPES["per-datapoint"](spec, latent_dim=3, hidden=(), likelihood="gaussian")
    assert model.counts["posterior"] == (3 + 3) * 100
    assert model.counts["model"] == sum(p.numel() for p in model.likelihood.parameters())
    assert sum(model.counts.values()) == sum(p.numel() for p in model.parameters())


def planted(count: int, seed: int) -> np.ndarray:
    """Six numbers of two factors with noise of σ = 0.5."""
    drawn = np.random.default_rng(seed)
    weight = np.random.default_rng(9).normal(size=(2, 6))
    values = drawn.normal(size=(count, 2)) @ weight + 0.5 * drawn.normal(size=(count, 6))
    return values.astype(np.float32)


@pytest.mark.parametrize("recipe", ["per-datapoint", "semi-amortized"])
def test_a_run_finds_probabilistic_pca(recipe: str, tmp_path: Path) -> None:
    """A linear decoder with one learned σ: its best likelihood is that of probabilistic PCA."""
    x = planted(400, 0)
    best = lb.train(x, "pca", latent_dim=2, out=tmp_path / "pca", progress=False)
    told: list[str] = []
    run = lb.train(
        x,
        recipe,
        out=tmp_path / "run",
        latent_dim=2,
        hidden=(),
        network="mlp",
        likelihood={"name": "gaussian", "sigma": "learned"},
        epochs=100,
        learning_rate=1e-2,
        compile="no",
        precision="float32",
        progress=lambda event: told.append(str(event)),
    )
    reached = lb.evaluate(run, samples=200, report=False)
    exact = lb.evaluate(best, report=False)
    assert reached.log_likelihood is not None and exact.log_likelihood is not None
    assert reached.log_likelihood.value == pytest.approx(exact.log_likelihood.value, abs=0.1)
    again = lb.open_run(tmp_path / "run").model
    kept: dict[str, Tensor] = run.model.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in again.state_dict().items())
    if recipe == "per-datapoint":
        count = run.model.counts["posterior"]
        assert count == 4 * len(run.data().train)
        assert any(f"{count:,} of the posterior" in line for line in told)


def test_the_table_knows_no_encoder() -> None:
    spec = DataSpec("toy", "vector", (12,), "real", train=0)
    with pytest.raises(LowerboundError, match="the number of training examples, came 0"):
        RECIPES["per-datapoint"](spec, latent_dim=3, likelihood="gaussian")
    with pytest.raises(LowerboundError, match="unknown option 'posterior'"):
        lb.train(planted(50, 0), "per-datapoint", posterior="diagonal", progress=False)
