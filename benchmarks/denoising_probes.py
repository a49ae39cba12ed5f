"""Codes of an autoencoder against those of denoising ones, by a linear probe.

All are 784-512-512-d and back, trained without labels on all training images, on squared error.
They differ in what is done to the images on the way in. A logistic regression is then fitted to
clean training codes, of 1,000 labelled images or of all, and scored on the codes of test images
that are clean, masked (half of the pixels black) or noisy (a normal of standard deviation 0.5
added). Codes are whitened on the training codes that the probe sees.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "autoencoder": ("autoencoder", {}),
    "masking 0.25": (
        "denoising-autoencoder",
        {"corruption": {"name": "masking", "rate": 0.25}},
    ),
    "masking 0.5": ("denoising-autoencoder", {"corruption": {"name": "masking", "rate": 0.5}}),
    "gaussian 0.5": ("denoising-autoencoder", {"corruption": {"name": "gaussian", "sigma": 0.5}}),
}
_INPUTS: dict[str, Any] = {
    "clean": None,
    "masked": {"name": "masking", "rate": 0.5},
    "noisy": {"name": "gaussian", "sigma": 0.5},
}
_FEW = 1000


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/denoising_probes.md and its figure."""
    found = options.parser(__doc__, "denoising_probes")
    options.add_data(found)
    found.add_argument("--epochs", type=float, default=20)
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--latent-dim", type=int, default=64)
    found.add_argument("--few", type=int, default=_FEW, help="labelled images of the small case")
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound.training.engine import versions

    limit: dict[str, Any] = {"limit": given.limit} if given.limit else {}
    data = lb.load(options.check_data(given.data), **limit)
    began = time.monotonic()
    scores: dict[tuple[str, str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (recipe, arguments) in _MODELS.items():
            for seed in range(given.seeds):
                print(f"  {name}, seed {seed}", flush=True)
                run = lb.train(
                    data,
                    recipe,
                    out=Path(folder) / f"{name}-{seed}",
                    progress=False,
                    epochs=given.epochs,
                    latent_dim=given.latent_dim,
                    seed=seed,
                    **arguments,
                )
                for (labels, shown), accuracy in probe(run, given.few, seed).items():
                    scores.setdefault((name, labels, shown), []).append(accuracy)
    minutes = (time.monotonic() - began) / 60
    cases = [(labels, shown) for labels in ("few", "all") for shown in _INPUTS]
    named = {"few": f"{given.few:,} labels", "all": "all labels"}
    header = ["trained on", *(f"{named[labels]}, {shown}" for labels, shown in cases)]
    rows = [[name, *(_shown(scores[(name, *case)]) for case in cases)] for name in _MODELS]
    figure(scores, cases, named, given.out / "denoising_probes.png")
    several = given.seeds > 1
    many = f"mean ± sample standard deviation over {given.seeds} seeds" if several else "one seed"
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"Accuracy on the test images, %; {many}; codes of {given.latent_dim} numbers; epochs: "
        f"{given.epochs:g}; {minutes:.0f} minutes in all.",
        "![accuracies](denoising_probes.png)",
    ]
    write(
        "denoising_probes",
        "What a denoising autoencoder's codes are worth",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("denoising_probes", argv),
        folder=given.out,
    )
    return 0


def probe(run: Any, few: int, seed: int) -> dict[tuple[str, str], float]:
    """Accuracies by (labels, input) of a logistic regression on a run's codes."""
    import numpy as np
    import torch
    from sklearn.linear_model import LogisticRegression

    from lowerbound.data import held_out
    from lowerbound.evaluation import encode_all
    from lowerbound.evaluation.probes import whitened
    from lowerbound.slots import build

    data, model = run.data(), run.model
    x, test = held_out(data.train, run.spec), held_out(data.test, run.spec)
    train = encode_all(model, x, reconstruct=False).means.numpy()
    codes = {}
    for name, value in _INPUTS.items():
        corrupted = test
        if value is not None:
            torch.manual_seed(0)  # the same for every model
            corrupted, _ = build("corruption", value, run.spec.event_shape)(test)
        codes[name] = encode_all(model, corrupted, reconstruct=False).means.numpy()
    chosen = np.random.default_rng(seed).permutation(len(train))
    found = {}
    for labels, some in (("few", chosen[:few]), ("all", chosen)):
        known, *others = whitened(train[some], *codes.values())
        classifier = LogisticRegression(max_iter=1000).fit(known, data.train.labels[some])
        for name, test_codes in zip(codes, others, strict=True):
            found[labels, name] = float(classifier.score(test_codes, data.test.labels))
    return found


def figure(
    scores: dict[tuple[str, str, str], list[float]],
    cases: Sequence[tuple[str, str]],
    named: dict[str, str],
    path: Path,
) -> None:
    """A panel for each kind of input and number of labels, a row for each model."""
    from lowerbound.plots import save
    from lowerbound.plots.style import MODEL, new_figure, style

    models = list(_MODELS)[::-1]
    chart = new_figure(9.5, 4.6, "Linear probe on codes: accuracy on test images, %")
    grid = chart.subplots(2, 3, sharex=False, sharey=True).ravel()
    for axes, (labels, shown) in zip(grid, cases, strict=True):
        style(axes, title=f"{shown} input, {named[labels]}")
        values = [[100 * v for v in scores[(name, labels, shown)]] for name in models]
        for row, points in enumerate(values):
            axes.plot(points, [row] * len(points), "o", ms=5, alpha=0.7, color=MODEL, mew=0)
            axes.text(
                statistics.fmean(points), row + 0.18, f"{statistics.fmean(points):.1f}",
                ha="center", fontsize=8,
            )  # fmt: skip
        axes.set_yticks(range(len(models)), models)
        axes.set_ylim(-0.5, len(models) - 0.3)
        axes.margins(x=0.2)
    save(chart, path)


def _shown(values: Sequence[float]) -> str:
    more = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):.1f}{more}"
