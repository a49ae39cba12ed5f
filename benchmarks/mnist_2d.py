"""MNIST in two dimensions by PCA, LDA, an autoencoder and a VAE, several seeds each.

Every map is fitted to the training images; k nearest neighbours (k = 5) and a logistic regression
are fitted to its training codes and scored on its test codes, both whitened on the training codes,
since those of an autoencoder have no scale. Squared error is summed over 784 pixels in [0, 1]. The
VAE is trained on binarized images and encodes binarized ones; the others see grey ones. LDA alone
uses the labels to make its map.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

_METHODS = ("pca", "lda", "autoencoder", "vae")


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/mnist_2d.md and its figure."""
    found = options.parser(__doc__, "mnist_2d")
    options.add_data(found)
    found.add_argument("--epochs", type=float, default=30)
    found.add_argument("--seeds", type=int, default=5)
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound.embedding import draw
    from lowerbound.training.engine import versions

    limit: dict[str, Any] = {"limit": given.limit} if given.limit else {}
    data = lb.load(options.check_data(given.data), **limit)
    began = time.monotonic()
    result = lb.embed(
        data,
        _METHODS,
        seeds=given.seeds,
        epochs=given.epochs,
        progress=lambda text: print(f"  {text}", flush=True),
    )
    minutes = (time.monotonic() - began) / 60
    draw(result, given.out / "mnist_2d.png")
    header = ["method", "k-NN accuracy, %", "linear probe, %", "trustworthiness", "squared error"]
    rows = [
        [
            row.method,
            _shown(row.knn, 100, 1),
            _shown(row.probe, 100, 1),
            _shown(row.trustworthiness, 1, 3),
            _shown(row.squared_error, 1, 2),
        ]
        for row in result.rows()
    ]
    several = given.seeds > 1
    many = f"mean ± sample standard deviation over {given.seeds} seeds" if several else "one seed"
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"Held out; {many}; epochs: {given.epochs:g}; {minutes:.0f} minutes in all.",
        "![the maps of the first seed](mnist_2d.png)",
    ]
    write(
        "mnist_2d",
        "MNIST in two dimensions",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("mnist_2d", argv),
        folder=given.out,
    )
    return 0


def _shown(value: tuple[float, float | None] | None, times: float, digits: int) -> str | None:
    if value is None:
        return None
    mean, spread = value
    more = "" if spread is None else f" ± {times * spread:.{digits}f}"
    return f"{times * mean:.{digits}f}{more}"
