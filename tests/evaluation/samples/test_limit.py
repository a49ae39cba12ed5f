"""Shares that are held against a quantile of other examples are that quantile, in expectation."""

from __future__ import annotations

import numpy as np
import pytest

from lowerbound.diagnosis.game import NEAR, crowded
from lowerbound.evaluation.samples.arrays import limit
from lowerbound.evaluation.samples.memorization import from_distances


@pytest.mark.parametrize(("count", "share"), [(100, 0.01), (20, 0.05), (1000, 0.01), (99, 0.01)])
def test_as_many_of_further_values_lie_below(count: int, share: float) -> None:
    """Of uniform values the share below a limit is the limit itself."""
    random = np.random.default_rng(0)
    limits = [limit(random.uniform(size=count), share) for _ in range(4000)]
    assert np.mean(limits) == pytest.approx(share, abs=4 * np.std(limits) / 4000**0.5)


def test_new_samples_are_as_close_as_the_quantile_says() -> None:
    """Distances of samples, and of held-out examples, of one distribution."""
    random = np.random.default_rng(1)
    found = []
    for _ in range(500):
        both = np.sort(random.gamma(3.0, size=(300, 2)), 1)
        told = from_distances(both[:200], np.zeros(200, int), both[200:], quantile=0.01)
        found.append((told.close.value, told.alone.value))
    errors = np.std(found, 0) / 500**0.5
    assert np.all(np.abs(np.mean(found, 0) - 0.01) < 4 * errors)


def test_samples_like_data_are_not_crowded() -> None:
    random = np.random.default_rng(2)
    found = [crowded(*random.normal(size=(2, 400, 2))) for _ in range(1000)]
    assert np.mean(found) == pytest.approx(NEAR, abs=4 * np.std(found) / 1000**0.5)
