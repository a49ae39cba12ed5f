"""Copies are found, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from lowerbound.errors import LowerboundError
from lowerbound.evaluation.samples import memorization
from lowerbound.evaluation.samples.memorization import mann_whitney


def sets(seed: int, train: int = 600) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Training and held-out examples on a curved sheet with noise, ten dimensions."""
    random = np.random.default_rng(seed)
    turn = random.normal(size=(6, 10))
    x = np.tanh(random.normal(size=(train + 500, 6)) @ turn) + 0.1 * random.normal(
        size=(train + 500, 10)
    )
    return x[:train], x[train:], random


def test_a_model_that_copies_is_flagged() -> None:
    train, held_out, random = sets(0)
    copies = train[random.integers(len(train), size=400)] + 0.01 * random.normal(size=(400, 10))
    found = memorization(copies, train, held_out)
    assert found.copying and found.copies > 0.95 and found.close.value > 0.95 and found.z < -15
    assert found.ratio.max() < 0.5


def test_a_model_that_copies_a_tenth_or_one_example_alone_is_flagged() -> None:
    train, held_out, random = sets(1, 1100)
    train, new = train[:600], train[600:]
    some = np.concatenate([new[:450], train[random.integers(600, size=50)]])
    found = memorization(some, train, held_out)
    assert found.copying and found.copies == pytest.approx(0.1, abs=0.03)
    assert set(found.suspects(50)) == set(range(450, 500))
    one = np.repeat(train[:1], 300, 0)
    assert memorization(one, train, held_out).copies == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(5))
def test_new_samples_of_the_datas_own_distribution_are_not(seed: int) -> None:
    x, held_out, _ = sets(seed, 1400)
    train, new = x[:900], x[900:]
    found = memorization(new, train, held_out)
    assert not found.copying
    assert abs(found.close.value - 0.01) < 4 * found.close.standard_error  # ty: ignore
    assert abs(found.alone.value - 0.01) < 4 * found.alone.standard_error  # ty: ignore
    assert abs(found.z) < 4


def test_blur_is_not_taken_for_copies() -> None:
    """Without a noise of their own samples lie nearer to everything: distances alone accuse."""
    random = np.random.default_rng(7)
    clean = np.tanh(random.normal(size=(1900, 4)) @ random.normal(size=(4, 30)))
    noisy = clean + 0.4 * random.normal(size=clean.shape)
    found = memorization(clean[900:1400], noisy[:900], noisy[1400:])
    assert found.z < -15 and found.close.value > 0.5 and not found.copying


def test_the_z_is_scipys() -> None:
    random = np.random.default_rng(8)
    a, b = random.normal(size=120), random.normal(size=80) + 0.4
    u = mannwhitneyu(a, b).statistic
    expected = (u - 120 * 80 / 2) / np.sqrt(120 * 80 * 201 / 12)
    assert mann_whitney(a, b) == pytest.approx(expected, abs=1e-12)
    assert mann_whitney(np.ones(5), np.ones(7)) == 0.0


def test_too_few_held_out_examples_for_the_quantile() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(LowerboundError, match="at least 100 held-out examples for a quantile"):
        memorization(x, x, x)
    with pytest.raises(LowerboundError, match="quantile: expected a share"):
        memorization(x, x, x, quantile=0.9)
