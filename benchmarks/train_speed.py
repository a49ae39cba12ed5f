"""Examples per second in training, ours beside pythae, a plain PyTorch loop and JAX.

The same model for all (MLP VAE 784-512-20, ReLU, Bernoulli, analytic KL, one code per example), the
same optimizer (Adam 1e-3), the same images (MNIST), full passes in a new random order. A round is
one epoch of each in turn. The bound at the end is measured by the same code for all, on all test
images, binarized once, with the same noise.

Inputs: dynamic, grey pixels binarized anew in every epoch, each in the way of its library (ours and
JAX in the step, the plain loop in the batch, pythae all at once as an epoch begins); fixed, pixels
binarized once for all beforehand.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import model, options
from .contest import Contestant, Turn, contest, quiet
from .machine import describe
from .peaks import measured
from .tables import command_line, median, ratio, spread, table, write

#: Name: module of `benchmarks.contestants`, variant, whether it lives in the peers' environment.
CONTESTANTS = {
    "ours": ("ours_train", "auto", False),
    "ours float32": ("ours_train", "float32", False),
    "ours eager float32": ("ours_train", "eager", False),
    "pythae": ("pythae_train", "", True),
    "plain PyTorch": ("torch_loop", "", False),
    "JAX scan": ("jax_scan", "threefry2x32", True),
    "JAX scan, rbg": ("jax_scan", "rbg", True),
}
_JAX = ("JAX scan", "JAX scan, rbg")


def main(argv: Sequence[str]) -> int:
    """Measure and write docs/results/train_speed.md."""
    given = _parser().parse_args(argv)
    options.check_data(given.data)
    names = [n for n in CONTESTANTS if not given.only or _slug(n) in given.only]
    if any(CONTESTANTS[n][2] for n in names) and not options.has_peers(given.peers):
        names = [n for n in names if not CONTESTANTS[n][2]]
    peaks = measured()
    parts = [__doc__.partition("\n\n")[2].strip()]
    for kind in given.input:
        for batch in given.batch:
            parts.append(_measured(names, kind, batch, given, peaks))
    parts.append(_limits(peaks))
    write(
        "train_speed",
        "Speed of training",
        "\n\n".join(parts),
        machine=describe(**_versions()),
        command=command_line("train_speed", argv),
        folder=given.out,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    found = options.parser(__doc__, "train_speed")
    options.add_data(found)
    options.add_peers(found)
    found.add_argument("--rounds", type=int, default=9, help="epochs of each that count")
    found.add_argument("--batch", type=int, nargs="+", default=[128, 512])
    found.add_argument(
        "--input", nargs="+", choices=("dynamic", "fixed"), default=["dynamic", "fixed"]
    )
    found.add_argument("--only", nargs="+", choices=[_slug(n) for n in CONTESTANTS])
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    return found


def _measured(
    names: list[str], kind: str, batch: int, given: argparse.Namespace, peaks: dict[str, float]
) -> str:
    """The section of one batch size and one kind of input."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{number}.npz" for number, name in enumerate(names)}
        contestants = [_contestant(name, kind, batch, given) for name in names]

        def finish(each: Contestant) -> None:
            each.ask("weights", path=str(files[each.name]))
            if each.name in _JAX:  # whose products may be faster than PyTorch's
                peaks["float32"] = max(peaks["float32"], each.ask("peak"))

        turns = contest(contestants, given.rounds, finish=finish)
        _, test = model.images(given.data, binary=True, limit=given.limit)
        bounds = {name: model.bound(file, test) for name, file in files.items()}
    about = {each.name: each.about for each in contestants}
    text = [
        f"## Batch {batch}, {kind} input",
        _table(names, turns, bounds, about, given.rounds + 1),
        _verdict(turns, given.rounds),
        _shares(turns, batch, peaks),
        quiet(turns),
    ]
    return "\n\n".join(part for part in text if part)


def _contestant(name: str, kind: str, batch: int, given: argparse.Namespace) -> Contestant:
    module, variant, peer = CONTESTANTS[name]
    command = [given.peers if peer else sys.executable, "-m", f"benchmarks.contestants.{module}"]
    command += ["--data", str(given.data), "--batch", str(batch), "--input", kind]
    command += ["--variant", variant] if variant else []
    command += ["--limit", str(given.limit)] if given.limit else []
    return Contestant(name, command)


