"""Games in a maze seen through a window: TD-VAE, and state-space VAEs of equal size.

All three have the same recurrent belief, reader of a step, transition and decoder, and are trained
on the same number of batches: TD-VAE step by step (jump 1), the state-space VAEs with a posterior
that is told the state before it (filtering) or is not (mean-field). In held-out games, nats a step
of 75 numbers that are 0 or 1: -log p of a step given those before it, by 64 particles or pairs of
states, an estimate that is in expectation not below the truth, and the evidence bound. The paper's
ordering, by estimates on MiniPacman: TD-VAE, then filtering, then mean-field. Walls, pellets and
ghosts can only be foretold by who remembers: beside them the same of what needs no memory, each
number by its share in the training games.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "TD-VAE": ("td-vae", {"jump": "1"}),
    "filtering": ("state-space-vae", {"posterior": "filtering"}),
    "mean-field": ("state-space-vae", {"posterior": "mean-field"}),
}


def main(argv: Sequence[str]) -> int:
    """Train all of them in every seed and write docs/results/maze.md and its pictures."""
    found = options.parser(__doc__, "maze")
    found.add_argument("--steps", type=int, default=8000, help="of training")
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--latent-dim", type=int, default=16)
    found.add_argument("--width", type=int, default=128, help="of the belief")
    found.add_argument("--examples", type=int, default=500, help="held-out games")
    found.add_argument("--limit", type=int, help="train on so many games only (to try it out)")
    options.add_runs(found)
    given = found.parse_args(argv)
    with options.runs_of(given) as runs:
        return _all(given, runs, argv)


def _all(given: Any, runs: Path, argv: Sequence[str]) -> int:
    import lowerbound as lb
    from lowerbound.training.engine import versions

    train: dict[str, Any] = {"steps": given.steps, "latent_dim": given.latent_dim}
    train |= {"belief_width": given.width, "hidden": (64,), "threads": 1, "progress": False}
    train |= {"network": {"name": "mlp", "hidden": [512, 512]}}
    train |= {} if given.limit is None else {"limit": given.limit}
    rows, last = [], {}
    for name, (recipe, arguments) in _MODELS.items():
        values, bounds, minutes = [], [], []
        for seed in range(given.seeds):
            out = runs / f"{name.lower()}-{seed}"
            if out.exists():
                run = lb.open_run(out)
            else:
                run = lb.train("maze", recipe, out=out, seed=seed, **train, **arguments)
            minutes.append(run.info["status"]["seconds"] / 60)
            step = lb.evaluate(run, report=False, limit=given.examples).sections[0].to_json()
            values.append(step["value"][0])
            bounds.append(step["bound"][0])
            print(f"{name}, seed {seed}: {values[-1]:.3f}, bound {bounds[-1]:.3f}", flush=True)
            last[name] = run
        model: Any = last[name].model
        count = sum(p.numel() for p in model.parameters())
        each = [f"{value:.3f}" for value in values]
        rows.append([
            name, f"{count:,}", f"{statistics.mean(values):.3f}", ", ".join(each),
            f"{statistics.mean(bounds):.3f}", f"{statistics.mean(minutes):.1f}",
        ])  # fmt: skip
    rows.append(["without a memory", None, f"{_marginal(last['TD-VAE']):.3f}", None, None, None])
    header = ["model", "parameters", "−log p, nats a step", "by seed", "−bound", "minutes"]
    pictures = _drawn(given, last)
    text = [
        __doc__.partition("\n\n")[2].strip(),
        table(header, rows),
        f"{given.steps:,} training steps of 32 games each, {given.seeds} seeds, "
        f"{given.examples:,} held-out games; minutes are of training, on one thread.",
        *(f"![games, each beside its forecast by {name}]({path})" for name, path in pictures),
    ]
    write(
        "maze",
        "Games in a maze",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("maze", argv),
        folder=given.out,
    )
    return 0


def _marginal(run: Any) -> float:
    """-log p of a held-out step, its numbers independent and each as often 1 as in training."""
    import numpy as np

    data = run.data()
    train, test = (
        split.stored(np.arange(len(split))).numpy().astype(np.float64)
        for split in (data.train, data.test)
    )
    share = (train.sum((0, 1)) + 1.0) / (train.shape[0] * train.shape[1] + 2.0)
    log_p = test * np.log(share) + (1.0 - test) * np.log1p(-share)
    return float(-log_p.sum((2, 3, 4)).mean())


def _drawn(given: Any, runs: dict[str, Any], games: int = 6, at: int = 12) -> list[tuple[str, str]]:
    """GIFs of games (the upper row) and of one forecast of each from step `at`."""
    import numpy as np

    import lowerbound as lb
    from lowerbound.plots import enlarged, gif

    given.out.mkdir(parents=True, exist_ok=True)
    found = []
    for name in ("TD-VAE", "filtering"):
        run = runs[name]
        x = run.data().test.stored(np.arange(games)).numpy().astype(np.float32)
        ahead = lb.forecast(run, x, horizon=x.shape[1] - at, samples=1, at=at, n=games, jump=1)
        made = np.concatenate([x[:, :at], ahead.draws[0]], 1)
        both = np.concatenate([x, made])
        path = f"maze_{name.lower()}.gif"
        (given.out / path).write_bytes(gif(both, columns=games, scale=enlarged(both, games)))
        found.append((name, path))
    return found
