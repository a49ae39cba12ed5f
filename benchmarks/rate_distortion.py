"""Rate against distortion of MNIST VAEs trained with different β.

One MLP VAE (784-512-512-32) for each β on binarized MNIST; rate KL(q(z|x)‖p(z)) and distortion
E_q[−log p(x|z)] are measured on test images, at β 1 whatever the training weighed. Their sum is
−ELBO, so that the best bound is expected at β = 1; other β buy less rate, or less distortion, with
it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import options
from .commands import lowerbound, shown
from .machine import describe
from .tables import command_line, table, write


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/rate_distortion.md and its figure."""
    found = options.parser(__doc__, "rate_distortion")
    options.add_data(found)
    found.add_argument("--epochs", type=float, default=20)
    found.add_argument("--betas", type=float, nargs="+", default=[0.1, 0.3, 0.6, 1, 2, 4, 8, 16])
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    given = found.parse_args(argv)
    data = options.check_data(given.data)
    from lowerbound import Run, plots
    from lowerbound.evaluation.rate_distortion import RateDistortion
    from lowerbound.training.engine import versions

    with tempfile.TemporaryDirectory() as folder:
        runs, commands = [], []
        for beta in given.betas:
            path = Path(folder) / f"beta-{beta:g}"
            words: list[object] = ["train", data, "--recipe", "beta-vae", "--beta", f"{beta:g}"]
            words += ["--epochs", f"{given.epochs:g}", "--latent-dim", 32]
            words += ["--limit", given.limit] if given.limit else []
            lowerbound(*words, "--no-evaluate", "--out", path)
            lowerbound("evaluate", path, "--samples", 64)
            commands.append(shown(words))
            runs.append(Run.open(path))
        curve = RateDistortion.of(runs)
    plots.save(plots.rate_distortion_curve(curve), given.out / "rate_distortion.png")
    rows = [
        [f"{p.beta:g}", f"{p.rate:.2f}", f"{p.distortion:.2f}", f"{p.rate + p.distortion:.2f}",
         f"{r:.4f}", f"{d:.4f}"]
        for p, (r, d) in zip(curve.points, curve.bits(), strict=True)
    ]  # fmt: skip
    header = ["β", "rate, nats", "distortion, nats", "−ELBO, nats", "rate, b/dim", "distortion"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        "![rate against distortion](rate_distortion.png)",
        "```sh\n" + "\n".join(commands) + "\n```",
    ]
    write(
        "rate_distortion",
        "Rate against distortion over β",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("rate_distortion", argv),
        folder=given.out,
    )
    return 0
