"""Whether data are what a model knows: its support, asked of the stored values themselves."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lowerbound.data.spec import DataSpec
from lowerbound.data.splits import Split

_ROWS = 1000
_OFF_GRID = 1e-2  # of a level's distance: floats that came from levels are rounded


def misfit(split: Split, spec: DataSpec) -> tuple[str, str] | None:
    """Why examples have no probability under a model of `spec`, None where all of them have one.

    Args:
        split: the examples, of the spec's event shape.
        spec: of the data that the model was trained on.

    Returns:
        What was expected, and the first value that is something else, in words.
    """
    step, shift, scale = (
        torch.tensor(value, dtype=torch.float64).expand(spec.dimensions)
        if not isinstance(value, list)
        else torch.tensor(value, dtype=torch.float64).repeat(spec.dimensions // len(value))
        for value in (spec.step, spec.shift, spec.scale)
    )
    for start in range(0, len(split), _ROWS):
        rows = np.arange(start, min(start + _ROWS, len(split)))
        stored = split.stored(rows).double().flatten(1)
        expected, bad = _outside(stored, spec, step, shift, scale)
        if bool(bad.any()):
            return expected, f"{float(stored[bad][0]):g}"
    return None


def _outside(
    stored: Tensor, spec: DataSpec, step: Tensor, shift: Tensor, scale: Tensor
) -> tuple[str, Tensor]:
    """What stored (N, D) should be, in words, and where it is not."""
    if spec.support == "categories":
        levels = spec.levels or 0
        bad = (stored < 0) | (stored >= levels) | (stored != stored.round())
        return f"categories from 0 to {levels - 1}", bad
    x = (stored - shift) / scale
    if spec.support == "binary" and spec.binarize == "none":
        bad = torch.minimum(x.abs(), (x - 1.0).abs()) > 1e-6
        return f"the two values {spec.low:g} and {spec.high:g}", bad
    bad = torch.zeros_like(stored, dtype=torch.bool)
    low, high, expected = spec.low, spec.high, "finite numbers"
    if spec.support != "real":
        if spec.levels is None:
            low, high = shift[0].item(), (shift + scale)[0].item()
        edge = _OFF_GRID * step if spec.levels else 1e-6 * scale
        bad = (stored < low - edge) | (stored > high + edge)
        expected = f"data in [{low:g}, {high:g}]"
    if spec.support == "levels" or spec.dequantize == "uniform":
        # Columns of whole numbers lie on a grid of their own, not on that of the least value.
        own = isinstance(spec.step, list)
        cells = (stored - (0.0 if own else spec.low)) / torch.where(step > 0.0, step, 1.0)
        bad = bad | ((step > 0.0) & ((cells - cells.round()).abs() > _OFF_GRID))
        if spec.support != "real":
            expected += f" on {spec.levels} levels"
        elif own or float(step[0]) == 1.0:
            expected = "whole numbers where the data have them"
        else:
            expected = f"values on levels {float(step[0]):g} apart"
    return expected, bad
