"""What an autoregressive network is: logits of every token given those before it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import LowerboundError


class CausalNetwork(nn.Module):
    """p(token | the tokens before it), all at once in training and step by step in sampling.

    A sequence of T tokens is P positions (the grid, in raster order) of M tokens each (`heads`:
    colours of a pixel, codes of a residual quantizer), those of one position next to each other.

    Abstract. A subclass is a *trunk*, which turns embedded positions into features, each of the
    positions strictly before it: :meth:`trunk`, and the same step by step, :meth:`trunk_begin` and
    :meth:`trunk_step`, at a cost that does not grow with a pass over all positions. What happens
    within a position is here: token m is told the features and the tokens before it.

    Contexts are told apart by their rank: vectors ``(N, C)`` hold for all positions ("global"),
    ``(N, P, C)`` for one each ("local"); several of a sort are joined.

    Args:
        levels: number of tokens, K.
        width: numbers of an embedded position.
        features: numbers of a position's features; default `width`.
        heads: tokens at each position, M.
        hidden: units between the features and the logits; default twice the features.
        outputs: numbers that are returned for each token; default one logit for each level.
        context: numbers in all global contexts together; 0 for none.
        local: numbers in all local contexts together; 0 for none.

    Attributes:
        grid: shape of the positions, None where any number of positions will do.

    Shape:
        int64 ``(N, T)``, contexts -> ``(N, T, outputs)``.
    """

    grid: tuple[int, ...] | None = None

    def __init__(
        self,
        levels: int,
        width: int,
        *,
        features: int | None = None,
        heads: int = 1,
        hidden: int | None = None,
        outputs: int | None = None,
        context: int = 0,
        local: int = 0,
    ) -> None:
        super().__init__()
        features = features or width
        self.levels, self.width, self.heads = levels, width, heads
        self.features, self.hidden = features, hidden or 2 * features
        self.outputs = outputs or levels
        self.context, self.local = context, local
        self.embed = nn.ModuleList(nn.Embedding(levels, width) for _ in range(heads))
        self.start = nn.Parameter(torch.zeros(width))
        self.read = nn.Linear(features, heads * self.hidden)
        # what the earlier tokens of a position tell the later ones
        self.beside = nn.ModuleList(nn.Embedding(levels, self.hidden) for _ in range(heads - 1))
        self.write = nn.Parameter(torch.empty(heads, self.hidden, self.outputs))
        self.bias = nn.Parameter(torch.zeros(heads, self.outputs))
        for embedding in (*self.embed, *self.beside):
            assert isinstance(embedding, nn.Embedding)
            nn.init.normal_(embedding.weight, std=0.5 / math.sqrt(heads))
        nn.init.normal_(self.write, std=0.1 / math.sqrt(self.hidden))

    # What a subclass is

    def trunk(self, before: Tensor, context: Tensor | None, local: Tensor | None) -> Tensor:
        """Features of every position from those strictly before it.

        Args:
            before: embedded positions, ``(N, P, width)``; that of a position must not reach its own
                features.
            context: the global one, ``(N, C)``.
            local: the local one, ``(N, P, C)``.

        Returns:
            ``(N, P, features)``.
        """
        raise NotImplementedError

    def trunk_begin(self, count: int, context: Tensor | None, local: Tensor | None) -> Any:
        """What :meth:`trunk_step` remembers, of `count` sequences of which nothing is known."""
        raise NotImplementedError

    def trunk_step(self, memory: Any, last: Tensor | None) -> Tensor:
        """Features of the next position.

        Args:
            memory: of :meth:`trunk_begin`; it is changed.
            last: embedding of the position before, ``(N, width)``; None of the first.

        Returns:
            ``(N, features)``, valid until the next step.
        """
        raise NotImplementedError

    # All at once

    def forward(self, tokens: Tensor, *context: Tensor) -> Tensor:
        """Raw outputs: logits of the K levels, or what else the output family wants.

        Args:
            tokens: int64 ``(N, T)``; those at t and after do not reach the output at t.
            context: global ``(N, C)``, local ``(N, P, C)``.

        Returns:
            ``(N, T, outputs)``.
        """
        count, length = tokens.shape
        positions = self._positions(length)
        given, local = self.sorted(context, positions)
        placed = tokens.reshape(count, positions, self.heads)
        h = self.trunk(self._embedded(placed), given, local)
        h = self.read(h).unflatten(-1, (self.heads, self.hidden))
        if self.heads > 1:
            told = [each(placed[..., m]) for m, each in enumerate(self.beside)]
            told = torch.stack([torch.zeros_like(told[0]), *told], -2)
            h = h + told.cumsum(-2)
        h = nn.functional.silu(h)
        raw = torch.einsum("npmh,mho->npmo", h, self.write) + self.bias
        return raw.reshape(count, length, self.outputs)

    # Step by step

    @torch.no_grad()
    def begin(self, count: int, *context: Tensor) -> State:
        """What :meth:`step` remembers, of `count` sequences of which nothing is known.

        Args:
            count: N, how many sequences are made together.
            context: global ``(N, C)``, local ``(N, P, C)``.
        """
        given, local = self.sorted(context, None)
        return State(self.trunk_begin(count, given, local), count)

    @torch.no_grad()
    def step(self, state: State, token: Tensor | None) -> tuple[Tensor, State]:
        """Outputs of the next token.

        Args:
            state: of :meth:`begin` or of the last step; it is changed.
            token: int64 ``(N,)``, the one before; None for the first.

        Returns:
            ``(N, outputs)``, and the state. To rounding row t of :meth:`forward`.
        """
        if token is not None:
            self._take(state, token)
        if state.head == 0:
            h = self.trunk_step(state.trunk, state.last)
            state.units = torch.addmm(self.read.bias, h, self.read.weight.T)
            if self.heads > 1:
                state.units = state.units.view(state.count, self.heads, self.hidden)
        if self.heads == 1:
            h = nn.functional.silu(state.units, inplace=True)
            return torch.addmm(self.bias[0], h, self.write[0]), state
        h = state.units[:, state.head]
        if state.told is not None:
            h = h + state.told
        h = nn.functional.silu(h)
        return torch.addmm(self.bias[state.head], h, self.write[state.head]), state

    def _take(self, state: State, token: Tensor) -> None:
        """Remember the token that came last."""
        m = state.head
        weight = self.embed[m].weight.index_select(0, token)  # ty: ignore
        state.last = weight if m == 0 or state.last is None else state.last + weight
        state.head = (m + 1) % self.heads
        if state.head:
            told = self.beside[m].weight.index_select(0, token)  # ty: ignore
            state.told = told if state.told is None else state.told + told
        else:
            state.told = None

    # What both share

    def _embedded(self, placed: Tensor) -> Tensor:
        """``(N, P, M) -> (N, P, width)``."""
        found = self.embed[0](placed[..., 0])
        for m in range(1, self.heads):
            found = found + self.embed[m](placed[..., m])
        return found

    def _positions(self, length: int) -> int:
        positions, rest = divmod(length, self.heads)
        expected = None if self.grid is None else math.prod(self.grid)
        if rest or not length or (expected is not None and positions != expected):
            wanted = "whole positions" if expected is None else f"{expected} positions"
            raise LowerboundError(
                f"expected tokens of {wanted} of {self.heads} each, came {length} tokens; pass "
                "(N, positions * heads), or build the network for another grid"
            )
        return positions

    def sorted(
        self, context: tuple[Tensor, ...], positions: int | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """The global and the local context, each joined of its sort; None for none.

        Raises:
            LowerboundError: they do not have the numbers that the network was built for.
        """
        vectors = [each for each in context if each.dim() == 2]
        places = [each for each in context if each.dim() == 3]
        found: list[Tensor | None] = []
        for name, sort, width in (("global", vectors, self.context), ("local", places, self.local)):
            came = sum(each.shape[-1] for each in sort)
            if came != width or len(vectors) + len(places) != len(context):
                shapes = ", ".join(str(tuple(each.shape)) for each in context) or "none"
                raise LowerboundError(
                    f"expected {width} numbers of {name} context, came contexts of shapes {shapes};"
                    f" pass (N, {self.context}) for all positions, (N, P, {self.local}) for each"
                )
            found.append(None if not sort else sort[0] if len(sort) == 1 else torch.cat(sort, -1))
        local = found[1]
        if local is not None and positions is not None and local.shape[1] != positions:
            raise LowerboundError(
                f"expected a local context for each of {positions} positions, came "
                f"{local.shape[1]}; pass (N, {positions}, {self.local})"
            )
        return found[0], local


class State:
    """What a network remembers between two steps.

    Args:
        trunk: the subclass's own memory.
        count: sequences that are made together.
    """

    def __init__(self, trunk: Any, count: int) -> None:
        self.trunk, self.count = trunk, count
        self.head = 0  # of which token of a position the outputs come next
        self.last: Tensor | None = None  # embedding of the position before
        self.told: Tensor | None = None  # what the tokens of this position tell the next one
        self.units: Any = None


def telling(context: int, numbers: int) -> nn.Linear | None:
    """A linear map of the global context to what a layer is told; None without context.

    An indicator of one of ten classes moves what it is added to by about one half: by much less, as
    linear maps start, and networks ignore the condition for a long time.
    """
    if not context:
        return None
    found = nn.Linear(context, numbers)
    nn.init.normal_(found.weight, std=0.5 / math.sqrt(max(1.0, context / 10.0)))
    nn.init.zeros_(found.bias)
    return found


def reordered(
    event_shape: tuple[int, ...], heads: bool | None
) -> tuple[int, tuple[int, ...], bool]:
    """How the numbers of a datum stand in a sequence.

    Args:
        event_shape: of the datum.
        heads: whether its first axis are several tokens of one position (colours of a pixel, codes
            of a residual quantizer); None: if it has three axes.

    Returns:
        tokens of a position, the grid of positions, and whether the first axis has to go last.
    """
    shape = tuple(event_shape)
    first = len(shape) == 3 if heads is None else heads
    if first and len(shape) < 2:
        raise LowerboundError(
            f"expected an axis of heads and one or more of positions, came event shape {shape}; "
            "pass heads=False"
        )
    return (shape[0], shape[1:], True) if first else (1, shape, False)
