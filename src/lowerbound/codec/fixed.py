"""From logits to whole numbers: probabilities that encoder and decoder get equal to the bit.

A decoder that computes one probability in its last digit otherwise than the encoder did decodes
noise from there on. So the logits, in float64, are rounded to a grid far coarser than the errors of
their computation, and everything after that is arithmetic of whole numbers and one table.
"""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

#: Steps of the grid per nat. Rounding costs at most 1/(8 · 1024²) nats per symbol on average; the
#: error of a logit in float64, about 1e-14, reaches over a step's edge once in 10^11 logits.
GRID = 1024
_BITS = 30  # of the weight of the likeliest symbol
_LAST = math.ceil(_BITS * math.log(2.0) * GRID) + 1
_WEIGHTS = np.rint(np.exp(-np.arange(_LAST + 1) / GRID) * 2.0**_BITS)
_WEIGHTS[-1] = 0.0


def weights(logits: Tensor | np.ndarray) -> np.ndarray:
    """Whole numbers in proportion to the probabilities.

    Args:
        logits: up to a constant, ``(N, K)``, nats; float64.

    Returns:
        float64 ``(N, K)`` of whole numbers, 2^30 for the likeliest, 0 below about 2^-31 of that
        (which a coder has to give some mass all the same).

    >>> weights(np.array([[0.0, -1.0, -50.0]]))
    array([[1.07374182e+09, 3.95007542e+08, 0.00000000e+00]])
    """
    found = np.asarray(logits, dtype=np.float64)
    cells = np.rint(found * GRID)
    steps = cells.max(-1, keepdims=True) - cells
    return _WEIGHTS[np.minimum(steps, _LAST).astype(np.int64)]


def bits(logits: Tensor | np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """−log2 p of each symbol, by the logits as they are: ``(N, K)``, ``(N,) -> (N,)``."""
    found = np.asarray(logits, dtype=np.float64)
    found = found - found.max(-1, keepdims=True)
    chosen = np.take_along_axis(found, symbols[:, None], -1)[:, 0]
    return (np.log(np.exp(found).sum(-1)) - chosen) / math.log(2.0)
