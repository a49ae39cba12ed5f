"""MNIST: log p(x) of several models, each trained for the same time on the same hardware.

Every model is trained by `lowerbound train` for the same minutes of processor time
(`benchmarks.cpu_clock`) on one thread of its own, two at a time, on pixels binarized anew in every
epoch, and measured by one evaluator on test images binarized once from a fixed seed. No setting was
chosen on the test images: learning rates and the like are the recipes' defaults, or the papers'. A
model that is not at its published number yet is short of steps: the column "epochs" says of how
many.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import options
from .commands import description, evaluation, shown
from .machine import describe
from .tables import ROOT, command_line, table, write

_PAPER = ["--hidden", "200,200", "--activation", "tanh", "--network", "mlp"]
#: Name: flags, what is published (TARGETS: by whom, with how much training).
MODELS: dict[str, tuple[list[str], str]] = {
    "VAE": (["--recipe", "vae", "--latent-dim", "50", *_PAPER], "86.76 (3,280 epochs)"),
    "IWAE-50": (
        ["--recipe", "iwae", "--samples", "50", "--latent-dim", "50", *_PAPER],
        "84.78 (3,280 epochs)",
    ),
    "VAE, flow posterior": (
        ["--recipe", "vae", "--posterior", "iaf", "--latent-dim", "50", *_PAPER],
        "79.95 (conv ResNets, IAF/MAF)",
    ),
    "VampPrior": (
        ["--recipe", "vae", "--prior", "vamp", "--latent-dim", "50", *_PAPER],
        "–",
    ),
    "two-layer ladder": (
        ["--recipe", "hierarchical-vae", "--layers", "100,50"],
        "85.33 (2 layers)",
    ),
    "conv VAE": (
        ["--recipe", "vae", "--latent-dim", "32", "--network", "conv"],
        "81.31 (conv ResNets)",
    ),
}
#: Test images of models whose decoders are slow: all of them would take hours at k = 1,000.
FEW = {"conv VAE": 200}


def main(argv: Sequence[str]) -> int:
    """Train all, measure all, and write docs/results/mnist_models.md."""
    found = options.parser(__doc__, "mnist_models")
    options.add_data(found)
    found.add_argument("--minutes", type=float, default=20.0, help="of training, for each")
    found.add_argument("--samples", type=int, default=1000, help="k at evaluation")
    found.add_argument("--limit", type=int, help="measure so many test images only")
    found.add_argument("--only", nargs="+", choices=list(MODELS))
    found.add_argument("--runs", type=Path, default=ROOT / "runs" / "mnist-models")
    given = found.parse_args(argv)
    data = options.check_data(given.data)
    names = given.only or list(MODELS)
    runs = {name: given.runs / name.lower().replace(" ", "-").replace(",", "") for name in names}
    commands = {}
    for name in names:
        words: list[object] = ["train", data, *MODELS[name][0], "--likelihood", "bernoulli"]
        words += ["--batch-size", 100, "--warmup", 1000, "--minutes", f"{given.minutes:g}"]
        commands[name] = [*words, "--threads", 1, "--held-out-every", 10]
    with ThreadPoolExecutor(2) as two:
        list(two.map(lambda n: _train(commands[n], runs[n]), names))
    for name in names:
        measure = ["--samples", given.samples, "--precision", "bfloat16"]
        limit = min(filter(None, (given.limit, FEW.get(name))), default=None)
        _run(["evaluate", runs[name], *measure, *(["--limit", limit] if limit else [])])
    rows = [_row(name, runs[name]) for name in names]
    header = ["", "−log p(x), nats", "images", "−ELBO", "rate", "ESS", "active units"]
    header += ["epochs", "parameters", "published"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"Mean over the test images, k = {given.samples:,} importance samples, ± standard error "
        "over the images; in expectation a lower bound on log p(x). **Consistent with** the "
        "published rows, not reproducing them.",
        "```sh\n" + "\n".join(shown(commands[name]) for name in names) + "\n```",
    ]
    write(
        "mnist_models",
        f"MNIST, {given.minutes:g} minutes for each model",
        "\n\n".join(text),
        machine=describe(**description(runs[names[0]])["versions"]),
        command=command_line("mnist_models", argv),
        folder=given.out,
    )
    return 0


def _train(words: Sequence[object], run: Path) -> None:
    if not run.exists():
        _run([*words, "--no-evaluate", "--out", run], "benchmarks.cpu_clock")


def _run(words: Sequence[object], module: str = "lowerbound") -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, words)], check=True, cwd=ROOT)


def _row(name: str, run: Path) -> list[object]:
    from safetensors import safe_open

    result, known = evaluation(run), description(run)
    likelihood, rows = result["log_likelihood"], known["data"]["spec"]["train"]
    with safe_open(run / "weights.safetensors", "pt") as weights:
        names = weights.keys()
        count = sum(weights.get_tensor(key).numel() for key in names)
    return [
        name,
        f"{-likelihood['value']:.2f} ± {likelihood['standard_error']:.2f}",
        f"{result['data']['examples']:,}",
        f"{-result['bound']['value']:.2f}",
        f"{result['rate']:.2f}",
        f"{likelihood['ess']:.0f}",
        f"{result['active_units']} of {result['latent_dim']}",
        f"{known['status']['step'] * 100 / rows:.0f}",
        f"{count:,}",
        MODELS[name][1],
    ]
