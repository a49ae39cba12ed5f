"""What was found in data, in numbers and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lowerbound.data.captions import line

_NOUNS = {"image": "images", "video": "clips", "audio": "windows of sound"}


@dataclass(frozen=True)
class Facts:
    """What was found in the data.

    Attributes:
        kind: "image" (C, H, W), "video" (F, C, H, W), "audio" (T,) or "vector" (D,).
        dtype: the type as it came.
        low: the least value. high: the greatest.
        whole: all values are whole numbers.
        integers: they came as an integer type other than 8 bits.
        levels: values lie on this many levels ``grid_low + k * grid_step``; None: continuous.
        distinct: distinct values seen, None where too many to count.
        share_low, share_high: share of the values at the least and at the greatest.
        two_valued: variance over that of two-valued data with the same mean and range, in [0, 1]:
            1 for black and white, 0.83 for MNIST, 0.25 for photographs.
        mean, std: of the stored training examples, float64 `event_shape`.
        whole_columns: of a vector, which features hold whole numbers only.
        counts: training examples of each class.
        drawn: how the split was drawn, with its seed; None where the source brings all of it.
        factors: several labels of each example, the classes of each.
        captions: of the sentences beside each example, as in `DataSpec`.
        sample_rate: of sound. padding: share of its samples that fill windows up.
        steps: of sequences, how many the longest one has; all else is then said of a step alone.
        time_step: the usual time between two of them; None: 1, always.
        dated: times are the seconds between dates.
        looked_at: examples looked at; the others are larger than the memory budget.
    """

    name: str
    kind: str
    event_shape: tuple[int, ...]
    dtype: str
    train: int
    validation: int
    test: int
    low: float
    high: float
    whole: bool
    integers: bool
    levels: int | None
    grid_low: float
    grid_step: float
    distinct: int | None
    share_low: float
    share_high: float
    two_valued: float
    mean: np.ndarray = field(compare=False, repr=False)
    std: np.ndarray = field(compare=False, repr=False)
    whole_columns: np.ndarray | None = field(default=None, compare=False, repr=False)
    columns: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    attributes: tuple[str, ...] | None = None
    attribute_mean: tuple[float, ...] | None = None
    attribute_std: tuple[float, ...] | None = None
    factors: dict[str, tuple[str, ...]] | None = None
    captions: dict[str, Any] | None = None
    sample_rate: int | None = None
    padding: float = 0.0
    counts: tuple[int, ...] | None = None
    drawn: str | None = None
    steps: int | None = None
    time_step: float | None = None
    dated: bool = False
    looked_at: int = 0
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def grey(self) -> bool:
        """Whether a value is one grey value: one channel, or a flattened image."""
        return not self.pixels or self.event_shape[-3] == 1

    @property
    def pixels(self) -> bool:
        """Whether values are those of pixels, in images or in frames."""
        return self.kind in ("image", "video")

    @property
    def constant(self) -> np.ndarray:
        """Which positions of a datum never change, bool (prod(event_shape),)."""
        return self.std.reshape(-1) == 0.0

    def lines(self) -> list[tuple[str, str]]:
        """What was found, as (name, text) pairs."""
        total = self.train + self.validation + self.test
        lines = [
            ("found", f"{total:,} {self._noun()} in {self.name}"),
            ("shape", self._shape()),
            ("type", self.dtype),
            ("range", self._range()),
        ]
        if self.kind == "audio":
            del lines[1:]  # of its levels there is nothing to tell
        if self.factors is not None:
            each = [f"{name} ({_few(classes)})" for name, classes in self.factors.items()]
            lines.append(("labels", ", ".join(each)))
        elif self.counts is not None and self.classes is not None:
            lines.append(("labels", self._labels()))
        if self.attributes is not None:
            lines.append(("attributes", self._attributes()))
        if self.captions is not None:
            lines.append(("captions", line(self.captions)))
        parts = [f"{self.train:,} train"]
        parts += [f"{self.validation:,} validation"] if self.validation else []
        drawn = f" ({self.drawn})" if self.drawn else ""
        lines.append(("split", ", ".join([*parts, f"{self.test:,} test"]) + drawn))
        still = int(self.constant.sum())
        if still:
            lines.append(("constant", self._constant(still)))
        if self.looked_at < total:
            lines.append(("looked at", f"{self.looked_at:,} of {total:,}"))
        return [*lines, *self.notes]

    def to_json(self) -> dict[str, Any]:
        """The facts in JSON's types, without the per-position statistics."""
        return {
            "name": self.name,
            "kind": self.kind,
            "event_shape": list(self.event_shape),
            "dtype": self.dtype,
            "examples": {"train": self.train, "validation": self.validation, "test": self.test},
            "drawn": self.drawn,
            "range": [self.low, self.high],
            "levels": self.levels,
            "distinct": self.distinct,
            "whole": self.whole,
            "share_at_extremes": [self.share_low, self.share_high],
            "two_valued": self.two_valued,
            "constant": int(self.constant.sum()),
            "labels": None
            if self.counts is None
            else dict(zip(self.classes or (), self.counts, strict=False)),
            "attributes": None if self.attributes is None else list(self.attributes),
            "factors": None
            if self.factors is None
            else {name: list(each) for name, each in self.factors.items()},
            "sample_rate": self.sample_rate,
            "steps": self.steps,
            "looked_at": self.looked_at,
            "notes": dict(self.notes),
        }

    def _noun(self) -> str:
        return "sequences" if self.steps else _NOUNS.get(self.kind, "rows")

    def _shape(self) -> str:
        size = " x ".join(str(side) for side in self.event_shape[-2:])
        if self.steps:
            return f"up to {self.steps:,} steps of {_numbers(size)}"
        if not self.pixels:
            return f"{_numbers(size)} each"
        many = self.event_shape[-3]
        text = f"{size} {({1: 'grey', 3: 'RGB'}).get(many, f'{many} channels')}"
        return f"{self.event_shape[0]} frames of {text}" if self.kind == "video" else text

    def _range(self) -> str:
        text = f"[{self.low:g}, {self.high:g}]"
        if self.levels is not None:
            text += f", {self.levels} levels"
        elif self.distinct is not None:
            text += f", {self.distinct:,} distinct values"
        at = self.share_low + self.share_high
        if at >= 0.05:
            text += f", {self.share_low:.0%} at the least and {self.share_high:.0%} at the greatest"
        return text

    def _labels(self) -> str:
        classes, counts = self.classes or (), self.counts or ()
        shown = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
        least, most = min(counts), max(counts)
        each = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        return f"{len(classes)} classes ({shown}), {each} training examples each"

    def _attributes(self) -> str:
        names = self.attributes or ()
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return f"{len(names)} beside each example: {shown}"

    def _constant(self, still: int) -> str:
        total = math.prod(self.event_shape)
        if self.pixels:
            return f"{still:,} of {total:,} positions never change"
        names = self.columns or tuple(str(column) for column in range(total))
        named = [names[column] for column in np.flatnonzero(self.constant)[:5]]
        return f"{still:,} of {total:,} features never change: {', '.join(named)}" + (
            ", ..." if still > len(named) else ""
        )


def _numbers(count: str) -> str:
    return f"{count} number{'' if count == '1' else 's'}"


def _few(classes: tuple[str, ...]) -> str:
    """
    >>> _few(("a", "b")), _few(tuple("abcdefgh"))
    ('a, b', '8: a, b, c, ...')
    """
    if len(classes) <= 6:
        return ", ".join(classes)
    return f"{len(classes)}: {', '.join(classes[:3])}, ..."
