"""What a learning curve says by itself. Pure functions of arrays.

A curve is what is minimised: nats of loss at steps that rise. The clock of a curve is the sum of
the learning rates so far: under Adam the farthest way that a weight can have gone (each step moves
it by about the learning rate at most), so that a schedule that fades out looks no flatter than a
constant one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A rise counts where it is so many times the noise between two reports (a normal's 6 σ).
NOISE = 6.0


class Left(NamedTuple):
    """How far from its end a descent is.

    Attributes:
        learned: nats, from the first report to the last.
        share: of them, how much in the second half of the way.
        left: nats that are still to come, were the approach exponential; infinite where the
            descent is as steep in the second half as in the first.
    """

    learned: float
    share: float
    left: float


def noise_of(values: Array) -> float:
    """Standard deviation of one report about the curve, from the differences of neighbours.

    A median, so that neither spikes nor the steep beginning count: 1.4826 median |difference| is a
    normal's standard deviation, √2 times that of one report.
    """
    if len(values) < 4:
        return 0.0
    return 1.4826 * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2.0)


def left_to_learn(clock: Array, values: Array) -> Left | None:
    """What the second half of the way brought, and what that says of the rest.

    An exponential approach that brings a share s of all it has learned in the second half has
    (s / (1 − s))² of the whole way still before it: it learned e^(−a) as much in the second half as
    in the first, with a the half's length in units of its decay.

    Args:
        clock: that rises; see the module.
        values: what is minimised, nats.

    Returns:
        None where there are fewer than three reports, or nothing was learned beyond the noise.

    >>> clock = np.linspace(0, 4, 41)
    >>> found = left_to_learn(clock, 10 + 5 * np.exp(-clock))
    >>> round(found.left, 3), round(float(5 * np.exp(-4)), 3)
    (0.092, 0.092)
    """
    if len(values) < 3 or clock[-1] <= clock[0]:
        return None
    middle = float(np.interp(0.5 * (clock[0] + clock[-1]), clock, values))
    learned, late = float(values[0] - values[-1]), middle - float(values[-1])
    if learned <= NOISE * noise_of(values) * 0.5 or learned <= 0.0:
        return None
    share = max(0.0, late / learned)
    if share >= 0.5:
        return Left(learned, share, float("inf"))
    ratio = (share / (1.0 - share)) ** 2
    return Left(learned, share, learned * ratio / (1.0 - ratio))


class Spike(NamedTuple):
    """The worst rise of a curve.

    Attributes:
        place: index where it is highest.
        rise: nats above the least value before it.
        learned: nats from the first value to that least one.
    """

    place: int
    rise: float
    learned: float


def worst_rise(values: Array) -> Spike | None:
    """The greatest rise above the least value so far; None of fewer than three reports."""
    if len(values) < 3:
        return None
    least = np.minimum.accumulate(values)
    rises = values - least
    place = int(rises.argmax())
    return Spike(place, float(rises[place]), float(values[0] - least[place]))


class Fall(NamedTuple):
    """How far a held-out curve ends from its best.

    Attributes:
        best: index of the least value.
        lost: nats from there to the end (a mean over the last tenth of the reports).
        learned: nats from the first value to the best.
    """

    best: int
    lost: float
    learned: float


def since_best(values: Array) -> Fall | None:
    """What was lost since the best report; None of fewer than three reports."""
    if len(values) < 3:
        return None
    best = int(values.argmin())
    tail = max(1, len(values) // 10)
    lost = float(values[-tail:].mean() - values[best])
    return Fall(best, max(0.0, lost), float(values[0] - values[best]))
