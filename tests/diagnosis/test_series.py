"""What a learning curve says, against curves whose end is known."""

from __future__ import annotations

import numpy as np
import pytest

from lowerbound.diagnosis.series import left_to_learn, noise_of, since_best, worst_rise


@pytest.mark.parametrize("length", [1.0, 2.0, 4.0])
def test_what_is_left_of_an_exponential_approach(length: float) -> None:
    clock = np.linspace(0.0, length, 201)
    found = left_to_learn(clock, 80.0 + 30.0 * np.exp(-clock))
    assert found is not None
    assert found.left == pytest.approx(30.0 * np.exp(-length), rel=1e-3)
    assert found.learned == pytest.approx(30.0 * (1.0 - np.exp(-length)), rel=1e-9)


def test_a_straight_line_has_no_end_in_sight() -> None:
    found = left_to_learn(np.arange(10.0), 100.0 - np.arange(10.0))
    assert found is not None
    assert found.left == np.inf
    assert found.share == pytest.approx(0.5)


def test_a_flat_curve_has_learned_nothing() -> None:
    random = np.random.default_rng(0)
    assert left_to_learn(np.arange(200.0), 90.0 + random.normal(size=200)) is None


def test_a_schedule_that_fades_out_is_no_flatter() -> None:
    """The same descent on the clock of the learning rates, by steps of a cosine schedule."""
    steps = np.linspace(0.0, 1.0, 2001)
    rate = 0.5 * (1.0 + np.cos(np.pi * steps))
    clock = np.cumsum(rate) / rate.sum()
    curve = 50.0 * np.exp(-1.5 * clock)
    by_clock, by_steps = left_to_learn(clock, curve), left_to_learn(steps, curve)
    assert by_clock is not None
    assert by_steps is not None
    assert by_clock.left == pytest.approx(50.0 * np.exp(-1.5), rel=0.02)
    assert by_steps.left < 0.3 * by_clock.left


def test_the_noise_of_reports_is_told_beside_a_descent_and_spikes() -> None:
    random = np.random.default_rng(1)
    curve = 100.0 * np.exp(-np.arange(2000) / 300.0) + 0.5 * random.normal(size=2000)
    curve[::100] += 50.0
    assert noise_of(curve) == pytest.approx(0.5, rel=0.1)


def test_rises_and_falls() -> None:
    values = np.array([10.0, 6.0, 4.0, 9.0, 5.0, 3.0, 3.5])
    rise, fall = worst_rise(values), since_best(values)
    assert rise is not None
    assert (rise.place, rise.rise, rise.learned) == (3, 5.0, 6.0)
    assert fall is not None
    assert (fall.best, fall.lost, fall.learned) == (5, 0.5, 7.0)
