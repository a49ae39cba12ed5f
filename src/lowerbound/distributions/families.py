"""Families: a network's raw output becomes a distribution.

``Family`` is the guide for a new one: say the shapes, what data it is a normalised likelihood
for, how raw numbers become a distribution, and where an untrained decoder starts.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..errors import LowerboundError
from .delta import PointMass
from .normal import DiagonalNormal

# σ in [4.5e-5, 2.2e4]: its square and 1/σ² stay far inside float32, and exp never overflows.
LOG_SCALE_RANGE = (-10.0, 10.0)


class Family(nn.Module):
    """A family of distributions over data of one shape, with ``channels`` raw numbers each.

    Abstract: a subclass implements :meth:`forward` and :meth:`start`.

    Raw outputs multiply the datum's first axis: an image ``(C, H, W)`` has raw shape
    ``(channels·C, H, W)``, a vector ``(D,)`` has ``(channels·D,)``. The parameters follow one
    another in blocks, as from ``torch.cat([first, second], axis)``.

    Args:
        event_shape: of one datum, at least one dimension; an int is a vector's length.
        channels: raw numbers for each number of the datum.

    Attributes:
        event_shape: of one datum.
        raw_shape: of the network's output for one datum.
        supports: kinds of data (``DataSpec.support``) on which ``log_prob`` is a normalised
            likelihood.
        not_a_likelihood: other kinds that are tolerated when asked for, each with the reason
            why no likelihood is reported then.
    """

    supports: frozenset[str] = frozenset()
    not_a_likelihood: ClassVar[dict[str, str]] = {}

    def __init__(self, event_shape: int | tuple[int, ...], channels: int = 1) -> None:
        super().__init__()
        shape = (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
        if not shape or min(shape) < 1:
            raise LowerboundError(
                f"expected an event shape of one or more positive sizes, came {shape}; "
                f"pass (1,) for a single number"
            )
        self.event_shape = shape
        self.channels = channels
        self.raw_shape = (channels * shape[0], *shape[1:])

    @property
    def event_rank(self) -> int:
        """How many trailing dimensions are one datum."""
        return len(self.event_shape)

    def forward(self, raw: Tensor) -> Distribution:
        """The distribution for raw ``(*lead, *raw_shape)``, with ``batch_shape`` = lead."""
        raise NotImplementedError

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The raw output whose distribution is near the data's marginal: an output layer's bias.

        Families with parameters of their own (a learned σ) also start those.

        Args:
            mean: of the data, ``event_shape``.
            std: of the data, ``event_shape``.

        Returns:
            ``raw_shape``.
        """
        raise NotImplementedError

    def split(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The ``channels`` blocks of raw ``(*lead, *raw_shape)``, each ``(*lead, *event)``."""
        return raw.chunk(self.channels, -len(self.event_shape))

    def extra_repr(self) -> str:
        return str(self.event_shape)


class DiagonalGaussian(Family):
    """The usual posterior: N(loc, diag(scale²)), raw = loc and log scale.

    The log scale is clamped to [-10, 10] (:data:`LOG_SCALE_RANGE`).

    Args:
        event_shape: of one code; an int is a vector's length.

    >>> DiagonalGaussian(2)(torch.zeros(5, 4)).scale[0]
    tensor([1., 1.])
    """

    supports = frozenset({"real"})

    def __init__(self, event_shape: int | tuple[int, ...]) -> None:
        super().__init__(event_shape, channels=2)

    def forward(self, raw: Tensor) -> DiagonalNormal:
        """Raw are loc and log scale, each ``(*lead, *event)``."""
        loc, log_scale = self.split(raw)
        return DiagonalNormal(loc, log_scale.clamp(*LOG_SCALE_RANGE), len(self.event_shape))

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean and log std themselves."""
        return torch.cat([mean, std.log().clamp(*LOG_SCALE_RANGE)])


class Delta(Family):
    """A point, for autoencoders: the distribution that is certain.

    Args:
        event_shape: of one value; an int is a vector's length.

    >>> Delta(2)(torch.ones(5, 2)).mean.shape
    torch.Size([5, 2])
    """

    _NO_VARIANCE = "squared error has no variance, so there is no density to evaluate"
    not_a_likelihood: ClassVar[dict[str, str]] = dict.fromkeys(
        ("binary", "levels", "unit", "real"), _NO_VARIANCE
    )

    def forward(self, raw: Tensor) -> PointMass:
        """Raw is the point, ``(*lead, *event)``."""
        return PointMass(raw, len(self.event_shape))

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean."""
        return mean.clone()


class UnitDelta(Delta):
    """A point in [0, 1], for generators of pixels: the sigmoid of the raw numbers.

    Args:
        event_shape: of one value; an int is a vector's length.

    >>> UnitDelta(2)(torch.zeros(5, 2)).mean[0]
    tensor([0.5000, 0.5000])
    """

    def forward(self, raw: Tensor) -> PointMass:
        """Raw is the point's logit, ``(*lead, *event)``."""
        return PointMass(raw.sigmoid(), len(self.event_shape))

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean's logit, not beyond ±4: a saturated sigmoid lets no gradient through."""
        return mean.clamp(0.018, 0.982).logit()
