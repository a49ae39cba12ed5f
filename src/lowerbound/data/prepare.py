"""Stored values to x and back, on any device."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from lowerbound.data.spec import DataSpec
from lowerbound.data.splits import Split
from lowerbound.noise import uniform

_ROWS = 1000  # examples prepared together; part of what a seed means, so never a parameter


class Prepare(nn.Module):
    """Stored examples to x as the model sees it.

    ``forward(stored)``: stored (N, *event_shape) of any type, to x (N, *event_shape), float32
    (int64 for tokens). Binarization and dequantization draw from torch's default generator, or
    from the `generator` that is passed.

    Args:
        spec: says what x is.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec
        # One number for all positions stays a Python float, which the compiler folds in.
        self.shift = self._constant("shift", spec.shift)
        self.scale = self._constant("scale", spec.scale)
        self.step = self._constant("step", spec.step)
        self.above = self._constant("above", (np.asarray(spec.shift) - spec.low).tolist())
        self._shifted = isinstance(spec.shift, list) or spec.shift != 0.0
        self._scaled = isinstance(spec.scale, list) or spec.scale != 1.0
        # The greatest u below 1 for which v + u does not round up to the next level.
        self._below_one = 1.0 - 2.0 ** (math.ceil(math.log2(spec.levels or 256)) - 22)

    def forward(self, stored: Tensor, generator: torch.Generator | None = None) -> Tensor:
        spec = self.spec
        if spec.support == "categories":
            return stored.long()
        x = (stored - self.shift).float() if self._shifted else stored.float()
        if spec.dequantize == "uniform":
            u = uniform(x.shape, x.device, generator).clamp_(max=self._below_one)
            x = x + u * self.step
        if self._scaled:
            x = x / self.scale
        if spec.binarize == "stochastic":
            return (uniform(x.shape, x.device, generator) < x).float()
        if spec.binarize == "threshold":
            return (x > 0.5).float()
        return x

    def restore(self, x: Tensor) -> Tensor:
        """x (*, *event_shape) in stored units: levels on their grid, tokens as they are.

        Binarized values come back as the least and the greatest stored value.
        """
        spec = self.spec
        if spec.support == "categories":
            return x
        # Relative to the least value, where float32 has the digits to tell levels apart.
        above = x * self.scale + self.above
        if spec.dequantize == "uniform":
            if not isinstance(self.step, Tensor):
                return torch.floor(above / self.step) * self.step + spec.low
            cells = torch.where(self.step > 0, self.step, 1.0)
            levels = torch.floor(above / cells) * cells
            return torch.where(self.step > 0, levels, above) + spec.low
        if spec.support == "levels" and spec.levels is not None:
            level = torch.round(above / self.step).clamp(0, spec.levels - 1)
            return level * self.step + spec.low
        return above + spec.low

    def unit(self, x: Tensor) -> Tensor:
        """x in [0, 1], for pictures: the stored range from black to white."""
        if self.spec.support in ("binary", "levels", "unit"):
            return x.clamp(0.0, 1.0)
        span = self.spec.high - self.spec.low or 1.0
        return ((self.restore(x) - self.spec.low) / span).clamp(0.0, 1.0)

    def _constant(self, name: str, value: float | list[float]) -> float | Tensor:
        if not isinstance(value, list):
            return float(value)
        # A feature far from zero (a time stamp) needs float64's digits to be shifted; others do
        # not, and some accelerators have no float64.
        far = name in ("shift", "above") and max(map(abs, value)) > 1e4
        number = torch.tensor(value, dtype=torch.float64 if far else torch.float32)
        self.register_buffer(name, number.reshape(self.spec.event_shape), persistent=False)
        return getattr(self, name)


@torch.no_grad()
def held_out(split: Split, spec: DataSpec, seed: int = 0) -> Tensor:
    """Every example of a split prepared once, from a seed: the same x on every device and run.

    Args:
        split: the examples.
        spec: says what x is.
        seed: of the binarization or dequantization.

    Returns:
        x (N, *event_shape) on the CPU, float32 (int64 for tokens).
    """
    prepare = Prepare(spec)
    generator = torch.Generator().manual_seed(seed)
    parts = [
        prepare(split.stored(np.arange(start, min(start + _ROWS, len(split)))), generator)
        for start in range(0, len(split), _ROWS)
    ]
    return torch.cat(parts)
