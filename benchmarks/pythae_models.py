"""Equal work beside pythae, model by model: test log-likelihood by one evaluator, and time.

For both the same images (MNIST, every pixel drawn once, 0 or 1 with its grey value as probability,
one draw for both), networks (784-512-20-512-784, ReLU, pythae's default), epochs, batches in a new
random order in every epoch, and optimizer (Adam, no weight decay, no clipping). The objectives are
the same too: distortion and rate in nats, summed over pixels and codes, mean over the batch; one
code per example; the rate in closed form, but sampled with VampPrior. pythae's loss of IWAE is
Σ w̃ log w with the weights w̃ held constant, whose gradient is that of the bound.

Different are: the initial weights, drawn from the same seed by each library in its own way; the
precision of the networks' products, which ours chooses (column "how"); the pseudo-inputs, pythae's
cut to [0, 1], ours through a sigmoid, started as varied as the data; what else an epoch holds: ours
looks at held-out images after each and keeps its metrics, pythae copies the model after each epoch
with a better training loss and ships the best of these, ours ships the last. The EM of the
mixture (full covariances) ends for both when a step gains less than 1e-3 nats per example; pythae's
(scikit-learn) starts once, ours from the best of five starts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import model as shared
from . import options
from .contest import Contestant, Turn, contest, quiet
from .machine import cores, describe
from .tables import command_line, median, table, write

#: Name on the command line: name in the table.
MODELS = {
    "vae": "VAE",
    "iwae": "IWAE",
    "beta-vae": "β-VAE",
    "vamp": "VampPrior",
    "ae-gmm": "AE + GMM",
}
OURS, PYTHAE = "ours", "pythae"


@dataclass(frozen=True)
class Race:
    """One model, once trained by each.

    Args:
        name: of `MODELS`.
        seed: of both.
        turns: by contestant; an epoch each, the last is what comes after training.
        about: what contestants told of their set-up.
        values: by contestant and likelihood, log p(x) of the test images, nats.
        ess: the same, mean effective sample size.
        notes: the same, in words.
    """

    name: str
    seed: int
    turns: Mapping[str, Sequence[Turn]]
    about: Mapping[str, Mapping[str, Any]]
    values: Mapping[tuple[str, str], np.ndarray]
    ess: Mapping[tuple[str, str], float]
    notes: Mapping[tuple[str, str], str]

    def seconds(self, who: str, *, setup: bool = False) -> float:
        """Of training, and of set-up if asked for."""
        spent = sum(turn.seconds for turn in self.turns[who])
        return spent + (self.about[who]["setup"] if setup else 0.0)


def main(argv: Sequence[str]) -> int:
    """Train all with both, measure all, and write docs/results/pythae_models.md."""
    given = _parser().parse_args(argv)
    options.check_data(given.data)
    if not options.has_peers(given.peers):
        return 1
    train, test = shared.images(given.data, binary=True, limit=given.limit)
    if len(train) % given.batch:
        sys.exit(f"error: expected a batch that divides {len(train):,} images, came {given.batch}")
    import torch

    torch.set_num_threads(given.threads)
    names = given.only or list(MODELS)
    races = [
        _race(name, seed, given, train, test[: given.eval_limit])
        for seed in range(given.seeds)
        for name in names
    ]
    write(
        "pythae_models",
        "Models beside pythae's",
        _report(races, given, len(test[: given.eval_limit]), len(train)),
        machine=describe(torch=str(torch.__version__), pythae="0.1.2"),
        command=command_line("pythae_models", argv),
        folder=given.out,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    found = options.parser(__doc__, "pythae_models")
    options.add_data(found)
    options.add_peers(found)
    found.add_argument("--epochs", type=int, default=20)
    found.add_argument("--batch", type=int, default=100)
    found.add_argument("--learning-rate", type=float, default=1e-3)
    found.add_argument(
        "--schedule",
        choices=("constant", "cosine"),
        default="constant",
        help="of ours; pythae's trainer keeps the rate as it is unless it is given a scheduler",
    )
    found.add_argument("--seeds", type=int, default=1, help="how often all is trained")
    found.add_argument("--iwae-samples", type=int, default=5)
    found.add_argument("--beta", type=float, default=4.0)
    found.add_argument("--pseudo-inputs", type=int, default=50, help="pythae's default is 50")
    found.add_argument("--components", type=int, default=10, help="of the mixture of codes")
    found.add_argument("--samples", type=int, default=1000, help="k of the evaluator")
    found.add_argument("--eval-limit", type=int, default=2000, help="test images measured")
    found.add_argument("--limit", type=int, help="so many images only (to try it out)")
    found.add_argument("--threads", type=int, default=cores(), help="of both")
    found.add_argument("--only", nargs="+", choices=list(MODELS))
    return found


def _race(
    name: str, seed: int, given: argparse.Namespace, train: np.ndarray, test: np.ndarray
) -> Race:
    """Train with both, an epoch of each in turn, and measure both."""
    from .evaluator import measure

    print(f"{MODELS[name]}, seed {seed}", flush=True)
    contestants = [_contestant(who, name, seed, given) for who in (OURS, PYTHAE)]
    with tempfile.TemporaryDirectory() as folder:
        files = {who: Path(folder) / f"{who}.npz" for who in (OURS, PYTHAE)}
        turns = contest(
            contestants,
            given.epochs + 1,
            warm=0,
            finish=lambda each: each.ask("weights", path=str(files[each.name])),
        )
        found = {
            (who, pixels): measure(file, test, train, samples=given.samples, pixels=pixels)
            for who, file in files.items()
            for pixels in (("bernoulli", "gaussian") if name == "ae-gmm" else ("bernoulli",))
        }
    race = Race(
        name,
        seed,
        turns,
        {each.name: each.about for each in contestants},
        {key: each.values for key, each in found.items()},
        {key: each.ess for key, each in found.items()},
        {key: each.note for key, each in found.items()},
    )
    for (who, pixels), values in race.values.items():
        ess = f"ESS {race.ess[who, pixels]:.0f} {race.notes[who, pixels]}".strip()
        print(f"  {who}, {pixels}: {-values.mean():.2f} nats, {ess}, {race.seconds(who):.1f} s")
    return race


def _contestant(who: str, name: str, seed: int, given: argparse.Namespace) -> Contestant:
    peer = who == PYTHAE
    module = "pythae_models" if peer else "ours_models"
    command = [given.peers if peer else sys.executable, "-m", f"benchmarks.contestants.{module}"]
    command += ["--model", name, "--data", str(given.data), "--seed", str(seed)]
    command += ["--epochs", str(given.epochs), "--batch", str(given.batch)]
    command += ["--learning-rate", str(given.learning_rate), "--threads", str(given.threads)]
    command += [] if peer else ["--schedule", given.schedule]
    command += ["--samples", str(given.iwae_samples), "--beta", str(given.beta)]
    command += ["--pseudo-inputs", str(given.pseudo_inputs)]
    command += ["--components", str(given.components)]
    command += ["--limit", str(given.limit)] if given.limit else []
    return Contestant(who, command, {"OMP_NUM_THREADS": str(given.threads)})


# The report


def paired(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Mean of the differences image by image, and its standard error.

    >>> mean, error = paired(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 1.0]))
    >>> print(f"{mean:.3f} {error:.3f}")
    1.000 0.577
    """
    apart = ours - theirs
    return float(apart.mean()), float(apart.std(ddof=1) / len(apart) ** 0.5)


