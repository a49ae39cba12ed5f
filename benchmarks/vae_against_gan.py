"""VAE against GAN on MNIST and avatars: how stable, how sharp, how much of the data, how likely.

The VAE has residual convolutions of 16 channels, the GAN its recipe's strided ones of 32: of what
was tried on avatars each does better with its own. Both are trained for the same time on one
thread. The VAE has a Gaussian likelihood with the declared noise and is shown by its decoder's
means; the GAN is non-saturating with R1. Samples are held against test images by features that are
named below the table; *real* are as many training images in the samples' place. *Artifacts* are
samples whose realism score (Kynkäänniemi et al. 2019) is below that of 99 % of training images.
*Copies* are samples nearer to a training image than 99 % of test images are.
log p(x) is by annealed importance sampling of some test images under the same declared noise around
the decoder's mean for both, since a generator by itself has no density: it is a number about that
model with that noise. Stability is the spread over seeds, and how many runs came to their end.

What each run measured is kept beside the table: begun again, the benchmark goes on with the others.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import options
from .kept import kept
from .machine import describe
from .rows import image_rows
from .tables import command_line, table, write

#: Recipes and their options by the names of the table.
MODELS: dict[str, dict[str, Any]] = {
    "VAE": {"recipe": "vae", "network": {"name": "conv", "channels": 16}},
    "GAN": {"recipe": "gan", "network": {"name": "dcgan", "channels": 32}},
}
DATA = ("mnist", "avatars")
#: What is measured: key, text, factor, digits.
ROWS = (
    ("sharpness", "sharpness", 1, 4),
    ("fid", "FID", 1, 2),
    ("kid", "KID", 1, 3),
    ("precision", "precision, %", 100, 1),
    ("recall", "recall, %", 100, 1),
    ("density", "density", 1, 2),
    ("coverage", "coverage, %", 100, 1),
    ("classes", "KL of the classes, nats", 1, 3),
    ("artifacts", "artifacts, %", 100, 1),
    ("copies", "copies, %", 100, 1),
    ("log_p", "log p(x) with declared noise, nats", 1, 0),
    ("steps", "steps", 1, 0),
)
_SHOWN = 10


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/vae_against_gan.md and its figure."""
    found = options.parser(__doc__, "vae_against_gan")
    options.add_data(found)
    found.add_argument("--minutes", type=float, default=20, help="of training for each run")
    found.add_argument("--seeds", type=int, default=5)
    found.add_argument("--sets", nargs="+", default=list(DATA), choices=DATA)
    found.add_argument("--size", type=int, default=32, help="pixels of an avatar's side")
    found.add_argument("--count", type=int, default=10_000, help="samples that are measured")
    found.add_argument("--ais", type=int, default=16, help="test images annealed; 0: none")
    found.add_argument("--ais-steps", type=int, default=1000, help="temperatures")
    found.add_argument("--noise-std", type=float, default=0.1, help="declared, of pixels in [0, 1]")
    found.add_argument("--limit", type=int, default=20_000, help="images of each set")
    found.add_argument("--kept", type=Path, help="folder of what runs measured (default: in --out)")
    options.add_runs(found)
    given = found.parse_args(argv)
    given.kept = given.kept or given.out / "vae_against_gan"
    with options.runs_of(given) as folder:
        return _all(given, folder, argv)


def _all(given: Any, folder: Path, argv: Sequence[str]) -> int:
    from lowerbound.training.engine import versions

    text = [__doc__.partition("\n\n")[2].strip()]
    shown: dict[str, np.ndarray] = {}
    for which in given.sets:
        measured: dict[str, list[dict[str, float]]] = {}
        about: dict[str, Any] = {}
        for name in MODELS:
            tasks = [(f"{which}-{name}-{seed}", seed) for seed in range(given.seeds)]
            for stem, seed in tasks:
                path = given.kept / f"{stem}.json"
                told = kept(
                    path,
                    _settings(given, name),
                    partial(_one, folder / stem, path, which, name, seed, given),
                )
                if told["values"] is None:
                    print(f"  {stem}: came to no end", flush=True)
                    continue
                measured.setdefault(name, []).append(told["values"])
                about = told["about"]
                strip = np.asarray(Image.open(path.with_suffix(".png")).convert("RGB"))
                images = strip.reshape(strip.shape[0], _SHOWN, -1, 3).transpose(1, 3, 0, 2) / 255.0
                shown.setdefault(f"{which}, {name}", images)
                print(f"  {stem}: FID {told['values']['fid']:.2f}", flush=True)
        text += [f"## {which}", _table(measured, about.get("real", {}), given.seeds)]
        text += [f"Features: {about.get('features', '–')}."]
    given.out.mkdir(parents=True, exist_ok=True)
    image_rows(shown, given.out / "vae_against_gan.png")
    text += [
        "![samples](vae_against_gan.png)\n\nThe first samples of the first seed.",
        f"{given.minutes:g} minutes for each run; {given.seeds} seeds; log p(x) of {given.ais} "
        f"test images, noise of standard deviation {given.noise_std:g}, {given.ais_steps:,} "
        "temperatures.",
    ]
    write(
        "vae_against_gan",
        "VAE against GAN",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("vae_against_gan", argv),
        folder=given.out,
    )
    return 0


