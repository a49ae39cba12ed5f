"""The distribution of the missing part of a datum."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ..collectives import mean_over_processes
from ..errors import LowerboundError
from .base import EventDistribution
from .bernoulli import IndependentBernoulli, IndependentContinuousBernoulli
from .categorical import IndependentCategorical
from .discretized import MixtureOfLogistics
from .gaussian import ROUNDS, OptimalNormal
from .normal import DiagonalNormal


class Masked(Distribution):
    """p(missing part | observed part) of a datum whose places are independent.

    A value is a whole datum, and so is the event; the density is that of its missing places alone,
    and the observed ones are what they are. Adding the log-density of the observed places gives
    that of the whole.

    Args:
        base: of the whole datum, independent over it: Bernoulli, continuous Bernoulli, diagonal
            normal, categorical or discretized logistic.
        observed: values where the datum is observed, ``(*batch, *event)``, anything elsewhere.
        mask: 1 where the datum is observed, 0 where it is missing, ``(*batch, *event)``.

    References:
        Sohn, Lee and Yan, 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS

    >>> base = IndependentBernoulli(torch.zeros(4))
    >>> p = Masked(base, torch.ones(4), torch.tensor([1.0, 1.0, 0.0, 0.0]))
    >>> p.log_prob(torch.ones(4))  # 2 log(1/2): two are missing
    tensor(-1.3863)
    >>> p.mean
    tensor([1.0000, 1.0000, 0.5000, 0.5000])
    """

    _validate_args = False
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, base: Distribution, observed: Tensor, mask: Tensor) -> None:
        # Not super().__init__: see EventDistribution.
        self._batch_shape, self._event_shape = base.batch_shape, base.event_shape
        self._event_dims = tuple(range(-len(base.event_shape), 0))
        self.base, self.observed = base, observed
        self.known = mask > 0.5

    @property
    def has_rsample(self) -> bool:
        """As the base."""
        return self.base.has_rsample

    @property
    def support(self) -> constraints.Constraint | None:
        """As the base."""
        return self.base.support

    @property
    def mean(self) -> Tensor:
        """Observed values, and the mean of the missing ones: ``(*batch, *event)``."""
        return self._whole(self.base.mean)

    @property
    def mode(self) -> Tensor:
        """Observed values, and the likeliest of the missing ones: ``(*batch, *event)``."""
        return self._whole(self.base.mode)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Observed values and draws: ``(*sample_shape, *batch, *event)``."""
        return self._whole(self.base.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """As `sample`, with a gradient through the draws."""
        return self._whole(self.base.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Of the missing places, nats: ``(*lead, *event) -> (*lead,)``."""
        if isinstance(self.base, OptimalNormal):
            each = self._optimal(self.base, value)
        else:
            each = elementwise(self.base).log_prob(value)
        return self._of_missing(each)

    def weighted_log_prob(self, value: Tensor, weigh: Callable[[Tensor], Tensor]) -> Tensor:
        """As that of :class:`OptimalNormal`, of the missing places: ``(K, B)``, nats."""
        base = self.base
        if not isinstance(base, OptimalNormal) or not base._tracked.training:
            return self.log_prob(value)
        tracked = base._tracked
        with torch.no_grad():
            squared = (value - base.loc).square()
            squared = torch.where(self.known, 0.0, squared).sum(self._event_dims)
            count = (~self.known).expand(base.loc.shape).to(squared.dtype).sum(self._event_dims)
            variance = tracked().to(squared.dtype)
            for _ in range(ROUNDS):
                weights = weigh(-0.5 * (squared / variance + count * variance.log()))
                sums = torch.stack([(weights * t).sum(0).mean() for t in (squared, count)])
                pair = mean_over_processes(sums)
                variance = (pair[0] / pair[1].clamp_min(1e-6)).clamp_min(math.exp(_LOG_VARIANCE[0]))
            tracked.update(variance)
        log_scale = 0.5 * variance.log().clamp(*_LOG_VARIANCE)
        return self._of_missing(DiagonalNormal(base.loc, log_scale, 0).log_prob(value))

    def _of_missing(self, each: Tensor) -> Tensor:
        # Not a product: where an observed value has no probability, 0 times -inf is NaN.
        return torch.where(self.known, 0.0, each).sum(self._event_dims)

    def _optimal(self, base: OptimalNormal, value: Tensor) -> Tensor:
        """Each place's density with the variance that is optimal for the missing ones."""
        tracked = base._tracked
        if tracked.training:
            missing = ~self.known
            squared = torch.where(missing, (value - base.loc).detach().square(), 0.0)
            share = missing.expand_as(squared).to(squared.dtype).mean()
            pair = mean_over_processes(torch.stack([squared.mean(), share]))
            variance = pair[0] / pair[1].clamp_min(1e-6)
            tracked.update(variance)
        else:
            variance = tracked().to(base.loc.dtype)
        log_scale = 0.5 * variance.log().clamp(*_LOG_VARIANCE)
        return DiagonalNormal(base.loc, log_scale, 0).log_prob(value)

    def _whole(self, found: Tensor) -> Tensor:
        return torch.where(self.known, self.observed.to(found.dtype), found)


# As LOG_SCALE_RANGE of the families, of a variance.
_LOG_VARIANCE = (-20.0, 20.0)


def elementwise(base: Distribution) -> EventDistribution:
    """The same distribution with every place an event of its own.

    Args:
        base: independent over its event.

    Returns:
        Batch shape ``(*batch, *event)``, no event dimensions.

    Raises:
        LowerboundError: its places are not known to be independent.
    """
    if isinstance(base, DiagonalNormal):
        return DiagonalNormal(base.loc, base.log_scale, 0)
    if isinstance(base, IndependentBernoulli):
        return IndependentBernoulli(base.logits, 0)
    if isinstance(base, IndependentContinuousBernoulli):
        return IndependentContinuousBernoulli(base.logits, 0)
    if isinstance(base, OptimalNormal):
        return DiagonalNormal(base.loc, base.scale.log(), 0)
    if isinstance(base, IndependentCategorical):
        return IndependentCategorical(base.logits.movedim(base.level_dim, -1), 0)
    if isinstance(base, MixtureOfLogistics):
        parts = (base.logits, base.means, base.log_scales)
        moved = (part.movedim(base.component_dim, -1) for part in parts)
        return MixtureOfLogistics(*moved, base.levels, 0)
    own: Any = getattr(base, "elementwise", None)
    if own is not None:
        return own()
    raise LowerboundError(
        f"expected a likelihood that is independent over the datum, of which a part can be left "
        f"out, came {type(base).__name__}; pass likelihood bernoulli, gaussian, categorical or "
        f"discretized-logistic"
    )
