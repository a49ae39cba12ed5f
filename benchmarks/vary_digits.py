"""Variations of digits: do draws of the posterior keep what the digit is?

A VAE of MNIST; each held-out digit is encoded, 16 codes are drawn from its posterior and decoded
(the verb vary). A classifier that never saw the model, trained on MNIST's training images, says
what they are. Kept: the share of variations that it calls what the original is. Differ: the root
of the mean squared difference of a variation to the reconstruction, per pixel in [0, 1], beside
that of two images of one class.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .commands import shown
from .machine import describe
from .tables import command_line, table, write


def main(argv: Sequence[str]) -> int:
    """Train both and write docs/results/vary_digits.md and its figure."""
    found = options.parser(__doc__, "vary_digits")
    options.add_data(found)
    found.add_argument("--minutes", type=float, default=10, help="of processor time for the VAE")
    found.add_argument("--latent-dim", type=int, default=16)
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    found.add_argument("--examples", type=int, default=1000, help="held-out digits")
    found.add_argument("--n", type=int, default=16, help="variations of each")
    found.add_argument("--spreads", type=float, nargs="+", default=[1.0, 1.5, 2.0])
    given = found.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        return _all(given, Path(folder) / "run", argv)


def _all(given: Any, path: Path, argv: Sequence[str]) -> int:
    import numpy as np
    import torch

    import lowerbound as lb
    from lowerbound import plots
    from lowerbound.exploring.examples import examples_of
    from lowerbound.latent import vary
    from lowerbound.training.engine import versions

    began = time.monotonic()
    data = str(options.check_data(given.data))
    words = ["train", data, "--recipe", "vae", "--latent-dim", str(given.latent_dim)]
    words += ["--hidden", "512,256", "--minutes", f"{given.minutes:g}", "--threads", "1"]
    words += ["--held-out-every", "5"] + (["--limit", str(given.limit)] if given.limit else [])
    print("$ " + shown(words), flush=True)
    command = [sys.executable, "-m", "benchmarks.cpu_clock", *words, "--no-evaluate"]
    subprocess.run([*command, "--out", str(path)], check=True, stdout=subprocess.DEVNULL)
    run = lb.open_run(path)
    judge, accuracy = _classifier(run)
    test = run.data().test
    chosen = examples_of(run, given.examples)
    stored = test.stored(torch.from_numpy(chosen.positions)).numpy() / 255.0
    labels = np.asarray(test.labels)[chosen.positions]
    right = judge.predict(stored.reshape(len(stored), -1)) == labels
    rows, shown_rows = [], []
    for spread in given.spreads:
        found = vary(run.model, chosen.x, n=given.n, spread=spread)
        flat = found.decoded.reshape(-1, stored[0].size)
        said = judge.predict(flat).reshape(len(labels), given.n)
        kept = said == labels[:, None]
        apart = found.decoded - found.reconstructed[:, None]
        rows.append([
            f"{spread:g}", f"{100 * kept.mean():.1f}", f"{100 * kept[right].mean():.1f}",
            float(np.sqrt(np.square(apart).mean())),
        ])  # fmt: skip
        shown_rows.append(found)
    again = shown_rows[0].reconstructed.reshape(len(labels), -1)
    of_means = 100 * float((judge.predict(again) == labels).mean())
    pairs = [
        np.sqrt(np.square(stored[labels == k][:50, None] - stored[labels == k][None, :50]).mean())
        for k in np.unique(labels)
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    first = [int(np.flatnonzero(labels == k)[0]) for k in np.unique(labels)]
    cells = np.stack([
        np.concatenate([stored[i][None], shown_rows[0].decoded[i][:10]]) for i in first
    ])  # fmt: skip
    columns = ["held out", *[""] * (cells.shape[1] - 1)]
    figure = plots.cells(cells, "Held-out digits and draws of their posteriors", columns=columns)
    plots.save(figure, given.out / "vary_digits.png")
    header = ["spread", "label kept, %", "of digits it knows, %", "differ"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"{len(labels):,} held-out digits, {given.n} variations each; the classifier is right of "
        f"{100 * accuracy:.1f} % of held-out digits, and of {of_means:.1f} % of reconstructions; "
        f"two images of one class differ by {float(np.mean(pairs)):.3g}. Spread 1 draws from the "
        f"posterior. {run.info['status']['step']:,} steps; "
        f"{(time.monotonic() - began) / 60:.0f} minutes in all.",
        "![variations](vary_digits.png)",
    ]
    write(
        "vary_digits",
        "Variations of MNIST digits keep their label",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("vary_digits", argv),
        folder=given.out,
    )
    return 0


def _classifier(run: Any) -> tuple[Any, float]:
    """A network of one hidden layer on training pixels, and its accuracy on held-out ones."""
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    data = run.data()
    x, test = (s.all().numpy().reshape(len(s), -1) / 255.0 for s in (data.train, data.test))
    found = MLPClassifier((256,), batch_size=200, max_iter=12, random_state=0, tol=0.0,
                          early_stopping=True)  # fmt: skip
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it stops where it is told to
        found.fit(x.astype(np.float32), np.asarray(data.train.labels))
    return found, float(found.score(test.astype(np.float32), np.asarray(data.test.labels)))
