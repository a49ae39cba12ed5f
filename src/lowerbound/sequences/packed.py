"""Sequences of which steps are missing, as shorter sequences with the times of their steps.

A step of which nothing is known tells a model nothing: it is taken out, and the time between the
two steps around it is longer. So padding, gaps and irregular times are one and the same, and no
network ever meets a step that is not there.

>>> x = torch.tensor([[[1.0], [float("nan")], [3.0]]])
>>> found = pack(x)
>>> found.x[0, :2, 0].tolist(), found.times[0, :2].tolist(), found.steps[0].tolist()
([1.0, 3.0], [0.0, 2.0], [True, True, False])
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Packed(NamedTuple):
    """Sequences whose steps come first, and then nothing.

    Attributes:
        x: ``(B, T, *frame)``, 0 where a number is missing.
        observed: which numbers are known, bool ``(B, T, *frame)``.
        steps: which places hold a step of which something is known, bool ``(B, T)``.
        times: of the steps, ``(B, T)``; of places without one, that of the last step.
        places: where each step stood before, int64 ``(B, T)``.
    """

    x: Tensor
    observed: Tensor
    steps: Tensor
    times: Tensor
    places: Tensor

    @property
    def lengths(self) -> Tensor:
        """Steps of each sequence, int64 ``(B,)``."""
        return self.steps.sum(1)

    def since(self, first: float = 1.0) -> Tensor:
        """Time since the step before, ``(B, T)``; of the first one since ``first`` before time 0,
        so that what is missing at the beginning is time that has passed."""
        return torch.cat((self.times[:, :1] + first, self.times.diff(dim=1)), 1)


def pack(x: Tensor, times: Tensor | None = None) -> Packed:
    """Steps of which something is known, moved to the front in their order.

    Args:
        x: ``(B, T, *frame)``, NaN where a number is missing.
        times: of the steps, ``(B, T)``, anything where a step is missing; None: 0, 1, 2, …
    """
    observed = ~x.isnan()
    present = observed.flatten(2).any(2)
    if times is None:
        times = torch.arange(x.shape[1], device=x.device, dtype=x.dtype).expand(present.shape)
    # False sorts before True, and a stable sort keeps the order.
    places = torch.argsort((~present).to(torch.int8), dim=1, stable=True)
    steps = present.gather(1, places)
    times = torch.where(steps, times.to(x.dtype).gather(1, places), 0.0)
    last = (steps.sum(1, keepdim=True) - 1).clamp_min(0)
    times = torch.where(steps, times, times.gather(1, last))
    index = places.reshape(*places.shape, *[1] * (x.dim() - 2)).expand(x.shape)
    return Packed(
        torch.where(observed, x, 0.0).gather(1, index),
        observed.gather(1, index),
        steps,
        times,
        places,
    )


def unpack(values: Tensor, packed: Packed) -> Tensor:
    """Numbers of packed steps back where the steps were, NaN where there was none.

    Args:
        values: ``(B, T, *)``.
        packed: as they were packed.
    """
    index = packed.places.reshape(*packed.places.shape, *[1] * (values.dim() - 2))
    steps = packed.steps.reshape(index.shape)
    gone = torch.where(steps, values, torch.nan)
    return torch.empty_like(values).scatter(1, index.expand(values.shape), gone)
