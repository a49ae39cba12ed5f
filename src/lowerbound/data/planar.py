"""Densities of the plane that can be drawn from and know log p(x): toys to watch a model learn.

All lie within [-3, 3] squared. A curve with noise has its density in closed form, and so has one
that a person draws with the mouse (:class:`Curve`).

>>> density = TOYS["ring"]()
>>> x = density.sample(1000, seed=0)
>>> x.shape, density.log_prob(x).shape
((1000, 2), (1000,))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from lowerbound.errors import LowerboundError

_DRAWS = 10_000  # of the estimate of an entropy
_LEAST = 1e-250  # a density that is still far from the least number there is
_ROWS = 4_000  # at a time, for those that look at every part of a curve


class Planar(Protocol):
    """A density of the plane."""

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """x, ``(n, 2)``."""
        ...

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log p(x) of ``(n, 2)``, nats, ``(n,)``, exact."""
        ...


@dataclass(frozen=True)
class Ring:
    """A circle with noise across: the radius is normal, the angle uniform.

    Args:
        radius: of the circle, many times `std`.
        std: of the noise.
    """

    radius: float = 2.0
    std: float = 0.12

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """x, ``(n, 2)``."""
        random = np.random.default_rng(seed)
        angle = random.uniform(0.0, 2.0 * np.pi, n)
        radius = self.radius + self.std * random.standard_normal(n)
        return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """N(r; radius, std²) / 2πr, in logarithms: nats, ``(n,)``."""
        radius = np.maximum(np.linalg.norm(x, axis=1), 1e-12)
        return _log_normal(radius - self.radius, self.std) - np.log(2.0 * np.pi * radius)


@dataclass(frozen=True)
class Blobs:
    """An equal mixture of round normals.

    Args:
        centres: ``(K, 2)``.
        std: of each.
    """

    centres: np.ndarray
    std: float

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """x, ``(n, 2)``."""
        random = np.random.default_rng(seed)
        which = random.integers(len(self.centres), size=n)
        return self.centres[which] + self.std * random.standard_normal((n, 2))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """log 1/K Σ N(x; centre, std²), nats, ``(n,)``."""
        away = x[:, None] - self.centres
        each = _log_normal(away, self.std).sum(-1)
        return np.logaddexp.reduce(each, axis=1) - math.log(len(self.centres))


@dataclass(frozen=True)
class Curve:
    """A point uniform along lines, with round normal noise on it.

    Each straight part of length l has density N(d; 0, σ²) (Φ(s/σ) − Φ((s − l)/σ)) / total length,
    d being the distance from its line and s the place along it; so log p(x) is exact.

    Args:
        lines: one or more, ``(m, 2)`` each, through whose points it goes straight.
        std: σ of the noise.

    Raises:
        LowerboundError: no line, or one without a length.
    """

    lines: Sequence[np.ndarray]
    std: float

    def __post_init__(self) -> None:
        if not len(self.lines) or not self._lengths.sum() > 0 or self.std <= 0:
            raise LowerboundError(
                f"expected lines of some length and a positive std, came {len(self.lines)} lines "
                f"and std {self.std:g}; pass lines through two points or more"
            )

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Beginnings and ends of the straight parts, ``(M, 2)`` each."""
        lines = [np.asarray(line, np.float64).reshape(-1, 2) for line in self.lines]
        begin, end = (
            np.concatenate([line[part] for line in lines])
            for part in (slice(None, -1), slice(1, None))
        )
        long = np.linalg.norm(end - begin, axis=1) > 0
        return begin[long], end[long]

    @cached_property
    def _lengths(self) -> np.ndarray:
        begin, end = self._parts
        return np.linalg.norm(end - begin, axis=1)

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """x, ``(n, 2)``."""
        random = np.random.default_rng(seed)
        begin, end = self._parts
        ends = np.cumsum(self._lengths)
        place = random.uniform(0.0, ends[-1], n)
        which = np.minimum(np.searchsorted(ends, place), len(ends) - 1)
        share = ((ends[which] - place) / self._lengths[which])[:, None]
        clean = share * begin[which] + (1.0 - share) * end[which]
        return clean + self.std * random.standard_normal((n, 2))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Nats, ``(n,)``."""
        x = np.asarray(x, np.float64)
        return np.concatenate([self._log_prob(part) for part in _rows(x)])

    def _log_prob(self, x: np.ndarray) -> np.ndarray:
        from scipy.special import log_ndtr, ndtr

        begin, end = self._parts
        along = (end - begin) / self._lengths[:, None]
        away = x[:, None] - begin  # (n, M, 2)
        place = (away * along).sum(-1)
        across = away[..., 0] * along[:, 1] - away[..., 1] * along[:, 0]
        # Φ(a) − Φ(b) of a > b, both far in one tail: taken in the lower one, where digits are kept.
        high, low = place / self.std, (place - self._lengths) / self.std
        turned = low > 0
        high, low = np.where(turned, -low, high), np.where(turned, -high, low)
        beside = _log_normal(across, self.std)
        p = (np.exp(beside) * (ndtr(high) - ndtr(low))).sum(1)
        with np.errstate(divide="ignore"):
            found = np.log(p)
        far = p < _LEAST  # where logarithms, at several times the cost, keep what there is
        if far.any():
            log_high, log_low = log_ndtr(high[far]), log_ndtr(low[far])
            mass = log_high + np.log1p(-np.exp(np.minimum(log_low - log_high, -1e-15)))
            found[far] = np.logaddexp.reduce(beside[far] + mass, axis=1)
        return found - math.log(self._lengths.sum())


