"""Bidirectional Monte Carlo: how far annealing can be from log p(x), from both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..decoding import batch, evaluating, home
from ..likelihood import mixed, own_noise
from .ais import Anneal, Progress, anneal
from .path import refuse
from .store import Store

_SIMULATED = 11  # of the seed


@dataclass(frozen=True)
class Sandwich:
    """Bounds on log p(x) of data drawn from the model, ``(N,)`` each, nats.

    Attributes:
        lower: in expectation below log p(x): chains from p_0.
        upper: in expectation above: chains from the code that each datum was drawn with.
        x: the data, ``(N, *event)``.
    """

    lower: Tensor
    upper: Tensor
    x: Tensor

    @property
    def gap(self) -> Tensor:
        """``upper - lower``: in expectation no less than what either is off."""
        return self.upper - self.lower


def sandwich(
    model: Any,
    count: int,
    *context: Tensor,
    settings: Anneal | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Sandwich:
    """Draw data from the model and bound log p of them from both sides.

    Of these data, and of no others, an exact draw of the posterior is known: the code that they
    were made with. The gap tells of annealing on such data with these settings.

    Args:
        model: as of :func:`~lowerbound.evaluation.annealing.anneal`.
        count: data to draw.
        context: of them, ``(count, ...)`` each.
        settings: of both directions.
        store: keeps what is done.
        progress: called with (examples done, examples in all), both directions counted.

    Raises:
        LowerboundError: as :func:`~lowerbound.evaluation.annealing.anneal`.

    References:
        Grosse, Ghahramani & Adams 2015, arXiv 1511.02543; Wu et al. 2017, arXiv 1611.04273, 4.2
    """
    how = settings or Anneal()
    codes, x = simulated(model, count, *context, seed=how.seed)

    def told(done: float, total: int, before: int = 0) -> None:
        if progress is not None:
            progress((before + done) / 2, total)

    lower = anneal(model, x, *context, settings=how, store=store, progress=told)
    upper = anneal(
        model,
        x,
        *context,
        settings=how,
        codes=codes,
        store=store,
        progress=lambda done, total: told(done, total, total),
    )
    return Sandwich(lower.values, upper.values, x)


@torch.no_grad()
def simulated(model: Any, count: int, *context: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Codes of the prior and data of the likelihood: ``(count, *latent)``, ``(count, *event)``.

    Args:
        model: has ``prior`` and ``decode``.
        count: how many.
        context: ``(count, ...)`` each.
        seed: of both.
    """
    like = torch.zeros(1)
    device, _ = home(model, like)
    with evaluating(model), own_noise(device):
        torch.manual_seed(mixed(seed, _SIMULATED))
        _, *c = batch(model, slice(None), like, *context)
        prior = model.prior(*c)
        codes = prior.sample() if prior.batch_shape else prior.sample((count,))
        x = model.decode(codes, *c).sample()
        refuse(model, x, *c)
    return codes.cpu(), x.cpu()
