"""Bounds of examples in nats of the stored values, as `lowerbound.evaluate` has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..latent import bounds_of
from ..runs import Run

Array = NDArray[Any]


def bounds(run: Run, x: Tensor, *context: Tensor) -> Array:
    """The evidence lower bound of each example, nats, ``(N,)``.

    Args:
        run: with a likelihood.
        x: prepared, ``(N, *event)``.
        context: ``(N, ...)`` each.

    Raises:
        LowerboundError: the model has no bound.
    """
    return bounds_of(run.model, x, *context) + log_jacobian(run)


def log_jacobian(run: Run) -> np.float64:
    """What is added to log p(x) for log p of the stored values, nats per example: where a model is
    conditioned on a part of the datum, of the other part."""
    condition = getattr(run.model, "condition", None)
    return np.float64(getattr(condition, "log_jacobian", run.spec.log_jacobian))
