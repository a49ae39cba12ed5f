"""FID and KID against closed forms, exact population values, and torchmetrics."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from lowerbound.errors import LowerboundError
from lowerbound.evaluation.samples import FeatureSet, frechet, frechet_of_moments, kid


def rotated(values: np.ndarray, seed: int) -> np.ndarray:
    axes = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(values), len(values))))[0]
    return axes @ np.diag(values) @ axes.T


def test_the_distance_of_two_normals_is_the_closed_form() -> None:
    # Diagonal: ‖Δμ‖² + Σ (σ_a − σ_b)².
    a, b = np.array([4.0, 1.0, 0.25, 0.0]), np.array([1.0, 9.0, 0.25, 2.0])
    shift = np.array([1.0, -2.0, 0.5, 0.0])
    expected = shift @ shift + np.square(np.sqrt(a) - np.sqrt(b)).sum()
    found = frechet_of_moments(np.zeros(4), np.diag(a), shift, np.diag(b))
    assert found == pytest.approx(expected, abs=1e-12)
    # Of one eigenbasis: the same, turned.
    turned = frechet_of_moments(np.zeros(4), rotated(a, 1), shift, rotated(b, 1))
    # Turning rounds a's eigenvalue of 0 to some 4 eps = δ, beside b's of 2: that alone is 2 √(2 δ).
    rounding = 2.0 * np.sqrt(2.0 * 4.0 * np.finfo(float).eps)
    assert turned == pytest.approx(expected, abs=rounding)
    full = frechet_of_moments(np.zeros(4), rotated(a + 1.0, 1), shift, rotated(b, 1))
    roots = np.square(np.sqrt(a + 1.0) - np.sqrt(b)).sum()
    assert full == pytest.approx(shift @ shift + roots, abs=1e-12)


def test_covariances_that_do_not_commute() -> None:
    """tr M^½ = √(tr M + 2 √det M) in two dimensions; and scipy's root in ten."""
    a, b = rotated(np.array([3.0, 0.5]), 2), rotated(np.array([2.0, 0.1]), 3)
    product = a @ b
    root = np.sqrt(np.trace(product) + 2.0 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(a) + np.trace(b) - 2.0 * root
    found = frechet_of_moments(np.zeros(2), a, np.zeros(2), b)
    assert found == pytest.approx(expected, abs=1e-8)
    random = np.random.default_rng(4)
    a, b = rotated(random.uniform(0.1, 3, 10), 5), rotated(random.uniform(0.1, 3, 10), 6)
    expected = np.trace(a) + np.trace(b) - 2.0 * np.trace(sqrtm(a @ b)).real
    found = frechet_of_moments(np.zeros(10), a, np.zeros(10), b)
    assert found == pytest.approx(expected, abs=1e-8)


def test_singular_covariances_lose_no_digits() -> None:
    """Five examples span four of fifty dimensions; a set has no distance from itself."""
    x = np.random.default_rng(0).normal(size=(5, 50))
    assert frechet(x, x).value == pytest.approx(0.0, abs=1e-10)
    # Scaled by 3 about its mean: Σ (σ − 3 σ)² = 4 tr Σ.
    scaled = x.mean(0) + 3.0 * (x - x.mean(0))
    assert frechet(x, scaled).value == pytest.approx(4.0 * np.trace(np.cov(x.T)), rel=1e-10)


def test_sampled_features_come_to_the_closed_form_from_above() -> None:
    random = np.random.default_rng(1)
    factor = random.normal(size=(6, 6)) / 2.0
    shift = np.full(6, 0.3)
    exact = frechet_of_moments(np.zeros(6), np.eye(6), shift, factor @ factor.T)

    a, b = random.normal(size=(40_000, 6)), random.normal(size=(40_000, 6)) @ factor.T + shift
    large = frechet(a, b)
    assert large.standard_error is not None
    assert abs(large.value - exact) < 4 * large.standard_error
    assert large.mean_part + large.covariance_part == large.value

    def alike(n: int) -> float:
        pairs = random.normal(size=(40, 2, n, 6))
        return float(np.mean([frechet(a, b, error=False).value for a, b in pairs]))

    # The bias of two sets of one distribution: upwards, and falling with 1/N.
    assert alike(50) / alike(400) == pytest.approx(8.0, rel=0.25)


def test_the_error_of_the_frechet_distance_is_its_spread() -> None:
    random = np.random.default_rng(2)
    found = [
        frechet(random.normal(size=(200, 3)), random.normal(size=(150, 3)) + 0.5)
        for _ in range(150)
    ]
    told = np.sqrt(np.mean([each.standard_error**2 for each in found]))  # ty: ignore
    assert told == pytest.approx(np.std([each.value for each in found]), rel=0.2)


def population_mmd(p: np.ndarray, q: np.ndarray) -> float:
    """MMD² of the uniform distributions on the rows of p and q, exactly."""

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a @ b.T / a.shape[1] + 1.0) ** 3).mean())

    return mean(p, p) + mean(q, q) - 2.0 * mean(p, q)


