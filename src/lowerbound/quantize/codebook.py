"""Codebooks that are learned, by running means or by descent, and kept alive."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import as_gradient, histogram, refuse_size
from .search import kmeans, nearest

Update = Literal["ema", "gradient"]
Start = Literal["kmeans", "uniform"]

#: Of the share of recent choices, by which entries are judged dead. Its memory is 20 steps: an
#: encoder that has just begun moves faster than entries follow.
_RECENT = 0.95
_ROWS = 64  # vectors for each entry that k-means looks at
_TINY = 1e-30


class Codebook(nn.Module):
    """K entries of d numbers for each head.

    With ``update`` "ema" an entry is the mean of the vectors that chose it, sums/counts of two
    running means: the k-means step of each batch, smoothed. With "gradient" it descends
    ‖sg v − e‖².

    Args:
        heads: codebooks side by side.
        levels: K, entries of each.
        dim: d, numbers of each entry.
        update: by running means or by descent.
        decay: of the running means; their memory is 1 / (1 − decay) steps.
        start: entries at first: k-means on the first batch, or uniform in ±1/K.
        restart: an entry that is chosen less than this share of 1/K of the time is put on a vector
            of the batch; 0 leaves it.

    References:
        van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning, arXiv
        1711.00937, appendix A.1 (ema); Łańcucki et al. 2020, Robust training of vector quantized
        bottleneck models, arXiv 2005.08520 (k-means); Dhariwal et al. 2020, Jukebox, arXiv
        2005.00341 (restarts)
    """

    def __init__(
        self,
        heads: int,
        levels: int,
        dim: int,
        *,
        update: Update = "ema",
        decay: float = 0.99,
        start: Start = "kmeans",
        restart: float = 0.05,
    ) -> None:
        super().__init__()
        for name, value, least in (("heads", heads, 1), ("levels", levels, 2), ("dim", dim, 1)):
            refuse_size(name, value, least)
        self.update, self.start, self.restart = update, start, restart
        entries = (2.0 * torch.rand(heads, levels, dim) - 1.0) / levels
        share = torch.full((heads, levels), 1.0 / levels)
        self.recent = nn.Parameter(share.clone())  # how often each is chosen, a share
        self.averages = {"recent": _RECENT}
        if update == "ema":
            self.counts = nn.Parameter(share)  # the same, with the memory of the sums
            self.averages["counts"] = decay
            self.sums = nn.Parameter(entries * share[..., None])
            self.averages["sums"] = decay
        else:
            self.table = nn.Parameter(entries)

    @property
    def entries(self) -> Tensor:
        """``(heads, K, d)``, without a gradient."""
        if self.update == "ema":
            return (self.sums / self.counts.clamp(min=_TINY)[..., None]).detach()
        return self.table.detach()

    def nearest(self, v: Tensor) -> Tensor:
        """``(R, heads, d)`` to int64 ``(R, heads)``."""
        return nearest(v.detach(), self.entries)

    def lookup(self, indices: Tensor) -> Tensor:
        """int64 ``(R, heads)`` to ``(R, heads, d)``, without a gradient."""
        entries = self.entries
        heads, levels, dim = entries.shape
        shift = torch.arange(heads, device=indices.device) * levels
        return functional.embedding(indices + shift, entries.reshape(heads * levels, dim))

    def learn(self, v: Tensor, indices: Tensor, examples: int) -> Tensor:
        """What teaches the codebook, 0-d: its gradient alone counts, its value is zero.

        Args:
            v: ``(R, heads, d)``.
            indices: which entry each chose, ``(R, heads)``.
            examples: N; descent is on the sum over an example's positions, averaged over these.
        """
        v = v.detach()
        levels = self.recent.shape[1]
        counts = histogram(indices, levels).to(v.dtype)
        # A product, not an index_add: the same bits whatever the number of threads.
        one_hot = functional.one_hot(indices, levels).to(v.dtype)  # (R, heads, K)
        sums = torch.einsum("rhk,rhd->hkd", one_hot, v)
        found = as_gradient(self.recent, counts / len(v))
        if self.update == "ema":
            found = found + as_gradient(self.counts, counts / len(v))
            return found + as_gradient(self.sums, sums / len(v))
        # The gradient of Σ ‖v − e‖², which is 2 (n e − Σ v) for each entry.
        gradient = 2.0 * (counts[..., None] * self.entries - sums) / examples
        return found + as_gradient(self.table, gradient)

    @torch.no_grad()
    def start_(self, v: Tensor) -> None:
        """Entries at the centres of v ``(R, heads, d)``, all equally used."""
        if self.start != "kmeans":
            return
        heads, levels, _ = self.entries.shape
        if len(v) > _ROWS * levels:
            v = v[torch.randperm(len(v), device=v.device)[: _ROWS * levels]]
        centres = torch.stack([kmeans(v[:, head], levels) for head in range(heads)])
        everything = torch.ones(heads, levels, dtype=torch.bool, device=v.device)
        self._put(everything, centres)

    @torch.no_grad()
    def restart_(self, v: Tensor) -> None:
        """Entries that are hardly chosen, put on vectors of v ``(R, heads, d)`` drawn at random."""
        heads, levels = self.recent.shape
        dead = self.recent < self.restart / levels
        if not bool(dead.any()):
            return
        rows = [
            torch.randperm(len(v), device=v.device)[:levels].repeat(1 + levels // len(v))[:levels]
            for _ in range(heads)
        ]
        self._put(dead, torch.stack([v[row, head] for head, row in enumerate(rows)]))

    def _put(self, where: Tensor, values: Tensor) -> None:
        """Entries ``values`` (heads, K, d), as if used as often as the average one."""
        levels = self.recent.shape[1]
        self.recent.copy_(torch.where(where, 1.0 / levels, self.recent))
        if self.update == "ema":
            self.counts.copy_(torch.where(where, 1.0 / levels, self.counts))
            self.sums.copy_(torch.where(where[..., None], values / levels, self.sums))
        else:
            self.table.copy_(torch.where(where[..., None], values, self.table))
