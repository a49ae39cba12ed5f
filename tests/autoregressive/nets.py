"""Small networks of every sort, with every sort of context."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lowerbound.autoregressive import CausalNetwork, PixelCNN, Transformer, WaveNet

LEVELS = 4
# Grid and tokens at each position of a network.
GRIDS: dict[str, tuple[tuple[int, ...], int]] = {
    "sequence": ((7,), 1),
    "grid": ((3, 4), 1),
    "heads": ((3, 3), 3),
}
CASES = [
    (name, grid, contexts)
    for name in ("pixelcnn", "pixelcnn-7", "transformer", "wavenet")
    for grid in GRIDS
    for contexts in ("none", "global", "local", "both")
    if not (name.startswith("pixelcnn") and grid == "sequence")
]


def build(
    name: str, grid: tuple[int, ...], heads: int = 1, levels: int = LEVELS, **shared: Any
) -> CausalNetwork:
    """A network in float64 whose every weight matters."""
    shared["heads"] = heads
    made: CausalNetwork
    if name == "wavenet":
        made = WaveNet(levels, width=6, depth=3, stacks=2, skip=24, **shared)
    elif name == "transformer":
        made = Transformer(levels, grid, width=8, layers=2, attention_heads=2, **shared)
    else:
        kernel = 7 if name.endswith("7") else 3
        made = PixelCNN(levels, grid, width=6, layers=5, kernel=kernel, features=24, **shared)
    for parameter in made.parameters():
        if parameter.dim() == 1 or parameter is made.write:  # zeros and small ones hide mistakes
            torch.nn.init.normal_(parameter, std=0.5)
    return made.double()


def case(name: str, grid: str, contexts: str, count: int = 3) -> tuple[Any, list[Tensor], Tensor]:
    """A network, contexts for `count` sequences, and such sequences."""
    torch.manual_seed(len(name) + len(grid) + len(contexts))
    shape, heads = GRIDS[grid]
    positions = math.prod(shape)
    vector = 2 if contexts in ("global", "both") else 0
    local = 3 if contexts in ("local", "both") else 0
    network = build(name, shape, heads, context=vector, local=local)
    given = [torch.randn(count, vector, dtype=torch.float64)] if vector else []
    given += [torch.randn(count, positions, local, dtype=torch.float64)] if local else []
    return network, given, torch.randint(LEVELS, (count, positions * heads))
