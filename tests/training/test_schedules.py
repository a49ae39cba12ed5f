"""Schedules have the values of their papers."""

from __future__ import annotations

import pytest

from lowerbound.training.options import resolve
from lowerbound.training.schedules import Clock, constant, cosine, learning_rate, staircase


def at(progress: float, step: int = 0) -> Clock:
    return Clock(step, 0.0, progress)


def test_cosine() -> None:
    shares = [0.0, 1 / 3, 1 / 2, 2 / 3, 1.0]
    assert [cosine(at(s)) for s in shares] == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])


def test_constant() -> None:
    assert constant(at(0.0)) == constant(at(1.0)) == 1.0


def test_the_staircase_of_burda_et_al() -> None:
    """Section 5: 3^i passes over the data with learning rate 0.001 * 10^(-i/7), i = 0..7."""
    rates = [10 ** (-i / 7) for i in range(8) for _ in range(3**i)]
    assert len(rates) == 3280
    for epoch in [0, 1, 3, 4, 12, 13, 39, 40, 120, 121, 363, 364, 1092, 1093, 3279]:
        # Half an epoch in, so that the edge of a step is not asked for in floating point.
        assert staircase(at((epoch + 0.5) / 3280)) == pytest.approx(rates[epoch], rel=1e-12)
    assert staircase(at(1.0)) == pytest.approx(0.1)


def test_warm_up_is_linear_and_on_top_of_the_schedule() -> None:
    options = resolve({"learning_rate": 0.5, "warmup": 4, "schedule": "cosine", "steps": 100})
    rate = learning_rate(options)
    warm = [rate(at(0.0, step)) for step in range(6)]
    assert warm == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5, 0.5])
    assert rate(at(0.5, 50)) == pytest.approx(0.25)


def test_without_warm_up_the_first_step_is_whole() -> None:
    assert learning_rate(resolve({"learning_rate": 0.5}))(at(0.0)) == 0.5
