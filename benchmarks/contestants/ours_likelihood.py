"""Ours, by `lowerbound.estimate_log_likelihood`. Variants: float32-eager, bfloat16-compiled, …"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

import lowerbound
from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.likelihood_arguments import arguments
from benchmarks.contestants.ours_train import build, data


@torch.no_grad()
def load(model: Any, path: str) -> None:
    """Take weights from the form that all share."""
    weights = shared.load(path)
    linears = [
        module
        for head in (model.posterior, model.likelihood)
        for module in head.modules()
        if isinstance(module, torch.nn.Linear)
    ]
    pairs = [tuple(map(torch.from_numpy, pair)) for pair in weights.values()]
    hidden, loc, log_scale, *decoder = pairs
    encoder = [hidden, tuple(map(torch.cat, zip(loc, log_scale, strict=True)))]
    for layer, (weight, bias) in zip(linears, [*encoder, *decoder], strict=True):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def main() -> None:
    """Estimate in turns."""
    given = arguments()
    precision, way = given.variant.split("-")
    loaded = data(given.data, binary=True, limit=1000)
    model = build(loaded.spec).model
    load(model, given.weights)
    _, test = shared.images(given.data, binary=True)
    x = torch.from_numpy(test).float().view(-1, *model.event_shape)

    def estimate(some: torch.Tensor) -> Any:
        return lowerbound.estimate_log_likelihood(
            model,
            some,
            samples=given.samples,
            precision=None if precision == "float32" else torch.bfloat16,
            compile=way == "compiled",
        )

    found = estimate(x[:2])  # compiles
    if found.compiled != (way == "compiled"):
        raise RuntimeError(found.note)
    link = Link()
    link.ready(note=f"{precision}, {way}, {found.rows} rows at once")
    while True:
        turn = link.wait()
        some = x[turn["first"] : turn["first"] + turn["count"]]
        link.done(len(some), values=estimate(some).values.tolist())


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
