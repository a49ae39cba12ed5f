"""Networks of beliefs: what is known after each step, from all steps up to it; and gated layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from ..errors import LowerboundError
from .lstm import LSTM
from .sequence import Block
from .start import initialise_, output_

Memory = Literal["gru", "lstm", "transformer"]


class Recurrent(nn.Module):
    """A recurrent network over steps, with a learned state before the first one.

    Args:
        in_width: numbers a step.
        width: numbers of the state, which is the belief.
        kind: ``gru`` or ``lstm``; of the latter the cell's state stays inside.
        layers: recurrent layers on top of one another.
        span: untrained, the cells keep what they hold for 1 to so many steps, each for a time of
            its own; None: for two steps, as torch starts them.
        residual: whether the first `width` numbers of a step are added to what the cells tell after
            it, each times a gain that is learnt. What cells tell lies between -1 and 1, and what
            they took in of the last step has to share it with all they keep.

    Shape:
        ``(B, T, in_width) -> (B, T + 1, width)``: before anything was seen, and after each step.

    Raises:
        LowerboundError: residual, and steps narrower than the belief.

    References:
        Cho et al. 2014, arXiv 1406.1078 (GRU); Hochreiter & Schmidhuber 1997 (LSTM); Tallec &
        Ollivier 2018, Can recurrent neural networks warp time?, arXiv 1804.11188 (span);
        Wu et al. 2016, Google's neural machine translation system, arXiv 1609.08144, section 3.1
        (residual)

    >>> Recurrent(3, 8)(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 6, 8])
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        kind: Literal["gru", "lstm"] = "gru",
        layers: int = 1,
        span: int | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__()
        if residual and in_width < width:
            raise LowerboundError(
                f"residual: expected steps of at least {width} numbers, the belief's, came "
                f"{in_width}; leave it out"
            )
        self.gain = nn.Parameter(torch.ones(width)) if residual else None
        if kind == "gru":
            self.cells = nn.GRU(in_width, width, layers, batch_first=True)
        else:
            self.cells = LSTM(in_width, width, layers)
        self.start = nn.Parameter(torch.zeros(layers, width))
        self.is_lstm = kind == "lstm"
        self.width = width
        if span is not None:
            self._remember(span)

    @torch.no_grad()
    def _remember(self, span: int) -> None:
        # A gate of sigmoid(log k) keeps a share k / (k + 1) each step: about k steps.
        kept = torch.linspace(1.0, max(span - 1.0, 1.0), self.width).log()
        for name, bias in self.cells.named_parameters():
            if name.startswith("bias_ih"):
                gates = bias.view(-1, self.width)  # i, f, g, o of an LSTM; r, z, n of a GRU
                gates[1] += kept
                if self.is_lstm:
                    gates[0] -= kept

    def forward(self, steps: Tensor, times: Tensor | None = None) -> Tensor:
        """The times are in the steps already, as differences."""
        state = self._start(len(steps))
        found, _ = self.cells(steps, state)
        first = state[0] if self.is_lstm else state
        return torch.cat((first[-1][:, None], self._past(found, steps)), 1)

    # One step after the other: all that the cells hold, and what they told last, as one vector

    def begin(self, count: int) -> Tensor:
        """Before anything was seen, ``(B, memory)``."""
        state = self._start(count)
        return self._joined(state, (state[0] if self.is_lstm else state)[-1])

    def after(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """After so many steps ``(B, T, in_width)`` as `lengths` (B,) says, at least 1."""
        packed = pack_padded_sequence(steps, lengths.cpu(), batch_first=True, enforce_sorted=False)
        state = self.cells(packed, self._start(len(steps)))[1]
        last = steps[torch.arange(len(steps), device=steps.device), lengths - 1]
        return self._joined(state, self._past((state[0] if self.is_lstm else state)[-1], last))

    def step(self, memory: Tensor, step: Tensor) -> Tensor:
        """After one more step ``(B, in_width)``."""
        held = memory[:, : -self.width].unflatten(1, (-1, self.cells.num_layers, self.width))
        parts = tuple(part.contiguous() for part in held.permute(1, 2, 0, 3))
        found, state = self.cells(step[:, None], parts if self.is_lstm else parts[0])
        return self._joined(state, self._past(found[:, 0], step))

    def told(self, memory: Tensor) -> Tensor:
        """What :meth:`forward` tells of a memory, ``(B, width)``."""
        return memory[:, -self.width :]

    def _past(self, found: Tensor, steps: Tensor) -> Tensor:
        """What the cells tell, and the steps that go past them."""
        return found if self.gain is None else found + self.gain * steps[..., : self.width]

    def _start(self, count: int) -> Any:
        state = self.start[:, None].expand(-1, count, -1).contiguous()
        return (state, torch.zeros_like(state)) if self.is_lstm else state

    def _joined(self, state: Any, told: Tensor) -> Tensor:
        parts = torch.stack(state) if self.is_lstm else state[None]
        return torch.cat((parts.permute(2, 0, 1, 3).flatten(1), told), 1)


class CausalTransformer(nn.Module):
    """Self-attention in which a step sees those up to itself, and where in time they are.

    Args:
        in_width: numbers a step.
        width: of the belief.
        layers: blocks.
        heads: of the attention, which share the width.
        unit: usual time between two steps.

    Shape:
        ``(B, T, in_width)``, times ``(B, T)`` -> ``(B, T + 1, width)``.

    Reference:
        Vaswani et al. 2017, Attention is all you need, arXiv 1706.03762
    """

    frequencies: Tensor

    def __init__(
        self, in_width: int, width: int, layers: int = 2, heads: int = 4, unit: float = 1.0
    ) -> None:
        super().__init__()
        if width % heads or width % 2:
            raise LowerboundError(
                f"belief_width: expected an even multiple of {heads} heads, came {width}; pass "
                f"{2 * heads * math.ceil(width / (2 * heads))}"
            )
        self.read = nn.Linear(in_width, width)
        self.start = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(Block(width, heads, causal=True) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.unit, self.width = float(unit), width
        rates = torch.logspace(0.0, -3.0, width // 2)  # radians a step, as in the paper
        self.register_buffer("frequencies", rates, persistent=False)

    def forward(self, steps: Tensor, times: Tensor) -> Tensor:
        since = times / self.unit + 1.0
        angle = since[..., None] * self.frequencies
        h = self.read(steps) + torch.cat((angle.sin(), angle.cos()), -1)
        h = torch.cat((self.start.expand(len(h), 1, -1), h), 1)
        for block in self.blocks:
            h = block(h)
        return self.norm(h)


def memory(
    kind: Memory,
    in_width: int,
    width: int,
    layers: int | None = None,
    unit: float = 1.0,
    span: int | None = None,
    residual: bool = False,
) -> nn.Module:
    """The network of that name; by default one recurrent layer, or two blocks of attention.

    Raises:
        LowerboundError: a span or a residual for a transformer, which sees every step anyway;
            residual cells that are wider than the steps.
    """
    if kind != "transformer":
        return Recurrent(in_width, width, kind, layers or 1, span, residual)
    for name, given in (("span", span is not None), ("residual", residual)):
        if given:
            raise LowerboundError(
                f"belief_{name}: expected a recurrent belief, came transformer, which sees every "
                "step; leave it out, or pass --belief lstm"
            )
    return CausalTransformer(in_width, width, layers or 2, unit=unit)


class Gated(nn.Module):
    """Layers tanh(W x)·sigmoid(V x), then an affine one; without hidden layers that one alone.

    The products let a state be turned by an angle that another input gives.

    Args:
        in_width: numbers that come in.
        out_shape: of what comes out.
        hidden: widths of the gated layers.
        kept: ``(first, count)``: so many inputs from there are added to the first outputs, so that
            untrained a state stays about what it was.

    Shape:
        ``(N, in_width) -> (N, *out_shape)``.

    Reference:
        Gregor et al. 2019, arXiv 1806.03107, appendix (the "D block")
    """

    def __init__(
        self,
        in_width: int,
        out_shape: Sequence[int],
        hidden: Sequence[int] = (),
        kept: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.out_shape, self.kept = tuple(out_shape), kept
        widths = [in_width, *hidden]
        self.layers = nn.ModuleList(
            initialise_(nn.Linear(a, 2 * b), "tanh") for a, b in pairwise(widths)
        )
        self.out = output_(nn.Linear(widths[-1], math.prod(self.out_shape)))

    def forward(self, x: Tensor) -> Tensor:
        same = None if self.kept is None else x[:, self.kept[0] : self.kept[0] + self.kept[1]]
        for layer in self.layers:
            value, gate = layer(x).chunk(2, -1)
            x = value.tanh() * gate.sigmoid()
        x = self.out(x)
        if same is not None:
            x = torch.cat((x[:, : same.shape[1]] + same, x[:, same.shape[1] :]), 1)
        return x if len(self.out_shape) == 1 else x.unflatten(1, self.out_shape)
