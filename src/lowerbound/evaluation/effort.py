"""How much of an evaluation is affordable, judged by operations: never by a clock, so that the same
command gives the same numbers on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from .codes import posterior_mean
from .decoding import batch, evaluating

#: Floating-point operations of a default evaluation: one or two minutes on two cores.
AFFORDABLE = 1.5e13
_SAMPLES = (1000, 500, 250, 100, 50, 25, 10)
_LEAST_EXAMPLES = 100
_LEAST_ANNEALED = 10


def affordable(
    model: Any, x: Tensor, budget: float = AFFORDABLE, context: Sequence[Tensor] = ()
) -> tuple[int, int]:
    """Importance samples for each example, and how many examples.

    1000 and all where that is within the budget, else fewer samples, and only then fewer examples.

    Args:
        model: has ``encode`` and ``decode``.
        x: prepared data, ``(N, *event)``.
        budget: floating-point operations.
        context: what the model is conditioned on, ``(N, ...)`` each.

    Returns:
        ``(samples, examples)``.
    """
    each = _operations(model, x, context)
    for samples in _SAMPLES:
        if each * samples * len(x) <= budget:
            return samples, len(x)
    examples = int(budget / (each * _SAMPLES[-1]))
    return _SAMPLES[-1], min(len(x), max(_LEAST_EXAMPLES, examples))


def affordable_chains(
    model: Any,
    x: Tensor,
    moves: float,
    budget: float = AFFORDABLE,
    context: Sequence[Tensor] = (),
) -> int:
    """How many examples can be annealed.

    Args:
        model: has ``prior`` and ``decode``.
        x: prepared data, ``(N, *event)``.
        moves: gradients for each example: chains · temperatures · leapfrog steps.
        budget: floating-point operations.
        context: what the model is conditioned on, ``(N, ...)`` each.
    """
    # A gradient in z costs twice a decoding.
    each = 3 * moves * _operations(model, x, context, codes="prior")
    return min(len(x), max(_LEAST_ANNEALED, int(budget / each)))


def _operations(
    model: Any,
    x: Tensor,
    context: Sequence[Tensor],
    codes: Literal["posterior", "prior"] = "posterior",
) -> float:
    """Floating-point operations of decoding one code."""
    few, *c = batch(model, slice(2), x, *context)
    counter = FlopCounterMode(display=False)
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        if codes == "posterior":
            z = posterior_mean(model.encode(few, *c))
        else:
            p = model.prior(*c)
            z = p.sample() if p.batch_shape else p.sample((len(few),))
        with counter:
            model.decode(z, *c)
    # What is no product is counted as some operations for each number.
    return counter.get_total_flops() / len(few) + 20.0 * x[0].numel()
