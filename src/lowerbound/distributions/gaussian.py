"""The Gaussian likelihood, and the five ways to choose its σ."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from ..collectives import mean_over_processes
from ..errors import LowerboundError
from .base import Located
from .families import LOG_SCALE_RANGE, Family
from .normal import HALF_LOG_2PI, DiagonalNormal

Sigma = Literal["fixed", "learned", "per-dimension", "per-datum", "optimal"]

DECAY = 0.99
# Of weights and σ² in turn; each batch goes on from where the last ones were.
ROUNDS = 5


class Gaussian(Family):
    """Real data: N(loc, σ²), with σ

    - ``fixed``: at ``value``;
    - ``learned``: one parameter;
    - ``per-dimension``: one parameter for each number of the datum;
    - ``per-datum``: from the network, for each number of each datum (raw = loc and log σ);
    - ``optimal``: σ² = mean squared error, the maximizer of the bound given everything else
      (σ-VAE). In training mode ``log_prob`` takes that of the very batch it is given, over all
      examples, dimensions and processes, and tracks it; in eval mode it takes the tracked
      value, so that what is reported is the density of a fixed σ. Where the bound weighs its
      draws (importance sampling), the mean is weighted too: ``weighted_log_prob``.

    All log σ are kept in [-10, 10].

    Args:
        event_shape: of one datum; an int is a vector's length.
        sigma: see above.
        value: σ of ``fixed``, and where the others start before :meth:`start`, in units of x.

    References:
        Rybkin, Daniilidis and Levine, 2021, https://arxiv.org/abs/2006.13202

    >>> family = Gaussian(2, sigma="fixed", value=0.5)
    >>> family(torch.zeros(2)).log_prob(torch.zeros(2))  # -log(2 pi 0.25), in nats
    tensor(-0.4516)
    """

    supports = frozenset({"real", "unit"})
    _DISCRETE = (
        "a density at isolated levels is not a probability and grows without bound as sigma "
        "shrinks; dequantize the data"
    )
    not_a_likelihood: ClassVar[dict[str, str]] = {"levels": _DISCRETE, "binary": _DISCRETE}

    def __init__(
        self, event_shape: int | tuple[int, ...], sigma: Sigma = "optimal", value: float = 1.0
    ) -> None:
        if sigma not in get_args(Sigma):
            raise LowerboundError(
                f"expected sigma to be one of {', '.join(get_args(Sigma))}, came {sigma!r}; "
                f"pass sigma='optimal'"
            )
        if not (math.isfinite(value) and value > 0):
            raise LowerboundError(
                f"expected a positive sigma, came {value}; pass value=1.0 in units of x"
            )
        super().__init__(event_shape, channels=2 if sigma == "per-datum" else 1)
        self.sigma = sigma
        log_sigma = torch.tensor(math.log(value))
        if sigma == "learned":
            self.log_sigma = nn.Parameter(log_sigma)
        elif sigma == "per-dimension":
            self.log_sigma = nn.Parameter(log_sigma.repeat(self.event_shape))
        elif sigma == "fixed":
            self.register_buffer("log_sigma", log_sigma)
        elif sigma == "optimal":
            self.tracked = RunningVariance(value**2)

    def forward(self, raw: Tensor) -> DiagonalNormal | OptimalNormal:
        """Raw is loc ``(*lead, *event)``, with ``per-datum`` followed by log σ."""
        rank = len(self.event_shape)
        if self.sigma == "optimal":
            return OptimalNormal(raw, self.tracked, rank)
        if self.sigma == "per-datum":
            raw, log_sigma = self.split(raw)
        else:
            log_sigma = self.log_sigma
        return DiagonalNormal(raw, log_sigma.clamp(*LOG_SCALE_RANGE), rank)

    @torch.no_grad()
    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean; σ of its own (all but ``fixed``) starts at the data's std.

        A number that never varies starts at a hundredth of the others' root mean square.
        """
        variance = std.square().mean().clamp_min(1e-8)
        log_std = std.clamp_min(0.01 * variance.sqrt()).log()
        if self.sigma == "per-datum":
            return torch.cat([mean, log_std])
        if self.sigma == "per-dimension":
            self.log_sigma.copy_(log_std)
        elif self.sigma == "learned":
            self.log_sigma.copy_(0.5 * variance.log())
        elif self.sigma == "optimal":
            self.tracked.initial.copy_(variance)
        return mean.clone()

    def extra_repr(self) -> str:
        return f"{self.event_shape}, sigma={self.sigma!r}"


