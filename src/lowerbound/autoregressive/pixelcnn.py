"""Masked convolutions over a grid, in two stacks, so that no position before is overlooked."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import LowerboundError
from .base import CausalNetwork, telling
from .gated import GatedLayer, Queues, gate


class PixelCNN(CausalNetwork):
    """Gated PixelCNN: a vertical stack sees the rows above, a horizontal one the row to the left.

    Nothing is masked: the stacks see a grid that is shifted, down or to the right, and pad on that
    side alone. A layer of the horizontal stack is also told the vertical one's.

    Sampling keeps rows: the vertical stack runs once for each row, the horizontal one through
    queues, position by position.

    Args:
        levels: number of tokens.
        grid: height and width.
        width: channels.
        layers: of each stack.
        kernel: side of the vertical convolutions, odd: they see ``(kernel + 1) / 2`` rows, the
            horizontal ones as many columns.
        **shared: see `CausalNetwork`. Local context reaches both stacks' inputs, the global one
            every gate.

    Raises:
        LowerboundError: a grid that is none, an even kernel.

    Reference:
        van den Oord et al. 2016, Conditional image generation with PixelCNN decoders,
        arXiv 1606.05328

    >>> PixelCNN(8, (4, 5), width=8, layers=2)(torch.zeros(2, 20, dtype=torch.int64)).shape
    torch.Size([2, 20, 8])
    """

    def __init__(
        self,
        levels: int,
        grid: tuple[int, ...],
        *,
        width: int = 64,
        layers: int = 6,
        kernel: int = 5,
        **shared: int | None,
    ) -> None:
        super().__init__(levels, width, **shared)  # ty: ignore
        if len(grid) != 2:
            raise LowerboundError(
                f"pixelcnn: expected positions on a grid of two axes, came {tuple(grid)}; take a "
                "transformer or a wavenet"
            )
        if kernel < 3 or kernel % 2 == 0 or layers < 1:
            raise LowerboundError(
                f"pixelcnn: expected an odd kernel of 3 or more and a layer or more, came kernel "
                f"{kernel} and {layers} layers; pass e.g. kernel=3, layers=6"
            )
        self.grid, self.rows_seen = tuple(grid), kernel // 2 + 1
        self.vertical = nn.ModuleList(
            nn.Conv2d(width, 2 * width, (self.rows_seen, kernel)) for _ in range(layers)
        )
        self.vertical_residual = nn.Parameter(torch.empty(layers - 1, width, width))
        self.down = nn.Parameter(torch.empty(layers, width, 2 * width))
        self.horizontal = nn.ModuleList(
            GatedLayer(width, self.rows_seen, 1, last=layer == layers - 1)
            for layer in range(layers)
        )
        self.skip = nn.Parameter(torch.empty(layers, width, self.features))
        for weight in (self.vertical_residual, self.down):
            nn.init.normal_(weight, std=1 / math.sqrt(width))
        nn.init.normal_(self.skip, std=1 / math.sqrt(width * layers))
        # Where a position is: convolutions alone know it from the edges only.
        self.row = nn.Parameter(0.1 * torch.randn(grid[0], 1, width))
        self.column = nn.Parameter(0.1 * torch.randn(1, grid[1], width))
        self.of_context = telling(self.context, layers * 4 * width)
        self.of_local = nn.Linear(self.local, width) if self.local else None

    def _places(self, local: Tensor | None) -> Tensor:
        """``(1 or N, H, W, width)``: what is known of the positions beside the tokens."""
        places = (self.row + self.column).unsqueeze(0)
        if self.of_local is not None and local is not None:
            places = places + self.of_local(local).unflatten(1, self.grid)
        return places

    def _of_context(self, context: Tensor | None) -> tuple[list[Tensor], list[Tensor]] | None:
        """For each layer ``(N, 2 width)``, of the vertical and of the horizontal stack."""
        if self.of_context is None or context is None:
            return None
        found = self.of_context(context).chunk(2 * len(self.vertical), 1)
        return [*found[::2]], [*found[1::2]]

    def trunk(self, before: Tensor, context: Tensor | None, local: Tensor | None) -> Tensor:
        height, width = self.grid  # ty: ignore
        count, side, up = len(before), self.rows_seen - 1, self.rows_seen - 1
        grid = before.unflatten(1, (height, width))
        start = self.start.expand(count, 1, 1, -1)
        places = self._places(local)
        v = torch.cat((start.expand(-1, 1, width, -1), grid[:, :-1]), 1) + places
        h = torch.cat((start.expand(-1, height, 1, -1), grid[:, :, :-1]), 2) + places
        v = v.permute(0, 3, 1, 2)  # (N, C, H, W)
        h = h.permute(0, 1, 3, 2).flatten(0, 1)  # (N H, C, W): rows are sequences
        told = self._of_context(context)
        found = torch.zeros((), dtype=v.dtype, device=v.device)
        for layer, (convolution, across) in enumerate(
            zip(self.vertical, self.horizontal, strict=True)
        ):
            z = convolution(functional.pad(v, (side, side, up, 0)))
            if told is not None:
                z = z + told[0][layer][:, :, None, None]
            gated = gate(z, 1)
            if layer < len(self.vertical_residual):
                v = v + torch.einsum("nchw,cd->ndhw", gated, self.vertical_residual[layer])
            down = torch.einsum("nchw,cd->nhdw", gated, self.down[layer])
            if told is not None:
                down = down + told[1][layer][:, None, :, None]
            h, gated = across(h, down.flatten(0, 1))
            found = found + torch.einsum("ncw,cd->nwd", gated, self.skip[layer])
        found = functional.relu(found)  # (N H, W, features)
        return found.unflatten(0, (count, height)).flatten(1, 2)

    def trunk_begin(self, count: int, context: Tensor | None, local: Tensor | None) -> _Memory:
        return _Memory(self, count, context, local)

    def trunk_step(self, memory: _Memory, last: Tensor | None) -> Tensor:
        return memory.step(last)


class _Memory:
    """The vertical stack's last rows, the horizontal one's queues."""

    def __init__(
        self, network: PixelCNN, count: int, context: Tensor | None, local: Tensor | None
    ) -> None:
        self.network = network
        self.height, self.width = network.grid  # ty: ignore
        self.queues = Queues([*network.horizontal], network.skip.flatten(0, 1), count)  # ty: ignore
        make = network.start.detach().new_zeros
        depth, channels = self.queues.depth, network.width
        # The rows that each vertical layer sees, padded aside; the last is the one at hand.
        side = network.rows_seen - 1
        shape = (depth, count, channels, network.rows_seen, self.width + 2 * side)
        self.rows = make(shape)
        self.inner = slice(side, side + self.width)
        self.places = network._places(local)
        self.told = network._of_context(context)
        self.told_across = self.queues.bias[:, None]  # (L, 1 or N, 2C)
        if self.told is not None:
            across = torch.stack(self.told[1]) * self.queues.halved
            self.told_across = self.told_across + across
        self.above = network.start[:, None].expand(count, -1, self.width).clone()  # (N, C, W)
        self.row = make(count, channels, self.width)  # the tokens of this row
        self.ready = make(self.width, depth, count, 2 * channels)
        self.at = 0

    def step(self, last: Tensor | None) -> Tensor:
        row, column = divmod(self.at, self.width)
        if self.at:
            assert last is not None
            self.row[:, :, column - 1] = last  # of column 0 the last of the row before
        if column == 0:
            if row:
                self.above.copy_(self.row)
            self._next_row(row)
            self.queues.restart()
        entry = self.network.start if column == 0 or last is None else last
        self.queues.input.copy_(self.places[:, row, column] + entry)
        self.queues.before.copy_(self.ready[column])
        self.at += 1
        return self.queues.step().relu_()

    def _next_row(self, row: int) -> None:
        """The vertical stack's row, and what it tells each position of the horizontal one."""
        network = self.network
        v = self.above + self.places[:, row].mT
        for layer, convolution in enumerate(network.vertical):
            seen = self.rows[layer]  # (N, C, rows, W + 2 side)
            seen[:, :, :-1] = seen[:, :, 1:].clone()
            seen[:, :, -1, self.inner] = v
            z = convolution(seen).squeeze(2)
            if self.told is not None:
                z = z + self.told[0][layer].unsqueeze(-1)
            gated = gate(z, 1).permute(2, 0, 1)  # (W, N, C)
            if layer < len(network.vertical_residual):
                v = v + (gated @ network.vertical_residual[layer]).permute(1, 2, 0)
            torch.matmul(gated, network.down[layer], out=self.ready[:, layer])
        self.ready *= self.queues.halved
        self.ready += self.told_across