def _settings(given: Any, model: str) -> dict[str, Any]:
    """What the numbers depend on."""
    names = "minutes size count ais ais_steps noise_std limit"
    return {"model": MODELS[model], **{name: getattr(given, name) for name in names.split()}}


def _one(folder: Path, path: Path, which: str, name: str, seed: int, given: Any) -> dict[str, Any]:
    """What a run measures, for its file, with its first samples beside that."""
    run = _trained(folder, which, name, seed, given)
    if run is None:
        return {"values": None}
    values, about, images = _measured(run, given)
    strip = np.concatenate(list(np.rint(255.0 * images).astype(np.uint8)), 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.squeeze(strip.transpose(1, 2, 0))).save(path.with_suffix(".png"))
    return {"values": values, "about": about}


def _table(measured: dict[str, list[dict[str, float]]], real: dict[str, float], seeds: int) -> str:
    rows: list[list[Any]] = []
    for key, text, times, digits in ROWS:
        cells = []
        for runs in (measured.get(name, []) for name in MODELS):
            values = [times * run[key] for run in runs if math.isfinite(run.get(key, math.nan))]
            cells.append(_shown(values, digits))
        if any(cell != "–" for cell in cells):
            of_real = real.get(key)
            rows.append(
                [text, *cells, None if of_real is None else f"{times * of_real:.{digits}f}"]
            )
    ended = [f"{len(measured.get(name, []))}/{seeds}" for name in MODELS]
    rows.append(["runs that came to their end", *ended, None])
    return table(["", *MODELS, "real"], rows)


def _trained(path: Path, which: str, name: str, seed: int, given: Any) -> Any:
    """The run; None of one that diverged."""
    import lowerbound as lb
    from lowerbound.errors import LowerboundError

    if (path / "weights.safetensors").exists():
        return lb.open_run(path)
    source = str(options.check_data(given.data)) if which == "mnist" else which
    more: dict[str, Any] = {"size": given.size} if which == "avatars" else {}
    if name == "VAE":
        more["likelihood"] = {"name": "gaussian", "sigma": "fixed", "value": given.noise_std}
    with contextlib.suppress(LowerboundError):
        return lb.train(
            source,
            **MODELS[name],
            out=path,
            progress=False,
            limit=given.limit,
            latent_dim=32,
            minutes=given.minutes,
            batch_size=64,
            seed=seed,
            threads=1,
            held_out_every=20,
            tensorboard="no",
            **more,
        )
    return None


def _measured(run: Any, given: Any) -> tuple[dict[str, float], dict[str, Any], np.ndarray]:
    """Values of a run, what they are of, and some of its samples in [0, 1]."""
    import lowerbound as lb
    from lowerbound.evaluation.samples import View, artifacts, network
    from lowerbound.evaluation.samples.view import spread
    from lowerbound.sample_quality import measure

    quality = measure(run, count=given.count, pictures=False)
    data = run.data()
    view = View(data)
    judge = network("auto", data, view)
    places, floor = spread(len(data.test), given.count), spread(len(data.train), given.count)
    real = judge.of_split(view, data.test, places, "test examples")
    others = judge.of_split(view, data.train, floor, "training examples")
    drawn = view(lb.sample(run, min(2000, given.count), seed=1))
    values = {
        "artifacts": artifacts(real, judge.of(drawn, "samples"), others).value,
        "steps": float(run.info["status"]["step"]),
        "copies": math.nan if quality.copies is None else quality.copies.close,
        "classes": math.nan if quality.classes is None else quality.classes.kl,
    }
    of_real: dict[str, float] = {"artifacts": 0.01, "copies": 0.01}
    for key in ("sharpness", "fid", "kid", "precision", "recall", "density", "coverage"):
        number: Any = getattr(quality, key)
        values[key] = number.value
        of_real[key] = number.real
    if given.ais:
        found = lb.evaluate(
            run,
            samples=10,
            limit=given.ais,
            ais=True,
            ais_steps=given.ais_steps,
            chains=8,
            noise_std=given.noise_std,
            report=False,
        )
        assert found.annealing is not None
        values["log_p"] = found.annealing.log_likelihood.value
    about = {"real": of_real, "features": f"{quality.features}, {quality.features_text}"}
    return values, about, drawn[:_SHOWN].numpy()


def _shown(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    more = f" ± {statistics.stdev(values):,.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):,.{digits}f}{more}"
