"""Bernoulli and continuous Bernoulli over a whole datum, both by their logits."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from .base import EventDistribution, softplus


class IndependentBernoulli(EventDistribution):
    """Bernoulli(σ(logits)), independent over the datum.

    ``log_prob`` takes values anywhere in [0, 1], where it is x·l − softplus(l), a cross entropy.
    It is a normalised likelihood on {0, 1} only.

    Args:
        logits: ``(*batch, *event)``.
        event_rank: how many trailing dimensions are one datum.

    >>> p = IndependentBernoulli(torch.zeros(3, 2))
    >>> p.log_prob(torch.ones(2))  # 2 log(1/2), in nats
    tensor([-1.3863, -1.3863, -1.3863])
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real}

    def __init__(self, logits: Tensor, event_rank: int = 1) -> None:
        super().__init__(logits, event_rank)
        self.logits = logits

    @property
    def support(self) -> constraints.Constraint:
        """{0, 1}^event."""
        return constraints.independent(constraints.boolean, self.event_rank)

    @property
    def probs(self) -> Tensor:
        """Probability of a one, ``(*batch, *event)``."""
        return self.logits.sigmoid()

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)``."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """``(*batch, *event)``."""
        return (self.logits > 0).to(self.logits.dtype)

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)``."""
        return self.probs * (-self.logits).sigmoid()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Zeros and ones, ``(*sample_shape, *batch, *event)``."""
        with torch.no_grad():
            return torch.bernoulli(self.probs.expand(*sample_shape, *self.logits.shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        logits = self.logits
        value = value.to(logits.dtype)
        energy = softplus(logits)
        if (
            value.dim() <= logits.dim()
            and logits.shape[logits.dim() - value.dim() :] == value.shape
        ):
            # Over (K, B, D) logits the product goes into the one temporary there is.
            energy = energy.addcmul_(value, logits, value=-1.0)
        else:
            energy = torch.addcmul(energy, value, logits, value=-1.0)
        return -self._sum(energy)

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        return -self.log_prob(self.probs)


class IndependentContinuousBernoulli(EventDistribution):
    """The continuous Bernoulli on [0, 1], independent over the datum.

    p(x) = C(λ) λ^x (1−λ)^(1−x) with λ = σ(l) is the exponential density exp(x·l − A(l)) cut to
    [0, 1], so everything is written in l with A(l) = log((e^l − 1)/l). Where l is near 0
    (λ near 1/2) numerator and denominator vanish together and a Taylor series takes over.

    Args:
        logits: ``(*batch, *event)``.
        event_rank: how many trailing dimensions are one datum.

    References:
        Loaiza-Ganem and Cunningham, 2019, https://arxiv.org/abs/1907.06845

    >>> p = IndependentContinuousBernoulli(torch.zeros(1))  # uniform: C(1/2)·1/2 = 1
    >>> p.log_prob(torch.tensor([0.3])), p.mean
    (tensor(0.), tensor([0.5000]))
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {"logits": constraints.real}

    def __init__(self, logits: Tensor, event_rank: int = 1) -> None:
        super().__init__(logits, event_rank)
        self.logits = logits

    @property
    def support(self) -> constraints.Constraint:
        """[0, 1]^event."""
        return constraints.independent(constraints.unit_interval, self.event_rank)

    @property
    def mean(self) -> Tensor:
        """A′(l), which is not σ(l): ``(*batch, *event)``."""
        return continuous_bernoulli_mean(self.logits)

    def log_constant(self) -> Tensor:
        """log C(λ), elementwise ``(*batch, *event)``; log 2 at λ = 1/2."""
        return softplus(self.logits) - _log_partition(self.logits)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Inverse distribution function at a uniform: ``(*sample_shape, *batch, *event)``."""
        logits = self.logits
        shape = (*sample_shape, *logits.shape)
        u = torch.rand(shape, dtype=logits.dtype, device=logits.device)
        # For l < 0; the other sign is its mirror image, so that exp never overflows.
        rate = logits.abs().clamp_min(1e-6)
        x = -torch.log1p(u * torch.expm1(-rate)) / rate
        return torch.where(logits > 0, 1 - x, x)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        return self._sum(value * self.logits - _log_partition(self.logits))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, ``(*batch,)``; 0 where uniform, negative elsewhere."""
        return -self.log_prob(self.mean)


# log(sinh(l/2)/(l/2)) = Σ B_2n l^2n / (2n (2n)!): for |l| < 1/2 the first omitted term is 1e-14.
_NEAR_HALF = 0.5
_SERIES = (1 / 24, -1 / 2880, 1 / 181440, -1 / 9676800, 1 / 479001600)


def _log_partition(logits: Tensor) -> Tensor:
    """A(l) = log((e^l − 1)/l), even part about l/2 by series near 0."""
    near = logits.abs() < _NEAR_HALF
    # where() sends a gradient of 0·inf = NaN through the branch not taken, unless it is finite.
    far = torch.where(near, torch.ones_like(logits), logits.abs())
    direct = logits.clamp_min(0) + torch.log(-torch.expm1(-far) / far)
    square = logits.square().clamp_max(_NEAR_HALF**2)
    series = square * _SERIES[-1]
    for coefficient in _SERIES[-2::-1]:
        series = (series + coefficient) * square
    return torch.where(near, 0.5 * logits + series, direct)


def continuous_bernoulli_mean(logits: Tensor) -> Tensor:
    """A′(l) = 1/(1 − e^−l) − 1/l, elementwise, in (0, 1).

    >>> continuous_bernoulli_mean(torch.tensor([0.0, 1e-4, 100.0]))
    tensor([0.5000, 0.5000, 0.9900])
    """
    near = logits.abs() < _NEAR_HALF
    far = torch.where(near, torch.ones_like(logits), logits.abs())
    direct = -1 / torch.expm1(-far) - 1 / far
    direct = torch.where(logits > 0, direct, 1 - direct)
    square = logits.square().clamp_max(_NEAR_HALF**2)
    series = torch.zeros_like(logits)
    for n in range(len(_SERIES), 0, -1):
        series = series * square + 2 * n * _SERIES[n - 1]
    return torch.where(near, 0.5 + logits * series, direct)
