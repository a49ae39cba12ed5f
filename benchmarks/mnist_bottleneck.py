"""MNIST autoencoders with a bottleneck of one's choice, beside PCA of the same dimension.

Squared error per test image, summed over 784 pixels in [0, 1]. The autoencoders are 784-512-512-d
and back, trained on squared error; PCA is the recipe `pca`, of which the table takes the orthogonal
projection (its own reconstruction is the posterior mean, which shrinks towards the data's mean).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import options
from .commands import description, evaluation, lowerbound, shown
from .machine import describe
from .tables import command_line, table, write


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/bottleneck.md."""
    found = options.parser(__doc__, "mnist_bottleneck")
    options.add_data(found)
    found.add_argument("--epochs", type=float, default=20)
    found.add_argument("--latent-dim", type=int, nargs="+", default=[2, 32, 128])
    found.add_argument("--activation", nargs="+", default=["relu", "sigmoid", "tanh"])
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    given = found.parse_args(argv)
    data = options.check_data(given.data)
    limit = ["--limit", given.limit] if given.limit else []
    with tempfile.TemporaryDirectory() as folder:
        rows, commands, versions = [], [], {}
        for dim in given.latent_dim:
            run = Path(folder) / f"pca-{dim}"
            words = ["train", data, "--recipe", "pca", "--latent-dim", dim, *limit]
            lowerbound(*words, "--no-evaluate", "--out", run)
            row = [dim, f"{projection_error(run):.2f}"]
            commands.append(shown(words))
            for activation in given.activation:
                run = Path(folder) / f"{activation}-{dim}"
                words = ["train", data, "--recipe", "autoencoder", "--latent-dim", dim]
                words += ["--activation", activation, "--epochs", f"{given.epochs:g}", *limit]
                lowerbound(*words, "--out", run)
                row.append(f"{evaluation(run)['squared_error']:.2f}")
                commands.append(shown(words))
                versions = description(run)["versions"]
            rows.append(row)
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(["latent-dim", "PCA", *given.activation], rows),
        "```sh\n" + "\n".join(commands) + "\n```",
    ]
    write(
        "bottleneck",
        "A bottleneck of one's choice",
        "\n\n".join(text),
        machine=describe(**versions),
        command=command_line("mnist_bottleneck", argv),
        folder=given.out,
    )
    return 0


def projection_error(run: Path) -> float:
    """Squared error of the projection on a `pca` run's subspace: mean over the test images of sums
    over their pixels, in [0, 1]."""
    import torch

    from lowerbound import LinearGaussian, Run

    opened = Run.open(run)
    spec, model = opened.spec, opened.model
    assert isinstance(model, LinearGaussian) and isinstance(spec.scale, float)
    basis, _ = torch.linalg.qr(model.linear.weight.double())
    stored = opened.data().test.all().double().flatten(1)
    # The middle of each level's cell, in which training drew its noise.
    x = (stored + 0.5 - spec.low) / spec.scale - model.linear.mean.double()
    rest = x - (x @ basis) @ basis.T
    return float(rest.square().sum(1).mean()) * (spec.scale / (spec.high - spec.low)) ** 2
