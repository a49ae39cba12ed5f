"""Scores against factors: perfect codes, noise, what lies between, and what changes nothing."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from lowerbound.errors import LowerboundError
from lowerbound.evaluation.representation import (
    SCORES,
    beta_vae_score,
    by_chance,
    dci,
    disentanglement,
    factor_vae_score,
    irs,
    irs_matrix,
    mig,
    modularity,
    predictability,
    sap,
)


def turned(factors: np.ndarray, degrees: float) -> np.ndarray:
    """The first two factors turned by an angle (and scaled: 45 degrees are exact)."""
    z = factors - factors.mean(0)
    tangent = 1.0 if degrees == 45 else math.tan(math.radians(degrees))
    z[:, :2] = z[:, :2] @ np.array([[1.0, -tangent], [tangent, 1.0]])
    return z


@pytest.fixture(scope="module")
def square() -> np.ndarray:
    """Two factors of 8 values, 10 times each: what is turned by 45 degrees is symmetric."""
    return np.repeat(np.array(list(product(range(8), range(8)))), 10, axis=0)


def test_a_perfect_code_scores_one(grid: np.ndarray) -> None:
    perfect = grid[:, [2, 0, 1]] * [1.0, -3.0, 0.25] + [5.0, 0.0, 1.0]
    found = disentanglement(perfect, grid)
    assert set(found) == set(SCORES)
    assert found == pytest.approx(dict.fromkeys(SCORES, 1.0), abs=1e-12)


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_a_perfect_code_of_many_values_scores_one(scale: float) -> None:
    """More values than intervals, of the code and of the factor, whichever way it runs."""
    grid = np.array(list(product(range(40), range(32))))
    assert mig(scale * grid, grid) == pytest.approx(1.0, abs=1e-12)
    assert mig(scale * np.exp(0.1 * grid), grid) == pytest.approx(1.0, abs=1e-12)
    # Quantities, all values of which differ.
    quantities = grid + np.linspace(0, 0.5, len(grid))[:, None] * [1.0, -1.0]
    assert modularity(scale * quantities, quantities) > 0.99
    assert mig(scale * quantities, quantities) > 0.97  # what the finite table correlates


def test_further_dimensions_of_noise_do_not_lower_a_perfect_code(
    grid: np.ndarray, random: np.random.Generator
) -> None:
    code = np.concatenate([grid, random.normal(size=(len(grid), 2))], 1)
    most = mig(code, grid), sap(code, grid), dci(code, grid).disentanglement
    assert most[0] > 0.95 and most[1] > 0.95 and most[2] > 0.99
    assert factor_vae_score(code, grid) == 1.0 and beta_vae_score(code, grid) == 1.0


def test_two_dimensions_that_tell_the_same_have_no_gap(grid: np.ndarray) -> None:
    double = np.concatenate([grid, 2.0 * grid], 1)
    assert mig(double, grid) == pytest.approx(0.0, abs=1e-12)
    assert sap(double, grid) == pytest.approx(0.0, abs=1e-12)
    assert modularity(double, grid) == pytest.approx(1.0, abs=1e-12)  # which asks for no more
    assert irs(double, grid) == pytest.approx(1.0, abs=1e-12)


# Noise


def tables(random: np.random.Generator, count: int, factors: int = 3) -> Any:
    """Independent codes of 3 numbers and factors of 4 values, each value equally often."""
    for _ in range(count):
        v = np.stack([random.permutation(np.repeat(np.arange(4), 150)) for _ in range(factors)], 1)
        yield random.normal(size=(600, 3)), v


def agrees(found: list[float], expected: float, error: float = 0.0) -> None:
    standard = math.hypot(float(np.std(found, ddof=1)) / math.sqrt(len(found)), error)
    assert abs(np.mean(found) - expected) < 4 * standard, (np.mean(found), expected, standard)


def test_noise_has_the_gaps_of_chance(random: np.random.Generator) -> None:
    """2N I is chi-squared with (20 − 1)(4 − 1) degrees of freedom, where there is nothing."""
    found = [(mig(z, v), modularity(z, v)) for z, v in tables(random, 60)]
    chi = random.chisquare(19 * 3, size=(100_000, 3, 3)) / 1200  # nats: draws, dimensions, factors
    ordered = np.sort(chi, axis=1)
    gap = ((ordered[:, -1] - ordered[:, -2]) / math.log(4)).mean()
    # The chi-squared law is of large counts; 7.5 in a cell leave it a few hundredths off.
    agrees([each[0] for each in found], gap, error=0.03 * gap)
    squares = chi**2
    largest = squares.max(2)
    modular = 1 - ((squares.sum(2) - largest) / (2 * largest)).mean()
    agrees([each[1] for each in found], modular, error=0.03 * modular)


def test_noise_predicts_by_chance(random: np.random.Generator) -> None:
    """R² of independent quantities is chi-squared with one degree of freedom, over N."""
    count = 400
    gaps = [sap(random.normal(size=(count, 3)), random.normal(size=(count, 2))) for _ in range(200)]
    chi = np.sort(random.chisquare(1, size=(200_000, 3)), axis=1)
    agrees(gaps, float((chi[:, -1] - chi[:, -2]).mean()) / count)


def test_noise_informs_no_better_than_guessing(random: np.random.Generator) -> None:
    found = [dci(z, v, trees=5) for z, v in tables(random, 8)]
    agrees([each.informativeness for each in found], 0.25)
    assert np.mean([each.disentanglement for each in found]) < 0.02
    assert np.mean([each.completeness for each in found]) < 0.02


def noise(factor: int, size: int, random: np.random.Generator) -> np.ndarray:
    return random.normal(size=(size, 5))


@pytest.mark.parametrize("factors", [2, 4])
def test_noise_votes_by_chance(factors: int, random: np.random.Generator) -> None:
    """Fresh noise for every group: votes are independent, errors binomial."""
    z, v = random.normal(size=(64, 5)), np.arange(64)[:, None] % [2, 4, 8, 16][:factors]
    expected, votes = 1 / factors, 2000
    error = math.sqrt(expected * (1 - expected) / votes)
    found = factor_vae_score(z, v, draw=noise, size=16, votes=votes)
    assert abs(found - expected) < 4 * error
    found = beta_vae_score(z, v, draw=noise, size=4, points=votes)
    assert abs(found - expected) < 4 * error


def test_noise_in_a_table_votes_by_chance(random: np.random.Generator) -> None:
    """Groups to learn from and groups to score share no example, so that nothing is learnt."""
    several = list(tables(random, 20))
    votes = [factor_vae_score(z, v, votes=150, seed=k) for k, (z, v) in enumerate(several)]
    agrees(votes, 1 / 3)
    told = [beta_vae_score(z, v, size=12, points=120, seed=k) for k, (z, v) in enumerate(several)]
    agrees(told, 1 / 3)


def test_noise_is_not_robust(random: np.random.Generator) -> None:
    found = irs_matrix(random.normal(size=(60_000, 3)), np.arange(60_000)[:, None] % [3, 4])
    assert np.abs(found).max() < 0.02


def test_by_chance_is_what_noise_scores(grid: np.ndarray) -> None:
    found = by_chance(grid.astype(float), grid)
    assert found["MIG"] < 0.01 and found["SAP"] < 0.05 and found["DCI disentanglement"] < 0.05
    assert abs(found["FactorVAE score"] - 1 / 3) < 0.15  # few groups: votes are not independent


# Between


def test_turned_codes_lie_between(square: np.ndarray) -> None:
    found = {degrees: disentanglement(turned(square, degrees), square) for degrees in (0, 12, 45)}
    for name in SCORES:
        straight, between, mixed = (found[degrees][name] for degrees in (0, 12, 45))
        if name in ("DCI informativeness", "FactorVAE score", "β-VAE score"):
            assert straight >= between >= mixed - 1e-9, name
        else:
            assert straight > between + 0.02 and between > mixed + 0.02, name
    # Of the two dimensions neither tells more than the other.
    assert found[45]["MIG"] == pytest.approx(0.0, abs=1e-9)
    assert found[45]["SAP"] < 0.05 and found[45]["modularity"] < 1e-9
    assert abs(found[45]["FactorVAE score"] - 0.5) < 0.1
    assert abs(found[45]["β-VAE score"] - 0.5) < 0.1


def test_robustness_of_a_noisy_dimension_is_that_of_the_normal(
    random: np.random.Generator,
) -> None:
    """z = a v + e, both normal: with v held e is left, 1 − σ_e / √(a² + σ_e²)."""
    v, e = random.normal(size=(2, 400_000))
    found = irs_matrix((0.8 * v + 0.6 * e)[:, None], v[:, None], bins=400, quantile=0.9)
    assert found[0, 0] == pytest.approx(1 - 0.6, abs=0.005)


def test_predictability_of_a_line_is_the_squared_correlation(random: np.random.Generator) -> None:
    v = random.normal(size=(500, 1))
    z = v + random.normal(size=(500, 2))
    expected = [np.corrcoef(z[:, d], v[:, 0])[0, 1] ** 2 for d in range(2)]
    np.testing.assert_allclose(predictability(z, v)[:, 0], expected, rtol=1e-12)


def test_predictability_by_a_threshold_is_bayes(random: np.random.Generator) -> None:
    """Two normals at ±1: the best threshold is right with probability Φ(1)."""
    v = np.arange(20_000) % 2
    z = 2.0 * v - 1.0 + random.normal(size=20_000)
    right = norm.cdf(1.0)
    error = math.sqrt(right * (1 - right) / 10_000)
    found = predictability(z[:, None], v[:, None])[0, 0]
    assert abs(found - (2 * right - 1)) < 2 * 4 * error


# What changes nothing


@pytest.mark.parametrize("seed", range(3))
def test_order_sign_and_scale_of_dimensions_change_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    v = random.integers(0, 6, size=(800, 3))
    z = turned(v, 20.0) + 0.3 * random.normal(size=(800, 3))
    order, scale = random.permutation(3), np.array([-4.0, 0.5, 2.0])
    one, other = disentanglement(z, v), disentanglement(z[:, order] * scale, v)
    assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("predictor", ["boosting", "lasso"])
def test_other_predictors_agree_on_a_perfect_code(predictor: Any, grid: np.ndarray) -> None:
    quantities = grid + 0.01 * np.random.default_rng(0).normal(size=grid.shape)
    v = quantities if predictor == "lasso" else grid[:, :2]
    z = -2.0 * v[:, ::-1]
    found = dci(z, v, predictor=predictor)
    assert found.disentanglement > 0.97 and found.completeness > 0.97
    assert found.informativeness > 0.99


def test_a_single_factor_has_no_disentanglement_but_a_completeness(grid: np.ndarray) -> None:
    one = dci(grid.astype(float), grid[:, :1])
    assert math.isnan(one.disentanglement) and one.completeness == pytest.approx(1.0)
    assert math.isnan(modularity(grid, grid[:, :1]))
    assert math.isnan(factor_vae_score(grid, grid[:, :1]))
    assert math.isnan(beta_vae_score(grid, grid[:, :1]))
    assert math.isnan(dci(grid[:, :1], grid).completeness)


def test_codes_that_do_not_vary_score_chance(grid: np.ndarray) -> None:
    still = np.zeros((len(grid), 2))
    assert mig(still, grid) == 0.0 and sap(still, grid) == 0.0 and irs(still, grid) == 0.0
    assert factor_vae_score(still, grid) == 1 / 3 == beta_vae_score(still, grid)
    assert dci(still, grid).disentanglement == 0.0


def test_what_does_not_fit_is_refused(grid: np.ndarray) -> None:
    with pytest.raises(LowerboundError, match=r"expected codes of shape \(1200, latent\)"):
        mig(grid[:-1], grid)
    with pytest.raises(LowerboundError, match="finite codes"):
        sap(np.full(grid.shape, np.nan), grid)
    with pytest.raises(LowerboundError, match="predictor 'forest', 'boosting' or 'lasso'"):
        dci(grid.astype(float), grid, predictor="tree")  # ty: ignore[invalid-argument-type]
    with pytest.raises(LowerboundError, match="agree in 'row'"):
        rows = range(len(grid))
        names = {"row": [f"row {k}" for k in rows], "half": [k % 2 for k in rows]}
        factor_vae_score(grid.astype(float), names)
