"""A transformer over sequences in which every place sees every other."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import LowerboundError


class SequenceEncoder(nn.Module):
    """Tokens to vectors, each informed by the whole sequence.

    Embeddings of token and place are added, then come pre-norm blocks of self-attention and a
    two-layer network, then a last norm.

    Args:
        levels: number of tokens, special ones included.
        length: the longest sequence.
        width: numbers per place.
        layers: blocks.
        heads: attention heads of each; they share the width equally.

    Raises:
        LowerboundError: the width is no multiple of the heads.

    Shape:
        int64 ``(N, T)``, T at most ``length`` -> ``(N, T, width)``.

    References:
        Vaswani et al. 2017, Attention is all you need, arXiv 1706.03762; Xiong et al. 2020, On
        layer normalization in the transformer architecture, arXiv 2002.04745 (pre-norm)

    >>> SequenceEncoder(5, 8)(torch.zeros(2, 8, dtype=torch.int64)).shape
    torch.Size([2, 8, 64])
    """

    def __init__(
        self, levels: int, length: int, width: int = 64, layers: int = 2, heads: int = 4
    ) -> None:
        super().__init__()
        if width % heads:
            raise LowerboundError(
                f"width: expected a multiple of {heads} heads, came {width}; pass "
                f"{heads * math.ceil(width / heads)}"
            )
        self.token = nn.Embedding(levels, width)
        self.place = nn.Parameter(torch.empty(length, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        # Small beside the norms that follow, so that neither token nor place drowns the other.
        nn.init.normal_(self.token.weight, std=0.02)
        nn.init.normal_(self.place, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.token(tokens) + self.place[: tokens.shape[1]]
        for block in self.blocks:
            h = block(h)
        return self.norm(h)


class Block(nn.Module):
    """Self-attention, then a network at each place; each adds to what came.

    Args:
        width: numbers at each place.
        heads: of the attention.
        causal: whether a place sees those up to itself alone.

    Shape:
        ``(N, T, width) -> (N, T, width)``.
    """

    def __init__(self, width: int, heads: int, causal: bool = False) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read = nn.Linear(width, 3 * width)
        self.write = nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, h: Tensor) -> Tensor:
        found = self.read(self.before_attention(h)).unflatten(-1, (3, self.heads, -1))
        query, key, value = found.permute(2, 0, 3, 1, 4)  # (N, heads, T, width / heads) each
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        h = h + self.write(mixed.transpose(1, 2).flatten(2))
        return h + self.network(self.before_network(h))
