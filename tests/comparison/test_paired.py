"""Paired errors, in simulation: they cover at their nominal rate, and pairing pays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lowerbound.comparison import paired

SIMULATIONS = 4000


def pairs(random: np.random.Generator, n: int, shape: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Values of two runs on n examples that are hard or easy for both, and the true difference."""
    hard = 20.0 * random.standard_normal(n)
    if shape == "normal":
        return 90.0 + hard + random.standard_normal(n), 89.5 + hard, 0.5
    # Log-likelihoods are skewed: a few examples are far worse under one model.
    skewed = random.gamma(2.0, 1.0, n)
    return 90.0 + hard + skewed, 91.0 + hard + random.standard_normal(n), 1.0


@pytest.mark.parametrize(("n", "shape"), [(8, "normal"), (200, "normal"), (200, "skewed")])
def test_intervals_cover_at_their_nominal_rate(n: int, shape: str) -> None:
    random = np.random.default_rng(n)
    held, narrower = 0, []
    for _ in range(SIMULATIONS):
        ours, theirs, truth = pairs(random, n, shape)
        found = paired(ours, theirs)
        held += found.low <= truth <= found.high
        narrower.append(found.error / found.apart)
    # 4 standard errors of a share of 0.95 over 4,000 simulations are 1.4 %.
    assert 0.936 < held / SIMULATIONS < 0.964
    assert float(np.mean(narrower)) < 0.1  # ± of the means apart would be ten times as wide


def test_two_equal_runs_are_told_apart_once_in_twenty() -> None:
    random = np.random.default_rng(1)
    told = 0
    for _ in range(SIMULATIONS):
        hard = random.standard_normal(50)
        told += paired(hard + random.standard_normal(50), hard + random.standard_normal(50)).told
    assert 0.036 < told / SIMULATIONS < 0.064


def test_equals_scipys_paired_t_test() -> None:
    random = np.random.default_rng(2)
    ours, theirs = random.normal(size=30), random.normal(size=30)
    found, reference = paired(ours, theirs), stats.ttest_rel(ours, theirs)
    interval = reference.confidence_interval(0.95)
    assert found.mean / found.error == pytest.approx(reference.statistic, rel=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_one_example_tells_nothing() -> None:
    found = paired(np.array([3.0]), np.array([1.0]))
    assert found.mean == 2.0
    assert math.isinf(found.error)
    assert not found.told


def test_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="the same examples"):
        paired(np.zeros(3), np.zeros(4))


def test_a_run_that_diverged_on_a_few_examples_is_not_called_equal() -> None:
    """Its mean difference has an interval around zero, and it is worse all over."""
    random = np.random.default_rng(0)
    theirs = random.normal(size=300)
    ours = theirs + random.uniform(0.5, 1.0, 300)
    ours[:2] = 1e10, 5e9
    found = paired(ours, theirs)
    assert not found.told
    assert found.more == 1.0
    assert found.said.startswith("worse on 100 % of the examples")
    assert paired(theirs, ours).said.startswith("better on 100 %")
    ours[0] = np.nan
    assert paired(ours, theirs).said == "not finite: one of the two diverged"


def test_differences_without_a_side_are_called_equal() -> None:
    random = np.random.default_rng(1)
    said = [paired(random.normal(size=400), np.zeros(400)).said for _ in range(200)]
    assert set(said) <= {"", "no difference told"}
    assert said.count("no difference told") > 175  # of 200, 190 are expected
    heavy = [paired(random.standard_cauchy(400), np.zeros(400)).said for _ in range(200)]
    # A mean that a few examples carry, and no side: three standard errors of a sign are rare.
    assert sum(text.startswith(("worse", "better")) for text in heavy) <= 4
