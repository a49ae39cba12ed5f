"""Adversarial autoencoder on MNIST: classification from few labels, and codes in the plane.

*Classification*: the code is one of ten classes, matched to equal shares, beside a style of ten
numbers, matched to a standard normal; 100 or 1,000 labels, as many of each digit, say which class
is which. Encoder, decoder and critics have two hidden layers of 1,000 ReLUs, as in the paper. It
differs from the paper's protocol in what a short run on a small machine needs: Adam in place of
gradient descent with momentum, no batch normalisation, pixels binarized at random, and minutes in
place of some thousand passes. So it is "consistent with" at best.

*Codes*: two numbers, matched to ten long Gaussians or to a swiss roll, of which each digit has a
part of its own; the critic is told the digit, encoder and decoder are not. Shown are the codes of
test images, and how many lie in their own digit's part (the likeliest under the prior).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import options
from .machine import describe
from .tables import command_line, table, write

#: Labels, and the error in % that the paper has (Makhzani et al. 2016).
PUBLISHED = {100: "1.90", 1000: "1.60"}
PRIORS = ("petals", "swiss-roll")


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/aae_digits.md and its figure."""
    found = options.parser(__doc__, "aae_digits")
    options.add_data(found)
    found.add_argument("--minutes", type=float, default=20, help="of training for each run")
    found.add_argument("--labels", type=int, nargs="+", default=list(PUBLISHED))
    found.add_argument("--seeds", type=int, default=1, help="of the classification")
    found.add_argument("--hidden", type=int, default=1000, help="units of each hidden layer")
    found.add_argument("--limit", type=int, help="use so many images only (to try it out)")
    options.add_runs(found)
    given = found.parse_args(argv)
    with options.runs_of(given) as folder:
        return _all(given, folder, argv)


def _all(given: Any, folder: Path, argv: Sequence[str]) -> int:
    from lowerbound.training.engine import versions

    began = time.monotonic()
    rows = []
    for count in given.labels:
        errors, alone, steps = [], [], []
        for seed in range(given.seeds):
            of_classes = {"latent_dim": 10, "supervision": "classes", "labelled": count}
            of_classes |= {"labelled_seed": seed}
            run = _trained(folder / f"{count}-{seed}", given, seed, **of_classes)
            errors.append(100 * _error(run))
            alone.append(100 * _beside(run, count, seed))
            steps.append(run.info["status"]["step"])
            print(f"  {count} labels, seed {seed}: {errors[-1]:.2f} %", flush=True)
        published = PUBLISHED.get(count, "–")
        rows.append([f"{count:,}", _shown(errors), published, _shown(alone), f"{steps[0]:,}"])
    found = {}
    for prior in PRIORS:
        run = _trained(folder / prior, given, 0, prior=prior, supervision="modes")
        found[prior] = _codes(run)
        print(f"  {prior}: {100 * found[prior][2]:.1f} % in their own part", flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    figure(found, given.out / "aae_digits.png")
    own = "; ".join(f"{name} {100 * share:.1f} %" for name, (_, _, share) in found.items())
    header = ["labels", "test error, %", "paper, %", "labels alone, %", "steps"]
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        "*Labels alone* is a network of the encoder's widths that learns from the same labels and "
        "sees nothing else.",
        f"![codes](aae_digits.png)\n\nTest images in their own digit's part: {own}.",
        f"{given.minutes:g} minutes for each run, {given.seeds} seed"
        f"{'s' if given.seeds > 1 else ''}; {(time.monotonic() - began) / 60:.0f} minutes in all.",
    ]
    write(
        "aae_digits",
        "Adversarial autoencoder on MNIST",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("aae_digits", argv),
        folder=given.out,
    )
    return 0


def _trained(path: Path, given: Any, seed: int, **arguments: Any) -> Any:
    import lowerbound as lb

    if (path / "weights.safetensors").exists():
        return lb.open_run(path)
    data = lb.load(
        options.check_data(given.data), **({"limit": given.limit} if given.limit else {})
    )
    return lb.train(
        data,
        "adversarial-autoencoder",
        out=path,
        progress=False,
        hidden=(given.hidden, given.hidden),
        critic_hidden=(given.hidden, given.hidden),
        minutes=given.minutes,
        batch_size=100,
        learning_rate=3e-4,
        seed=seed,
        threads=1,
        held_out_every=5,
        tensorboard="no",
        **arguments,
    )


def _test(run: Any, split: str = "test") -> tuple[Any, np.ndarray]:
    from lowerbound.data import held_out

    chosen = getattr(run.data(), split)
    return held_out(chosen, run.spec, 0), np.asarray(chosen.labels)


def _error(run: Any) -> float:
    """Share of test images that are told wrongly."""
    import torch

    x, labels = _test(run)
    with torch.no_grad():
        told = torch.cat([run.model.classify(part).argmax(1) for part in x.split(1000)])
    return float((told.numpy() != labels).mean())


def _beside(run: Any, count: int, seed: int) -> float:
    """The error of a classifier that sees the labelled images alone."""
    import torch
    from torch.nn.functional import cross_entropy

    from lowerbound.data.few import balanced
    from lowerbound.networks import MLP

    data = run.data()
    chosen = balanced(data.train.labels, count, seed)
    x = data.train.stored(torch.from_numpy(chosen)).float() / 255.0
    labels = torch.from_numpy(np.asarray(data.train.labels)[chosen])
    torch.manual_seed(seed)
    network = MLP(x.shape[1:], (int(labels.max()) + 1,), hidden=run.info["arguments"]["hidden"])
    optimizer = torch.optim.Adam(network.parameters(), 3e-4)
    for _ in range(600):
        some = torch.randint(len(x), (min(100, len(x)),))
        optimizer.zero_grad()
        cross_entropy(network(torch.bernoulli(x[some])), labels[some]).backward()
        optimizer.step()
    test, truth = _test(run)
    with torch.no_grad():
        told = torch.cat([network(part).argmax(1) for part in test.split(1000)])
    return float((told.numpy() != truth).mean())


def _codes(run: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Codes of test images, their labels, and the share that lies in its own digit's part."""
    import torch

    x, labels = _test(run)
    prior = run.model.prior
    with torch.no_grad():
        z = torch.cat([run.model.encode(part).mean for part in x.split(1000)])
        each = [
            prior(torch.full((len(z),), c)).log_prob(z) for c in range(len(run.spec.classes or ()))
        ]
    own = torch.stack(each).argmax(0).numpy() == labels
    return z.numpy(), labels, float(own.mean())


def figure(found: dict[str, tuple[np.ndarray, np.ndarray, float]], path: Path) -> None:
    """Codes of test images, a map for each prior."""
    from matplotlib import colormaps

    from lowerbound.plots.style import new_figure, save, style

    drawn = new_figure(5.2 * len(found), 5.4)
    grid = drawn.subplots(1, len(found), squeeze=False)[0]
    colours = colormaps["tab10"].colors  # ty: ignore[missing-attribute]
    for axes, (name, (z, labels, _)) in zip(grid, found.items(), strict=True):
        style(axes, title={"petals": "ten Gaussians"}.get(name, name.replace("-", " ")))
        side = 1.05 * float(np.abs(z).max())
        for label in np.unique(labels):
            own = z[labels == label]
            axes.scatter(*own.T, s=2.5, color=colours[label % 10], linewidths=0, label=str(label))
        axes.set(xlim=(-side, side), ylim=(-side, side), aspect="equal", xticks=[], yticks=[])
    grid[-1].legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=4, frameon=False, fontsize=9
    )
    save(drawn, path)


def _shown(values: Sequence[float]) -> str:
    more = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{more}"
