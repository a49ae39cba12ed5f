"""A density drawn with the mouse, a finger or the keyboard: lines with noise around them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...data.planar import Curve
from ...errors import LowerboundError
from ..asked import Asked

#: Points of the plane, in turn.
Stroke = tuple[tuple[float, float], ...]
REACH = 3.0
_MOST_STROKES, _MOST_POINTS = 200, 4000
_DOT = 0.02  # length of the line that a dot is taken for


def read(asked: Asked) -> tuple[Stroke, ...]:
    """Strokes as they came: a list of lists of pairs.

    Raises:
        LowerboundError: something else, or nothing drawn.
    """
    found: Any = asked.get("strokes")
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_STROKES:
        raise LowerboundError(
            f"strokes: expected 1 to {_MOST_STROKES} lines, came "
            f"{len(found) if isinstance(found, list) else 'something else'}; draw a line"
        )
    strokes = []
    for stroke in found:
        try:
            points = np.asarray(stroke, np.float64)
        except (TypeError, ValueError):
            points = np.empty(0)
        fits = points.ndim == 2 and points.shape[1:] == (2,) and 0 < len(points) <= _MOST_POINTS
        if not fits or not (np.abs(points) <= REACH).all():
            raise LowerboundError(
                f"strokes: expected 1 to {_MOST_POINTS} points (x, y) within ±{REACH:g}, came "
                f"others; draw within the frame"
            )
        strokes.append(tuple((float(x), float(y)) for x, y in points))
    return tuple(strokes)


def density(strokes: tuple[Stroke, ...], brush: float) -> Curve:
    """Points are uniform along all strokes together, with normal noise of std `brush`."""
    lines = []
    for stroke in strokes:
        line = np.asarray(stroke)
        if not math.hypot(*np.ptp(line, axis=0)) > 0:  # a dot
            line = np.stack([line[0] - (_DOT / 2, 0.0), line[0] + (_DOT / 2, 0.0)])
        lines.append(_thinned(line, brush / 3))
    return Curve(lines, brush)


def _thinned(line: np.ndarray, least: float) -> np.ndarray:
    """Without points that are nearer to the last one than matters: a mouse brings many."""
    kept = [line[0]]
    for point in line[1:]:
        if math.dist(point, kept[-1]) >= least:
            kept.append(point)
    if len(kept) < 2 or not np.array_equal(kept[-1], line[-1]):
        kept.append(line[-1])
    return np.stack(kept)
