"""What only conditional models have: contexts of held-out data, and a likelihood by their prior."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..data import DataSpec, Split, side_of
from .likelihood import LogLikelihood, estimate_log_likelihood


def held_out_contexts(
    model: Any, x: Tensor, split: Split, chosen: Tensor | None = None, seed: int = 0
) -> tuple[Tensor, ...]:
    """What a conditional model is conditioned on, for held-out examples; nothing for others.

    Args:
        model: its ``condition``, if it has one, makes the contexts.
        x: prepared data, ``(N, *event)``, the chosen examples.
        split: where they come from, with what comes beside them.
        chosen: positions of the examples in the split, ``(N,)``; None: all.
        seed: of masks that are drawn: the same contexts in every run.

    Returns:
        Contexts ``(N, ...)``, on the CPU. None of a model of positions among the training examples,
        for held-out ones have no such position.

    Raises:
        LowerboundError: the data lack what the model is conditioned on.
    """
    condition = getattr(model, "condition", None)
    if condition is None or condition.side == "position":
        return ()
    side = None if condition.side is None else side_of(split, condition.side)
    if side is not None and chosen is not None:
        side = side[chosen]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return condition(x, side)


def counted(model: Any, spec: DataSpec, *context: Tensor) -> tuple[float | Tensor, float]:
    """What turns log p of x into that of the stored values, and of how many numbers it is.

    Of a model of the missing part of each datum (`Masked`) only that part counts.

    Args:
        model: its ``condition``, if it is made of x, ends its contexts with a mask.
        spec: of the data.
        context: of the examples, ``(N, ...)`` each.

    Returns:
        nats to add, of all or ``(N,)``; numbers in a datum, on average.
    """
    if not getattr(getattr(model, "condition", None), "of_x", False):
        return spec.log_jacobian, float(spec.dimensions)
    missing = (context[-1] < 0.5).flatten(1).double()
    shift = missing @ torch.from_numpy(spec.log_jacobians.reshape(-1))
    return shift.float(), float(missing.sum(1).mean())


class PriorAsPosterior(nn.Module):
    """The same model, its codes drawn from p(z|c) whatever x is.

    Args:
        model: has ``prior`` and ``decode``.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def likelihood(self) -> nn.Module:
        """The model's, where it is one module."""
        return getattr(self.model, "likelihood", self.model)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one datum."""
        return self.model.event_shape

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of one code."""
        return self.model.latent_shape

    def prior(self, *context: Tensor) -> Distribution:
        """p(z|c)."""
        return self.model.prior(*context)

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """p(z|c) with the batch dimensions of x, ``(B, *event)``."""
        prior = self.model.prior(*context)
        lead = x.shape[: x.dim() - len(self.event_shape)]
        return prior if prior.batch_shape == lead else _Repeated(prior, lead)

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x|z,c)."""
        return self.model.decode(z, *context)


class _Repeated(Distribution):
    """A distribution without batch dimensions, drawn from for each of some data."""

    has_rsample = False

    def __init__(self, base: Distribution, lead: torch.Size) -> None:
        super().__init__(lead, base.event_shape, validate_args=False)
        self.base = base

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.base.sample((*sample_shape, *self.batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        return self.base.log_prob(value)


def prior_monte_carlo(
    model: Any,
    x: Tensor,
    *context: Tensor,
    samples: int = 100,
    rows: int | None = None,
    precision: torch.dtype | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LogLikelihood:
    """log p(x|c) by simple Monte Carlo: ``log 1/K Σ_k p(x|z_k,c)`` with ``z_k ~ p(z|c)``.

    In expectation a lower bound on log p(x|c), as importance sampling from the posterior is, and a
    far looser one where few codes of the prior explain x: its effective sample size says so.

    Args:
        model: has ``prior(*c)`` and ``decode(z, *c)``.
        x: prepared data, ``(N, *event)``.
        context: what the model is conditioned on, ``(N, ...)`` each.
        samples: codes for each datum, K.
        rows, precision, seed, progress: see :func:`estimate_log_likelihood`.

    References:
        Sohn, Lee and Yan, 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS, which has both estimates
    """
    return estimate_log_likelihood(
        PriorAsPosterior(model),
        x,
        *context,
        samples=samples,
        rows=rows,
        precision=precision,
        compile=False,
        seed=seed,
        progress=progress,
    )
