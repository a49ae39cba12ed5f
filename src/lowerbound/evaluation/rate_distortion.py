"""How much rate buys how little distortion: of models, and of Gaussian data in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import LowerboundError

if TYPE_CHECKING:
    from ..runs import Run

Array = NDArray[Any]


class Point(NamedTuple):
    """What one model costs.

    Attributes:
        name: of the model.
        beta: weight of the rate in its training; None where there is none.
        rate: mean KL(q(z|x)‖p(z)), nats for a datum.
        distortion: mean E_q[−log p(x|z)], nats for a datum.
    """

    name: str
    beta: float | None
    rate: float
    distortion: float


@dataclass(frozen=True)
class RateDistortion:
    """Models of the same data by their rate and distortion.

    −bound = rate + distortion, so that models of equal bound lie on lines of slope −1.

    Attributes:
        points: by their rate, ascending.
        data: what the data are called.
        dimensions: numbers in a datum.
    """

    points: tuple[Point, ...]
    data: str
    dimensions: float

    def bits(self) -> Array:
        """Rate and distortion in bits for each number of a datum, ``(N, 2)``."""
        found = np.array([(p.rate, p.distortion) for p in self.points], np.float64)
        return found / (self.dimensions * math.log(2))

    def frontier(self) -> list[bool]:
        """Which points no other beats: none has less rate and no more distortion."""
        least, kept = math.inf, []
        for point in self.points:
            kept.append(point.distortion < least)
            least = min(least, point.distortion)
        return kept

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types."""
        return {**asdict(self), "points": [point._asdict() for point in self.points]}

    @classmethod
    def of(cls, runs: Iterable[Run]) -> RateDistortion:
        """The last evaluations of several runs on the same data.

        Args:
            runs: evaluated ones with a likelihood and a prior.

        Raises:
            LowerboundError: a run without evaluation, without rate or distortion, or of other data
                (another set, other levels, another binarization or dequantization).
        """
        points, first = [], None
        for run in runs:
            found = run.evaluation
            if found is None or found.rate is None or found.distortion is None:
                lacks = "no evaluation" if found is None else "no rate and distortion"
                raise LowerboundError(
                    f"{run.path} has {lacks}; pass runs of a vae, each after: lowerbound evaluate "
                    f"{run.path}"
                )
            about = {key: found.data.get(key) for key in _ABOUT} | {"given": found.given}
            first = first or (about, run, found)
            differ = [key for key in about if about[key] != first[0][key]]
            if differ:
                key = differ[0]
                raise LowerboundError(
                    f"expected runs on the same data, came {key} {first[0][key]} of "
                    f"{first[1].path} and {about[key]} of {run.path}; compare them apart"
                )
            points.append(Point(run.path.name, beta_of(run), found.rate, found.distortion))
        if first is None:
            raise LowerboundError("expected at least one run, came none")
        about, _, found = first
        dimensions = found.dimensions or math.prod(found.data["event_shape"])
        points.sort(key=lambda point: point[2:])
        return cls(tuple(points), str(about["name"]), float(dimensions))

    @classmethod
    def from_points(
        cls, points: Sequence[Mapping[str, Any]], data: str, dimensions: float
    ) -> RateDistortion:
        """Points that were measured elsewhere: mappings of `Point`'s fields."""
        found = [Point(p["name"], p.get("beta"), p["rate"], p["distortion"]) for p in points]
        return cls(tuple(sorted(found, key=lambda p: p[2:])), data, float(dimensions))


def beta_of(run: Run) -> float | None:
    """The weight of the rate in a run's training; None of a recipe that has none."""
    if run.info["recipe"] in _OTHER_BETA:
        return None
    return run.info["arguments"].get("beta", 1.0 if run.info["recipe"] == "vae" else None)


#: Recipes whose beta weighs something else: a total correlation, a share of the bound.
_OTHER_BETA = ("beta-tcvae", "multisample", "vq-vae", "vq-vae-2")
_ABOUT = ("name", "split", "event_shape", "binarize", "dequantize", "levels", "examples")


def gaussian_rate(variances: Sequence[float] | Array, distortion: float) -> float:
    """R(D) of a Gaussian source under squared error, nats: reverse water-filling.

    Σ_j max(0, ½ log λ_j / θ) at the level θ for which Σ_j min(θ, λ_j) = D.

    Args:
        variances: λ, of independent directions (the eigenvalues of a covariance).
        distortion: D, squared error summed over the numbers of a datum, above 0.

    Returns:
        0 where D is the whole variance or more.

    References:
        Shannon 1959, Coding theorems for a discrete source with a fidelity criterion; Cover &
        Thomas 2006, Elements of information theory, theorem 10.3.3

    >>> round(gaussian_rate([4.0, 1.0], 2.0), 6) == round(0.5 * math.log(4.0), 6)
    True
    """
    values = _positive(variances)
    if not distortion > 0:
        raise LowerboundError(
            f"expected a distortion above 0, came {distortion}: the rate diverges"
        )
    if distortion >= values.sum():
        return 0.0
    return gaussian_point(values, water_level(values, distortion))[0]


def gaussian_point(variances: Sequence[float] | Array, level: float) -> tuple[float, float]:
    """Rate (nats) and distortion (squared error) of a Gaussian source at the water level θ.

    The optimum of a linear β-VAE with decoder variance σ² and a fitted decoder lies at θ = βσ².
    """
    values = _positive(variances)
    rate = 0.5 * np.log(np.maximum(values, level) / level).sum()
    return float(rate), float(np.minimum(values, level).sum())


def water_level(variances: Sequence[float] | Array, distortion: float) -> float:
    """θ with Σ_j min(θ, λ_j) = D, for D of at most Σ λ_j."""
    values = np.sort(_positive(variances))
    below = np.concatenate([[0.0], np.cumsum(values)])[:-1]
    levels = (distortion - below) / (len(values) - np.arange(len(values)))
    # The first direction that the level does not drown decides.
    dry = np.flatnonzero(levels <= values)
    return float(levels[dry[0]]) if len(dry) else float(values[-1])


def _positive(variances: Sequence[float] | Array) -> Array:
    values = np.asarray(variances, np.float64).reshape(-1)
    values = values[values > 0]
    if not len(values) or not np.isfinite(values).all():
        raise LowerboundError(f"expected variances above 0, came {variances}")
    return values
