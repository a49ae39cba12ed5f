"""Schedules have the values of their papers."""

from __future__ import annotations

import pytest

from lowerbound.errors import LowerboundError
from lowerbound.training.options import resolve
from lowerbound.training.schedules import (
    Clock,
    constant,
    cosine,
    cyclical,
    learning_rate,
    ramp,
    staircase,
    weight,
)


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


def test_a_ramp_is_a_line_and_then_stays() -> None:
    by_share, by_steps = ramp(1.0, 3.0, share=0.25), ramp(5.0, 1.0, steps=8)
    shares = [0.0, 0.0625, 0.125, 0.25, 0.7, 1.0]
    assert [by_share(at(s)) for s in shares] == pytest.approx([1.0, 1.5, 2.0, 3.0, 3.0, 3.0])
    steps = [0, 2, 4, 8, 100]
    assert [by_steps(at(0.9, step)) for step in steps] == pytest.approx([5.0, 4.0, 3.0, 1.0, 1.0])


def test_the_cycles_of_fu_et_al() -> None:
    """Equations 6 and 7: tau = mod(t - 1, T/M) / (T/M), beta = tau/R up to R, then 1."""
    total, cycles, share = 4000, 4, 0.5
    schedule = cyclical(0.0, 1.0, cycles=cycles, share=share)
    for t in range(1, total + 1, 37):
        tau = ((t - 1) % (total / cycles)) / (total / cycles)
        expected = tau / share if tau <= share else 1.0
        assert schedule(at((t - 1) / total)) == pytest.approx(expected, abs=1e-9)
    assert schedule(at(1.0)) == 1.0  # a report after the last step


@pytest.mark.parametrize(("total", "cycles"), [(1000, 100), (700, 7), (10_000, 9), (997, 3)])
def test_a_cycle_begins_at_its_first_step(total: int, cycles: int) -> None:
    """Against whole numbers, which round nothing."""
    schedule = cyclical(0.0, 1.0, cycles=cycles, share=0.5)
    for step in range(total):
        tau = step * cycles % total / total
        assert schedule(at(step / total)) == pytest.approx(min(1.0, tau / 0.5), abs=1e-6)


def test_weights_by_name() -> None:
    clocks = [at(s) for s in (0.0, 0.1, 0.4, 0.8, 1.0)]
    assert {weight("constant", 3.0)(clock) for clock in clocks} == {3.0}
    warm, line = weight("warmup", 3.0, share=0.8), ramp(0.0, 3.0, share=0.8)
    assert [warm(c) for c in clocks] == [line(c) for c in clocks]
    waves, own = weight("cyclical", 3.0, cycles=2), cyclical(0.0, 3.0, cycles=2)
    assert [waves(c) for c in clocks] == [own(c) for c in clocks]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ramp(0.0, 1.0), "pass one of them"),
        (lambda: ramp(0.0, 1.0, share=0.5, steps=3), "pass one of them"),
        (lambda: ramp(0.0, 1.0, share=0.0), "above 0 and at most 1"),
        (lambda: ramp(0.0, 1.0, steps=0), "1 or more steps"),
        (lambda: cyclical(0.0, 1.0, cycles=0), "1 or more cycles"),
        (lambda: cyclical(0.0, 1.0, share=1.5), "at most 1"),
        (lambda: weight("warm", 1.0), "expected a schedule 'constant' or 'warmup'"),  # ty: ignore
    ],
)
def test_schedules_that_cannot_be(make, message: str) -> None:
    with pytest.raises(LowerboundError, match=message):
        make()
