"""Some of the examples of a split, prepared for a model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import DataSpec, Prepare, Split, held_out
from .conditional import held_out_contexts

#: Of data that are drawn (binarized, dequantized, masked), splits up to this size are prepared
#: whole, so that an example is the same x in every measurement, whichever others are measured.
_WHOLE = 60_000


class Chosen(NamedTuple):
    """What :func:`choose_examples` returns.

    Attributes:
        x: prepared, ``(N, *event)``, on the CPU.
        context: what a conditional model is given, ``(N, ...)`` each.
        positions: in the split, int64 ``(N,)``.
        of: how many examples the split has.
    """

    x: Tensor
    context: tuple[Tensor, ...]
    positions: NDArray[np.int64]
    of: int


def shuffled(count: int, seed: int = 0) -> Tensor:
    """All positions of a split in the order in which a part of them is taken, int64 ``(count,)``.

    >>> shuffled(5, 1).sort().values.tolist()
    [0, 1, 2, 3, 4]
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(count, generator=generator)


def taken_of_whole(model: Any, split: Split, spec: DataSpec) -> bool:
    """Whether a part of a split is prepared with all of it: its chances are drawn in order."""
    drawn = spec.binarize == "stochastic" or spec.dequantize == "uniform"
    # Masks are drawn one after the other, too.
    drawn = drawn or getattr(getattr(model, "condition", None), "of_x", False)
    return drawn and len(split) <= _WHOLE


def part_of(whole: Chosen, positions: Tensor) -> Chosen:
    """Some of the examples of a whole split."""
    context = tuple(each[positions] for each in whole.context)
    return Chosen(whole.x[positions], context, positions.numpy(), whole.of)


def choose_examples(
    model: Any, split: Split, spec: DataSpec, limit: int | None = None, seed: int = 0
) -> Chosen:
    """Examples of a split, prepared: all in order, or the first `limit` of a shuffle.

    Args:
        model: makes the contexts, if it is conditional.
        split: where they come from.
        spec: says what x is.
        limit: so many at most.
        seed: of the shuffle, the one of `lowerbound.evaluate`: all parts of an evaluation are of
            the same examples; binarization and dequantization are always drawn from seed 0.
    """
    count = len(split)
    positions = torch.arange(count)
    if limit is not None and limit < count:
        positions = shuffled(count, seed)[:limit]
    if len(positions) == count or taken_of_whole(model, split, spec):
        x = held_out(split, spec)
        whole = Chosen(x, held_out_contexts(model, x, split), np.arange(count), count)
        return whole if len(positions) == count else part_of(whole, positions)
    with torch.no_grad():
        x = Prepare(spec)(split.stored(positions), torch.Generator().manual_seed(0))
    context = held_out_contexts(model, x, split, positions)
    return Chosen(x, context, positions.numpy(), count)