@dataclass(frozen=True)
class Pinwheel:
    """Long normals around the origin, twisted: a point at radius r is turned by twist · r.

    To turn keeps areas, so that log p(x) is that of the point turned back.

    Args:
        arms: normals.
        radius: of their centres.
        along, across: standard deviations of each.
        twist: radians for each unit of radius.
    """

    arms: int = 5
    radius: float = 1.4
    along: float = 0.4
    across: float = 0.13
    twist: float = 0.75

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """x, ``(n, 2)``."""
        random = np.random.default_rng(seed)
        noise = random.standard_normal((n, 2)) * (self.along, self.across)
        straight = noise + np.array([self.radius, 0.0])
        arm = random.integers(self.arms, size=n) * (2.0 * np.pi / self.arms)
        return _turned(straight, arm + self.twist * np.linalg.norm(straight, axis=1))

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Nats, ``(n,)``."""
        back = -self.twist * np.linalg.norm(x, axis=1)
        each = []
        for arm in range(self.arms):
            at = _turned(x, back - 2.0 * np.pi * arm / self.arms)
            each.append(
                _log_normal(at[:, 0] - self.radius, self.along) + _log_normal(at[:, 1], self.across)
            )
        return np.logaddexp.reduce(each, axis=0) - math.log(self.arms)


@dataclass(frozen=True)
class Checkerboard:
    """Uniform on every other square.

    Args:
        side: squares from left to right, even.
        reach: the board is [-reach, reach] squared.
    """

    side: int = 4
    reach: float = 2.4

    def sample(self, n: int, *, seed: int = 0) -> np.ndarray:
        """x, ``(n, 2)``."""
        random = np.random.default_rng(seed)
        column = random.integers(self.side, size=n)
        row = 2 * random.integers(self.side // 2, size=n) + column % 2
        corner = np.stack([column, row], 1)
        return (corner + random.random((n, 2))) * (2.0 * self.reach / self.side) - self.reach

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        """Nats, ``(n,)``; -inf beside the squares."""
        place = np.floor((x + self.reach) * (self.side / (2.0 * self.reach)))
        inside = ((place >= 0) & (place < self.side)).all(1) & (place.sum(1) % 2 == 0)
        return np.where(inside, -math.log(2.0 * self.reach**2), -np.inf)


def eight(radius: float = 2.0, std: float = 0.12) -> Blobs:
    """Eight normals on a circle."""
    angle = 2.0 * np.pi * np.arange(8) / 8
    return Blobs(radius * np.stack([np.cos(angle), np.sin(angle)], 1), std)


def grid(side: int = 5, spacing: float = 1.1, std: float = 0.1) -> Blobs:
    """Normals on a square grid."""
    places = spacing * (np.arange(side) - (side - 1) / 2.0)
    return Blobs(np.stack(np.meshgrid(places, places, indexing="ij"), -1).reshape(-1, 2), std)


def moons(std: float = 0.1) -> Curve:
    """Two half circles that reach into each other."""
    angle = np.linspace(0.0, np.pi, 41)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    scale, middle = 1.5, np.array([0.5, 0.25])
    return Curve([scale * (upper - middle), scale * (np.array([1.0, 0.5]) - upper - middle)], std)


def spiral(arms: int = 2, turns: float = 1.25, std: float = 0.09) -> Curve:
    """Arms that wind outwards."""
    angle = np.linspace(0.35, 2.0 * np.pi * turns, 81)
    radius = 2.5 * angle / angle[-1]
    begin = [2.0 * np.pi * arm / arms for arm in range(arms)]
    return Curve([_turned(np.stack([radius, 0.0 * radius], 1), angle + b) for b in begin], std)


def letter(std: float = 0.1) -> Curve:
    """A half circle that goes on as one bent the other way: an S."""
    angle = np.linspace(-0.35 * np.pi, np.pi / 2, 31)
    top = np.stack([np.cos(angle + np.pi / 2), np.sin(angle + np.pi / 2) + 1.0], 1)
    return Curve([1.15 * np.concatenate([top, -top[-2::-1]])], std)


#: Toys by name.
TOYS: dict[str, Callable[[], Planar]] = {
    "ring": Ring,
    "eight": eight,
    "grid": grid,
    "moons": moons,
    "spiral": spiral,
    "pinwheel": Pinwheel,
    "letter": letter,
    "checkerboard": Checkerboard,
}


def entropy(density: Planar, *, seed: int = 0) -> tuple[float, float]:
    """−E log p(x), nats, from 10,000 draws, and its standard error.

    No model's E log p(x) is above its negative, but for luck with few points.
    """
    values = -density.log_prob(density.sample(_DRAWS, seed=seed))
    return float(values.mean()), float(values.std() / math.sqrt(_DRAWS))


def _log_normal(x: np.ndarray, std: float) -> np.ndarray:
    return -0.5 * (x / std) ** 2 - math.log(std) - 0.5 * math.log(2.0 * math.pi)


def _turned(x: np.ndarray, angle: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x[:, 0] - sin * x[:, 1], sin * x[:, 0] + cos * x[:, 1]], 1)


def _rows(x: np.ndarray) -> list[np.ndarray]:
    return np.array_split(x, max(1, math.ceil(len(x) / _ROWS)))
