"""MNIST: log p(x) by annealing beside importance sampling, and how far annealing can be off.

A VAE 784-512-20 with a Bernoulli likelihood, trained for some epochs on pixels binarized anew in
every epoch. Chains are annealed from the prior, which asks the encoder nothing; importance sampling
draws from the encoder's posterior. The bracket is bidirectional Monte Carlo on images simulated
from the model: the forward bound is in expectation below their log p(x), the reverse one above.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from . import options
from .machine import describe
from .tables import ROOT, command_line, table, write

GOAL = 2.0  # nats


def main(argv: Sequence[str]) -> int:
    """Train, anneal with several lengths, and write docs/results/ais_mnist.md."""
    found = options.parser(__doc__, "ais_mnist")
    options.add_data(found)
    found.add_argument("--epochs", type=float, default=20.0)
    found.add_argument("--count", type=int, default=32, help="test images, and simulated ones")
    found.add_argument("--steps", type=int, nargs="+", default=[300, 1000, 3000])
    found.add_argument("--chains", type=int, default=16)
    found.add_argument("--samples", type=int, default=5000, help="k of importance sampling")
    found.add_argument("--limit", type=int, help="train on so many images only (to try it out)")
    found.add_argument("--runs", type=Path, default=ROOT / "runs" / "ais-mnist")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound.training.engine import versions

    if not given.runs.exists():
        more = {} if given.limit is None else {"limit": given.limit}
        lb.train(
            str(options.check_data(given.data)),
            "vae",
            out=given.runs,
            progress=False,
            network="mlp",
            hidden=(512,),
            latent_dim=20,
            likelihood="bernoulli",
            epochs=given.epochs,
            **more,
        )
    rows, gaps = [], []
    for steps in given.steps:
        print(f"{steps:,} temperatures …", flush=True)
        began = time.monotonic()
        result = lb.evaluate(
            str(given.runs),
            limit=given.count,
            samples=given.samples,
            ais=True,
            ais_steps=steps,
            chains=given.chains,
            bracket=True,
            report=False,
        )
        part = result.annealing
        assert part is not None and part.bracket is not None and part.same is not None
        gaps.append(part.bracket.gap)
        rows.append(
            [
                steps,
                f"{-part.log_likelihood.value:.2f} ± {part.log_likelihood.standard_error or 0:.2f}",
                f"{-part.same:.2f}",
                f"{part.log_likelihood.ess:.1f}",
                f"{-part.bracket.upper:.2f} – {-part.bracket.lower:.2f}",
                f"{part.bracket.gap:.2f} ± {part.bracket.gap_error or 0:.2f}",
                f"{100 * part.acceptance:.0f}",
                f"{time.monotonic() - began:.0f}",
            ]
        )
    header = [
        "temperatures",
        "−log p(x), AIS, nats",
        f"the same images, IWAE-{given.samples:,}",
        f"effective chains of {given.chains}",
        "simulated images: reverse – forward",
        "gap, nats",
        "accepted, %",
        "seconds",
    ]
    met = "met" if min(gaps) <= GOAL else "missed"
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"{given.count} test images and as many simulated ones; a gap of at most {GOAL:g} nats "
        f"(Wu et al. 2017): {met}, {min(gaps):.2f} nats. Seconds are of a first pass: what is "
        "annealed is kept in the run.",
    ]
    write(
        "ais_mnist",
        "Annealed importance sampling on MNIST",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("ais_mnist", argv),
        folder=given.out,
    )
    return 0
