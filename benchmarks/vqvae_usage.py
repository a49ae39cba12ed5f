"""How much of a codebook is used on CIFAR-10, with the defaults and without each remedy.

A VQ-VAE with 512 entries on a grid of 8 x 8, every run of the same length and seed. Usage is the
share of entries that encode any held-out image, perplexity e to the entropy of how often each does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .machine import describe
from .tables import ROOT, command_line, table, write

CIFAR = Path("../shared/data/cifar10_jpeg.zip")
_RUNS: dict[str, Any] = {
    "defaults": "vq",
    "start uniform, not by k-means": {"name": "vq", "start": "uniform"},
    "dead entries left alone": {"name": "vq", "restart": 0.0},
    "entries by gradient, not running means": {"name": "vq", "update": "gradient"},
    "none of the three": {"name": "vq", "start": "uniform", "restart": 0.0, "update": "gradient"},
    "finite scalars 8 x 8 x 8": "fsq",
}


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/vqvae_usage.md."""
    found = options.parser(__doc__, "vqvae_usage")
    found.add_argument("--data", type=Path, default=ROOT / CIFAR, help="cifar10_jpeg.zip")
    found.add_argument("--minutes", type=float, default=20.0, help="of each run")
    found.add_argument("--channels", type=int, default=128)
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    found.add_argument("--only", help="the runs whose name contains this")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound.training.engine import versions

    data = lb.load(options.check_data(given.data), limit=given.limit)
    rows = []
    for name, quantizer in _RUNS.items():
        if given.only and given.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            run = lb.train(
                data,
                "vq-vae",
                out=Path(folder) / "run",
                progress=False,
                quantizer=quantizer,
                channels=given.channels,
                minutes=given.minutes,
            )
            usage, perplexity = use_of(run)
            result = lb.evaluate(run, report=False)
            steps = run.info["status"]["step"]
        bits = None if result.log_likelihood is None else result.log_likelihood.bits_per_dim
        rows.append([name, f"{100 * usage:.1f}", f"{perplexity:.0f}", _number(bits), f"{steps:,}"])
        print("  " + "  ".join(str(cell) for cell in rows[-1]), flush=True)
    header = ["codebook", "usage, %", "perplexity", "bits/dim (bound, uniform prior)", "steps"]
    text = [__doc__.partition("\n\n")[2].strip(), table(header, rows)]
    text.append(f"{given.minutes:g} minutes each, {given.channels} channels.")
    write(
        "vqvae_usage",
        "Codebook usage on CIFAR-10",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("vqvae_usage", argv),
        folder=given.out,
    )
    return 0


def use_of(run: Any) -> tuple[float, float]:
    """Usage and perplexity over all held-out examples."""
    import torch

    from lowerbound.data import held_out
    from lowerbound.quantize import histogram, use

    model, counts = run.model, torch.zeros(())
    x = held_out(run.data().test, run.spec, 0)
    with torch.no_grad():
        for some in x.split(500):
            rows = model.posterior.in_rows(model.encode(some).mode)
            counts = counts + histogram(rows, model.levels)
    found = use(counts)
    return float(found["usage"]), float(found["perplexity"])


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"
