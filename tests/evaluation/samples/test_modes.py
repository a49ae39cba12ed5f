"""Modes of mixtures that are known; sharpness and paths in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from lowerbound.errors import LowerboundError
from lowerbound.evaluation.samples import (
    grid,
    label_coverage,
    lines,
    ring,
    sharpness,
    smoothness,
    stacked_digits,
    stacked_labels,
)


@pytest.mark.parametrize("modes", [ring(), grid()])
def test_the_mixtures_own_samples_cover_it(modes) -> None:
    n = 20_000
    found = modes.coverage(modes.sample(n, seed=1)[0])
    assert found.covered == found.modes == len(modes.centres)
    # Within 3 standard deviations of a round normal in two dimensions: 1 − exp(−9/2).
    assert abs(found.good.value - (1 - np.exp(-4.5))) < 4 * found.good.standard_error
    # 2 N KL is about chi-squared with K − 1 degrees of freedom.
    expected, spread = found.modes - 1, np.sqrt(2 * (found.modes - 1))
    assert abs(2 * found.counts.sum() * found.kl - expected) < 4 * spread


def test_collapse_to_two_modes_of_eight() -> None:
    modes = ring()
    x, which = modes.sample(5000, seed=2)
    found = modes.coverage(x[which < 2])
    assert found.covered == 2
    assert found.kl == pytest.approx(np.log(4), abs=0.01)
    # A tenth of the samples lies between the modes.
    stray = np.concatenate([modes.centres[which[:900]], np.zeros((100, 2))])
    assert modes.coverage(stray).good.value == pytest.approx(0.9)
    assert modes.coverage(np.zeros((10, 2))).kl == np.inf
    assert modes.coverage(x[which < 2], least=10_000).covered == 0


def test_stacked_digits_are_a_thousand_modes() -> None:
    images = np.arange(10, dtype=np.float64)[:, None, None, None] * np.ones((1, 1, 3, 3))
    x, mode = stacked_digits(images, np.arange(10), 30_000, seed=3)
    assert x.shape == (30_000, 3, 3, 3)
    read = stacked_labels(x[:, :, 0, 0].astype(int))  # a judge that is never wrong
    np.testing.assert_array_equal(read, mode)
    found = label_coverage(read, 1000)
    assert found.covered == 1000 and found.good.value == 1.0
    assert abs(2 * 30_000 * found.kl - 999) < 4 * np.sqrt(2 * 999)
    one = label_coverage(read[read < 100], 1000)
    assert one.covered == 100 and one.kl == pytest.approx(np.log(10), abs=0.02)


def test_labels_are_held_against_those_of_the_data() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    assert label_coverage(labels, 3, of_data=np.array([6, 3, 1])).kl == pytest.approx(0, abs=1e-12)
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
    found = label_coverage(labels, 3, of_data=np.array([2, 3, 5])).kl
    assert found == pytest.approx((p * np.log(p / q)).sum(), abs=1e-12)
    with pytest.raises(LowerboundError, match="labels from 0 to 1, came 0 to 2"):
        label_coverage(labels, 2)


def test_sharpness_is_the_variance_of_the_laplacian_and_falls_with_blur() -> None:
    random = np.random.default_rng(4)
    images = random.uniform(size=(5, 3, 9, 12))
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    expected = [convolve2d(x.mean(0), kernel, "valid").var() for x in images]
    np.testing.assert_allclose(sharpness(images), expected, atol=1e-12)
    # Of independent noise of variance v: (16 + 4) v.
    noise = random.normal(size=(200, 1, 40, 40))
    assert sharpness(noise).mean() == pytest.approx(20.0, rel=0.02)
    soft = np.stack([[convolve2d(x[0], np.ones((3, 3)) / 9, "same")] for x in noise])
    assert (sharpness(soft) < 0.2 * sharpness(noise)).all()
    with pytest.raises(LowerboundError, match="3 x 3 pixels or more"):
        sharpness(np.zeros((5, 64)))


def test_a_linear_decoder_makes_straight_paths_of_even_speed() -> None:
    random = np.random.default_rng(5)
    weight, bias = random.normal(size=(3, 20)), random.normal(size=20)
    start, end = random.normal(size=(2, 8, 3))
    codes = lines(start, end, 11)
    np.testing.assert_array_equal(codes[:, 0], start)
    np.testing.assert_allclose(codes[:, -1], end, atol=1e-12)
    found = smoothness(codes @ weight + bias)
    length = np.linalg.norm((end - start) @ weight, axis=1)
    np.testing.assert_allclose(found.length, length, rtol=1e-12)
    np.testing.assert_allclose(found.straight, length, rtol=1e-12)
    np.testing.assert_allclose(found.largest_jump, length / 10, rtol=1e-10)
    np.testing.assert_allclose(found.jump, 1.0, rtol=1e-10)
    np.testing.assert_allclose(found.detour, 1.0, rtol=1e-12)


def test_a_step_is_one_jump_and_a_half_circle_a_detour_of_pi_over_two() -> None:
    step = np.repeat([0.0, 1.0], [6, 5])[None, :, None]
    assert smoothness(step).jump[0] == pytest.approx(10.0)
    angle = np.linspace(0, np.pi, 2001)
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)[None]
    assert smoothness(circle).detour[0] == pytest.approx(np.pi / 2, abs=1e-6)
    with pytest.raises(LowerboundError, match="3 points or more"):
        smoothness(np.zeros((4, 2, 3)))
