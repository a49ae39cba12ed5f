"""Data as their samples are compared: images in [0, 1], columns in standard deviations."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...errors import LowerboundError
from .arrays import Array

if TYPE_CHECKING:
    from ...data import Data, DataSpec, Split

_ROWS = 1000
_FITTED = 10_000  # training examples that the scales of columns are taken from


class View:
    """Stored values to what is compared, the same for data and samples.

    Images are scaled from the stored range to [0, 1], whatever x is for the model (binarized,
    dequantized); columns of a table have the mean and the standard deviation of the training
    examples taken out. Codes and classifiers then see one thing in every run on the same data.

    Args:
        data: of the run.

    Raises:
        LowerboundError: data that are neither images nor vectors.
    """

    def __init__(self, data: Data) -> None:
        spec: DataSpec = data.spec
        if spec.kind not in ("image", "vector") or spec.support == "categories":
            raise LowerboundError(
                f"expected images or vectors to measure samples of, came {spec.name}, which is "
                f"{spec.kind}; evaluate its likelihood"
            )
        self.spec, self.image = spec, spec.kind == "image"
        if self.image:
            self.shift, self.scale = np.array(spec.low), np.array(spec.high - spec.low or 1.0)
        else:
            stored = data.train.stored(spread(len(data.train), _FITTED)).double().numpy()
            self.shift, deviation = stored.mean(0), stored.std(0)
            self.scale = np.where(deviation > 0.0, deviation, 1.0)

    def __call__(self, stored: Tensor | Array) -> Tensor:
        """x (N, *event_shape), float32, of stored values; images cut off at black and white."""
        stored = torch.as_tensor(stored)
        parts = [
            (part.double() - torch.as_tensor(self.shift)) / torch.as_tensor(self.scale)
            for part in stored.split(_ROWS)
        ]
        x = torch.cat([part.float() for part in parts])
        return x.clamp_(0.0, 1.0) if self.image else x

    @property
    def fingerprint(self) -> str:
        """Of shift and scale: what is computed from one view is not what another gives."""
        found = hashlib.blake2b(self.spec.kind.encode(), digest_size=10)
        for values in (self.shift, self.scale):
            found.update(np.ascontiguousarray(values, np.float64).tobytes())
        return found.hexdigest()

    def take(self, split: Split, positions: Array) -> Tensor:
        """Examples of a split at positions (N,)."""
        parts = [
            self(split.stored(positions[start : start + _ROWS]))
            for start in range(0, len(positions), _ROWS)
        ]
        return torch.cat(parts)


def spread(there: int, most: int) -> Array:
    """Positions of at most so many, at even distances: files of a folder come class by class.

    >>> spread(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.unique(np.linspace(0, there - 1, min(there, most)).round().astype(np.int64))
