"""Total correlation and the parts of the rate, against normals in closed form; clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from lowerbound.distributions import DiagonalNormal, StandardNormal
from lowerbound.errors import LowerboundError
from lowerbound.evaluation.representation import (
    adjusted_rand_index,
    cluster,
    decompose_rate,
    gaussian_total_correlation,
    normalized_mutual_information,
)


def test_gaussian_total_correlation_is_that_of_the_covariance(random: np.random.Generator) -> None:
    root = random.normal(size=(4, 4))
    covariance = root @ root.T
    z = random.normal(size=(500, 4))
    z = (z - z.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T, bias=True))).T
    codes = z @ np.linalg.cholesky(covariance).T  # whose covariance is that one, exactly
    expected = 0.5 * (np.log(np.diag(covariance)).sum() - np.linalg.slogdet(covariance)[1])
    assert gaussian_total_correlation(codes) == pytest.approx(expected, abs=1e-10)
    assert gaussian_total_correlation(codes * [9.0, -1.0, 0.1, 5.0]) == pytest.approx(expected)
    assert gaussian_total_correlation(z) == pytest.approx(0.0, abs=1e-10)


def test_total_correlation_without_noise_is_infinite(random: np.random.Generator) -> None:
    z = random.integers(0, 2, size=(64, 1)).astype(float)
    assert gaussian_total_correlation(np.concatenate([z, z], 1)) == math.inf
    assert gaussian_total_correlation(np.concatenate([z, np.ones_like(z)], 1)) == 0.0


def test_parts_of_the_rate_are_those_of_the_normal() -> None:
    """Means N(0, C) and noise s² I give q(z) = N(0, C + s² I): every part is known."""
    generator = torch.Generator().manual_seed(0)
    count, variance = 3000, 0.5
    root = torch.tensor([[0.8, 0.0], [0.6, 0.5]], dtype=torch.float64)
    means = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    means = means - means.mean(0)
    means = means @ torch.linalg.inv(torch.linalg.cholesky(means.T @ means / count)).T @ root.T
    q = DiagonalNormal(means, torch.full_like(means, 0.5 * math.log(variance)), 1)
    whole = root @ root.T + variance * torch.eye(2, dtype=torch.float64)
    marginals = whole.diagonal()
    information = 0.5 * (torch.logdet(whole) - 2 * math.log(variance))
    correlation = 0.5 * (marginals.log().sum() - torch.logdet(whole))
    dimension = 0.5 * (marginals - 1 - marginals.log()).sum()
    found = decompose_rate(q, StandardNormal(2).double()(), codes=2000, seed=1)
    exact = torch.stack([information, correlation, dimension]).tolist()
    for value, expected, error in zip(found[:3], exact, found.errors, strict=True):
        assert abs(value - expected) < 4 * error
    # Together they are the rate, with the noise of the draws left in it.
    rate = 0.5 * (means.square() + variance - 1 - math.log(variance)).sum(1).mean()
    assert abs(sum(found[:3]) - float(rate)) < 4 * math.hypot(*found.errors)


def test_information_of_few_examples_is_their_entropy() -> None:
    """Posteriors that do not overlap tell which example it was: log N."""
    q = DiagonalNormal(10.0 * torch.arange(8.0)[:, None], torch.zeros(8, 1), 1)
    found = decompose_rate(q, StandardNormal(1)(), codes=8)
    assert found.mutual_information == pytest.approx(math.log(8), abs=1e-3)
    assert found.total_correlation == pytest.approx(0.0, abs=1e-6)
    alike = DiagonalNormal(torch.zeros(8, 1), torch.zeros(8, 1), 1)
    assert decompose_rate(alike, StandardNormal(1)(), codes=8)[:3] == pytest.approx(
        (0, 0, 0), abs=1e-6
    )


def test_a_minibatch_weighted_is_an_upper_estimate_of_information() -> None:
    """Weighted sampling is below log q(z) in expectation, and so above I(x; z)."""
    generator = torch.Generator().manual_seed(3)
    means = torch.randn(4000, 1, generator=generator)
    whole = DiagonalNormal(means, torch.full_like(means, -1.0), 1)
    exact = decompose_rate(whole, StandardNormal(1)(), codes=2000)
    batch = DiagonalNormal(means[:100], torch.full((100, 1), -1.0), 1)
    found = decompose_rate(batch, StandardNormal(1)(), examples=4000, sampling="weighted")
    assert found.mutual_information > exact.mutual_information + 4 * exact.errors[0]


def test_other_posteriors_are_refused() -> None:
    with pytest.raises(LowerboundError, match="diagonal normals, came Exponential"):
        decompose_rate(torch.distributions.Exponential(torch.ones(3)), StandardNormal(1)())


# Clusters


@pytest.mark.parametrize("seed", range(5))
def test_partitions_compare_as_in_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    a, b = random.integers(0, 5, size=300), random.integers(0, 7, size=300)
    b = np.where(random.uniform(size=300) < 0.5, a, b)
    names = np.array(list("abcdefg"))[b]
    assert normalized_mutual_information(a, names) == pytest.approx(
        float(normalized_mutual_info_score(a, b)), abs=1e-10
    )
    assert adjusted_rand_index(a, names) == pytest.approx(
        float(adjusted_rand_score(a, b)), abs=1e-10
    )


def test_partitions_by_their_definition() -> None:
    """Pairs on which both agree, by counting them all."""
    a, b = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 2])
    pairs = [(i, j) for i in range(6) for j in range(i)]
    both = sum(a[i] == a[j] and b[i] == b[j] for i, j in pairs)
    first, second = (sum(each[i] == each[j] for i, j in pairs) for each in (a, b))
    expected = first * second / len(pairs)
    assert adjusted_rand_index(a, b) == pytest.approx(
        (both - expected) / ((first + second) / 2 - expected), abs=1e-14
    )
    assert adjusted_rand_index(a, 5 - a) == 1.0 == normalized_mutual_information(a, 5 - a)
    still = np.zeros(6, int)
    assert normalized_mutual_information(a, still) == 0.0 == adjusted_rand_index(a, still)
    assert normalized_mutual_information(still, still) == 1.0 == adjusted_rand_index(still, still)


def test_clusters_are_those_of_k_means(random: np.random.Generator) -> None:
    labels = np.arange(400) % 4
    far = random.normal(size=(400, 2)) + 20.0 * np.stack([labels % 2, labels // 2], 1)
    assert cluster(far, labels)[:2] == pytest.approx((1.0, 1.0))
    near = random.normal(size=(400, 2)) + 2.0 * np.stack([labels % 2, labels // 2], 1)
    expected = KMeans(4, n_init=10, random_state=0).fit(near).labels_
    found = cluster(near, labels)
    assert found.ari == pytest.approx(float(adjusted_rand_score(expected, labels)), abs=1e-10)
    assert found.nmi == pytest.approx(
        float(normalized_mutual_info_score(expected, labels)), abs=1e-10
    )


def test_codes_that_are_all_equal_are_one_cluster() -> None:
    assert cluster(np.zeros((10, 2)), np.arange(10) % 2)[:2] == (0.0, 0.0)
    with pytest.raises(LowerboundError, match="a label for each code"):
        cluster(np.zeros((10, 2)), np.arange(9))


def test_codes_on_a_grid_have_the_parts_of_flat_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    loc = torch.randn(50, 8, generator=generator)
    q = DiagonalNormal(loc, torch.full((50, 8), -1.0), 1)
    flat = decompose_rate(q, StandardNormal(8)(), codes=20)
    assert decompose_rate(q, StandardNormal((2, 2, 2))(), codes=20)[:3] == flat[:3]
