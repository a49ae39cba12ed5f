"""The head: a network and a family become a conditional."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..errors import LowerboundError
from .families import Family


class Reducible(nn.Module):
    """A conditional whose network may run in reduced precision, its density in full.

    Attributes:
        precision: of the network; None for full. See :func:`set_precision`.
    """

    precision: torch.dtype | None = None


class Head(Reducible):
    """p(value | contexts): a network on plain batches, a family on what it returns.

    Networks take ``(N, ...)`` only. The head knows how many trailing dimensions each of its
    contexts has (label 0, vector 1, image 3), embeds each context once, broadcasts the
    *embeddings* over one another's leading dimensions (aligned from the right), folds those into
    one, calls ``network(first, *others)``, and unfolds.

    It is also the only place with autocast: with :attr:`precision` set, embeddings and network
    run in it and their output is returned to float32, so that no density is ever computed in
    reduced precision.

    Args:
        network: a module from ``(N, *event)`` tensors, one per context, to ``(N, *raw_shape)``.
        family: turns that output into a distribution.
        event_ranks: number of trailing dimensions of each context.
        embed: per context a module from ``(N, *event)`` to ``(N, *anything)``, or None to pass
            the context as it is.

    >>> from lowerbound.distributions import DiagonalGaussian, Head
    >>> head = Head(nn.Linear(3, 4), DiagonalGaussian(2))
    >>> head(torch.zeros(7, 5, 3)).batch_shape
    torch.Size([7, 5])
    """

    def __init__(
        self,
        network: nn.Module,
        family: Family,
        event_ranks: tuple[int, ...] = (1,),
        embed: Sequence[nn.Module | None] | None = None,
    ) -> None:
        super().__init__()
        embed = [None] * len(event_ranks) if embed is None else list(embed)
        if len(embed) != len(event_ranks):
            raise LowerboundError(
                f"expected one embedding (or None) for each of {len(event_ranks)} event ranks, "
                f"came {len(embed)}; pass embed=[...] of that length"
            )
        self.network = network
        self.family = family
        self.event_ranks = tuple(event_ranks)
        self.embed = nn.ModuleList(nn.Identity() if e is None else e for e in embed)
        self.precision: torch.dtype | None = None
        # Frozen here so that the common case costs one comparison at every step.
        self._plain = len(event_ranks) == 1 and embed[0] is None

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one value."""
        return self.family.event_shape

    def forward(self, *contexts: Tensor) -> Distribution:
        """The distribution with ``batch_shape`` = the contexts' broadcast leading dimensions.

        Args:
            contexts: ``(*lead, *event)`` each; leads broadcast, aligned from the right.
        """
        return self.family(self.raw(*contexts))

    def raw(self, *contexts: Tensor) -> Tensor:
        """What the family is given: ``(*lead, *raw_shape)`` in float32 (or float64)."""
        if len(contexts) != len(self.event_ranks):
            raise LowerboundError(
                f"expected {len(self.event_ranks)} context(s) with event ranks "
                f"{self.event_ranks}, came {len(contexts)}; pass one tensor for each"
            )
        if self.precision is None:
            lead, output = self._call(contexts)
        else:
            with torch.autocast(contexts[0].device.type, self.precision):
                lead, output = self._call(contexts)
        if output.dtype is torch.bfloat16 or output.dtype is torch.float16:
            output = output.float()
        raw_shape = self.family.raw_shape
        if output.shape[1:] != raw_shape:
            raise LowerboundError(
                f"expected a network with output (N, {', '.join(map(str, raw_shape))}) for "
                f"{type(self.family).__name__}, came {tuple(output.shape)}; build the network "
                f"with the output shape family.raw_shape"
            )
        return output if len(lead) == 1 else output.reshape(*lead, *raw_shape)

    def _call(self, contexts: tuple[Tensor, ...]) -> tuple[tuple[int, ...], Tensor]:
        """The folded leading dimensions, and the network's output ``(N, ...)``."""
        if self._plain:
            lead, folded = _fold(contexts[0], self.event_ranks[0])
            return lead, self.network(folded)
        leads, parts = [], []
        for context, rank, embed in zip(contexts, self.event_ranks, self.embed, strict=True):
            lead, folded = _fold(context, rank)
            embedded = embed(folded)
            leads.append(lead)
            parts.append(embedded.reshape(*lead, *embedded.shape[1:]))
        lead = torch.broadcast_shapes(*leads)
        inputs = []
        for part, own in zip(parts, leads, strict=True):
            event = part.shape[len(own) :]
            inputs.append(part.expand(*lead, *event).reshape(math.prod(lead), *event))
        return lead, self.network(*inputs)


def _fold(context: Tensor, rank: int) -> tuple[tuple[int, ...], Tensor]:
    """``(*lead, *event) -> lead, (N, *event)``."""
    cut = context.dim() - rank
    if cut == 1:
        return context.shape[:1], context
    if cut < 0:
        raise LowerboundError(
            f"expected a context with {rank} event dimension(s) after its leading ones, "
            f"came shape {tuple(context.shape)}; pass (*lead, *event)"
        )
    lead = context.shape[:cut]
    return lead, context.reshape(math.prod(lead), *context.shape[cut:])


def set_precision(module: nn.Module, precision: torch.dtype | None) -> None:
    """Let all :class:`Reducible` under ``module`` run networks in ``precision``; None for full.

    >>> from lowerbound.distributions import DiagonalGaussian, Head
    >>> head = Head(nn.Linear(3, 4), DiagonalGaussian(2))
    >>> set_precision(head, torch.bfloat16)
    >>> head(torch.zeros(1, 3)).loc.dtype
    torch.float32
    """
    for child in module.modules():
        if isinstance(child, Reducible):
            child.precision = precision