def _report(races: Sequence[Race], given: argparse.Namespace, tested: int, trained: int) -> str:
    cosine = " for pythae, cosine for ours" if given.schedule == "cosine" else ""
    settings = (
        f"{trained:,} training images, {given.epochs} epochs, batches of {given.batch}, learning "
        f"rate {given.learning_rate:g}, constant{cosine}; IWAE with K = {given.iwae_samples}, β = "
        f"{given.beta:g}, {given.pseudo_inputs} pseudo-inputs, {given.components} components in "
        f"the mixture. Each is a process of its own with {given.threads} "
        f"thread{'s' * (given.threads > 1)}; an epoch of each in turn."
    )
    measured = (
        f"log p(x) of {tested:,} test images, binarized once, k = {given.samples:,}, float32, the "
        "same code and noise for both (`benchmarks.evaluator`). The difference is ours less "
        "pythae's in log p(x), image by image: above zero ours is better; its standard error is "
        "that of the test images, not of another training."
    )
    times = (
        "Time is that of all epochs and of what ends the training (saving the model, the mixture); "
        "set-up is from the start of the process (imports, data, ours also its choices and "
        "compilation). × is pythae's time over ours; the median within the epochs beside it."
    )
    others = [turn for race in races for turn in _named(race).items()]
    parts = [__doc__.partition("\n\n")[2].strip(), settings, "## log p(x)", _values(races)]
    parts += [measured, _ways(races), "## Time", _times(races), times]
    return "\n\n".join(part for part in [*parts, quiet(dict(others))] if part)


