"""Means with errors, bits for nats, and what knowing nothing costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from ..data.spec import DataSpec


def mean_and_error(values: Tensor) -> tuple[float, float | None]:
    """Mean, and its standard error ``std / sqrt(N)`` (``None`` for N = 1), in float64.

    >>> import torch
    >>> mean_and_error(torch.tensor([1.0, 3.0]))
    (2.0, 1.0)
    """
    values = values.double()
    if len(values) == 1:
        return float(values), None
    return float(values.mean()), float(values.std()) / math.sqrt(len(values))


def bits_per_dim(value: float, dimensions: float) -> float:
    """``-value / (D log 2)``: nats for each datum to bits for each of its D numbers.

    >>> bits_per_dim(-784 * math.log(2), 784)
    1.0
    """
    return -value / (dimensions * math.log(2))


def baseline_bits_per_dim(spec: DataSpec) -> float | None:
    """Bits for each number under the uniform distribution over its levels, or ``None``.

    What a code that knows nothing of the data costs: 1 for binary data, 8 for 256 levels, likewise
    when those were dequantized. Of images of continuous values: what a uniform density over their
    range costs. Other continuous data have no such baseline.
    """
    if spec.support == "binary":
        return 1.0
    if of_levels(spec):
        return math.log2(spec.levels) if spec.levels else None
    if spec.kind == "image" and spec.high > spec.low:
        return math.log2(spec.high - spec.low)
    return None


def of_levels(spec: DataSpec) -> bool:
    """Whether x are levels, or were before they were dequantized; else values have a density."""
    return spec.support in ("binary", "levels", "categories") or spec.dequantize == "uniform"


def binarized(spec: DataSpec) -> str:
    """How the data were made binary, to end a note with; empty of others."""
    if spec.binarize == "stochastic":
        return "; held-out data binarized once from a fixed seed"
    return "; data binarized at one half" if spec.binarize == "threshold" else ""
