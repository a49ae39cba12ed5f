"""Flows as conditionals: p(z | contexts) for a prior, or any flow of zuko's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import LowerboundError
from .adapter import FlowKind, layers_of, numbers, vector_chain
from .base import Chain, FlowDistribution, standard


class FlowConditional(nn.Module):
    """A chain and a base as a conditional, given any number of contexts.

    Contexts are embedded, broadcast over one another's leading dimensions, and joined to the one
    vector that the layers take. A flow without a context leaves out whatever it is given, as
    :class:`~lowerbound.distributions.StandardNormal` does.

    Args:
        chain: layers over vectors, from the value to the base.
        event_shape: of a value, D numbers; an int is a vector's length.
        context: numbers in all embedded contexts together; 0 ignores contexts.
        event_ranks: trailing dimensions of each context (label 0, vector 1, image 3).
        embed: per context a module from ``(N, *event)`` to ``(N, features)``, or None to pass a
            vector as it is.
        base: "normal" or "logistic", standard; or a module ``base(context or None)`` that returns a
            distribution over vectors.
    """

    zeros: Tensor

    def __init__(
        self,
        chain: Chain,
        event_shape: int | tuple[int, ...],
        *,
        context: int = 0,
        event_ranks: Sequence[int] = (1,),
        embed: Sequence[nn.Module | None] | None = None,
        base: Literal["normal", "logistic"] | nn.Module = "normal",
    ) -> None:
        super().__init__()
        self.event_shape = (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
        embed = [None] * len(event_ranks) if embed is None else list(embed)
        if len(embed) != len(event_ranks):
            raise LowerboundError(
                f"expected one embedding (or None) for each of {len(event_ranks)} event ranks, "
                f"came {len(embed)}; pass embed=[...] of that length"
            )
        self.chain = chain
        self.context = context
        self.event_ranks = tuple(event_ranks)
        self.embed = nn.ModuleList(nn.Identity() if e is None else e for e in embed)
        self.kind = base if isinstance(base, str) else None
        self.base = None if isinstance(base, str) else base
        # Carries device and type only: there is nothing to save.
        self.register_buffer("zeros", torch.zeros(numbers(self.event_shape)), persistent=False)

    def forward(self, *contexts: Tensor) -> FlowDistribution:
        """The distribution with ``batch_shape`` = the contexts' broadcast leading dimensions.

        Args:
            contexts: ``(*lead, *event)`` each.
        """
        given = self._joined(contexts) if self.context else None
        lead = () if given is None else given.shape[:-1]
        if self.base is not None:
            base = self.base(given)
            base = base if given is None else base.expand(lead)
        else:
            base = standard(self.kind or "normal", self.zeros.expand(*lead, *self.zeros.shape))
        return FlowDistribution(base, self.chain, self.event_shape, given)

    def _joined(self, contexts: tuple[Tensor, ...]) -> Tensor:
        """All contexts as one vector, ``(*lead, context)``."""
        if len(contexts) != len(self.event_ranks):
            raise LowerboundError(
                f"expected {len(self.event_ranks)} context(s) with event ranks "
                f"{self.event_ranks}, came {len(contexts)}; pass one tensor for each"
            )
        parts = []
        for context, rank, embed in zip(contexts, self.event_ranks, self.embed, strict=True):
            cut = context.dim() - rank
            lead = context.shape[:cut]
            embedded = embed(context.reshape(math.prod(lead), *context.shape[cut:]))
            parts.append(embedded.reshape(*lead, -1))
        lead = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))
        joined = torch.cat([part.expand(*lead, part.shape[-1]) for part in parts], -1)
        if joined.shape[-1] != self.context:
            raise LowerboundError(
                f"expected contexts of {self.context} numbers together, came {joined.shape[-1]}; "
                f"pass context={joined.shape[-1]}, or embed=[...]"
            )
        return joined


class FlowPrior(FlowConditional):
    """A flow as a prior over codes: as flexible as the codes need, still with an exact density.

    Args:
        latent_shape: of one code; an int is a vector's length.
        kind: see :func:`~lowerbound.flows.vector_chain`; "maf" and splines are fast to score, which
            is all that training needs.
        transforms: layers.
        hidden: widths of each layer's network.
        activation: its nonlinearity.
        bins: of a spline.
        context: numbers in all embedded contexts together; 0 ignores contexts.
        event_ranks, embed: of the contexts, see :class:`FlowConditional`.

    References:
        Chen et al., 2017, https://arxiv.org/abs/1611.02731 (a flow as the prior of a VAE)

    >>> prior = FlowPrior(2, kind="realnvp", hidden=(8,))
    >>> z = prior().sample((5,))
    >>> prior().log_prob(z).shape
    torch.Size([5])
    """

    def __init__(
        self,
        latent_shape: int | tuple[int, ...],
        *,
        kind: FlowKind = "realnvp",
        transforms: int = 4,
        hidden: Sequence[int] = (128, 128),
        activation: str = "relu",
        bins: int = 8,
        context: int = 0,
        event_ranks: Sequence[int] = (1,),
        embed: Sequence[nn.Module | None] | None = None,
    ) -> None:
        chain = vector_chain(
            kind,
            numbers(latent_shape),
            context=context,
            transforms=transforms,
            hidden=hidden,
            activation=activation,
            bins=bins,
        )
        super().__init__(
            chain,
            latent_shape,
            context=context,
            event_ranks=event_ranks,
            embed=embed,
            base="logistic" if kind == "nice" else "normal",
        )


def adapt(
    flow: Any,
    event_shape: int | tuple[int, ...],
    *,
    context: int = 0,
    event_ranks: Sequence[int] = (1,),
    embed: Sequence[nn.Module | None] | None = None,
) -> FlowConditional:
    """A zuko ``Flow``, of any of its layers, as a conditional of this library.

    Args:
        flow: built by zuko; its modules are used, not copied.
        event_shape: of a value.
        context: numbers in the context vector that the flow was built for.
        event_ranks, embed: of the contexts, see :class:`FlowConditional`.

    >>> import torch.distributions
    >>> from lowerbound.flows import import_zuko
    >>> flow = adapt(import_zuko().flows.MAF(3, transforms=2), 3)
    >>> flow().log_prob(torch.zeros(5, 3)).shape
    torch.Size([5])
    """
    return FlowConditional(
        Chain(layers_of(flow.transform)),
        event_shape,
        context=context,
        event_ranks=event_ranks,
        embed=embed,
        base=flow.base,
    )
