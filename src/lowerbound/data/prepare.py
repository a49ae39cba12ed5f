"""Stored values to x and back, on any device."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from lowerbound.data.spec import DataSpec
from lowerbound.data.splits import Split
from lowerbound.noise import uniform

_FAR = 1e4  # from where float32 is not enough to tell stored values apart
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
        # A level near the shift: what is restored is counted from there, in float32 with all its
        # digits, and only then moved back.
        self.base = self._constant("base", _base(spec))
        above = np.asarray(spec.shift) - np.asarray(_base(spec))
        self.above = self._constant("above", above.tolist())
        self._shifted = isinstance(spec.shift, list) or spec.shift != 0.0
        self._scaled = isinstance(spec.scale, list) or spec.scale != 1.0
        # x has rounded by less than this share of a cell; u keeps as far from the cell's ends.
        slack = _slack(spec)
        self.slack = self._constant("slack", slack)
        self.below_one = self._constant("below_one", (1.0 - 2.0 * np.asarray(slack)).tolist())
        whole = math.floor(spec.shift) if isinstance(spec.shift, float | int) else 0
        # Integers far from zero are moved as integers: float32 would merge their levels.
        self._whole = whole if abs(whole) > _FAR else 0

    def forward(self, stored: Tensor, generator: torch.Generator | None = None) -> Tensor:
        spec = self.spec
        if spec.support == "categories":
            return stored.long()
        x = self._moved(stored) if self._shifted else stored.float()
        if spec.dequantize == "uniform":
            u = uniform(x.shape, x.device, generator).clamp_(max=self.below_one)
            x = x + u * self.step
        if spec.binarize == "none":
            return x / self.scale if self._scaled else x
        cut = uniform(x.shape, x.device, generator) if spec.binarize == "stochastic" else 0.5
        # The cut is scaled rather than x divided: on a CPU that is a division for each number.
        binary = (x > (cut * self.scale if self._scaled else cut)).float()
        return torch.where(x.isnan(), x, binary) if spec.kind == "sequence" else binary

    def restore(self, x: Tensor) -> Tensor:
        """x (*, *event_shape) in stored units: levels on their grid, tokens as they are.

        Binarized values come back as the least and the greatest stored value; features far from
        zero (above 1e4) as float64.
        """
        spec = self.spec
        if spec.support == "categories":
            return x
        above = x * self.scale + self.above
        if spec.dequantize == "uniform":
            if not isinstance(self.step, Tensor):
                return self._back(torch.floor(above / self.step + self.slack) * self.step)
            cells = torch.where(self.step > 0, self.step, 1.0)
            levels = torch.floor(above / cells + self.slack) * cells
            return self._back(torch.where(self.step > 0, levels, above))
        if spec.support == "levels" and spec.levels is not None:
            level = torch.round(above / self.step).clamp(0, spec.levels - 1)
            return self._back(level * self.step)
        return self._back(above)

    def expected(self, x: Tensor) -> Tensor:
        """The mean of the stored values where x (*, *event_shape) is the mean of x, unrounded.

        Half a cell is taken off where values were spread over their cells, as
        ``E[v + u step] = E[v] + step / 2``. Features far from zero (above 1e4) come as float64.

        >>> spec = DataSpec(
        ...     "a", "vector", (1,), "unit", 4, dequantize="uniform", scale=4.0, step=1.0, high=3.0
        ... )
        >>> Prepare(spec).expected(torch.tensor([[0.375]]))
        tensor([[1.]])
        """
        spec = self.spec
        if spec.support == "categories":
            return x
        if spec.support == "binary":
            return x * (spec.high - spec.low) + spec.low
        half = self.step * 0.5 if spec.dequantize == "uniform" else 0.0
        return self._back(x * self.scale + self.above - half)

    def unit(self, x: Tensor) -> Tensor:
        """x in [0, 1], for pictures: from black to white (`DataSpec.shown`)."""
        spec, (black, white) = self.spec, self.spec.shown
        whole = spec.support == "binary" or (black, white) == (spec.low, spec.high)
        if spec.support in ("binary", "levels", "unit") and whole:
            return x.clamp(0.0, 1.0)
        return ((self.restore(x) - black) / (white - black or 1.0)).clamp(0.0, 1.0)

    def _moved(self, stored: Tensor) -> Tensor:
        """Stored values less the shift, float32."""
        if self._whole and not stored.is_floating_point():
            rest = self.spec.shift - self._whole  # ty: ignore[unsupported-operator]
            return (stored.long() - self._whole).float() - rest
        return (stored - self.shift).float()

    def _back(self, above: Tensor) -> Tensor:
        """Stored values of what is counted from the base."""
        if isinstance(self.base, Tensor) or abs(self.base) <= _FAR:
            return above + self.base
        return above.double() + self.base

    def _constant(self, name: str, value: float | list[float]) -> float | Tensor:
        if not isinstance(value, list):
            return float(value)
        # A feature far from zero (a time stamp) needs float64's digits to be shifted; others do
        # not, and some accelerators have no float64.
        far = name in ("shift", "base") and max(map(abs, value)) > _FAR
        number = torch.tensor(value, dtype=torch.float64 if far else torch.float32)
        self.register_buffer(name, number.reshape(self.spec.feature_shape), persistent=False)
        return getattr(self, name)


def _base(spec: DataSpec) -> float | list[float]:
    """The level at or below the shift; the shift itself where values are continuous."""
    shift, step = np.broadcast_arrays(
        np.asarray(spec.shift, np.float64), np.asarray(spec.step, np.float64)
    )
    # Whole numbers beside continuous ones lie on a grid of their own, not on that of the least.
    low = 0.0 if isinstance(spec.step, list) else spec.low
    cells = np.where(step > 0.0, step, 1.0)
    base = np.where(step > 0.0, low + np.floor((shift - low) / cells) * cells, shift)
    return base.tolist()


def _slack(spec: DataSpec) -> float | list[float]:
    """What float32 may lose from a stored value to x and back, as a share of a cell.

    Four roundings of 2^-24 of the distance to the shift, which is at most that of all values, and
    16 standard deviations where x is standardized. Where that is more than a sixteenth of a cell,
    x does not tell the levels apart, and nothing is kept.
    """
    step = np.asarray(spec.step, np.float64)
    if spec.dequantize != "uniform":
        return 0.0
    reach = np.asarray(spec.high - spec.low + step)
    if isinstance(spec.scale, list):
        reach = np.minimum(reach, 16.0 * np.asarray(spec.scale) + step)
    slack = np.where(step > 0.0, reach / np.where(step > 0.0, step, 1.0), 0.0) * 2.0**-22
    return np.where(slack > 1.0 / 16.0, 0.0, slack).tolist()


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
