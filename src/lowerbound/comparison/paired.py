"""Differences over the same test points. Pure functions of arrays."""

from __future__ import annotations

import math
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
        more: share of the examples on which the first costs more, those of no difference by half.
        carried: share of all differences, in size, that the largest hundredth of them makes up;
            near 1 the mean is that of a few examples.
    """

    mean: float
    error: float
    low: float
    high: float
    examples: int
    apart: float
    more: float = 0.5
    carried: float = 0.0

    @property
    def told(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0.0 or self.high < 0.0

    @property
    def said(self) -> str:
        """What the interval alone does not say; "" where it says it.

        Where a few examples of enormous cost carry the mean (a run that diverged), its interval is
        wide and leaves nothing told, though the run may be worse on nearly every example. That is
        told by their number: a sign test at three standard errors.
        """
        if not math.isfinite(self.mean):
            return "not finite: one of the two diverged"
        if self.told:
            return ""
        if abs(self.more - 0.5) <= 1.5 / math.sqrt(self.examples) or self.carried < 0.5:
            return "no difference told"
        share = max(self.more, 1.0 - self.more)
        word = "worse" if self.more > 0.5 else "better"
        return (
            f"{word} on {100 * share:.0f} % of the examples; a few of them carry the "
            "mean, of which nothing is told"
        )


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
        return Paired(mean, np.inf, -np.inf, np.inf, 1, np.inf, _more(difference), 1.0)
    error = float(difference.std(ddof=1)) / np.sqrt(n)
    apart = float(np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / n))
    reach = float(stdtrit(n - 1, 0.5 * (1.0 + level))) * error
    sizes = np.sort(np.abs(difference))
    carried = float(sizes[-max(1, n // 100) :].sum() / sizes.sum()) if sizes.sum() > 0 else 0.0
    return Paired(
        mean,
        float(error),
        float(mean - reach),
        float(mean + reach),
        n,
        apart,
        _more(difference),
        carried,
    )


def mean_interval(values: Array, level: float = 0.95) -> tuple[float, tuple[float, float]]:
    """Mean of values ``(n,)`` and the interval for it (Student's t); of one value that alone.

    >>> mean, (low, high) = mean_interval(np.array([1.0, 2.0, 3.0]))
    >>> round(mean, 3), round(low, 3), round(high, 3)
    (2.0, -0.484, 4.484)
    """
    found = paired(values, np.zeros_like(values), level)
    if found.examples == 1:
        return found.mean, (found.mean, found.mean)
    return found.mean, (found.low, found.high)


def _more(difference: Array) -> float:
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())
