"""pythae's `VAE.get_nll`.

Variants: default, as one calls it (100 rows at once, gradients recorded); fast, with all rows of an
example at once and under `torch.no_grad`.
"""

from __future__ import annotations

import contextlib

import torch

from benchmarks import model as shared
from benchmarks.child import Link, Over
from benchmarks.contestants.likelihood_arguments import arguments
from benchmarks.contestants.pythae_train import build, load


def main() -> None:
    """Estimate in turns."""
    given = arguments()
    model = build().eval()
    load(model, given.weights)
    _, test = shared.images(given.data, binary=True)
    x = torch.from_numpy(test).float().view(-1, 1, 28, 28)
    fast = given.variant == "fast"
    rows = given.samples if fast else 100
    torch.manual_seed(0)

    def estimate(some: torch.Tensor) -> list[float]:
        # One by one, as it does within, for it returns the mean over what it is given.
        with torch.no_grad() if fast else contextlib.nullcontext():
            return [float(model.get_nll(one[None], given.samples, rows)) for one in some]

    estimate(x[:2])
    link = Link()
    grad = "without" if fast else "with"
    link.ready(note=f"float32, {rows} rows at once, {grad} gradients")
    while True:
        turn = link.wait()
        some = x[turn["first"] : turn["first"] + turn["count"]]
        link.done(len(some), values=estimate(some))


if __name__ == "__main__":
    with contextlib.suppress(Over):
        main()
