"""Where the levels of data lie, and the shift and scale that make x of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lowerbound.data.facts import Facts

_ALPHABET = 256


def steps_of(facts: Facts) -> np.ndarray:
    """Distance between levels at each position of a datum; 0 where values are continuous."""
    count = math.prod(facts.event_shape)
    if facts.levels is not None:
        return np.full(count, facts.grid_step)
    if facts.whole:
        return np.ones(count)
    if facts.whole_columns is not None:
        return facts.whole_columns.astype(np.float64)
    return np.zeros(count)


def standard(
    facts: Facts, steps: np.ndarray, why: dict[str, str]
) -> tuple[float | list[float], float | list[float]]:
    """Mean and standard deviation: of each feature, or of all values of an image."""
    noise = steps**2 / 12.0
    mean, variance = facts.mean.reshape(-1) + steps / 2.0, facts.std.reshape(-1) ** 2 + noise
    if facts.pixels:
        middle = float(mean.mean())
        why["standardize"] = "standardized by one mean and deviation of all values"
        return middle, math.sqrt(float(variance.mean() + mean.var()))
    scale = np.where(variance > 0.0, np.sqrt(variance), 1.0)
    still = int((variance == 0.0).sum())
    why["standardize"] = "each feature standardized" + (
        f"; {still} that never change only shifted" if still else ""
    )
    return mean.tolist(), scale.tolist()


def worth_standardizing(facts: Facts) -> bool:
    if facts.kind == "vector":
        return facts.levels is None or like_table(facts)
    if facts.levels is not None or (facts.low >= 0.0 and facts.high <= 1.0):
        return False
    return abs(float(facts.mean.mean())) > 2.0 or not 0.2 <= float(facts.std.mean()) <= 2.0


def to_unit(facts: Facts) -> dict[str, Any]:
    if facts.levels is None:  # in [0, 1] already, or refused by then
        return {}
    step = facts.grid_step
    span = (facts.levels - 1) * step
    # k / 255 that lie in [0, 1] already are left as they are, to the bit.
    span = 1.0 if abs(span - 1.0) < 1e-9 else span
    return {"shift": facts.grid_low, "scale": span, "step": step}


def like_tokens(facts: Facts) -> bool:
    small = facts.low >= 0 and facts.high < _ALPHABET
    return facts.kind == "vector" and facts.integers and small and facts.event_shape[0] > 1


def like_table(facts: Facts) -> bool:
    """Integers with no alphabet: counts, ages, years."""
    return facts.kind == "vector" and facts.integers and facts.levels != 2
