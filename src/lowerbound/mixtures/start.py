"""Where EM begins: k-means++ centres on a sample, moved by a few steps of k-means."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..errors import LowerboundError


def sample(parts: Iterable[Tensor], rows: int, most: int, generator: torch.Generator) -> Tensor:
    """At most `most` rows of a pass, uniformly without replacement, in their order.

    Args:
        parts: rows ``(n, D)`` each, cut in any way.
        rows: how many there are in all.
        most: how many to keep.
        generator: on the CPU.

    Returns:
        ``(min(most, rows), D)``.
    """
    chosen = torch.arange(rows)
    if rows > most:
        seed = int(torch.randint(2**62, (), generator=generator))
        drawn = np.random.default_rng(seed).choice(rows, most, replace=False, shuffle=False)
        chosen = torch.from_numpy(drawn).sort().values
    kept, first = [], 0
    for part in parts:
        start, stop = torch.searchsorted(chosen, torch.tensor([first, first + len(part)])).tolist()
        kept.append(part[(chosen[start:stop] - first).to(part.device)])
        first += len(part)
    return torch.cat(kept)


def kmeans_plus_plus(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Centres far apart: each drawn in proportion to its squared distance from those before.

    Of a few such draws the one that leaves the least distance is taken (the greedy version).

    Args:
        x: ``(N, D)``.
        count: centres, K.
        generator: on the CPU.

    Returns:
        ``(K, D)``, rows of x.

    Raises:
        LowerboundError: fewer different rows than centres.

    Reference:
        Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding, SODA
    """
    trials = 2 + int(math.log(count))
    first = int(torch.randint(len(x), (1,), generator=generator))
    chosen = [first]
    nearest = squared_distances(x, x[first : first + 1]).squeeze(1)
    for _ in range(1, count):
        nearest[chosen[-1]] = 0.0
        odds = nearest.cpu()
        if not bool(odds.sum() > 0):
            raise LowerboundError(
                f"components: expected at most {len(chosen)}, for so many different examples there "
                f"are, came {count}; pass components={len(chosen)}"
            )
        drawn = torch.multinomial(odds, trials, replacement=True, generator=generator).to(x.device)
        left = torch.minimum(squared_distances(x, x[drawn]), nearest.unsqueeze(1))  # (N, trials)
        best = left.sum(0).argmin()
        nearest = left[:, best].clone()
        chosen.append(int(drawn[best]))
    return x[chosen]


def lloyd(x: Tensor, centres: Tensor, steps: int) -> Tensor:
    """A few steps of k-means; a centre that loses all its rows stays where it is.

    Args:
        x: ``(N, D)``.
        centres: ``(K, D)``.
        steps: at most so many.

    Reference:
        Lloyd 1982, Least squares quantization in PCM, IEEE TIT 28(2)
    """
    for _ in range(steps):
        sums = torch.zeros_like(centres)
        index = squared_distances(x, centres).argmin(1)
        sums.index_add_(0, index, x)
        sizes = torch.bincount(index, minlength=len(centres)).unsqueeze(1)
        moved = torch.where(sizes > 0, sums / sizes.clamp_min(1), centres)
        if bool((moved == centres).all()):
            break
        centres = moved
    return centres


def squared_distances(x: Tensor, centres: Tensor) -> Tensor:
    """``(N, D), (K, D) -> (N, K)``."""
    across = torch.addmm(centres.square().sum(1), x, centres.mT, alpha=-2)
    return across.add_(x.square().sum(1, keepdim=True)).clamp_min_(0)
