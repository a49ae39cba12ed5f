"""The loop that demonstrations train by: phases on an array, Adam, a rate that falls to zero."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..recipes import Built
from ..training.phase import Phase


def train(
    built: Built,
    batch: Callable[[], Tensor],
    *,
    steps: int,
    learning_rate: float = 1e-3,
) -> float:
    """Train a recipe's model.

    Args:
        built: the model and its phases, none in closed form.
        batch: x of the next step, ``(B, *event_shape)``.
        steps: how many.
        learning_rate: of the first step; it falls to zero along half a cosine.

    Returns:
        Mean loss of the last tenth of the steps, of the last phase.
    """
    phases = [phase for phase in built.phases if isinstance(phase, Phase)]
    optimizers = [
        torch.optim.Adam(
            [parameter for module in phase.moves for parameter in module.parameters()],
            learning_rate * phase.learning_rate,
        )
        for phase in phases
    ]
    decays = [torch.optim.lr_scheduler.CosineAnnealingLR(each, steps) for each in optimizers]
    late = []
    for step in range(steps):
        x = batch()
        for phase, optimizer, decay in zip(phases, optimizers, decays, strict=True):
            optimizer.zero_grad()
            loss = phase.objective(built.model, x).loss
            loss.backward()
            optimizer.step()
            decay.step()
        if step >= 0.9 * steps:
            late.append(loss.detach())
    return float(torch.stack(late).mean())


def batches(x: Tensor, size: int, seed: int) -> Callable[[], Tensor]:
    """Rows drawn at random, with replacement.

    Args:
        x: ``(N, *event_shape)``.
        size: of a batch.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    return lambda: x[torch.randint(len(x), (size,), generator=generator)]
