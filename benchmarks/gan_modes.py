"""GAN on a ring of 8 and a grid of 25 Gaussians: modes covered and share of good samples, by loss.

All defaults are those of the recipe (a multilayer perceptron of 128-128-128, Adam with momentum 0.5
and a rate that falls to zero, averaged weights; R1 with weight 0.05, or for the Wasserstein loss a
gradient penalty with weight 0.1). A sample is good within three standard deviations of a mode's
centre, where 98.9 % of the data are; a mode is covered from 20 good samples of 10,000. KL is that
of the modes of the good samples from the data's, nats.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write

LOSSES = ("non-saturating", "least-squares", "hinge", "wasserstein")
DATA = ("ring", "grid")
_EXAMPLES, _SAMPLES, _LEAST, _SHOWN = 50_000, 10_000, 20, 2_500


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/gan_modes.md and its figure."""
    found = options.parser(__doc__, "gan_modes")
    found.add_argument("--seeds", type=int, default=5)
    found.add_argument("--steps", type=int, default=8000)
    found.add_argument("--losses", nargs="+", default=list(LOSSES), choices=LOSSES)
    found.add_argument("--runs", type=Path, help="folder to keep the runs in, and to go on from")
    given = found.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        return _all(given, given.runs or Path(folder), argv)


def _all(given: Any, folder: Path, argv: Sequence[str]) -> int:
    from lowerbound.training.engine import versions

    measured: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for seed in range(given.seeds):  # the first of each first: a table can be made of any of them
        for which in DATA:
            for loss in given.losses:
                found = _measured(folder / f"{which}-{loss}-{seed}", which, loss, seed, given.steps)
                measured.setdefault((which, loss), []).append(found)
                good = 100 * found["good"]
                print(f"  {which} {loss} {seed}: {found['covered']}, {good:.1f} %", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    figure(folder, given.losses, given.out / "gan_modes.png")
    header = ["data", "loss", "modes covered", "least of any seed", "good samples, %", "KL, nats"]
    rows = [
        [
            f"{which}, {_modes(which).centres.shape[0]} modes",
            loss,
            f"{statistics.mean(r['covered'] for r in runs):g}",
            str(min(r["covered"] for r in runs)),
            _spread([100 * r["good"] for r in runs], 1),
            _spread([r["kl"] for r in runs], 3),
        ]
        for (which, loss), runs in measured.items()
    ]
    seconds = [r["seconds"] for runs in measured.values() for r in runs]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"Means ± sample standard deviation over {given.seeds} seeds; {given.steps:,} steps of 128 "
        f"examples each, {statistics.mean(seconds):.0f} seconds of processor time on one thread.",
        f"![samples](gan_modes.png)\n\n{_SHOWN:,} samples of the first seed; circles around the "
        "modes' centres.",
    ]
    write(
        "gan_modes",
        "Modes of a ring and a grid",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("gan_modes", argv),
        folder=given.out,
    )
    return 0


def _modes(which: str) -> Any:
    from lowerbound.evaluation import samples

    return samples.ring() if which == "ring" else samples.grid()


def _measured(path: Path, which: str, loss: str, seed: int, steps: int) -> dict[str, Any]:
    """What is known of a run; it is trained if it is not there."""
    import lowerbound as lb

    known = path.with_suffix(".json")
    if known.is_file():
        return json.loads(known.read_text())
    modes = _modes(which)
    x, _ = modes.sample(_EXAMPLES, seed=1)
    began = time.process_time()
    run = lb.train(
        {"train": x.astype(np.float32)},
        "gan",
        out=path,
        progress=False,
        loss=loss,
        seed=seed,
        steps=steps,
        threads=1,
        compile="no",
        held_out_every=10_000,
        checkpoint_minutes=60,
        tensorboard="no",
    )
    seconds = time.process_time() - began
    drawn = np.asarray(lb.sample(run, _SAMPLES, seed=0))
    np.save(path.with_suffix(".npy"), drawn[:_SHOWN].astype(np.float32))
    found = modes.coverage(drawn, least=_LEAST)
    told = {"covered": found.covered, "good": found.good.value, "kl": found.kl, "seconds": seconds}
    known.write_text(json.dumps(told))
    return told


def figure(folder: Path, losses: Sequence[str], path: Path) -> None:
    """The samples of the first seed, a row for each data set."""
    from lowerbound.plots.style import MODEL, MUTED, new_figure, save, style

    drawn = new_figure(2.6 * len(losses), 5.6)
    grid = drawn.subplots(2, len(losses), squeeze=False)
    for row, which in zip(grid, DATA, strict=True):
        modes = _modes(which)
        side = 1.25 * float(np.abs(modes.centres).max())
        for axes, loss in zip(row, losses, strict=True):
            x = np.load(folder / f"{which}-{loss}-0.npy")
            style(axes, title=f"{which}, {loss}")
            axes.scatter(*modes.centres.T, s=110, facecolors="none", edgecolors=MUTED, lw=0.8)
            axes.scatter(*x.T, s=2.0, color=MODEL, alpha=0.5, linewidths=0)
            axes.set(xlim=(-side, side), ylim=(-side, side), aspect="equal", xticks=[], yticks=[])
    save(drawn, path)


def _spread(values: Sequence[float], digits: int) -> str:
    mean = statistics.mean(values)
    more = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean:.{digits}f}{more}"
