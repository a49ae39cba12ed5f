"""Series that come with their answer, by name: a function of a seed, no file.

- ``linear-gaussian``: a linear-Gaussian state-space model of two states and one number a step,
  whose exact log p(x) a Kalman filter tells (`lowerbound.sequences.LinearDynamics`);
- ``oscillator``: a noisy harmonic oscillator, of a frequency of its own in each series, of which
  the position is seen.

>>> oscillator(3, steps=50).x.shape
(3, 50, 1)

Reference:
    Gregor et al. 2019, Temporal difference variational auto-encoder, arXiv 1806.03107 (the
    oscillator: 200 steps, of which jumps of up to 120 are made)
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from lowerbound.data.sequences import SequenceRows
from lowerbound.data.splits import Source

STEPS = 200
_TRAIN, _TEST = 4000, 1000
_TRAIN_SEED, _TEST_SEED = 1, 2
_LINEAR_STEPS = 50

# A slowly turning, shrinking state of which one coordinate is seen.
_SHRINK, _TURN = 0.95, 2.0 * math.pi / 20.0
LINEAR = {
    "transition": (
        (_SHRINK * math.cos(_TURN), -_SHRINK * math.sin(_TURN)),
        (_SHRINK * math.sin(_TURN), _SHRINK * math.cos(_TURN)),
    ),
    "transition_noise": ((0.1, 0.0), (0.0, 0.1)),
    "emission": ((1.0, 0.0),),
    "emission_noise": ((0.25,),),
}
PERIODS = (20.0, 60.0)  # of the oscillators, steps
DAMPING, KICK, NOISE = 0.002, 0.02, 0.1


class Oscillations(NamedTuple):
    """Noisy oscillators.

    Args:
        x: what is seen of the position, ``(N, T, 1)``.
        position: without the noise of seeing, ``(N, T)``.
        phase: angle in the plane of position and velocity, radians, ``(N, T)``.
        frequency: radians a step, ``(N,)``.
    """

    x: np.ndarray
    position: np.ndarray
    phase: np.ndarray
    frequency: np.ndarray


def oscillator(n: int, *, steps: int = STEPS, seed: int = 0) -> Oscillations:
    """Damped oscillators that are kicked at random, each of its own frequency.

    The state turns by its frequency each step, exactly; amplitudes begin at about one.

    Args:
        n: how many.
        steps: of each.
        seed: of the draw.
    """
    random = np.random.default_rng([seed, 0x05C])
    frequency = 2.0 * np.pi / random.uniform(*PERIODS, n)
    angle = random.uniform(0.0, 2.0 * np.pi, n)
    state = random.uniform(0.8, 1.2, n) * np.exp(1j * angle)
    turn = np.exp(1j * frequency - DAMPING)
    states = np.empty((n, steps), np.complex128)
    for step in range(steps):
        states[:, step] = state
        kick = random.standard_normal((2, n))
        state = state * turn + KICK * (kick[0] + 1j * kick[1])
    seen = states.real + NOISE * random.standard_normal((n, steps))
    return Oscillations(seen[..., None], states.real, np.angle(states), frequency)


def linear_gaussian_series(n: int, *, steps: int = _LINEAR_STEPS, seed: int = 0) -> np.ndarray:
    """Draws ``(n, T, 1)`` of the model of `LINEAR`, the first state standard normal."""
    random = np.random.default_rng([seed, 0x11E])
    a, q, c, r = (np.array(value) for value in LINEAR.values())
    z = random.standard_normal((n, 2))
    x = np.empty((n, steps, 1))
    for step in range(steps):
        if step:
            z = z @ a.T + random.standard_normal((n, 2)) @ np.sqrt(q)
        x[:, step] = z @ c.T + random.standard_normal((n, 1)) @ np.sqrt(r)
    return x


def _oscillators() -> Source:
    parts = [oscillator(n, seed=s).x for n, s in ((_TRAIN, _TRAIN_SEED), (_TEST, _TEST_SEED))]
    return _source("oscillator", parts, f"{STEPS} steps, periods of 20 to 60; no file")


def _linear() -> Source:
    parts = [
        linear_gaussian_series(n, seed=s) for n, s in ((_TRAIN, _TRAIN_SEED), (_TEST, _TEST_SEED))
    ]
    return _source("linear-gaussian", parts, "a linear-Gaussian state-space model; no file")


def _source(name: str, parts: list[np.ndarray], note: str) -> Source:
    train, test = (SequenceRows(part, name) for part in parts)
    found = Source(name, train, test=test, kind="sequence", as_came="float64")
    found.notes.append(("made", note))
    return found


MADE = {"linear-gaussian": _linear, "oscillator": _oscillators}
