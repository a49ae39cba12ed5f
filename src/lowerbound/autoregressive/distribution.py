"""The distribution of a datum whose numbers are drawn one after the other."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import constraints

from ..distributions.base import EventDistribution
from ..errors import LowerboundError
from .base import CausalNetwork, reordered
from .outputs import CategoricalOutput, Output
from .sampling import check_options, draw

_NUMBERS = 1 << 25  # that a network makes at a time where no gradient is asked for
_ROWS = 256  # sequences that are drawn together: the networks' memories have to fit


class Autoregressive(EventDistribution):
    """p(x | c) = Π p(x_t | x_1 … x_{t−1}, c), exact, of whole numbers on a grid.

    Numbers are taken in raster order; an axis of heads (colours, codes of one position) is the
    fastest.

    Args:
        network: of the conditionals.
        event_shape: of a datum: ``(T,)``, ``(H, W)``, or with an axis of heads before the
            positions, ``(M, H, W)``.
        context: embedded, ``(B, C)`` and ``(B, P, C)``, for the network.
        batch_shape: whose product is B; by default ``(B,)``, without context ``()``.
        free: what stands for no context, in the same shapes; None where guidance is not possible.
        output: of a number; default categorical.
        heads: whether the first axis is one of heads; by default, of three axes.
        scale: data are token / scale: K − 1 for levels in [0, 1]; None for whole numbers.
        precision: of the network in :meth:`log_prob`; None for its own.

    >>> from lowerbound.autoregressive import WaveNet
    >>> p = Autoregressive(WaveNet(4, width=8, depth=3), (5,))
    >>> x = p.sample((7,), temperature=0.8)
    >>> x.shape, p.log_prob(x).shape
    (torch.Size([7, 5]), torch.Size([7]))
    """

    has_rsample = False
    #: Options that :meth:`sample` takes: whoever draws can ask a distribution for them.
    sampling_options = ("temperature", "top_k", "top_p", "guidance")
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        network: CausalNetwork,
        event_shape: tuple[int, ...],
        *context: Tensor,
        batch_shape: tuple[int, ...] | None = None,
        free: tuple[Tensor, ...] | None = None,
        output: Output | None = None,
        heads: bool | None = None,
        scale: int | None = None,
        precision: torch.dtype | None = None,
    ) -> None:
        # Not super().__init__, which reads the shapes off a tensor of parameters.
        if batch_shape is None:
            batch_shape = (len(context[0]),) if context else ()
        self._batch_shape = torch.Size(batch_shape)
        self._event_shape = torch.Size(event_shape)
        self._event_dims = tuple(range(-len(event_shape), 0))
        self.network, self.context, self.free = network, context, free
        self.output = CategoricalOutput(network.levels) if output is None else output
        self.scale, self.precision = scale, precision
        self.heads, self.grid, self._moved = reordered(tuple(event_shape), heads)

    @property
    def support(self) -> constraints.Constraint:
        """{0, …, K − 1}^event, or the same divided by K − 1."""
        if self.scale is not None:
            return constraints.independent(constraints.unit_interval, self.event_rank)
        return constraints.independent(
            constraints.integer_interval(0, self.network.levels - 1), self.event_rank
        )

    def tokens(self, value: Tensor) -> Tensor:
        """Data as sequences: ``(N, *event) -> int64 (N, T)``."""
        if self._moved:
            value = value.flatten(2).mT
        value = value.flatten(1)
        return value.long() if self.scale is None else (value * self.scale).round().long()

    def value(self, tokens: Tensor) -> Tensor:
        """Sequences as data: int64 ``(N, T) -> (N, *event)``."""
        if self._moved:
            tokens = tokens.unflatten(1, (-1, self.heads)).mT
        found = tokens.reshape(-1, *self.event_shape)
        if self.scale is None:
            return found
        return found.to(next(self.network.parameters()).dtype) / self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, exact: ``(*lead, *event) -> (*lead,)``."""
        lead = torch.broadcast_shapes(value.shape[: -self.event_rank], self._batch_shape)
        value = value.expand(*lead, *self.event_shape)
        tokens = self.tokens(value.reshape(lead.numel(), *self.event_shape))
        context = self._spread(self.context, tuple(lead))
        if torch.is_grad_enabled():
            return self._score(tokens, *context).reshape(lead)
        # Without a gradient nothing has to be kept: as many at once as the memory takes easily.
        numbers = max(self.network.outputs, 4 * self.network.width) * tokens.shape[1]
        rows = max(1, _NUMBERS // numbers)
        parts = (each.split(rows) for each in (tokens, *context))
        found = [self._score(*some) for some in zip(*parts, strict=True)]
        return torch.cat(found).reshape(lead) if found else value.new_zeros(lead)

    def _score(self, tokens: Tensor, *context: Tensor) -> Tensor:
        """log p of sequences int64 ``(N, T)``: ``(N,)``."""
        if self.precision is None:
            raw = self.network(tokens, *context)
        else:
            with torch.autocast(tokens.device.type, self.precision):
                raw = self.network(tokens, *context)
        if raw.dtype is torch.bfloat16 or raw.dtype is torch.float16:
            raw = raw.float()
        return self.output.log_prob(raw, tokens).sum(-1)

    def sample(
        self,
        sample_shape: Any = (),
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        guidance: float = 1.0,
        start: Tensor | None = None,
        cached: bool = True,
    ) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)``, one token after the other.

        Args:
            sample_shape: leading dimensions.
            temperature: that logits are divided by; 0 takes the likeliest token each time.
            top_k: so many of the likeliest tokens alone.
            top_p: the fewest likeliest tokens alone that have this share of the mass.
            guidance: weight of the condition: 1 is p(x|c), more exaggerates it.
            start: the first tokens in the sequence's order (:meth:`tokens`), int64
                ``(*sample_shape, *batch, t)`` or what broadcasts to it.
            cached: whether each token costs a step, or the naive pass over the whole sequence.

        Raises:
            LowerboundError: an option out of its range; guidance of a network that knows no
                missing condition.
        """
        check_options(temperature, top_k, top_p, guidance)
        shape = (*sample_shape, *self._batch_shape)
        count, length = math.prod(shape), self.heads * math.prod(self.grid)
        context = self._spread(self.context, shape)
        free = None if self.free is None else self._spread(self.free, shape)
        if guidance != 1.0 and not context:
            raise LowerboundError(
                f"guidance: expected 1 without a condition, came {guidance:g}; leave it out"
            )
        if start is not None:
            start = start.expand(*shape, start.shape[-1]).reshape(count, -1)
        parts = []
        for first in range(0, count, _ROWS):
            rows = slice(first, min(first + _ROWS, count))
            parts.append(
                draw(
                    self.network,
                    self.output,
                    rows.stop - first,
                    length,
                    [c[rows] for c in context],
                    None if free is None else [c[rows] for c in free],
                    temperature=temperature,
                    top_k=top_k,
                    top_p=top_p,
                    guidance=guidance,
                    start=None if start is None else start[rows],
                    cached=cached,
                )
            )
        if not parts:
            return self.value(torch.zeros(0, length, dtype=torch.int64)).reshape(
                *shape, *self.event_shape
            )
        return self.value(torch.cat(parts)).reshape(*shape, *self.event_shape)

    def _spread(self, context: tuple[Tensor, ...], lead: tuple[int, ...]) -> tuple[Tensor, ...]:
        """Contexts ``(B, …)`` for every one of the leading dimensions, folded into one."""
        if lead == tuple(self._batch_shape):
            return context
        return tuple(
            c.reshape(*self._batch_shape, *c.shape[1:])
            .expand(*lead, *c.shape[1:])
            .reshape(math.prod(lead), *c.shape[1:])
            for c in context
        )
