"""Precision, recall, density and coverage of sets whose answer is known, and against sklearn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from lowerbound.errors import LowerboundError
from lowerbound.evaluation.samples import density_coverage, nearest, precision_recall
from lowerbound.evaluation.samples.arrays import nearest_of_parts


def test_identical_sets_are_covered_and_disjoint_ones_not() -> None:
    x = np.random.default_rng(0).normal(size=(200, 5))
    same, apart = precision_recall(x, x), precision_recall(x, x + 100.0)
    assert same.precision.value == same.recall.value == 1.0
    assert apart.precision.value == apart.recall.value == 0.0
    assert density_coverage(x, x).coverage.value == 1.0
    found = density_coverage(x, x + 100.0)
    assert found.density.value == found.coverage.value == 0.0


def test_half_of_the_modes_is_half_of_the_recall() -> None:
    """Two far modes; samples of the first alone are precise, and reach half of the data."""
    random = np.random.default_rng(1)
    real = random.normal(size=(400, 4))
    real[200:] += 1000.0
    samples = real[:200]
    found = precision_recall(real, samples)
    assert found.precision.value == 1.0 and found.recall.value == 0.5
    back = precision_recall(samples, real)  # the roles change places
    assert back.precision.value == 0.5 and back.recall.value == 1.0
    assert density_coverage(real, samples).coverage.value == 0.5
    # The error is that of a share.
    assert found.recall.standard_error == pytest.approx(np.sqrt(0.25 / 399))


def test_density_of_the_datas_own_distribution_is_one() -> None:
    """E density = 1, and E coverage by counting orders (Naeem et al. 2020, lemmas 1 and 2)."""
    random = np.random.default_rng(2)
    found = [
        density_coverage(random.normal(size=(60, 6)), random.normal(size=(80, 6)), neighbours=3)
        for _ in range(300)
    ]
    densities = [each.density.value for each in found]
    coverages = [each.coverage.value for each in found]
    n, m = 60, 80
    # The first k of the other n − 1 + m, seen from a real example, are all real.
    exact = 1.0 - np.prod([(n - 1 - i) / (n - 1 + m - i) for i in range(3)])
    assert abs(np.mean(densities) - 1.0) < 4 * np.std(densities) / np.sqrt(300) + 0.02
    assert abs(np.mean(coverages) - exact) < 4 * np.std(coverages) / np.sqrt(300)


def test_a_stray_example_moves_recall_and_not_density() -> None:
    """Precision's weakness, for which density was proposed: one far outlier has a huge ball."""
    random = np.random.default_rng(3)
    real = random.normal(size=(300, 2))
    real[0] = 30.0
    samples = 10.0 + random.normal(size=(300, 2))
    assert precision_recall(real, samples).precision.value > 0.95
    assert density_coverage(real, samples, neighbours=3).density.value < 0.4


def test_the_same_as_scikit_learns_neighbours() -> None:
    random = np.random.default_rng(4)
    real, samples = random.normal(size=(311, 7)), 0.8 * random.normal(size=(257, 7)) + 0.5

    def radius(x: np.ndarray, k: int) -> np.ndarray:
        return NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)[0][:, -1]

    def pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (
            NearestNeighbors(n_neighbors=len(b))
            .fit(b)
            .kneighbors_graph(a, mode="distance")
            .toarray()
        )

    distances = pairs(samples, real)
    found = precision_recall(real, samples, neighbours=3)
    precision = (distances <= radius(real, 3)).any(1).mean()
    recall = (radius(samples, 3) >= distances.T).any(1).mean()
    assert found.precision.value == pytest.approx(precision, abs=1e-4)
    assert found.recall.value == pytest.approx(recall, abs=1e-4)
    more = density_coverage(real, samples, neighbours=5)
    inside = distances <= radius(real, 5)
    assert more.density.value == pytest.approx(inside.sum() / (5 * len(samples)), abs=1e-4)
    assert more.coverage.value == pytest.approx(inside.any(0).mean(), abs=1e-4)


def test_neighbours_part_by_part_are_those_of_the_whole() -> None:
    random = np.random.default_rng(5)
    a, b = random.normal(size=(40, 3)), random.normal(size=(101, 3))
    b[70] = a[3]
    expected, where = NearestNeighbors(n_neighbors=2).fit(b).kneighbors(a)
    parts = (b[start : start + 20] for start in range(0, 101, 20))
    for distances, which in (nearest(a, b, 2), nearest_of_parts(a, parts, 2)):
        np.testing.assert_allclose(distances, expected, atol=1e-12)
        np.testing.assert_array_equal(which, where)
        assert distances[3, 0] == 0.0


def test_bad_counts_are_refused() -> None:
    x = np.zeros((3, 2))
    with pytest.raises(LowerboundError, match="at least 4 examples, came 3"):
        precision_recall(x, x)
    with pytest.raises(LowerboundError, match="neighbours: expected at least 1, came 0"):
        density_coverage(x, x, neighbours=0)


@pytest.mark.parametrize("seed", range(4))
def test_copies_of_the_same_patterns_are_covered(seed: int) -> None:
    """Every radius and every least distance is 0, and rounding makes neither one more than that."""
    random = np.random.default_rng(seed)
    patterns = random.normal(size=(8, 20)) + 5.0
    real, samples = (patterns[random.permutation(np.arange(n) % 8)] for n in (160, 120))
    for place in (0.0, 1000.0):
        found = density_coverage(real + place, samples + place)
        assert found.coverage.value == 1.0
        assert found.density.value == pytest.approx(20 / 5)  # in the balls of all its copies
        alike = precision_recall(real + place, samples + place)
        assert alike.precision.value == alike.recall.value == 1.0
    other = density_coverage(real, patterns[random.integers(0, 4, 120)])
    assert other.coverage.value == 0.5


def test_ties_are_within_the_ball() -> None:
    """Corners of a turned simplex, each as far from every other: every ball has all of them."""
    random = np.random.default_rng(6)
    corners = np.linalg.qr(random.normal(size=(12, 12)))[0] + random.normal(size=12)
    found = density_coverage(corners, corners[random.permutation(12)], neighbours=3)
    assert found.density.value == 12 / 3 and found.coverage.value == 1.0
