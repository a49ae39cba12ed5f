"""Nearest entries, and k-means: what codebooks are found with."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest(v: Tensor, entries: Tensor) -> Tensor:
    """The index of the entry with the least Euclidean distance.

    Args:
        v: ``(R, heads, d)``.
        entries: ``(heads, K, d)``.

    Returns:
        int64 ``(R, heads)``.

    >>> nearest(torch.tensor([[[0.9]], [[0.2]]]), torch.tensor([[[0.0], [1.0]]])).tolist()
    [[1], [0]]
    """
    # ½‖v − e‖² without ‖v‖², which all entries share.
    half = 0.5 * entries.square().sum(-1)  # (heads, K)
    if entries.shape[0] == 1:
        return torch.addmm(half, v[:, 0], entries[0].T, alpha=-1.0).argmin(1, keepdim=True)
    products = torch.einsum("rhd,hkd->rhk", v, entries)
    return (half - products).argmin(-1)


def kmeans(v: Tensor, count: int, iterations: int = 10) -> Tensor:
    """Centres of v by Lloyd's algorithm from a start by k-means++, of torch's generator.

    Args:
        v: ``(R, d)``.
        count: K. Where there are fewer rows than that, rows are repeated, slightly moved.
        iterations: of Lloyd's.

    Returns:
        ``(K, d)``.

    References:
        Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding
    """
    if len(v) < count:
        again = v[torch.randint(len(v), (count - len(v),), device=v.device)]
        spread = v.std(0, unbiased=False) + 1e-3
        return torch.cat([v, again + 0.1 * spread * torch.randn_like(again)])
    centres = seeds(v, count)
    for _ in range(iterations):
        index = nearest(v[:, None], centres[None])[:, 0]
        counts = torch.zeros(count, dtype=v.dtype, device=v.device)
        counts.index_add_(0, index, torch.ones_like(v[:, 0]))
        sums = torch.zeros_like(centres).index_add_(0, index, v)
        found = sums / counts.clamp(min=1.0)[:, None]
        centres = torch.where((counts > 0)[:, None], found, centres)
    return centres


def seeds(v: Tensor, count: int) -> Tensor:
    """Rows of v ``(R, d)`` far from one another, ``(count, d)``: each drawn with a probability in
    proportion to its squared distance from those drawn before."""
    chosen = [int(torch.randint(len(v), (), device=v.device))]
    gap = (v - v[chosen[0]]).square().sum(1)
    draws = torch.rand(count, device=v.device)
    for i in range(1, count):
        total = gap.cumsum(0)
        place = int(torch.searchsorted(total, draws[i] * total[-1]))
        chosen.append(min(place, len(v) - 1))
        gap = torch.minimum(gap, (v - v[chosen[-1]]).square().sum(1))
    return v[chosen]
