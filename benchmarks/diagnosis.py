"""Runs broken on purpose, each by one cause, and healthy ones: what `diagnose` names first.

Small data (sklearn's digits, a noisy spiral, a table with ties) so that every run takes seconds. A
row is right where the cause that is named first is the one that the run was broken by, or where
nothing is found in a healthy run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write

_QUICK: dict[str, Any] = {"compile": "no", "tensorboard": "no", "progress": False}
_LAST = "vq-vae"


def main(argv: Sequence[str]) -> int:
    """Train all of them, diagnose each, and write docs/results/diagnosis.md."""
    found = options.parser(__doc__, "diagnosis")
    found.add_argument("--steps", type=int, default=1000, help="of the runs that are long enough")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--only", help="one of the runs (to try it out)")
    given = found.parse_args(argv)
    import lowerbound as lb
    from lowerbound.diagnosis import CAUSES
    from lowerbound.recipes import RECIPES
    from lowerbound.training.engine import versions

    began = time.monotonic()
    rows, right = [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, (data, recipe, how, cause) in _cases(folder, given.steps).items():
            if (given.only and label != given.only) or recipe not in RECIPES:
                continue
            path = folder / label.replace(" ", "-")
            print(f"  {label} …", flush=True)
            try:
                lb.train(data, recipe, out=path, seed=given.seed, **_QUICK, **how)
            except lb.LowerboundError as error:  # it is to diverge
                print(f"    {error}", flush=True)
            start = time.monotonic()
            said = lb.diagnose(path)
            seconds = time.monotonic() - start
            first = "healthy" if said.first is None else CAUSES[said.first]
            fits = said.first == cause
            right += fits
            others = ", ".join(CAUSES[each.cause] for each in said.findings[1:]) or "–"
            evidence = said.findings[0].evidence if said.findings else "–"
            yes = "yes" if fits else "no"
            rows.append([label, first, yes, others, evidence.replace("|", "/"), seconds])
    header = ["broken by", "named first", "right", "named after it", "evidence", "seconds"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"{right} of {len(rows)} right, seed {given.seed}; "
        f"{(time.monotonic() - began) / 60:.0f} minutes in all, with training.",
    ]
    write(
        "diagnosis",
        "Runs broken on purpose, and what is named first",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("diagnosis", argv),
        folder=given.out,
    )
    return 0 if right == len(rows) else 1


def _cases(folder: Path, steps: int) -> dict[str, tuple[str, str, dict[str, Any], str | None]]:
    """By what it is broken: data, recipe, options, and the cause to be named first."""
    spiral, ties = folder / "spiral.npy", folder / "ties.npy"
    np.save(spiral, _spiral(4000))
    np.save(ties, _ties(1000))
    free = {"name": "gaussian", "sigma": "per-datum"}
    long = {"steps": steps}
    return {
        "β = 100": ("digits", "beta-vae", {**long, "beta": 100.0}, "posterior-collapse"),
        "learning rate 1": ("digits", "vae", {**long, "learning_rate": 1.0}, "learning-rate-high"),
        "learning rate 1e18": ("digits", "vae", {**long, "learning_rate": 1e18}, "diverged"),
        "learning rate 1e-6": (
            "digits",
            "vae",
            {**long, "learning_rate": 1e-6},
            "learning-rate-low",
        ),
        "30 steps": ("digits", "vae", {"steps": 30}, "too-short"),
        "20 training examples": ("digits", "vae", {**long, "limit": 20}, "few-examples"),
        "Bernoulli on grey pixels": (
            "digits",
            "vae",
            {**long, "likelihood": "bernoulli", "binarize": "none"},
            "wrong-likelihood",
        ),
        "free σ on ties": (
            str(ties),
            "vae",
            {"steps": 4 * steps, "likelihood": free, "learning_rate": 2e-3},
            "sigma-vanishes",
        ),
        "VAE on a spiral": (str(spiral), "vae", {"steps": 2 * steps}, "posterior-collapse"),
        "β = 0.01": ("digits", "vae", {"steps": 300, "beta": 0.01}, "prior-hole"),
        "sharp density of digits": (
            "digits",
            "vae",
            {**long, "likelihood": free, "dequantize": "uniform"},
            "prior-hole",
        ),
        "VQ without restarts": (
            "digits",
            _LAST,
            {**long, "quantizer": {"name": "vq", "start": "uniform", "restart": 0.0}},
            "dead-codes",
        ),
        "GAN, discriminator 10 × stronger": (
            "digits",
            "gan",
            {**long, "discriminator_rate": 10.0, "penalty": "none"},
            "discriminator-overpowers",
        ),
        "none: VAE": ("digits", "vae", long, None),
        "none: two stages": ("digits", "two-stage", {"base": str(folder / "none:-VAE")}, None),
        "none: PCA": ("digits", "pca", {}, None),
        "none: flow": (str(spiral), "neural-spline", {"steps": 3 * steps}, None),
    }


def _spiral(n: int) -> np.ndarray:
    random = np.random.default_rng(0)
    t = 3 * np.pi * np.sqrt(random.uniform(0, 1, n))
    x = np.stack([t * np.cos(t), t * np.sin(t)], 1) * 2 / (3 * np.pi)
    return (x + 0.05 * random.normal(size=x.shape)).astype(np.float32)


def _ties(n: int) -> np.ndarray:
    """Measurements of which two columns are zero most of the time, as rain is."""
    random = np.random.default_rng(1)
    x = random.normal(size=(n, 6)) + random.normal(size=(n, 1))
    x[:, :2] = np.where(random.uniform(size=(n, 2)) < 0.7, 0.0, np.abs(x[:, :2]))
    return x.astype(np.float32)
