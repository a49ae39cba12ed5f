"""Our autoregressive networks, sampled step by step, or by a pass over everything for each token.

The naive way is asked for some tokens only, evenly spread over the sequence, for what it costs may
depend on where they are (a WaveNet needs no more than what has been drawn before).
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from benchmarks.child import Link, Over
from benchmarks.contestants.sampling_arguments import arguments
from lowerbound.autoregressive import (
    CausalNetwork,
    PixelCNN,
    Transformer,
    WaveNet,
    draw,
    output,
)


def build(name: str, side: int) -> tuple[CausalNetwork, int]:
    """A network and how many tokens it draws from: sound of 256 levels, codes of 512 entries."""
    if name == "wavenet":
        return WaveNet(256, width=64, depth=10, stacks=2), 256
    if name == "transformer":
        return Transformer(512, (side, side), width=128, layers=4), 512
    return PixelCNN(512, (side, side), width=64, layers=10, kernel=5), 512


def main() -> None:
    """Draw in turns."""
    given = arguments()
    torch.manual_seed(0)
    network, levels = build(given.network, given.side)
    network.eval()
    length = given.length if given.network == "wavenet" else given.side**2
    tokens = torch.randint(levels, (given.count, length))

    def cached(count: int) -> None:
        draw(network, output("categorical", levels), given.count, count)

    @torch.no_grad()
    def naive(places: list[int]) -> None:
        for t in places:
            seen = tokens if network.grid is not None else tokens[:, : t + 1]
            torch.multinomial(network(seen)[:, t].softmax(-1), 1)

    places = [round((i + 0.5) * length / given.part) for i in range(given.part)]
    work: Any = (lambda: cached(length)) if given.way == "cached" else (lambda: naive(places))
    if given.way == "cached":
        cached(min(length, 100))
    else:
        naive(places[-1:])
    link = Link()
    numbers = sum(parameter.numel() for parameter in network.parameters())
    link.ready(note=f"{numbers:,} parameters")
    while True:
        link.wait()
        work()
        link.done(length if given.way == "cached" else given.part)


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
