"""CIFAR-10 in bits per dimension: a VQ-VAE with a fitted prior, and a continuous VAE of its size.

The VQ-VAE learns codes (8 x 8, 512 entries) in the first half of its time and a PixelCNN over them
in the second; the VAE has the same time, the same likelihood and about as many parameters in its
encoder and decoder (which are counted). Held out, all bounds: of the VQ-VAE the ELBO of a certain
posterior, with the uniform and with the fitted prior, of the VAE the importance-weighted estimate.
The images are JPEG copies of CIFAR-10, which are smoother than the originals: no number here
compares with a published one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .machine import describe
from .tables import ROOT, command_line, table, write
from .vqvae_usage import CIFAR, use_of


def main(argv: Sequence[str]) -> int:
    """Train both and write docs/results/vqvae_cifar.md."""
    found = options.parser(__doc__, "vqvae_cifar")
    found.add_argument("--data", type=Path, default=ROOT / CIFAR, help="cifar10_jpeg.zip")
    found.add_argument("--minutes", type=float, default=55.0, help="of each run")
    found.add_argument("--channels", type=int, default=128, help="of the VQ-VAE")
    found.add_argument("--vae-channels", type=int, default=9, help="of the VAE, doubled downwards")
    found.add_argument("--latent-dim", type=int, default=128, help="of the VAE")
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    options.add_runs(found)
    given = found.parse_args(argv)
    with options.runs_of(given) as runs:
        return _all(given, runs, argv)


def _all(given: Any, runs: Path, argv: Sequence[str]) -> int:
    import lowerbound as lb
    from lowerbound.training.engine import versions

    data = lb.load(options.check_data(given.data), limit=given.limit)
    both: dict[str, tuple[str, dict[str, Any]]] = {
        "VQ-VAE": ("vq-vae", {"channels": given.channels, "prior": "pixelcnn"}),
        "VAE": (
            "vae",
            {
                "network": {"name": "conv", "channels": given.vae_channels},
                "latent_dim": given.latent_dim,
            },
        ),
    }
    rows: list[list[Any]] = []
    for name, (recipe, arguments) in both.items():
        out = runs / name
        if out.exists():
            run = lb.open_run(out)
        else:
            run = lb.train(data, recipe, out=out, minutes=given.minutes, **arguments)
        rows += _rows(name, run, lb.evaluate(run, report=False))
        print("  " + "  ".join(str(cell) for cell in rows[-1]), flush=True)
    header = ["model", "bits/dim", "kind", "images", "rate, nats", "parameters", "usage, %"]
    text = [__doc__.partition("\n\n")[2].strip(), table(header, rows)]
    text.append(f"{given.minutes:g} minutes each; errors are of the images measured.")
    write(
        "vqvae_cifar",
        "VQ-VAE and VAE on CIFAR-10",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("vqvae_cifar", argv),
        folder=given.out,
    )
    return 0


def _rows(name: str, run: Any, result: Any) -> list[list[Any]]:
    told = result.log_likelihood
    model: Any = run.model
    own = [p for part in (model.posterior, model.likelihood) for p in part.parameters()]
    count = f"{sum(p.numel() for p in own):,}"
    images, nats = f"{result.data['examples']:,}", math.prod(run.spec.event_shape) * math.log(2)
    error = f"± {(told.standard_error or 0.0) / nats:.3f}"
    if not hasattr(model, "uniform_rate"):
        value = f"{told.bits_per_dim:.3f} {error}"
        return [[name, value, told.kind, images, f"{result.rate:.1f}", count, None]]
    usage = f"{100 * use_of(run)[0]:.1f}"
    more = (model.uniform_rate - result.rate) / nats
    return [
        [f"{name}, uniform prior", f"{told.bits_per_dim + more:.3f} {error}", told.kind, images,
         f"{model.uniform_rate:.1f}", count, usage],
        [f"{name}, fitted prior", f"{told.bits_per_dim:.3f} {error}", told.kind, images,
         f"{result.rate:.1f}", count, usage],
    ]  # fmt: skip
