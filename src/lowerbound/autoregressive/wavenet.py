"""Dilated causal convolutions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import LowerboundError
from .base import CausalNetwork, telling
from .gated import GatedLayer, Queues

_BLOCK = 1 << 22  # numbers of projected local context that are held at a time in sampling


class WaveNet(CausalNetwork):
    """Gated convolutions with two taps, dilated 1, 2, 4, …, over a sequence of any length.

    A position sees the ``stacks * (2^depth - 1) + 1`` before it, and the local context of its own
    position.

    Args:
        levels: number of tokens.
        width: channels of the residual path.
        depth: layers of a stack, dilated 1 to ``2^(depth - 1)``.
        stacks: how many times that is repeated.
        skip: channels of the output path; default `width`.
        **shared: see `CausalNetwork`.

    Reference:
        van den Oord et al. 2016, WaveNet: a generative model for raw audio, arXiv 1609.03499;
        Paine et al. 2016, Fast WaveNet generation algorithm, arXiv 1611.09482 (the queues)

    >>> network = WaveNet(4, width=8, depth=3, stacks=1)
    >>> network(torch.zeros(2, 20, dtype=torch.int64)).shape, network.reach
    (torch.Size([2, 20, 4]), 8)
    """

    def __init__(
        self,
        levels: int,
        *,
        width: int = 64,
        depth: int = 9,
        stacks: int = 2,
        skip: int | None = None,
        **shared: int | None,
    ) -> None:
        super().__init__(levels, width, features=skip, **shared)  # ty: ignore
        if depth < 1 or stacks < 1:
            raise LowerboundError(
                f"expected one layer and one stack or more, came depth {depth}, stacks {stacks}"
            )
        dilations = [2**layer for _ in range(stacks) for layer in range(depth)]
        count = len(dilations)
        self.layers = nn.ModuleList(
            GatedLayer(width, 2, dilation, last=layer == count - 1)
            for layer, dilation in enumerate(dilations)
        )
        self.skip = nn.Parameter(torch.empty(count, width, self.features))
        nn.init.normal_(self.skip, std=1 / math.sqrt(width * count))
        self.of_context = telling(self.context, count * 2 * width)
        self.of_local = nn.Linear(self.local, count * 2 * width) if self.local else None

    @property
    def reach(self) -> int:
        """How many positions before it a position sees."""
        return 1 + sum(layer.reach for layer in self.layers)  # ty: ignore

    def trunk(self, before: Tensor, context: Tensor | None, local: Tensor | None) -> Tensor:
        start = self.start.expand(len(before), 1, -1)
        h = torch.cat((start, before[:, :-1]), 1).mT
        vectors: tuple[Tensor | None, ...] = (None,) * len(self.layers)
        if self.of_context is not None and context is not None:
            vectors = self.of_context(context).unsqueeze(-1).chunk(len(self.layers), 1)
        found = torch.zeros((), dtype=h.dtype, device=h.device)
        for layer, told, skip, rows in zip(
            self.layers, vectors, self.skip, self._rows(), strict=True
        ):
            if rows is not None and local is not None:
                here = functional.linear(local, *rows).mT  # layer by layer: all at once is large
                told = here if told is None else here + told
            h, gated = layer(h, told)
            found = found + gated.mT @ skip
        return functional.relu(found)

    def _rows(self) -> list[tuple[Tensor, Tensor] | None]:
        if self.of_local is None:
            return [None] * len(self.layers)
        weights = self.of_local.weight.chunk(len(self.layers))
        return [*zip(weights, self.of_local.bias.chunk(len(self.layers)), strict=True)]

    def trunk_begin(self, count: int, context: Tensor | None, local: Tensor | None) -> _Memory:
        return _Memory(self, count, context, local)

    def trunk_step(self, memory: _Memory, last: Tensor | None) -> Tensor:
        queues = memory.queues
        queues.input.copy_(self.start if last is None else last)
        queues.before.copy_(memory.told(queues.time))
        return queues.step().relu_()


class _Memory:
    """Queues, and the contexts' part of every layer, of some hundred steps at a time."""

    def __init__(
        self, network: WaveNet, count: int, context: Tensor | None, local: Tensor | None
    ) -> None:
        self.queues = Queues([*network.layers], network.skip.flatten(0, 1), count)  # ty: ignore
        depth, width = self.queues.depth, 2 * network.width
        self.fixed = self.queues.bias[:, None]  # (L, 1, 2 width)
        if network.of_context is not None and context is not None:
            told = network.of_context(context).unflatten(-1, (depth, width)).transpose(0, 1)
            self.fixed = self.fixed + told * self.queues.halved
        self.network, self.local = network, local
        self.block = max(1, _BLOCK // (count * depth * width))
        self.ready: Tensor | None = None

    def told(self, time: int) -> Tensor:
        """``(L, N, 2 width)``, or what broadcasts to it, of one step."""
        if self.local is None:
            return self.fixed
        place = time % self.block
        if place == 0:
            some = self.local[:, time : time + self.block].transpose(0, 1)  # (block, N, C)
            assert self.network.of_local is not None
            found = self.network.of_local(some).unflatten(-1, (self.queues.depth, -1))
            self.ready = found.transpose(1, 2) * self.queues.halved + self.fixed
        assert self.ready is not None
        return self.ready[place]
