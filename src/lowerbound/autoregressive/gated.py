"""Gated causal convolutions along one axis, and their queues: what WaveNet and PixelCNN share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def gate(z: Tensor, dim: int) -> Tensor:
    """tanh(first half) · σ(second half)."""
    first, second = z.chunk(2, dim)
    return first.tanh() * second.sigmoid()


class GatedLayer(nn.Module):
    """h + W gate(causal convolution of h), and what it tells the output.

    Args:
        width: numbers of each place.
        kernel: taps, the place itself and those before it.
        dilation: places between two taps.
        last: whether no layer follows, so that h is not needed any more.

    Reference:
        van den Oord et al. 2016, WaveNet, arXiv 1609.03499
    """

    def __init__(self, width: int, kernel: int, dilation: int, last: bool = False) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.convolution = nn.Conv1d(width, 2 * width, kernel, dilation=dilation)
        self.residual = None if last else nn.Parameter(torch.empty(width, width))
        if self.residual is not None:
            nn.init.normal_(self.residual, std=1 / math.sqrt(width))

    def forward(self, h: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor]:
        """
        Args:
            h: ``(N, width, P)``.
            told: added before the gate, broadcasts to ``(N, 2 width, P)``.

        Returns:
            the next layer's h, and the gate's ``(N, width, P)``.
        """
        z = self.convolution(functional.pad(h, (self.reach, 0)))
        found = gate(z if told is None else z + told, 1)
        if self.residual is None:
            return h, found
        return h + torch.einsum("ncp,cd->ndp", found, self.residual), found


class Queues:
    """A stack of :class:`GatedLayer` one place at a time: each layer's last inputs in a ring.

    A layer's taps reach places that are known before the step begins, so that their part of all
    layers is one product; what remains one after the other is four calls for each layer. All of it
    is written into buffers that are made once.

    The gate is ½ t₁ (1 + t₂) with t = tanh(z₁, z₂/2): one tanh for both halves. So z₂ comes halved
    (:attr:`halved`) and ½ stands in the weights that follow.

    Args:
        layers: of one width.
        skip: from the gates of all layers, one after the other, to the output:
            ``(layers * width, S)``.
        count: sequences, N.

    Attributes:
        before: ``(L, N, 2 width)``, what is added before the gates, z₂ halved: to be written by
            whoever calls, before each step; `past` is then added to it.
    """

    def __init__(self, layers: Sequence[GatedLayer], skip: Tensor, count: int) -> None:
        weight = layers[0].convolution.weight
        width, self.depth = weight.shape[1], len(layers)
        kernel = weight.shape[2]
        make = weight.detach().new_zeros
        self.halved = make(2 * width) + 1.0
        self.halved[width:] = 0.5
        # (L, kernel, width, 2 width)
        taps = torch.stack([each.convolution.weight.permute(2, 1, 0) for each in layers])
        taps = taps * self.halved
        self.now = [*taps[:, -1].contiguous().unbind(0)]
        self.past = [taps[:, kernel - 1 - back].contiguous() for back in range(1, kernel)]
        bias = torch.stack([each.convolution.bias for each in layers])  # ty: ignore
        self.bias = bias * self.halved
        self.residual = [0.5 * each.residual for each in layers if each.residual is not None]
        self.skip = 0.5 * skip
        dilations: list[int] = [each.convolution.dilation[0] for each in layers]
        sizes: list[int] = [(kernel - 1) * dilation for dilation in dilations]
        self.period = math.lcm(*sizes) if kernel > 1 else 1
        starts = [sum(sizes[:layer]) for layer in range(self.depth)]
        ring = torch.tensor(sizes, device=weight.device).clamp(min=1)
        offset = torch.tensor(starts, device=weight.device)
        dilation = torch.tensor(dilations, device=weight.device)
        times = torch.arange(self.period, device=weight.device)[:, None]
        self.slots = [*(offset + times % ring).unbind(0)]
        self.reads = [
            [*(offset + (times - back * dilation) % ring).unbind(0)] for back in range(1, kernel)
        ]
        self.ring = make(max(1, sum(sizes)), count, width)
        self.inputs = make(self.depth, count, width)
        self.before = make(self.depth, count, 2 * width)
        self.gates = make(count, self.depth * width)
        self.found = make(count, skip.shape[1])
        self._z = make(count, 2 * width)
        self._halves = self._z[:, :width], self._z[:, width:]
        self._input = [*self.inputs.unbind(0)]
        gates = self.gates.split(width, 1)
        self._layers = [*zip(self._input, self.before.unbind(0), self.now, gates, strict=True)]
        self._read = make(self.depth, count, width)
        self.time = 0

    @property
    def input(self) -> Tensor:
        """Where the place's own input is written before a step, ``(N, width)``."""
        return self._input[0]

    def restart(self) -> None:
        """Forget all places, as at the beginning of a row."""
        self.ring.zero_()
        self.time = 0

    def step(self) -> Tensor:
        """One place; `input` and `before` have been written. ``(N, S)``, until the next step."""
        time = self.time % self.period
        before = self.before
        for reads, weight in zip(self.reads, self.past, strict=True):
            torch.index_select(self.ring, 0, reads[time], out=self._read)
            before.baddbmm_(self._read, weight)
        z, (first, second) = self._z, self._halves
        for layer, (h, told, now, found) in enumerate(self._layers):
            torch.addmm(told, h, now, out=z)
            z.tanh_()
            torch.addcmul(first, first, second, out=found)
            if layer < self.depth - 1:
                torch.addmm(h, found, self.residual[layer], out=self._input[layer + 1])
        if self.reads:
            self.ring.index_copy_(0, self.slots[time], self.inputs)
        self.time += 1
        return torch.mm(self.gates, self.skip, out=self.found)
