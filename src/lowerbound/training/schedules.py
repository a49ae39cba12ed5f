"""What changes over a run, as pure functions of where the run is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from lowerbound.errors import LowerboundError


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

    def within(self, window: tuple[float, float]) -> Clock:
        """The clock of a part of the run, which takes that part for the whole.

        >>> Clock(30, 3.0, 0.75).within((0.5, 1.0))
        Clock(step=10, epoch=1.0, progress=0.5)
        """
        begin, end = window
        if window == (0.0, 1.0):
            return self
        # Steps come at an even pace, so that the part's are the same share of all that were done.
        done = max(0.0, 1.0 - begin / self.progress) if self.progress else 0.0
        progress = min(1.0, max(0.0, (self.progress - begin) / (end - begin)))
        return Clock(round(self.step * done), self.epoch * done, progress)


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


def ramp(
    start: float, end: float, *, share: float | None = None, steps: int | None = None
) -> Schedule:
    """A straight line from one value to another, which then stays.

    With ``start`` 0 the warm-up of β (Bowman et al. 2016, Generating sentences from a continuous
    space; Sønderby et al. 2016, Ladder variational autoencoders), or the capacity of Burgess et
    al. 2018.

    Args:
        start: value at first.
        end: value when the ramp is over.
        share: of the run that it takes, in (0, 1].
        steps: optimizer steps that it takes, in place of a share.

    Raises:
        LowerboundError: neither or both of share and steps, or one of them out of range.

    >>> warm = ramp(0.0, 4.0, share=0.5)
    >>> [warm(Clock(0, 0.0, progress)) for progress in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 2.0, 4.0, 4.0]
    """
    if (share is None) == (steps is None):
        raise LowerboundError(
            f"expected a ramp over a share of the run or over steps, came share={share}, "
            f"steps={steps}; pass one of them"
        )
    if (share is not None and not 0 < share <= 1) or (steps is not None and steps < 1):
        raise LowerboundError(
            f"expected a ramp over a share above 0 and at most 1, or over 1 or more steps, came "
            f"share={share}, steps={steps}; pass share=0.5"
        )

    def value(clock: Clock) -> float:
        done = clock.progress / share if share is not None else clock.step / (steps or 1)
        return end if done >= 1.0 else start + (end - start) * done

    return value


def cyclical(start: float, end: float, *, cycles: int = 4, share: float = 0.5) -> Schedule:
    """Ramps from one value to another, again and again: a cycle rises for a share, then stays.

    Args:
        start: value at the beginning of each cycle.
        end: value at its end, and at the end of the run.
        cycles: M, in the run.
        share: R, of each cycle that rises, in (0, 1].

    Raises:
        LowerboundError: no cycles, or a share out of range.

    Reference:
        Fu et al. 2019, Cyclical annealing schedule, equations 6 and 7, arXiv 1903.10145

    >>> beta = cyclical(0.0, 1.0, cycles=2, share=0.5)
    >>> [beta(Clock(0, 0.0, p)) for p in (0.0, 0.125, 0.25, 0.49, 0.5, 0.625, 1.0)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0]
    """
    if cycles < 1 or not 0 < share <= 1:
        raise LowerboundError(
            f"expected 1 or more cycles and a share above 0 and at most 1, came cycles={cycles}, "
            f"share={share}; pass cycles=4, share=0.5"
        )
    rise = ramp(start, end, share=share)

    def value(clock: Clock) -> float:
        done = clock.progress * cycles
        # A cycle's first step is a quotient of counts, which rounding may put just before it.
        if abs(done - round(done)) < 1e-9 * max(1.0, done):
            done = float(round(done))
        within = done % 1.0 if clock.progress < 1.0 else 1.0
        return rise(clock._replace(progress=within))

    return value


#: How a weight such as β comes to its value, by the name that recipes offer.
WeightSchedule = Literal["constant", "warmup", "cyclical"]


def weight(name: WeightSchedule, value: float, *, share: float = 0.5, cycles: int = 4) -> Schedule:
    """The schedule of an objective's weight: there at once, or risen to from zero.

    Args:
        name: "constant"; "warmup", a :func:`ramp` over a share of the run; "cyclical", in cycles
            of which a share rises (:func:`cyclical`).
        value: where it ends.
        share: of the run, or of each cycle.
        cycles: of "cyclical".

    Raises:
        LowerboundError: another name, or numbers that are out of range.

    >>> weight("warmup", 4.0, share=0.25)(Clock(0, 0.0, 0.125))
    2.0
    """
    if name == "constant":
        return lambda clock: value
    if name == "warmup":
        return ramp(0.0, value, share=share)
    if name == "cyclical":
        return cyclical(0.0, value, cycles=cycles, share=share)
    raise LowerboundError(
        f"expected a schedule {' or '.join(map(repr, get_args(WeightSchedule)))}, came {name!r}; "
        f"pass one of them"
    )


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
