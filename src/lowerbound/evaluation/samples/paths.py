"""How smooth a path of decoded codes is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...errors import LowerboundError
from .arrays import Array


class Smoothness(NamedTuple):
    """Of each path, ``(N,)`` float64.

    Attributes:
        length: sum of the steps, in the points' units.
        straight: distance from the first point to the last.
        largest_jump: the longest step.
        jump: the longest step over the mean step: 1 of a path of even speed, as a linear decoder
            makes of a straight line of codes, and T − 1 where everything happens in one step.
        detour: length over distance: 1 of a straight path.
    """

    length: Array
    straight: Array
    largest_jump: Array
    jump: Array
    detour: Array


def smoothness(paths: Array) -> Smoothness:
    """Length and jumps of paths.

    Args:
        paths: ``(N, T, *event_shape)``, T points each, at even steps of the code.

    Raises:
        LowerboundError: fewer than 3 points in a path.

    >>> line = np.linspace(0.0, 1.0, 5)[None, :, None] * np.array([3.0, 4.0])
    >>> found = smoothness(line)
    >>> found.length.tolist(), found.jump.tolist(), found.detour.tolist()
    ([5.0], [1.0], [1.0])
    """
    paths = np.asarray(paths, np.float64)
    if paths.ndim < 3 or paths.shape[1] < 3:
        raise LowerboundError(
            f"expected paths (N, T, ...) of 3 points or more, came {paths.shape}; pass more steps"
        )
    points = paths.reshape(*paths.shape[:2], -1)
    steps = np.linalg.norm(np.diff(points, axis=1), axis=2)
    length, largest = steps.sum(1), steps.max(1)
    straight = np.linalg.norm(points[:, -1] - points[:, 0], axis=1)
    tiny = np.finfo(float).tiny
    return Smoothness(
        length,
        straight,
        largest,
        largest / np.maximum(steps.mean(1), tiny),
        length / np.maximum(straight, tiny),
    )


def lines(start: Array, end: Array, points: int = 17) -> Array:
    """Straight lines between codes, even steps, both ends included.

    Args:
        start: ``(N, *latent_shape)``.
        end: ``(N, *latent_shape)``.
        points: T.

    Returns:
        ``(N, T, *latent_shape)``: (1 − α) start + α end (EQUATIONS 28).
    """
    start, end = np.asarray(start)[:, None], np.asarray(end)[:, None]
    share = np.linspace(0.0, 1.0, points, dtype=np.float64)
    share = share.reshape(1, -1, *(1,) * (start.ndim - 2))
    return (1.0 - share) * start + share * end
