"""Differences over the same test points. Pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Paired:
    """How much more one run costs than another on the same examples.

    Attributes:
        mean: of the differences; negative where the first one is better.
        error: standard error of the mean over the examples, ``std / √n``.
        low, high: 95 % interval for the mean over all such examples (Student's t).
        examples: n.
        apart: the standard error that would come out were the examples of the two not the same.
    """

    mean: float
    error: float
    low: float
    high: float
    examples: int
    apart: float

    @property
    def told(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0.0 or self.high < 0.0


def paired(ours: Array, theirs: Array, level: float = 0.95) -> Paired:
    """Mean of ``ours − theirs`` and its error over examples that both were measured on.

    What makes an example hard makes it hard for both, and falls out of the difference: errors are
    often a tenth of what two separate means would suggest. They say how far another test set of
    this size would move the difference; not how far another training would.

    Args:
        ours: a value for each example, ``(n,)``.
        theirs: of the same examples in the same order.
        level: of the interval.

    >>> found = paired(np.array([2.0, 3.0, 5.0]), np.array([1.0, 2.0, 3.0]))
    >>> round(found.mean, 3), round(found.error, 3)
    (1.333, 0.333)
    """
    from scipy.special import stdtrit

    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(f"expected values of the same examples, got {ours.shape}, {theirs.shape}")
    difference, n = ours - theirs, len(ours)
    mean = float(difference.mean())
    if n == 1:
        return Paired(mean, np.inf, -np.inf, np.inf, 1, np.inf)
    error = float(difference.std(ddof=1)) / np.sqrt(n)
    apart = float(np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / n))
    reach = float(stdtrit(n - 1, 0.5 * (1.0 + level))) * error
    return Paired(mean, float(error), mean - reach, mean + reach, n, apart)
