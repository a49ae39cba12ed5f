"""What a model needs to know about data: shapes, support, and how stored values become `x`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np

Kind = Literal["image", "video", "vector", "tokens", "audio", "sequence"]
Support = Literal["binary", "levels", "unit", "real", "categories"]
Binarize = Literal["none", "stochastic", "threshold"]
Dequantize = Literal["none", "uniform"]

_NOT_IN_JSON = ("mean", "std")
_FORMATS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # black and white
_WHITES = (1023.0, 4095.0, 16383.0, 65535.0)  # of cameras and scanners
_TUPLES = ("classes", "columns", "attributes", "attribute_mean", "attribute_std")


def _unknown() -> np.ndarray:
    return np.empty(0, np.float32)


@dataclass(frozen=True)
class DataSpec:
    """The data as a model sees it, and the way back to the stored values.

    A stored value `v` becomes ``x = (v + u * step - shift) / scale`` with `u` uniform on [0, 1)
    where `dequantize` is "uniform" and 0 otherwise; `binarize` then draws or thresholds x.
    Log-likelihoods are reported for the stored values: ``log p(x) + log_jacobian``.

    Attributes:
        name: what the data are called.
        kind: "image" (C, H, W), "video" (F, C, H, W), "vector" (D,), "tokens" (T,), "audio" (T,),
            samples as mu-law levels, or "sequence" (T, D), NaN where a number is missing.
        event_shape: shape of one datum.
        support: of x. "binary" {0, 1}; "levels" k / (levels - 1); "unit" [0, 1]; "real";
            "categories" int64 in [0, levels).
        levels: number of levels or categories, None for continuous values.
        binarize: "stochastic" draws a pixel as 1 with its grey value as probability,
            "threshold" sets it where the grey value is above one half.
        dequantize: "uniform" spreads a level over its cell.
        shift: of the stored values; a number, or one per feature of a vector.
        scale: of the stored values; a number, or one per feature of a vector.
        step: distance between neighbouring levels in stored units; 0 where values are continuous.
        low: the least stored value.
        high: the greatest stored value.
        log_jacobian: nats per datum, ``log |dx / dv|`` per unit of v, per `step` where v are levels
            (so that a dequantized density bounds the mass of the level).
        classes: names of the labels, None without labels.
        columns: names of a table's features, None of other data.
        attributes: names of the numbers that go with each example beside its label, None if none.
        attribute_mean: of each of them over the training examples. attribute_std: likewise.
        factors: several labels of each example: the classes of each, by its name. None if none.
        captions: how the sentences beside each example are told as numbers
            (`lowerbound.words.Vocabulary`), None without captions.
        sample_rate: samples per second of sound, None of other data.
        padding: share of the stored samples of sound that fill windows up.
        time_step: usual time between two steps of sequences; None: 1, always.
        dated: times are the seconds between dates.
        train: number of examples. validation, test: likewise.
        likelihood: the suggested likelihood, by name.
        likelihood_options: the options that go with it.
        network: the suggested network, by name.
        why: the reason of each choice in words, by the choice's name.
        mean: of x over the training examples, float32 `event_shape`; not in JSON.
        std: of x over the training examples, float32 `event_shape`; not in JSON.
    """

    name: str
    kind: Kind
    event_shape: tuple[int, ...]
    support: Support
    levels: int | None = None
    binarize: Binarize = "none"
    dequantize: Dequantize = "none"
    shift: float | list[float] = 0.0
    scale: float | list[float] = 1.0
    step: float | list[float] = 0.0
    low: float = 0.0
    high: float = 1.0
    log_jacobian: float = 0.0
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    attributes: tuple[str, ...] | None = None
    attribute_mean: tuple[float, ...] | None = None
    attribute_std: tuple[float, ...] | None = None
    factors: dict[str, tuple[str, ...]] | None = None
    captions: dict[str, Any] | None = None
    sample_rate: int | None = None
    padding: float = 0.0
    time_step: float | None = None
    dated: bool = False
    train: int = 0
    validation: int = 0
    test: int = 0
    likelihood: str = "gaussian"
    likelihood_options: dict[str, Any] = field(default_factory=dict)
    network: str = "mlp"
    why: dict[str, str] = field(default_factory=dict)
    mean: np.ndarray = field(default_factory=_unknown, compare=False, repr=False)
    std: np.ndarray = field(default_factory=_unknown, compare=False, repr=False)

    @property
    def kinds(self) -> str:
        """The kind of several, for sentences: "images", "tokens"."""
        return {"tokens": "tokens", "audio": "sounds"}.get(self.kind, f"{self.kind}s")

    def __post_init__(self) -> None:
        # A spec read from JSON has no statistics; neutral ones let a model be built, whose weights
        # then come from the run.
        if not self.mean.size:
            middle = 0.0 if self.support in ("real", "categories") else 0.5
            object.__setattr__(self, "mean", np.full(self.event_shape, middle, np.float32))
        if not self.std.size:
            object.__setattr__(self, "std", np.ones(self.event_shape, np.float32))

    @property
    def dimensions(self) -> int:
        """Numbers per datum.

        >>> DataSpec("digits", "image", (1, 8, 8), "levels").dimensions
        64
        """
        return math.prod(self.event_shape)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Of what has a shift and a scale of its own: a datum, or a step of a sequence."""
        return self.event_shape[1:] if self.kind == "sequence" else self.event_shape

    @property
    def log_jacobians(self) -> np.ndarray:
        """Each position's part of `log_jacobian`, nats, float64 `event_shape`: they sum to it.

        >>> spec = DataSpec(
        ...     "a", "vector", (2,), "real", scale=[2.0, 1.0], log_jacobian=-math.log(2)
        ... )
        >>> spec.log_jacobians.round(4) + 0.0
        array([-0.6931,  0.    ])
        """
        shape = self.event_shape
        if self.log_jacobian == 0.0:  # mass of levels: scaled for the model, not for the density
            return np.zeros(shape)
        scale, step = (
            np.broadcast_to(
                np.reshape(value, self.feature_shape if isinstance(value, list) else ()), shape
            )
            for value in (self.scale, self.step)
        )
        spread = (step > 0.0) & (self.dequantize == "uniform")
        return -np.log(scale / np.where(spread, step, 1.0))

    @property
    def shown(self) -> tuple[float, float]:
        """The values that are black and white in pictures, written or read.

        Those of the format that pictures are kept in, where their values look like one: [0, 1],
        [-1, 1], [0, 255], or whole numbers of 10 to 16 bits. The greatest value that was seen is
        rarely its white. Other data have the least and the greatest stored value.

        >>> DataSpec("a", "image", (1, 8, 8), "unit", low=0.01, high=0.83).shown
        (0.0, 1.0)
        >>> DataSpec("a", "image", (1, 8, 8), "real", low=-2.5, high=4.0).shown
        (-2.5, 4.0)
        """
        low, high = self.low, self.high
        two = self.levels == 2 or (self.support == "binary" and self.binarize == "none")
        if self.kind not in ("image", "video") or two:
            return low, high
        for black, white in _FORMATS:
            filled = -low > white / 2 if black < 0.0 else high > white / 2
            if filled and black <= low and high <= white:
                return black, white
        whole = self.levels is not None and high - low == self.levels - 1 and low % 1 == 0
        if whole and low >= 0.0 and 255.0 < high <= _WHITES[-1]:
            return 0.0, next(white for white in _WHITES if high <= white)
        return low, high

    def bits_per_dimension(self, log_p: float) -> float:
        """Bits per dimension of the stored values.

        Args:
            log_p: log p(x) of a datum in nats, without `log_jacobian`.

        >>> spec = DataSpec(
        ...     "a", "vector", (2,), "unit", levels=256, log_jacobian=-2 * math.log(256)
        ... )
        >>> spec.bits_per_dimension(0.0)
        8.0
        """
        return -(log_p + self.log_jacobian) / (self.dimensions * math.log(2.0))

    def to_json(self) -> dict[str, Any]:
        """Everything but the statistics, in JSON's types."""
        content = {
            f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_IN_JSON
        }
        content["event_shape"] = list(self.event_shape)
        for name in _TUPLES:
            named = getattr(self, name)
            content[name] = None if named is None else list(named)
        if self.factors is not None:
            content["factors"] = {name: list(each) for name, each in self.factors.items()}
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DataSpec:
        """The spec that `to_json` wrote; keys of later versions are left aside."""
        known = {f.name for f in fields(cls)} - set(_NOT_IN_JSON)
        given = {key: value for key, value in content.items() if key in known}
        given["event_shape"] = tuple(given["event_shape"])
        for name in _TUPLES:
            if given.get(name) is not None:
                given[name] = tuple(given[name])
        if given.get("factors") is not None:
            given["factors"] = {name: tuple(each) for name, each in given["factors"].items()}
        return cls(**given)

    def lines(self, asked: Collection[str] = ("likelihood", "network")) -> list[tuple[str, str]]:
        """What was chosen and why, as (name, text) pairs.

        Args:
            asked: which of likelihood and network the model takes from the data; many have their
                own, or none.
        """
        lines = []
        if "likelihood" in asked:
            lines.append(("likelihood", self._because("likelihood", self._likelihood())))
        if self.binarize != "none" or "binarize" in self.why:
            lines.append(("binarization", self._because("binarize", self.binarize)))
        if self.dequantize != "none" or "dequantize" in self.why:
            lines.append(("dequantization", self._because("dequantize", self.dequantize)))
        lines.append(("x", self._because("standardize", self._values())))
        if "network" in asked:
            lines.append(("network", self._because("network", self.network)))
        return lines

    def _because(self, choice: str, value: str) -> str:
        reason = self.why.get(choice)
        return f"{value} - {reason}" if reason else value

    def _likelihood(self) -> str:
        options = ", ".join(f"{key} {value}" for key, value in self.likelihood_options.items())
        return f"{self.likelihood} ({options})" if options else self.likelihood

    def _values(self) -> str:
        texts = {
            "binary": "0 or 1",
            "levels": f"{self.levels} levels from 0 to 1",
            "unit": "continuous in [0, 1]",
            "real": "real numbers",
            "categories": f"{self.levels} categories"
            if self.kind != "audio"
            else f"{self.levels} mu-law levels, likelihoods are of these",
        }
        return texts[self.support]
