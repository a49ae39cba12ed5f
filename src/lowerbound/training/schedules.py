"""What changes over a run, as pure functions of where the run is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Clock(NamedTuple):
    """Where a run is.

    Args:
        step: optimizer steps done.
        epoch: passes over the data done, a fraction too.
        progress: share of the run done, in [0, 1]; by steps, or by time for ``--minutes``.
    """

    step: int
    epoch: float
    progress: float


#: A number that changes over a run. It holds no state: a resumed run asks and gets the same.
Schedule = Callable[[Clock], float]

_STAIRCASE_PARTS = sum(3**i for i in range(8))  # 3280 epochs in the paper


def cosine(clock: Clock) -> float:
    """From 1 to 0 along half a cosine (Loshchilov & Hutter 2017, without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * clock.progress))


def constant(clock: Clock) -> float:
    """1 all along."""
    return 1.0


def staircase(clock: Clock) -> float:
    """``10^(-i/7)`` for ``3^i`` parts of the run, i = 0..7 (Burda et al. 2016, section 5).

    >>> staircase(Clock(0, 0.0, 0.0)), round(staircase(Clock(0, 0.0, 1.0)), 6)
    (1.0, 0.1)
    """
    done, stage = clock.progress * _STAIRCASE_PARTS, 0
    while stage < 7 and done >= sum(3**i for i in range(stage + 1)):
        stage += 1
    return 10.0 ** (-stage / 7)


SCHEDULES: dict[str, Schedule] = {"cosine": cosine, "constant": constant, "staircase": staircase}


def learning_rate(options: Mapping[str, Any]) -> Schedule:
    """The learning rate of a run: its schedule times a linear warm-up."""
    shape, peak, warmup = (
        SCHEDULES[options["schedule"]],
        options["learning_rate"],
        options["warmup"],
    )

    def rate(clock: Clock) -> float:
        warm = min(1.0, (clock.step + 1) / warmup) if warmup else 1.0
        return peak * warm * shape(clock)

    return rate