@pytest.mark.parametrize("alike", [True, False])
def test_the_kernel_distance_is_unbiased_at_small_counts(alike: bool) -> None:
    """Mean of many draws of 6 and 5 examples, against the exact value of the populations."""
    random = np.random.default_rng(3)
    p = random.normal(size=(7, 3))
    q = p if alike else random.normal(size=(4, 3)) + 0.5
    exact = population_mmd(p, q)
    assert (exact == pytest.approx(0.0, abs=1e-12)) is alike
    draws = [
        (p[random.integers(len(p), size=6)], q[random.integers(len(q), size=5)])
        for _ in range(4000)
    ]
    found = [kid(a, b).value for a, b in draws]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - exact) < 4 * error
    # With each example's kernel with itself counted it would be seen to be biased.
    assert np.mean([population_mmd(a, b) for a, b in draws]) - exact > 10 * error


def test_the_kernel_distance_of_normals_in_one_dimension() -> None:
    """Σ_k C(3, k) (E x^k − E y^k)², from the moments of N(0, 1) and N(1, 1)."""
    exact = 3 * (0 - 1) ** 2 + 3 * (1 - 2) ** 2 + (0 - 4) ** 2
    random = np.random.default_rng(4)
    found = kid(random.normal(size=(8000, 1)), random.normal(size=(8000, 1)) + 1.0)
    assert abs(found.value - exact) < 4 * found.standard_error < 0.25 * exact
    spread = found.subset_spread
    assert found.subsets == 8 and spread is not None
    assert abs(found.subset_mean - exact) < 4 * spread / 8**0.5


def test_the_error_of_the_kernel_distance_is_its_spread() -> None:
    random = np.random.default_rng(5)
    found = [
        kid(random.normal(size=(200, 4)), random.normal(size=(150, 4)) + 0.8) for _ in range(300)
    ]
    told = np.sqrt(np.mean([each.standard_error**2 for each in found]))
    assert told == pytest.approx(np.std([each.value for each in found]), rel=0.15)


def test_the_same_features_give_what_torchmetrics_gives() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    class Flat(torch.nn.Module):
        num_features = 12

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).double()

    random = np.random.default_rng(6)
    mix = random.normal(size=(12, 12)) / 3.0
    a, b = random.normal(size=(300, 12)), random.normal(size=(260, 12)) @ mix + 0.4
    images = [torch.from_numpy(x).reshape(-1, 3, 2, 2) for x in (a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about memory
        fid = FrechetInceptionDistance(
            feature=Flat(), normalize=False, input_img_size=(3, 2, 2)
        ).set_dtype(torch.float64)
        kernel = KernelInceptionDistance(feature=Flat(), subsets=1, subset_size=260)
    for metric in (fid, kernel):
        for x, real in zip(images, (True, False), strict=True):
            metric.update(x if metric is fid else x[:260], real=real)
    assert frechet(a, b).value == pytest.approx(float(fid.compute()), abs=1e-4)
    # One subset of all examples: its order changes nothing.
    expected = float(kernel.compute()[0])
    assert kid(a[:260], b).value == pytest.approx(expected, abs=1e-4)


def test_features_of_two_networks_do_not_meet() -> None:
    x = np.random.default_rng(0).normal(size=(30, 3))
    pca, pixels = FeatureSet(x, "pca", "p1"), FeatureSet(x, "pixels", "p2")
    with pytest.raises(LowerboundError, match="features of one network, came pca and pixels"):
        frechet(pca, pixels)
    other = FeatureSet(x, "classifier", "b")
    with pytest.raises(LowerboundError, match="two networks called classifier"):
        kid(FeatureSet(x, "classifier", "a"), other)
    with pytest.raises(LowerboundError, match="one width, came 3 and 2"):
        kid(x, x[:, :2])
    with pytest.raises(LowerboundError, match="at least 2 examples, came 1"):
        frechet(x[:1], x)
    with pytest.raises(LowerboundError, match="NaN or infinity"):
        frechet(np.full((5, 3), np.nan), x)