def _table(
    names: Sequence[str],
    turns: Mapping[str, Sequence[Turn]],
    bounds: Mapping[str, Any],
    about: Mapping[str, dict[str, Any]],
    epochs: int,
) -> str:
    fastest = _fastest_jax(turns)
    rates = {name: [turn.rate for turn in turns[name]] for name in names}
    header = ["", "examples/s", "least–greatest"]
    header += ["× pythae"] * ("pythae" in rates) + ["× JAX"] * (fastest is not None)
    header += [f"−bound after {epochs} epochs, nats", "parameters", "set-up, s", "how"]
    rows = []
    for name in names:
        told = about[name]
        if told["parameters"] != model.PARAMETERS:
            raise RuntimeError(f"{name} trains {told['parameters']} parameters, another model")
        row: list[Any] = [name, median(rates[name]), spread(rates[name])]
        row += [f"{ratio(rates[name], rates[n]):.2f}" for n in ("pythae", fastest) if n in rates]
        row += [f"{-bounds[name].mean():.2f}", told["parameters"], f"{told['setup']:.1f}"]
        rows.append([*row, told["note"]])
    return table(header, rows)


def _verdict(turns: Mapping[str, Sequence[Turn]], rounds: int) -> str:
    lines = [
        f"Medians over {rounds} rounds, after one epoch to warm up; ratios are medians of the "
        "ratios within each round, to the faster of JAX's two. Set-up is from the start of the "
        "process (imports, data, compilation) and counts in no rate."
    ]
    for name, each in turns.items():
        if "glance" in each[0].about:
            glances = [100 * turn.about["glance"] / turn.seconds for turn in each]
            apart = [t.examples / (t.seconds - t.about["glance"]) for t in each]
            text = (
                f"{name}: the turn includes a glance at held-out data, {median(glances):.1f} % of "
                f"its time; without it {median(apart):,.0f} examples/s"
            )
            others = (("pythae", "pythae"), ("JAX", _fastest_jax(turns)))
            ratios = [
                f"{ratio(apart, [turn.rate for turn in turns[other]]):.2f} × {short}"
                for short, other in others
                if other is not None and other in turns
            ]
            lines.append(", ".join([text, *ratios]) + ".")
    return "\n".join(lines)


def _shares(turns: Mapping[str, Sequence[Turn]], batch: int, peaks: dict[str, float]) -> str:
    """A step of ours and JAX's, and what of it the hardware's limits explain."""
    flops = model.TRAINING_FLOPS * batch
    adam = 1000 * model.ADAM_BYTES / peaks["adam_bytes"]
    rows = []
    for name, kind in (("ours", "bfloat16"), ("ours float32", "float32"), *_float32(_JAX)):
        if name in turns:
            step = 1000 * batch / median([turn.rate for turn in turns[name]])
            products = 1000 * flops / peaks[kind]
            rest = f"{100 * (1 - (products + adam) / step):.0f} %"
            rows.append([name, f"{step:.2f}", kind, f"{products:.2f}", f"{adam:.2f}", rest])
    header = ["", "step, ms", "peak of", "products at it, ms", "Adam's traffic, ms", "the rest"]
    return table(header, rows) if rows else ""


def _float32(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, "float32") for name in names]


def _limits(peaks: dict[str, float]) -> str:
    rows = [
        ["float32 matrix product", f"{peaks['float32'] / 1e9:,.0f} GFLOP/s"],
        ["bfloat16 matrix product", f"{peaks['bfloat16'] / 1e9:,.0f} GFLOP/s"],
        ["copy within arrays of Adam's size", f"{peaks['adam_bytes'] / 1e9:,.1f} GB/s"],
        ["copy in memory", f"{peaks['memory_bytes'] / 1e9:,.1f} GB/s"],
    ]
    text = (
        "Best of many tries in the same run with PyTorch, float32 products also with JAX. A step "
        f"needs {model.TRAINING_FLOPS / 1e6:.2f} MFLOP per example in products and moves "
        f"{model.ADAM_BYTES / 1e6:.1f} MB for Adam (weights, gradients and moments read, all but "
        f"the gradients written), in arrays of {model.ADAM_ARRAYS / 1e6:.1f} MB."
    )
    return "\n\n".join(["## The machine's limits", table(["", "at best"], rows), text])


def _fastest_jax(turns: Mapping[str, Sequence[Turn]]) -> str | None:
    there = [name for name in _JAX if name in turns]
    return max(there, key=lambda n: median([turn.rate for turn in turns[n]]), default=None)


def _versions() -> dict[str, str]:
    import torch

    return {"torch": str(torch.__version__)}


def _slug(name: str) -> str:
    """A contestant's name on the command line: `ours-float32`."""
    return name.lower().replace(",", "").replace(" ", "-")
