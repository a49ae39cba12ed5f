"""Sentences to vectors: a small transformer that sees words alone, however far they are filled up.

The places that fill a sentence up are seen by none of the others, so that a sentence has the same
vector whichever it stands beside.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import LowerboundError


class TextEncoder(nn.Module):
    """Pieces of sentences to one vector of length 1 for each sentence.

    Embeddings of piece and place are added, go through blocks of self-attention, and are averaged
    over the sentence.

    Args:
        pieces: how many there are; piece 0 fills up.
        features: numbers that a sentence becomes.
        width: numbers at each place.
        layers: blocks of attention and a two-layer network.
        heads: of attention, which share the width equally.

    Raises:
        LowerboundError: the width is no multiple of twice the heads.

    Shape:
        integers ``(N, L)`` -> ``(N, features)``; a sentence of no piece becomes zeros.

    Reference:
        Vaswani et al. 2017, Attention is all you need, arXiv 1706.03762

    >>> read = TextEncoder(10, 8)
    >>> short, filled = read(torch.tensor([[3, 4]])), read(torch.tensor([[3, 4, 0, 0]]))
    >>> bool(torch.allclose(short, filled, atol=1e-6)), round(float(short.detach().norm()), 4)
    (True, 1.0)
    """

    def __init__(
        self, pieces: int, features: int, width: int = 64, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        if width % (2 * heads):
            raise LowerboundError(
                f"text width: expected a multiple of {2 * heads}, came {width}; pass "
                f"{2 * heads * math.ceil(width / (2 * heads))}"
            )
        self.width = width
        self.piece = nn.Embedding(pieces, width)
        # Small: a piece that no training sentence holds is as good as not there.
        nn.init.normal_(self.piece.weight, std=0.1)
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.end = nn.Linear(width, features)

    def forward(self, pieces: Tensor) -> Tensor:
        there = pieces != 0
        h = self.piece(pieces) + 0.1 * _places(pieces.shape[1], self.width, pieces.device)
        # A row that sees nothing would be 0/0: a sentence of no piece looks at what fills it up.
        seen = there | ~there.any(1, keepdim=True)
        for block in self.blocks:
            h = block(h, seen)
        weight = there.to(h.dtype).unsqueeze(-1)
        mean = (self.norm(h) * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        return functional.normalize(self.end(mean), dim=1) * there.any(1, keepdim=True)


class Given(nn.Module):
    """Sentences that come as vectors of some encoder of one's own, as they are.

    Args:
        features: numbers in each.

    Shape:
        ``(N, features)`` -> the same.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors


class _Block(nn.Module):
    """Self-attention among the places that are there, then a network at each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read = nn.Linear(width, 3 * width)
        self.write = nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, h: Tensor, seen: Tensor) -> Tensor:
        found = self.read(self.before_attention(h)).unflatten(-1, (3, self.heads, -1))
        query, key, value = found.permute(2, 0, 3, 1, 4)  # (N, heads, L, width / heads) each
        score = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        score = score.masked_fill(~seen[:, None, None, :], -torch.inf)
        h = h + self.write((score.softmax(-1) @ value).transpose(1, 2).flatten(2))
        return h + self.network(self.before_network(h))


def _places(length: int, width: int, device: torch.device) -> Tensor:
    """Waves of the place, ``(length, width)``: of any length, also beyond those trained on."""
    at = torch.arange(length, device=device, dtype=torch.float32).unsqueeze(1)
    rate = torch.arange(width // 2, device=device, dtype=torch.float32) / max(1, width // 2)
    angle = at * torch.exp(-math.log(10_000.0) * rate)
    return torch.cat([angle.sin(), angle.cos()], 1)