def _named(race: Race) -> dict[str, Sequence[Turn]]:
    return {f"{race.name} {race.seed} {who}": turns for who, turns in race.turns.items()}


def label(race: Race, pixels: str = "bernoulli") -> str:
    """A race in the first column."""
    kind = {"bernoulli": ", Bernoulli pixels", "gaussian": ", Gaussian pixels"}[pixels]
    name = MODELS[race.name] + (kind if race.name == "ae-gmm" else "")
    return name + (f", seed {race.seed}" if race.seed else "")


def _values(races: Sequence[Race]) -> str:
    rows = []
    for race in races:
        for pixels in sorted({pixels for _, pixels in race.values}):
            theirs, ours = race.values[PYTHAE, pixels], race.values[OURS, pixels]
            mean, error = paired(ours, theirs)
            row: list[Any] = [label(race, pixels), f"{-theirs.mean():.2f}", f"{-ours.mean():.2f}"]
            ess = [f"{race.ess[who, pixels]:.0f}" for who in (PYTHAE, OURS)]
            rows.append([*row, f"{mean:+.2f} ± {error:.2f}", *ess])
    header = [
        "",
        "pythae, −log p",
        "ours, −log p",
        "ours better by, nats",
        "ESS, pythae",
        "ESS, ours",
    ]
    return table(header, rows)


def _ways(races: Sequence[Race]) -> str:
    """How autoencoders were measured, if they were."""
    told = [
        f"{label(race, pixels)}, {who}: {note}."
        for race in races
        for (who, pixels), note in race.notes.items()
        if note
    ]
    if not told:
        return ""
    from .evaluator import __doc__ as text

    assert text is not None
    return "\n\n".join([text.strip().rpartition("\n\n")[2], " ".join(told)])


def _times(races: Sequence[Race]) -> str:
    rows = []
    for race in races:
        theirs, ours = race.seconds(PYTHAE), race.seconds(OURS)
        whole = race.seconds(PYTHAE, setup=True) / race.seconds(OURS, setup=True)
        epochs = zip(race.turns[PYTHAE][:-1], race.turns[OURS][:-1], strict=True)
        within = median([a.seconds / b.seconds for a, b in epochs])
        ends = [f"{race.turns[who][-1].seconds:.1f}" for who in (PYTHAE, OURS)]
        setups = [f"{race.about[who]['setup']:.1f}" for who in (PYTHAE, OURS)]
        row = [label(race).removesuffix(", Bernoulli pixels"), f"{theirs:.1f}", f"{ours:.1f}"]
        row += [f"{theirs / ours:.2f}", f"{within:.2f}", " / ".join(ends), " / ".join(setups)]
        parameters = " / ".join(f"{race.about[who]['parameters']:,}" for who in (PYTHAE, OURS))
        rows.append([*row, f"{whole:.2f}", parameters, race.about[OURS]["note"]])
    header = ["", "pythae, s", "ours, s", "×", "× within epochs", "of it the end, s", "set-up, s"]
    return table([*header, "× with set-up", "parameters", "how, ours"], rows)
