"""MNIST as in Burda et al. 2016, one stochastic layer, k = 1: train, then measure with k = 5000.

784-200-200-50, tanh, Bernoulli on pixels that are binarized anew in every epoch; the test images
are binarized once, from a fixed seed. Further flags of `lowerbound train` follow after ``--``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import options
from .commands import description, evaluation, lowerbound, shown
from .machine import describe
from .tables import ROOT, command_line, table, write

_PUBLISHED = (
    ("Burda et al. 2016, VAE k = 1 (nbip/IWAE's README)", "86.76"),
    ("a reproduction, VAE k = 1 (xqding's README)", "87.78"),
)


def main(argv: Sequence[str]) -> int:
    """Train, evaluate and write docs/results/mnist.md."""
    found = options.parser(__doc__, "mnist_iwae")
    options.add_data(found)
    found.add_argument("--epochs", type=float, default=500)
    found.add_argument("--batch-size", type=int, default=100)
    found.add_argument("--schedule", default="staircase")
    found.add_argument("--samples", type=int, default=5000, help="k at evaluation")
    found.add_argument("--limit", type=int, help="measure so many test images only (to try it out)")
    found.add_argument("--runs", type=Path, default=ROOT / "runs", help="folder of the run")
    found.add_argument("--name", default="mnist-iwae", help="of the run; trained if not there yet")
    cut = list(argv).index("--") if "--" in argv else len(argv)
    given = found.parse_args(list(argv[:cut]))
    data = options.check_data(given.data)
    run = given.runs / given.name
    train: list[object] = [
        "train",
        data,
        "--recipe",
        "vae",
        "--hidden",
        "200,200",
        "--activation",
        "tanh",
    ]
    train += ["--latent-dim", 50, "--epochs", f"{given.epochs:g}"]
    train += ["--batch-size", given.batch_size, "--schedule", given.schedule]
    train += [*argv[cut + 1 :], "--no-evaluate", "--out", run]
    measure: list[object] = ["evaluate", run, "--samples", given.samples]
    measure += ["--limit", given.limit] if given.limit else []
    if run.exists():
        train = trained_by(run)
    else:
        lowerbound(*train)
    lowerbound(*measure)
    write(
        "mnist",
        "MNIST, one stochastic layer",
        _report(run, [shown(train), shown(measure)]),
        machine=describe(**description(run)["versions"]),
        command=command_line("mnist_iwae", argv),
        folder=given.out,
    )
    return 0


def trained_by(run: Path) -> list[object]:
    """The command that made a run, from what its ``run.json`` keeps."""
    known = description(run)
    words: list[object] = ["train", Path(known["data"]["source"]), "--recipe", known["recipe"]]
    for name, value in known["given"].items():
        text = ",".join(map(str, value)) if isinstance(value, list) else value
        words += [f"--{name.replace('_', '-')}", text]
    return [*words, "--out", run]


def _report(run: Path, commands: Sequence[str]) -> str:
    known, result = description(run), evaluation(run)
    likelihood, status, resolved = result["log_likelihood"], known["status"], known["resolved"]
    error = likelihood["standard_error"]
    how = f"{result['data']['examples']:,} test images, k = {likelihood['samples']:,}"
    rows = [
        [f"**this run: {how}**", f"**{-likelihood['value']:.2f} ± {error:.2f}**"],
        *([name, value] for name, value in _PUBLISHED),
    ]
    beside = [
        ["−bound (ELBO), nats", f"{-result['bound']['value']:.2f}"],
        ["distortion, nats", f"{result['distortion']:.2f}"],
        ["rate, nats", f"{result['rate']:.2f}"],
        ["active units", f"{result['active_units']} of {result['latent_dim']}"],
        ["effective sample size", f"{likelihood['ess']:.0f} of {likelihood['samples']:,}"],
        ["bits/dim", f"{likelihood['bits_per_dim']:.4f}"],
        ["training, min", f"{status['seconds'] / 60:.1f}"],
        ["evaluation, min", f"{result['settings']['seconds'] / 60:.1f}"],
        ["steps", f"{status['step']:,}"],
        ["precision in training", resolved["precision"]],
        ["compiled", "yes" if resolved["compile"] else "no"],
        ["precision of evaluation", result["settings"]["precision"]],
    ]
    return "\n\n".join(
        [
            __doc__.partition("\n\n")[2].partition(" Further")[0].strip(),
            "```sh\n" + "\n".join(commands) + "\n```",
            table(["−log p(x), nats", "held-out"], rows),
            f"Kind: {likelihood['kind']} ({likelihood['note']}). The word for it is **consistent "
            "with**, not reproduces: fewer epochs and another batch size than the paper's 3,280 "
            "and 20, and another draw of the test images' pixels.",
            table(["", ""], beside),
        ]
    )
