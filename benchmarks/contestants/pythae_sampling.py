"""pythae's `PixelCNNSampler`: its own loop, which is stopped after some positions of the grid.

Each of them costs a pass over the whole grid, wherever it is. Way: default, as one calls it, or
no-grad, the same under `torch.no_grad`.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from pythae.models.normalizing_flows import (  # ty: ignore[import-not-found]
    PixelCNN,
    PixelCNNConfig,
)
from pythae.samplers import PixelCNNSampler  # ty: ignore[import-not-found]

from benchmarks.child import Link, Over
from benchmarks.contestants.sampling_arguments import arguments


class Enough(Exception):
    """As many positions as were asked for."""


def main() -> None:
    """Draw in turns."""
    given = arguments()
    config = PixelCNNConfig(
        input_dim=(1, given.side, given.side), n_embeddings=512, n_layers=10, kernel_size=5
    )
    network = PixelCNN(config).eval()
    sampler: Any = PixelCNNSampler.__new__(PixelCNNSampler)  # a fitted one, without its VQ-VAE
    sampler.pixelcnn_model, sampler.is_fitted, sampler.device = network, True, "cpu"
    seen = 0

    def count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen > given.part:
            raise Enough

    network.register_forward_pre_hook(count)

    def work() -> None:
        nonlocal seen
        seen = 0
        recorded = torch.no_grad() if given.way == "no-grad" else contextlib.nullcontext()
        with recorded, contextlib.suppress(Enough):
            sampler.sample(given.count, batch_size=given.count)

    work()
    link = Link()
    numbers = sum(parameter.numel() for parameter in network.parameters())
    link.ready(note=f"{numbers:,} parameters")
    while True:
        link.wait()
        work()
        link.done(given.part)


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
