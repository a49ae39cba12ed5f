"""Milliseconds for one estimate of log p(x) with 1,000 importance samples, and whether it is right.

The same weights for all (MLP VAE 784-512-20 of `train_speed`, trained by ours, copied over), the
same test images, binarized once. A round is the same few images for each in turn, new ones in every
round. Values are compared image by image. Noise that is their own is the greater part of such a
difference's spread; ours draws in another order than the others, from any seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from . import model, options
from .contest import Contestant, Turn, contest, quiet
from .machine import describe
from .peaks import measured
from .tables import command_line, median, ratio, spread, table, write

#: Name: module of `benchmarks.contestants`, variant, whether it lives in the peers' environment.
CONTESTANTS = {
    "pythae": ("pythae_likelihood", "default", True),
    "pythae, at its fastest": ("pythae_likelihood", "fast", True),
    "simple float32": ("simple_likelihood", "", False),
    "ours float32": ("ours_likelihood", "float32-eager", False),
    "ours float32, compiled": ("ours_likelihood", "float32-compiled", False),
    "ours bfloat16 products": ("ours_likelihood", "bfloat16-eager", False),
    "ours bfloat16 products, compiled": ("ours_likelihood", "bfloat16-compiled", False),
}
#: Whose values are compared with whose.
_PAIRS = (
    ("ours bfloat16 products, compiled", "ours float32, compiled"),
    ("ours bfloat16 products", "ours float32"),
    ("ours float32, compiled", "ours float32"),
    ("ours float32", "pythae"),
    ("simple float32", "pythae"),
)


def main(argv: Sequence[str]) -> int:
    """Measure and write docs/results/likelihood_speed.md."""
    found = options.parser(__doc__, "likelihood_speed")
    options.add_data(found)
    options.add_peers(found)
    found.add_argument("--rounds", type=int, default=12)
    found.add_argument("--count", type=int, default=96, help="images in a turn")
    found.add_argument("--samples", type=int, default=1000)
    found.add_argument("--epochs", type=float, default=10.0, help="of training before")
    found.add_argument("--limit", type=int, help="train on so many images only (to try it out)")
    given = found.parse_args(argv)
    options.check_data(given.data)
    peers = options.has_peers(given.peers)
    names = [name for name, (_, _, peer) in CONTESTANTS.items() if peers or not peer]
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.npz"
        import torch

        _train(given, weights)
        contestants = [_contestant(name, weights, given) for name in names]
        count = given.count
        turns = contest(
            contestants,
            given.rounds,
            arguments=lambda number: {"first": max(0, number) * count, "count": count},
        )
    parts = [
        __doc__.partition("\n\n")[2].strip(),
        _speed(turns, {each.name: each.about for each in contestants}),
        _limits(given.samples),
        quiet(turns),
        "## Values",
        _values(turns),
    ]
    write(
        "likelihood_speed",
        "Speed of estimating log p(x)",
        "\n\n".join(parts),
        machine=describe(torch=str(torch.__version__)),
        command=command_line("likelihood_speed", argv),
        folder=given.out,
    )
    return 0


def _train(given: argparse.Namespace, weights: Path) -> None:
    import lowerbound

    from .contestants import ours_train

    print("training …", flush=True)
    loaded = ours_train.data(str(given.data), binary=False, limit=given.limit)
    run = lowerbound.train(
        loaded,
        ours_train.build(loaded.spec),
        out=weights.parent / "run",
        progress=False,
        epochs=given.epochs,
        precision="float32",
    )
    ours_train.save(run.model, weights)


def _contestant(name: str, weights: Path, given: argparse.Namespace) -> Contestant:
    module, variant, peer = CONTESTANTS[name]
    command = [given.peers if peer else sys.executable, "-m", f"benchmarks.contestants.{module}"]
    command += ["--data", str(given.data), "--weights", str(weights)]
    command += ["--samples", str(given.samples)]
    return Contestant(name, command + (["--variant", variant] if variant else []))


def _speed(turns: Mapping[str, Sequence[Turn]], about: Mapping[str, dict]) -> str:
    times = {name: [1000 / turn.rate for turn in each] for name, each in turns.items()}
    bases = [
        name for name in ("pythae", "pythae, at its fastest", "simple float32") if name in turns
    ]
    rows = []
    for name, each in times.items():
        ratios = [f"{ratio(times[base], each):.2f}" for base in bases]
        middle, between = f"{median(each):.2f}", spread(each, 2)
        rows.append([name, middle, between, *ratios, about[name]["note"]])
    header = ["", "ms per example", "least–greatest", *(f"× {base}" for base in bases), "how"]
    count = len(next(iter(times.values())))
    text = (
        f"Medians over {count} rounds; ratios, how many times as fast, are medians of the ratios "
        "within each round. Compilation is before and not counted."
    )
    return "\n\n".join([table(header, rows), text])


def _limits(samples: int) -> str:
    peaks = measured()
    flops = model.DECODING_FLOPS * samples
    parts = [
        f"{1000 * flops / peaks[kind]:.2f} ms in {kind} ({peaks[kind] / 1e9:,.0f} GFLOP/s)"
        for kind in ("float32", "bfloat16")
    ]
    return (
        f"The products alone need {flops / 1e9:.2f} GFLOP per example: at the best that this "
        f"machine did in the same run, {' and '.join(parts)}."
    )


def _values(turns: Mapping[str, Sequence[Turn]]) -> str:
    values = {
        name: np.concatenate([turn.about["values"] for turn in each])
        for name, each in turns.items()
    }
    means = [[name, f"{-each.mean():.3f}", len(each)] for name, each in values.items()]
    rows = []
    for one, other in _PAIRS:
        if one in values and other in values:
            apart = values[one] - values[other]
            error = apart.std(ddof=1) / len(apart) ** 0.5
            # From the same seed, ours and the others draw in orders of their own.
            noise = "own" if one.startswith("ours") and not other.startswith("ours") else "same"
            greatest = f"{np.abs(apart).max():.4f}"
            rows.append([one, other, noise, f"{apart.mean():+.5f} ± {error:.5f}", greatest])
    header = ["log p(x) of", "less that of", "noise", "mean ± standard error, nats", "greatest"]
    return "\n\n".join([table(["", "−log p(x), nats", "images"], means), table(header, rows)])
