"""Synthetic data: what they say of themselves, by quadrature, Monte Carlo and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from lowerbound.data.synthetic import (
    MarkovChain,
    Mixture,
    claw,
    comb,
    linear_gaussian,
    markov_chain,
    noisy_curve,
    swiss_roll,
    two_moons,
)
from lowerbound.errors import LowerboundError


def test_the_roll_can_be_unrolled() -> None:
    roll = swiss_roll(20_000, seed=1)
    np.testing.assert_array_equal(roll.x, roll.clean)
    radius = np.hypot(roll.x[:, 0], roll.x[:, 2])
    assert radius.min() >= 1.5 * np.pi and radius.max() <= 4.5 * np.pi
    # Neighbours on the sheet are as far apart as their coordinates say.
    order = np.argsort(roll.coordinates[:, 0])
    spiral = roll.x[order][:, [0, 2]]
    steps = np.linalg.norm(np.diff(spiral, axis=0), axis=1)
    lengths = np.diff(roll.coordinates[order, 0])
    np.testing.assert_allclose(steps, lengths, rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(roll.coordinates[:, 1], roll.x[:, 1])
    # Uniform in area: both coordinates are, and independently.
    length = roll.coordinates[:, 0] / roll.coordinates[:, 0].max()
    assert stats.kstest(length, "uniform").pvalue > 1e-3
    assert stats.kstest(roll.x[:, 1] / 21, "uniform").pvalue > 1e-3
    noisy = swiss_roll(20_000, seed=1, noise=0.5)
    np.testing.assert_array_equal(noisy.clean, roll.clean)
    assert (noisy.x - noisy.clean).std() == pytest.approx(0.5, rel=0.02)


def test_the_curve_is_measured_along_itself() -> None:
    curve = noisy_curve(5000, seed=2, noise=0.0)
    order = np.argsort(curve.coordinates[:, 0])
    steps = np.linalg.norm(np.diff(curve.x[order], axis=0), axis=1)
    np.testing.assert_allclose(steps, np.diff(curve.coordinates[order, 0]), rtol=1e-4)
    middle = np.where(curve.coordinates < np.pi, -1.0, 1.0)
    radius = np.hypot(curve.x[:, 0] - middle[:, 0], curve.x[:, 1])
    np.testing.assert_allclose(radius, 1.0)
    noisy = noisy_curve(5000, seed=2, noise=0.2)
    assert (noisy.x - noisy.clean).std() == pytest.approx(0.2, rel=0.03)


def test_the_moons() -> None:
    x, label = two_moons(2001, seed=3, noise=0.0)
    assert np.bincount(label).tolist() == [1001, 1000]
    middle = np.array([[0.0, 0.0], [1.0, 0.5]])[label]
    np.testing.assert_allclose(np.linalg.norm(x - middle, axis=1), 1.0)
    side = (x - middle)[:, 1] * np.where(label == 0, 1, -1)
    assert (side >= -1e-12).all()


@pytest.mark.parametrize("density", [claw(), comb()], ids=["claw", "comb"])
def test_densities_in_one_dimension(density: Mixture) -> None:
    grid = np.linspace(-8, 8, 200_001)[:, None]
    step = grid[1, 0] - grid[0, 0]
    p = np.exp(density.log_prob(grid))
    assert p.sum() * step == pytest.approx(1, abs=1e-9)
    x, which = density.sample(50_000, seed=4)
    below = np.interp(x[:, 0], grid[:, 0], p.cumsum() * step)
    assert stats.kstest(below, "uniform").pvalue > 1e-3
    r = density.responsibilities(x)
    np.testing.assert_allclose(r.sum(1), 1)
    # Responsibilities are calibrated: their mean where component k was drawn, by Bayes' rule.
    expected = (density.responsibilities(grid) * p[:, None]).sum(0) * step
    np.testing.assert_allclose(expected, density.weights, atol=1e-9)
    drawn = np.bincount(which, minlength=len(density.weights)) / len(which)
    error = np.sqrt(density.weights * (1 - density.weights) / len(which))
    assert (np.abs(drawn - density.weights) <= 4 * error).all()
    # and the peaks that make it hard are there: as many maxima as the paper's figure shows
    inner = (p[1:-1] > p[:-2]) & (p[1:-1] > p[2:])
    assert inner.sum() == 5


def test_a_mixture_that_is_none_is_refused() -> None:
    with pytest.raises(LowerboundError, match="weights of sum 1"):
        Mixture(np.array([0.5, 0.2]), np.zeros(2), np.ones(2))


def test_the_linear_gaussian_model_is_exact() -> None:
    model = linear_gaussian(4, 2, sigma=0.7, seed=5)
    x, z = model.sample(100_000, seed=6)
    exact = stats.multivariate_normal(model.mean, model.covariance).logpdf(x[:100])
    np.testing.assert_allclose(model.log_prob(x[:100]), exact)
    np.testing.assert_allclose(np.cov(x.T), model.covariance, atol=0.15)
    # Bayes: p(x|z) p(z) / p(z|x) is p(x) at any z.
    mean, covariance = model.posterior(x[:100])
    for z_any in (np.zeros(2), np.array([1.0, -2.0])):
        fit = stats.norm(x[:100], 0.7).logpdf(z_any @ model.weight.T + model.mean).sum(1)
        prior = stats.norm().logpdf(z_any).sum()
        gap = [stats.multivariate_normal(m, covariance).logpdf(z_any) for m in mean]
        np.testing.assert_allclose(fit + prior - gap, exact)
    residual = (z - model.posterior(x)[0]).T
    np.testing.assert_allclose(np.cov(residual), covariance, atol=0.01)
    # The denoiser's error is uncorrelated with what it saw, as that of a conditional mean is.
    random = np.random.default_rng(7)
    noisy = x + 0.5 * random.standard_normal(x.shape)
    error = x - model.denoised(noisy, 0.5)
    products = error[:, :, None] * (noisy - model.mean)[:, None, :]
    standard = products.std(0) / math.sqrt(len(x))
    assert (np.abs(products.mean(0)) <= 4 * standard).all()


def test_the_chain_knows_what_is_masked() -> None:
    """Every conditional against the sum over all completions."""
    chain = markov_chain(3, seed=8)
    tokens = chain.sample(6, 5, seed=9)
    random = np.random.default_rng(10)
    masked = random.random((6, 5)) < 0.5
    masked[0], masked[1] = True, False
    found = chain.conditionals(tokens, masked)
    every = np.array(list(itertools.product(range(3), repeat=5)))
    p = np.exp(chain.log_prob(every))
    assert p.sum() == pytest.approx(1)
    for row, hidden, conditional in zip(tokens, masked, found, strict=True):
        fits = ((every == row) | hidden).all(1) * p
        for t in range(5):
            expected = [fits[every[:, t] == k].sum() / fits.sum() for k in range(3)]
            np.testing.assert_allclose(conditional[t], expected, atol=1e-12)


def test_the_chain_draws_its_own_probabilities() -> None:
    chain = markov_chain(4, seed=11)
    tokens = chain.sample(20_000, 3, seed=12)
    first = np.bincount(tokens[:, 0], minlength=4) / len(tokens)
    assert (np.abs(first - chain.start) <= 4 * np.sqrt(chain.start / len(tokens))).all()
    for after in range(4):
        following = tokens[:, 1:][tokens[:, :-1] == after]
        share = np.bincount(following, minlength=4) / len(following)
        p = chain.transition[after]
        assert (np.abs(share - p) <= 4 * np.sqrt(p / len(following))).all()
    certain = MarkovChain(np.array([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert certain.sample(2, 4, seed=0).tolist() == [[1, 0, 1, 0]] * 2
    assert certain.log_prob(np.array([[1, 0, 1], [1, 1, 0]])).tolist() == [0.0, -math.inf]
    with pytest.raises(LowerboundError, match="each row of sum 1"):
        MarkovChain(np.array([0.5, 0.5]), np.ones((2, 2)))


def test_a_seed_says_all() -> None:
    for draw in (swiss_roll, noisy_curve, two_moons):
        np.testing.assert_array_equal(draw(50, seed=3)[0], draw(50, seed=3)[0])
        assert (draw(50, seed=3)[0] != draw(50, seed=4)[0]).all()
