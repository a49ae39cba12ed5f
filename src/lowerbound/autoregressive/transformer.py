"""A transformer in which every position sees those before it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import LowerboundError
from ..networks.sequence import Block
from .base import CausalNetwork, telling


class Transformer(CausalNetwork):
    """Pre-norm blocks of causal self-attention and a two-layer network.

    A place is the sum of a vector for each axis of the grid. Contexts are added to what comes in.
    Sampling keeps every layer's keys and values.

    Args:
        levels: number of tokens.
        grid: shape of the positions, one axis or more.
        width: numbers of a position.
        layers: blocks.
        attention_heads: of each; they share the width equally.
        **shared: see `CausalNetwork`.

    Raises:
        LowerboundError: the width is no multiple of the attention heads.

    References:
        Vaswani et al. 2017, Attention is all you need, arXiv 1706.03762; Xiong et al. 2020, On
        layer normalization in the transformer architecture, arXiv 2002.04745 (pre-norm)

    >>> Transformer(8, (4, 5), width=16, layers=1)(torch.zeros(2, 20, dtype=torch.int64)).shape
    torch.Size([2, 20, 8])
    """

    def __init__(
        self,
        levels: int,
        grid: tuple[int, ...],
        *,
        width: int = 128,
        layers: int = 4,
        attention_heads: int = 4,
        **shared: int | None,
    ) -> None:
        super().__init__(levels, width, **shared)  # ty: ignore
        if width % attention_heads:
            raise LowerboundError(
                f"width: expected a multiple of {attention_heads} attention heads, came {width}; "
                f"pass {attention_heads * math.ceil(width / attention_heads)}"
            )
        self.grid, self.attention_heads = tuple(grid), attention_heads
        self.axes = nn.ParameterList(
            0.1 * torch.randn(*(size if axis == own else 1 for own in range(len(grid))), width)
            for axis, size in enumerate(grid)
        )
        self.blocks = nn.ModuleList(CausalBlock(width, attention_heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.of_context = telling(self.context, width)
        self.of_local = nn.Linear(self.local, width) if self.local else None
        self.out = nn.Linear(width, self.features) if self.features != width else None

    def _places(self, context: Tensor | None, local: Tensor | None) -> Tensor:
        """What is known of the positions beside the tokens, ``(1 or N, P, width)``."""
        places = sum(self.axes[1:], self.axes[0]).flatten(0, -2).unsqueeze(0)
        if self.of_context is not None and context is not None:
            places = places + self.of_context(context).unsqueeze(1)
        if self.of_local is not None and local is not None:
            places = places + self.of_local(local)
        return places

    def trunk(self, before: Tensor, context: Tensor | None, local: Tensor | None) -> Tensor:
        start = self.start.expand(len(before), 1, -1)
        h = torch.cat((start, before[:, :-1]), 1) + self._places(context, local)
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        return h if self.out is None else self.out(h)

    def trunk_begin(self, count: int, context: Tensor | None, local: Tensor | None) -> _Memory:
        return _Memory(self, count, self._places(context, local))

    def trunk_step(self, memory: _Memory, last: Tensor | None) -> Tensor:
        at = memory.at
        h = memory.places[:, at] + (self.start if last is None else last)
        h = h.expand(memory.count, -1)
        for block, kept in zip(self.blocks, memory.kept, strict=True):
            h = block.step(h, kept, at)  # ty: ignore
        memory.at += 1
        h = self.norm(h)
        return h if self.out is None else self.out(h)


class CausalBlock(Block):
    """A causal block that also goes one position at a time.

    Shape:
        ``(N, P, width) -> (N, P, width)``.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads, causal=True)

    def step(self, h: Tensor, kept: Tensor, at: int) -> Tensor:
        """One position ``(N, width)``; its key and value are kept.

        Args:
            h: of the position, ``(N, width)``.
            kept: keys and values, ``(2, N, heads, P, width / heads)``, those before `at` written.
            at: which position.
        """
        count, width = h.shape
        read = self.read(self.before_attention(h)).view(count, 3, self.heads, width // self.heads)
        kept[:, :, :, at] = read[:, 1:].transpose(0, 1)
        # (N heads, 1, d) x (N heads, d, t)
        keys, values = kept.flatten(1, 2)[:, :, : at + 1].unbind(0)
        query = read[:, 0].reshape(count * self.heads, 1, -1)
        scores = torch.bmm(query, keys.mT).mul_((width // self.heads) ** -0.5)
        mixed = torch.bmm(scores.softmax(-1), values)
        h = h + self.write(mixed.view(count, width))
        return h + self.network(self.before_network(h))


class _Memory:
    """Keys and values of every layer, and what is known of the positions."""

    def __init__(self, network: Transformer, count: int, places: Tensor) -> None:
        self.places, self.count, self.at = places, count, 0
        heads: int = network.attention_heads
        shape = (2, count, heads, places.shape[1], network.width // heads)
        self.kept = [places.new_zeros(shape) for _ in network.blocks]
