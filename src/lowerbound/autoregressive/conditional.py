"""p(x | contexts) by an autoregressive network: a prior of codes, a likelihood, a model of data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .. import noise
from ..distributions import Reducible
from ..errors import LowerboundError
from .base import CausalNetwork, reordered
from .distribution import Autoregressive
from .outputs import CategoricalOutput, Output


class AutoregressiveConditional(Reducible):
    """A network and what it is conditioned on become a conditional (see `Head`).

    Each context is embedded to a vector ``(N, C)``, for all positions, or to ``(N, P, C)``, one for
    each position; several are broadcast over one another's leading dimensions.

    Args:
        network: of the conditionals; its `context` and `local` widths are those of the embeddings
            together.
        event_shape: of a datum.
        output: of a number; default categorical.
        heads: whether the first axis of a datum is one of heads; by default, of three axes.
        scale: data are token / scale: K − 1 for levels in [0, 1]; None for whole numbers.
        event_ranks: of each context, how many trailing dimensions are one of it.
        embed: per context a module from ``(N, *event)`` to ``(N, C)`` or ``(N, P, C)``; None to
            pass it as it is.
        drop: share of training examples whose contexts are replaced by what stands for none, so
            that samples can be guided; 0 for never.

    Reference:
        Ho & Salimans 2021, Classifier-free diffusion guidance, arXiv 2207.12598 (drop)

    >>> from lowerbound.autoregressive import WaveNet
    >>> network = WaveNet(4, width=8, depth=3, context=2)
    >>> p = AutoregressiveConditional(network, (5,), event_ranks=(1,), drop=0.1)
    >>> p(torch.zeros(3, 2)).sample((7,), guidance=2.0).shape
    torch.Size([7, 3, 5])
    """

    #: Neither mean nor mode of a whole datum is known: what is shown of it are draws.
    has_mean = False

    def __init__(
        self,
        network: CausalNetwork,
        event_shape: tuple[int, ...],
        *,
        output: Output | None = None,
        heads: bool | None = None,
        scale: int | None = None,
        event_ranks: tuple[int, ...] = (),
        embed: Sequence[nn.Module | None] | None = None,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        embed = [None] * len(event_ranks) if embed is None else list(embed)
        if len(embed) != len(event_ranks):
            raise LowerboundError(
                f"expected one embedding (or None) for each of {len(event_ranks)} event ranks, "
                f"came {len(embed)}; pass embed=[...] of that length"
            )
        self.network = network
        self.event_shape = tuple(event_shape)
        self.output: Output = CategoricalOutput(network.levels) if output is None else output
        self.has_heads, self.scale = heads, scale
        self.event_ranks, self.drop = tuple(event_ranks), drop
        self.embed = nn.ModuleList(nn.Identity() if e is None else e for e in embed)
        if network.outputs != self.output.raw:
            raise LowerboundError(
                f"expected a network of {self.output.raw} outputs for each token, which "
                f"{type(self.output).__name__} wants, came {network.outputs}; build it with "
                f"outputs={self.output.raw}"
            )
        count, grid, _ = reordered(self.event_shape, heads)
        if network.heads != count or (network.grid is not None and network.grid != grid):
            raise LowerboundError(
                f"expected a network of {count} tokens at each of {grid} positions for event shape "
                f"{self.event_shape}, came {network.heads} at {network.grid}; build it for these"
            )
        # What stands for no context, of a vector and of a position.
        self.none = nn.Parameter(torch.zeros(network.context + network.local)) if drop else None

    def forward(self, *contexts: Tensor) -> Autoregressive:
        """The distribution with the contexts' leading dimensions as its batch shape.

        Args:
            contexts: ``(*lead, *event)`` each; leads broadcast, aligned from the right.
        """
        lead, embedded = self._embedded(contexts)
        free = None
        if self.none is not None and embedded:
            free = self._free(embedded)
            if self.training and torch.is_grad_enabled():
                shape = (len(embedded[0]),)
                dropped = noise.uniform(shape, embedded[0].device) < self.drop
                embedded = tuple(
                    torch.where(dropped.view(-1, *[1] * (c.dim() - 1)), nothing, c)
                    for c, nothing in zip(embedded, free, strict=True)
                )
        return Autoregressive(
            self.network,
            self.event_shape,
            *embedded,
            batch_shape=lead,
            free=free,
            output=self.output,
            heads=self.has_heads,
            scale=self.scale,
            precision=self.precision,
        )

    def _free(self, embedded: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """In place of each embedded context what stands for none, expanded to its shape."""
        assert self.none is not None
        found = []
        at = {2: 0, 3: self.network.context}
        for c in embedded:
            begin = at[c.dim()]
            at[c.dim()] = begin + c.shape[-1]
            found.append(self.none[begin : begin + c.shape[-1]].to(c.dtype).expand_as(c))
        return tuple(found)

    def _embedded(self, contexts: tuple[Tensor, ...]) -> tuple[tuple[int, ...], tuple[Tensor, ...]]:
        if len(contexts) != len(self.event_ranks):
            raise LowerboundError(
                f"expected {len(self.event_ranks)} context(s) with event ranks "
                f"{self.event_ranks}, came {len(contexts)}; pass one tensor for each"
            )
        if not contexts:
            return (), ()
        leads, parts = [], []
        for context, rank, embed in zip(contexts, self.event_ranks, self.embed, strict=True):
            cut = context.dim() - rank
            own = context.shape[:cut]
            folded = embed(context.reshape(math.prod(own), *context.shape[cut:]))
            leads.append(own)
            parts.append(folded.reshape(*own, *folded.shape[1:]))
        lead = torch.broadcast_shapes(*leads)
        spread = (
            part.expand(*lead, *part.shape[len(own) :]).reshape(
                math.prod(lead), *part.shape[len(own) :]
            )
            for part, own in zip(parts, leads, strict=True)
        )
        return tuple(lead), tuple(spread)

    def extra_repr(self) -> str:
        return f"{self.event_shape}, scale={self.scale}, drop={self.drop}"
