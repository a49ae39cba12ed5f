"""A mixture of logistic distributions on a grid of levels."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from .base import EventDistribution, softplus

# Up to here the mean is summed level by level; beyond, an integral is within half a bin of it.
_SUMMED_LEVELS = 64


class MixtureOfLogistics(EventDistribution):
    """Probabilities of the levels k/(levels − 1): a mixture's mass in the bin around each.

    The first and the last bin reach to −∞ and +∞, so the probabilities sum to 1. Independent
    over the datum; each place has its own mixture.

    Args:
        logits: of the components, ``(*batch, components, *event)``.
        means: of the logistics, in units of x, same shape.
        log_scales: of the logistics, in units of x, same shape.
        levels: how many; x is k/(levels − 1) for k = 0 ... levels − 1.
        event_rank: how many trailing dimensions are one datum.

    References:
        Salimans et al., 2017, https://arxiv.org/abs/1701.05517

    >>> p = MixtureOfLogistics(*torch.zeros(3, 5, 1), levels=4)
    >>> levels = torch.arange(4).view(-1, 1) / 3
    >>> p.log_prob(levels).exp().sum()
    tensor(1.)
    """

    arg_constraints: ClassVar[dict[str, Any]] = {
        "logits": constraints.real,
        "means": constraints.real,
        "log_scales": constraints.real,
    }

    def __init__(
        self,
        logits: Tensor,
        means: Tensor,
        log_scales: Tensor,
        levels: int = 256,
        event_rank: int = 1,
    ) -> None:
        self.component_dim = -event_rank - 1
        super().__init__(logits.select(self.component_dim, 0), event_rank)
        self.logits = logits
        self.means = means
        self.log_scales = log_scales
        self.levels = levels

    @property
    def support(self) -> constraints.Constraint:
        """Levels in [0, 1]^event."""
        return constraints.independent(constraints.unit_interval, self.event_rank)

    @property
    def mean(self) -> Tensor:
        """Expectation, ``(*batch, *event)``.

        Up to 64 levels it is exact. Beyond, it is that of the mixture clipped to [0, 1] before
        rounding, which is off by less than half a bin, and by far less for scales above one.
        """
        scale = self.log_scales.exp()
        if self.levels <= _SUMMED_LEVELS:
            # E[x] = Σ_k P(x > k-th inner edge) · width
            width = 1 / (self.levels - 1)
            of_component = torch.zeros_like(self.means)
            for k in range(self.levels - 1):
                of_component += width * torch.sigmoid((self.means - (k + 0.5) * width) / scale)
        else:
            # E[clip(x)] = ∫₀¹ P(x > t) dt
            above = softplus(self.means / scale) - softplus((self.means - 1) / scale)
            of_component = scale * above
        weights = self.logits.softmax(self.component_dim)
        return (weights * of_component).sum(self.component_dim)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Levels, ``(*sample_shape, *batch, *event)``."""
        with torch.no_grad():
            dim = self.component_dim
            shape = (*sample_shape, *self.logits.shape)
            # The largest of logits with Gumbel noise is a draw from their softmax.
            gumbel = -self.logits.new_empty(shape).exponential_().log()
            chosen = (self.logits + gumbel).argmax(dim, keepdim=True)
            means = self.means.expand(shape).gather(dim, chosen).squeeze(dim)
            scales = self.log_scales.expand(shape).gather(dim, chosen).squeeze(dim).exp()
            x = means + scales * torch.rand_like(means).logit(1e-7)
            top = self.levels - 1
            return (x.clamp(0, 1) * top).round() / top

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, for values on the levels: ``(*lead, *event) -> (*lead,)``.

        With a and b the standardized upper and lower edge of a bin,

            log(σ(a) − σ(b)) = −softplus(−a) − softplus(b) + log(1 − e^(b−a)),

        a sum of terms without cancellation in either tail; b − a depends on the scale alone. The
        outermost bins keep one softplus each.
        """
        dim = self.component_dim
        value = value.unsqueeze(dim)
        half = 0.5 / (self.levels - 1)
        inverse = (-self.log_scales).exp()
        width = 2 * half * inverse
        below = (value - self.means - half) * inverse
        above = below + width
        first, last = value < half, value > 1 - half
        log_mass = torch.log(-torch.expm1(-width)).masked_fill(first | last, 0.0)
        log_mass = log_mass - softplus(-above).masked_fill(last, 0.0)
        log_mass = log_mass - softplus(below).masked_fill(first, 0.0)
        log_weights = self.logits.log_softmax(dim)
        return self._sum((log_weights + log_mass).logsumexp(dim))
