"""Missing quadrants of MNIST as in Sohn, Lee & Yan 2015 and Pyro's example: baseline and CVAE.

Given are one, two or three quadrants of a grey image, predicted is the rest: all but the lower left
quadrant, the right half, the lower right quadrant. The baseline is one network from what is
observed to what is missing; the CVAE has a prior network p(z|c), a recognition network q(z|x,c) and
a decoder p(x|z,c), all of two hidden layers of 500 ReLU, with 200 Gaussian codes. Adam 1e-3, at
most --epochs epochs, stopped early by a validation split of the training images (Pyro's example
stops by the test images).

Grey values under a Bernoulli are a cross entropy, no likelihood: the numbers are comparable with
the published ones, which are the same, and with nothing else. `lowerbound evaluate` reports none of
them; with ``--binarize stochastic`` they are likelihoods of binarized images.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .commands import description, lowerbound, shown
from .machine import describe
from .tables import ROOT, command_line, table, write

#: Missing quadrants: baseline, CVAE (pyro-ppl/pyro, tutorial/source/cvae.ipynb).
PUBLISHED = {3: (100.4, 71.8), 2: (61.9, 51.0), 1: (25.4, 24.2)}


def main(argv: Sequence[str]) -> int:
    """Train, measure and write docs/results/cvae_quadrants.md."""
    found = options.parser(__doc__, "cvae_quadrants")
    options.add_data(found)
    found.add_argument("--missing", type=int, nargs="+", default=[3, 2, 1])
    found.add_argument("--epochs", type=float, default=50)
    found.add_argument("--patience", type=int, default=5, help="reports without a better bound")
    found.add_argument("--schedule", default="cosine")
    found.add_argument("--binarize", default="none", choices=["none", "stochastic"])
    found.add_argument("--samples", type=int, default=100, help="codes for each test image, k")
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    found.add_argument("--runs", type=Path, default=ROOT / "runs", help="folder of the runs")
    cut = list(argv).index("--") if "--" in argv else len(argv)
    given = found.parse_args(list(argv[:cut]))
    data = options.check_data(given.data)
    rows, commands, versions = [], [], {}
    for missing in given.missing:
        measured = {}
        for latent in ("none", "gaussian"):
            words: list[object] = ["train", data, "--recipe", "completion", "--missing", missing]
            words += ["--latent", latent, *(["--latent-dim", 200] if latent != "none" else [])]
            words += ["--likelihood", "bernoulli", "--binarize", given.binarize]
            words += ["--network", "mlp", "--hidden", "500,500", "--batch-size", 128]
            words += ["--learning-rate", "1e-3", "--schedule", given.schedule]
            words += ["--epochs", f"{given.epochs:g}", "--patience", given.patience]
            words += ["--validation-fraction", "0.05", *argv[cut + 1 :]]
            words += ["--limit", given.limit] if given.limit else []
            name = f"quadrants-{missing}-{'baseline' if latent == 'none' else 'cvae'}"
            run = given.runs / (f"{name}-{given.limit}" if given.limit else name)
            if not run.exists():
                lowerbound(*words, "--no-evaluate", "--out", run)
            commands.append(shown(words))
            measured[latent] = measure(run, given.samples)
            versions = description(run)["versions"]
        rows += _rows(missing, measured["none"], measured["gaussian"])
    text = [
        __doc__.partition("\n\n")[2].strip(),
        _table(rows, given.samples),
        _about(given.samples, given.binarize == "none"),
        "```sh\n" + "\n".join(commands) + "\n```",
    ]
    write(
        "cvae_quadrants",
        "Missing quadrants of MNIST",
        "\n\n".join(text),
        machine=describe(**versions),
        command=command_line("cvae_quadrants", argv),
        folder=given.out,
    )
    return 0


def measure(run: Path, samples: int) -> dict[str, Any]:
    """What a run gives the missing pixels of all test images, nats per image, with its error.

    Args:
        run: of the recipe completion.
        samples: codes for each image; 10 times fewer than all take a minute or two.

    Returns:
        ``direct`` of the baseline; ``bound``, ``prior`` and ``importance`` of a CVAE, and the
        effective sample sizes ``prior_ess`` and ``importance_ess``; ``minutes`` of training,
        ``epochs``, ``seconds`` of measuring.
    """
    import torch

    from lowerbound import Run
    from lowerbound.api import HELD_OUT_SEED
    from lowerbound.data import held_out
    from lowerbound.evaluation import (
        estimate_log_likelihood,
        held_out_contexts,
        mean_and_error,
        prior_monte_carlo,
    )

    opened = Run.open(run)
    test, model, began = opened.data().test, opened.model, time.monotonic()
    x = held_out(test, opened.spec, HELD_OUT_SEED)
    context = held_out_contexts(model, x, test, seed=HELD_OUT_SEED)
    status, known = opened.info["status"], opened.info
    steps = known["data"]["spec"]["train"] / known["training"]["batch_size"]
    result: dict[str, Any] = {
        "minutes": status["seconds"] / 60,
        "epochs": status["step"] / steps,
        "images": len(x),
    }
    if hasattr(model, "log_prob"):
        with torch.no_grad():
            parts = zip(x.split(1000), *(c.split(1000) for c in context), strict=True)
            values = torch.cat([model.log_prob(*part) for part in parts])  # ty: ignore[not-callable]
        result["direct"] = mean_and_error(-values)
    else:
        by_posterior = estimate_log_likelihood(model, x, *context, samples=samples)
        by_prior = prior_monte_carlo(model, x, *context, samples=samples)
        result["bound"] = mean_and_error(by_posterior.distortion + by_posterior.rate)
        result["importance"] = mean_and_error(-by_posterior.values)
        result["prior"] = mean_and_error(-by_prior.values)
        result["importance_ess"] = float(by_posterior.ess.mean())
        result["prior_ess"] = float(by_prior.ess.mean())
    result["seconds"] = time.monotonic() - began
    return result


def _rows(missing: int, baseline: dict[str, Any], cvae: dict[str, Any]) -> list[list[Any]]:
    published, shown_bound = PUBLISHED[missing], _value(cvae["bound"])
    return [
        [missing, "baseline, ours", None, _value(baseline["direct"]), None, *_cost(baseline)],
        [missing, "baseline, Pyro", None, f"{published[0]}", None, None, None],
        [
            missing,
            "CVAE, ours",
            shown_bound,
            f"{_value(cvae['importance'])} ({cvae['importance_ess']:.1f})",
            f"{_value(cvae['prior'])} ({cvae['prior_ess']:.1f})",
            *_cost(cvae),
        ],
        [missing, "CVAE, Pyro", f"{published[1]}", None, None, None, None],
    ]


def _value(found: tuple[float, float | None]) -> str:
    value, error = found
    return f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f}"


def _cost(measured: dict[str, Any]) -> list[str]:
    return [f"{measured['epochs']:.0f}", f"{measured['minutes']:.1f}"]


def _table(rows: Sequence[Sequence[Any]], samples: int) -> str:
    header = ["missing", "model", f"−ELBO, k = {samples}", f"importance sampling, k = {samples}"]
    header += [f"prior Monte Carlo, k = {samples}", "epochs", "minutes"]
    return table(header, rows)


def _about(samples: int, grey: bool) -> str:
    what = "Cross entropies" if grey else "Negative log-likelihoods"
    return (
        f"{what} of the missing pixels, nats per test image, mean ± standard error; of the "
        f"baseline, which has no codes, exact. −ELBO: codes from the recognition network, mean of "
        f"{samples} log weights. Importance sampling: log of the mean of the same {samples} "
        f"weights. Prior Monte Carlo: log of the mean of {samples} p(x|z,c), codes from p(z|c), "
        "which is what a prediction has. In brackets the effective sample size. What Pyro's table "
        'calls "CVAE (Monte Carlo)" is −ELBO with codes from the recognition network, 10 of them '
        "(examples/cvae/util.py: `Trace_ELBO(num_particles=10)` with the guide given the truth)."
    )
