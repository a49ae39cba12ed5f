"""Feature arrays: what they may look like, which may meet, and distances between them in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import LowerboundError

Array = NDArray[Any]

# Numbers in a block of distances (32 MiB in float64): memory stays flat as the counts grow.
_BLOCK = 2**22


@dataclass(frozen=True)
class FeatureSet:
    """Features of a set of examples, with the name of the network they come from.

    Attributes:
        values: ``(N, F)``.
        name: of the feature network, for people: ``"classifier"``.
        fingerprint: of the network itself, its weights included: features of two networks of the
            same name are different features.
        of: which examples, for people: ``"359 test examples"``.
    """

    values: Array
    name: str
    fingerprint: str
    of: str = "examples"

    def __len__(self) -> int:
        return len(self.values)


Features = Array | FeatureSet


def paired(a: Features, b: Features, least: int = 2) -> tuple[Array, Array]:
    """Two sets of features as float64, if they may be compared.

    Args:
        a: ``(N, F)``, an array or a `FeatureSet`.
        b: ``(M, F)``.
        least: so many examples of each at least.

    Raises:
        LowerboundError: they are of different feature networks or widths, too few, or not finite.

    >>> paired(
    ...     FeatureSet(np.zeros((3, 2)), "pca", "1"), FeatureSet(np.zeros((3, 2)), "pixels", "2")
    ... )
    Traceback (most recent call last):
        ...
    lowerbound.errors.LowerboundError: expected features of one network, came pca and pixels: ...
    """
    if isinstance(a, FeatureSet) and isinstance(b, FeatureSet) and a.fingerprint != b.fingerprint:
        names = f"{a.name} and {b.name}" if a.name != b.name else f"two networks called {a.name}"
        raise LowerboundError(
            f"expected features of one network, came {names}: their values have no common unit; "
            "compute both with the same features"
        )
    first, second = _plain(a, least), _plain(b, least)
    if first.shape[1] != second.shape[1]:
        raise LowerboundError(
            f"expected features of one width, came {first.shape[1]} and {second.shape[1]} numbers; "
            "compute both with the same features"
        )
    return first, second


def _plain(features: Features, least: int) -> Array:
    values = features.values if isinstance(features, FeatureSet) else features
    values = np.asarray(values, np.float64)
    if values.ndim != 2:
        raise LowerboundError(
            f"expected features of shape (N, F), came {values.shape}; flatten each example"
        )
    if len(values) < least:
        raise LowerboundError(
            f"expected at least {least} examples, came {len(values)}; pass more of them"
        )
    if not np.isfinite(values).all():
        raise LowerboundError("expected finite features, came NaN or infinity; mend the samples")
    return values


def blocks(a: Array, b: Array) -> Iterator[tuple[slice, Array]]:
    """Euclidean distances from rows of `a` to all of `b`, some rows at a time.

    Args:
        a: ``(N, F)`` float64.
        b: ``(M, F)`` float64.

    Yields:
        The rows, and their distances ``(n, M)``.
    """
    # Around a common middle, so that little is lost to cancellation.
    middle = b.mean(0)
    a, b = a - middle, b - middle
    squares = np.einsum("mf,mf->m", b, b)
    step = max(1, _BLOCK // max(1, len(b)))
    for start in range(0, len(a), step):
        rows = slice(start, min(start + step, len(a)))
        some = a[rows]
        found = some @ b.T
        found *= -2.0
        found += np.einsum("nf,nf->n", some, some)[:, None]
        found += squares
        np.maximum(found, 0.0, out=found)
        yield rows, np.sqrt(found, out=found)


def nearest(a: Array, b: Array, count: int = 1) -> tuple[Array, Array]:
    """Distances from each row of `a` to its nearest rows of `b`, and which they are.

    Args:
        a: ``(N, F)``.
        b: ``(M, F)``, M >= count.
        count: how many of them, nearest first.

    Returns:
        Distances ``(N, count)``, positions int64 ``(N, count)``.

    >>> distance, which = nearest(np.array([[0.0], [4.0]]), np.array([[1.0], [5.5]]))
    >>> distance[:, 0].tolist(), which[:, 0].tolist()
    ([1.0, 1.5], [0, 1])
    """
    a, b = paired(a, b, least=1)
    if len(b) < count:
        raise LowerboundError(f"expected at least {count} examples, came {len(b)}; pass more")
    which = np.empty((len(a), count), np.int64)
    for rows, distances in blocks(a, b):
        if count < len(b):
            which[rows] = np.argpartition(distances, count - 1, axis=1)[:, :count]
        else:
            which[rows] = np.arange(count)
    # By subtraction: the distance of a copy is 0, not what rounding leaves of it.
    found = np.empty(which.shape)
    step = max(1, _BLOCK // (count * max(1, a.shape[1])))
    for start in range(0, len(a), step):
        some = which[start : start + step]
        found[start : start + step] = np.linalg.norm(
            a[start : start + step, None] - b[some], axis=2
        )
    order = np.argsort(found, axis=1, kind="stable")
    return np.take_along_axis(found, order, 1), np.take_along_axis(which, order, 1)


def nearest_of_parts(a: Array, parts: Iterable[Array], count: int = 1) -> tuple[Array, Array]:
    """As :func:`nearest`, of examples that come part by part.

    Args:
        a: ``(N, F)``.
        parts: ``(M_i, F)`` each, in order; positions count through all of them.
        count: how many nearest.

    Returns:
        Distances ``(N, count)``, positions int64 ``(N, count)``.
    """
    distances, which, seen = np.full((len(a), count), np.inf), np.zeros((len(a), count), int), 0
    for part in parts:
        found, place = nearest(a, part, min(count, len(part)))
        both = np.concatenate([distances, found], 1)
        places = np.concatenate([which, place + seen], 1)
        order = np.argsort(both, axis=1, kind="stable")[:, :count]
        distances = np.take_along_axis(both, order, 1)
        which = np.take_along_axis(places, order, 1)
        seen += len(part)
    return distances, which


def limit(values: Array, share: float) -> float:
    """Below which `share` of further values lies, in expectation, of values ``(N,)`` of the same
    distribution; N + 1 at least 1 / share.

    The usual quantile of 100 values has 2 % of others below its "1 %": this one counts the N + 1
    places that a further value can take.

    >>> float(limit(np.arange(1.0, 100.0), 0.01))
    1.0
    """
    return float(np.quantile(values, share, method="weibull"))


def mean_and_error(values: Array) -> tuple[float, float | None]:
    """Mean of ``(N,)`` and its standard error; None of a single value."""
    values = np.asarray(values, np.float64)
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return float(values.mean()), error
