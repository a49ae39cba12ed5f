"""The units in which a mixture is fitted: centred, scaled, flat and in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import LowerboundError

#: Starts one pass over the data: batches ``(n, *event_shape)``.
Sweep = Callable[[], Iterable[Tensor]]

# Relative to the largest magnitude: a spread below it is rounding of a constant.
_NO_SPREAD = 1e-14


@dataclass
class Units:
    """u = (x - centre) / scale, and the data's moments.

    About the data's mean and in units of their spread, sums of squares keep their digits.

    Attributes:
        event_shape: shape of one example, D numbers.
        count: examples.
        centre: the data's mean, ``(D,)``.
        scale: their standard deviation, ``(D,)``; all the same where directions must stay
            comparable. A number that never varies has the root mean square of the others'.
        total: covariance of u, ``(D, D)``; None where nobody asked.
    """

    event_shape: tuple[int, ...]
    count: int
    centre: Tensor
    scale: Tensor
    total: Tensor | None

    def flat(self, sweep: Sweep) -> Iterator[Tensor]:
        """One pass: u, float64 ``(n, D)`` each."""
        for batch in flat(sweep, self.event_shape):
            yield (batch - self.centre) / self.scale

    @property
    def log_jacobian(self) -> float:
        """log |du/dx|, nats per example."""
        return -float(self.scale.log().sum())


def flat(sweep: Sweep, event_shape: tuple[int, ...]) -> Iterator[Tensor]:
    """One pass over the data, float64 ``(n, D)`` each, on the batches' device.

    Raises:
        LowerboundError: another shape, or values that are not finite.
    """
    for batch in sweep():
        if tuple(batch.shape[1:]) != tuple(event_shape):
            raise LowerboundError(
                f"expected examples of shape {tuple(event_shape)}, came {tuple(batch.shape[1:])}"
            )
        if batch.device.type == "mps":  # has no float64
            batch = batch.cpu()
        if len(batch):
            yield batch.reshape(len(batch), -1).double()


def measure(sweep: Sweep, event_shape: tuple[int, ...], *, common: bool, total: bool) -> Units:
    """The units of data, in one pass.

    Args:
        sweep: starts the pass.
        event_shape: shape of one example.
        common: whether all numbers of an example share one scale.
        total: whether to measure the covariance too.

    Raises:
        LowerboundError: no examples, values that are not finite, or data that do not vary.
    """
    count, shift, first, second = 0, None, None, None
    for x in flat(sweep, event_shape):
        if shift is None or first is None or second is None:
            # about the first batch's mean: sums of squares about zero would lose digits
            shift = x.mean(0)
            first = torch.zeros_like(shift)
            second = shift.new_zeros((len(shift), len(shift)) if total else (len(shift),))
        x = x - shift
        count += len(x)
        first += x.sum(0)
        second += x.mT @ x if total else x.square().sum(0)
    if shift is None or first is None or second is None:
        raise LowerboundError("expected examples to fit a mixture to, came none")
    offset = first / count
    second = second / count - (torch.outer(offset, offset) if total else offset.square())
    centre = shift + offset
    variance = second.diagonal() if total else second
    if not bool(variance.isfinite().all()):
        raise LowerboundError("expected finite numbers, came NaN or infinity among the examples")
    varies = variance > (_NO_SPREAD * centre.abs().clamp_min(1e-300)).square()
    if not bool(varies.any()):
        raise LowerboundError(
            f"expected examples that differ, came {count} equal ones; a mixture of constant data "
            f"has no density"
        )
    mean = variance[varies].mean()
    variance = mean.expand_as(variance) if common else torch.where(varies, variance, mean)
    scale = variance.sqrt()
    scaled = second / torch.outer(scale, scale) if total else None
    return Units(tuple(event_shape), count, centre, scale, scaled)
