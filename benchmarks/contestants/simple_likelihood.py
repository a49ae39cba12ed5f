"""What one would write: for each example all samples as one batch, log-sum-exp; float32."""

from __future__ import annotations

import contextlib
import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, linear

from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.likelihood_arguments import arguments

Layers = dict[str, tuple[Tensor, ...]]


@torch.no_grad()
def estimate(layers: Layers, x: Tensor, samples: int) -> Tensor:
    """log p(x) in nats, (N,), of x (N, 784)."""
    found = []
    h = linear(x, *layers["encoder.hidden"]).relu()
    locs, log_scales = linear(h, *layers["encoder.loc"]), linear(h, *layers["encoder.log_scale"])
    for one, loc, log_scale in zip(x, locs, log_scales, strict=True):
        noise = torch.randn(samples, shared.CODES)
        z = loc + log_scale.exp() * noise
        h = linear(z, *layers["decoder.hidden"]).relu()
        logits = linear(h, *layers["decoder.logits"])
        target = one.expand_as(logits)
        log_p = -binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)
        log_ratio = (0.5 * (noise.square() - z.square()) + log_scale).sum(1)
        found.append((log_p + log_ratio).logsumexp(0) - math.log(samples))
    return torch.stack(found)


def main() -> None:
    """Estimate in turns."""
    given = arguments()
    weights = shared.load(given.weights)
    layers = {name: tuple(map(torch.from_numpy, pair)) for name, pair in weights.items()}
    _, test = shared.images(given.data, binary=True)
    x = torch.from_numpy(test).float()
    torch.manual_seed(0)
    estimate(layers, x[:2], given.samples)
    link = Link()
    link.ready(note=f"float32, {given.samples} rows at once")
    while True:
        turn = link.wait()
        some = x[turn["first"] : turn["first"] + turn["count"]]
        link.done(len(some), values=estimate(layers, some, given.samples).tolist())


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