class RunningVariance(nn.Module):
    """An average over recent batches: exponential, decay 0.99, unbiased from the first on.

    Buffers, float32 and saved with the weights: ``initial``, what it is before any batch;
    ``total``, Σ_i (1 − decay) decay^(t−i) v_i; ``count``, t.
    """

    initial: Tensor
    total: Tensor
    count: Tensor

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.register_buffer("initial", torch.tensor(float(initial)))
        self.register_buffer("total", torch.tensor(0.0))
        self.register_buffer("count", torch.tensor(0.0))

    @torch.no_grad()
    def update(self, value: Tensor) -> None:
        """Take in one batch's variance, 0-d."""
        self.total.lerp_(value.to(self.total.dtype), 1 - DECAY)
        self.count.add_(1)

    def of(self, value: Tensor) -> Tensor:
        """The variance to take where a batch's, 0-d, is `value`: in training that of the batch, of
        all processes, which is taken in; else the average."""
        if not self.training:
            return self().to(value.dtype)
        value = mean_over_processes(value)
        self.update(value)
        return value

    def forward(self) -> Tensor:
        """The current average, 0-d."""
        weight = -torch.expm1(self.count * math.log(DECAY))
        return torch.where(self.count > 0, self.total / weight.clamp_min(1e-6), self.initial)


class OptimalNormal(Located):
    """N(loc, σ²) with the σ² of :class:`Gaussian`'s ``optimal``; see there.

    The gradient treats σ² as a constant, and loses nothing: the bound is stationary in it.

    Args:
        loc: ``(*batch, *event)``.
        tracked: σ² over recent batches; its training mode decides which σ² ``log_prob`` takes.
        event_rank: how many trailing dimensions are one datum.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"loc": constraints.real}

    def __init__(self, loc: Tensor, tracked: RunningVariance, event_rank: int = 1) -> None:
        super().__init__(loc, event_rank)
        self._tracked = tracked

    @property
    def scale(self) -> Tensor:
        """The tracked σ, 0-d."""
        return _in_range(self._tracked()).sqrt()

    @property
    def variance(self) -> Tensor:
        """The tracked σ², ``(*batch, *event)``."""
        return self.scale.square().expand_as(self.loc)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """With the tracked σ: ``(*sample_shape, *batch, *event)``."""
        return self._fixed().rsample(sample_shape)

    def entropy(self) -> Tensor:
        """With the tracked σ: nats, ``(*batch,)``."""
        return self._fixed().entropy()

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        size = self.event_shape.numel()
        squared = self._sum((value - self.loc).square())
        variance = self._tracked.of(squared.detach().mean() / size)
        return self._log_density(squared, _in_range(variance))

    def weighted_log_prob(self, value: Tensor, weigh: Callable[[Tensor], Tensor]) -> Tensor:
        """:meth:`log_prob` for a bound in which draws do not count alike.

        The maximizer of such a bound is the weighted mean squared error, by weights that depend on
        σ² themselves: what is returned took some rounds of the two in turn (EM for σ²), from the
        tracked value on, so that over a run they meet.

        Args:
            value: ``(*lead, *event)``.
            weigh: log p(value) of the draws ``(K, B)`` to their weights, which sum to one over K;
                no gradient is wanted of it.

        Returns:
            ``(K, B)``, nats.
        """
        if not self._tracked.training:
            return self.log_prob(value)
        size = self.event_shape.numel()
        squared = self._sum((value - self.loc).square())
        with torch.no_grad():
            variance = _in_range(self._tracked().to(squared.dtype))
            for _ in range(ROUNDS):
                weights = weigh(self._log_density(squared, variance))
                mean = (weights * squared).sum(0).mean() / size
                variance = _in_range(mean_over_processes(mean))
            self._tracked.update(variance)
        return self._log_density(squared, variance)

    def _log_density(self, squared: Tensor, variance: Tensor) -> Tensor:
        size = self.event_shape.numel()
        return -0.5 * squared / variance - size * (0.5 * variance.log() + HALF_LOG_2PI)

    def _fixed(self) -> DiagonalNormal:
        return DiagonalNormal(self.loc, self.scale.log(), self.event_rank)


def _in_range(variance: Tensor) -> Tensor:
    low, high = LOG_SCALE_RANGE
    return variance.clamp(math.exp(2 * low), math.exp(2 * high))
