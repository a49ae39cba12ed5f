"""What a belief remembers: which of two early frequencies was the higher one, 100 steps later.

Noisy oscillators whose frequency changes at steps 10, 20 and 120 of 140. Three frequencies are
drawn; the last is one of two, by whether the first was above the second. Nothing in between tells,
so that only a belief which kept the first twenty steps can foresee the end. A logistic regression
reads it from the belief after step 120, just before the last change, and after step 20, when both
have just been seen. Two models have the same recurrent network, with `--span` one that begins with
a memory of so many steps, and equal training steps, batches and learning rate: TD-VAE, whose jumps
bridge the gap, and a predictor of the next step. Chance is 50 %.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from . import options
from .kept import kept
from .machine import describe
from .tables import command_line, table, write

_EDGES = (0, 10, 20, 120, 140)
_PERIODS = (6.0, 20.0)  # of the three frequencies that are drawn, steps
_LAST = (7.0, 14.0)  # of the last one: f1 above f2, and the other way round
_READ = _EDGES[2:4]  # when the two frequencies were just seen, and just before the last change
_KICK, _NOISE = 0.02, 0.05


def main(argv: Sequence[str]) -> int:
    """Train both in every seed and write docs/results/belief_memory.md."""
    found = options.parser(__doc__, "belief_memory")
    found.add_argument("--seeds", type=int, default=20)
    found.add_argument("--steps", type=int, default=15_000, help="of training")
    found.add_argument("--width", type=int, default=64, help="of the belief")
    found.add_argument("--span", type=int, help="steps that cells keep at first; as torch starts")
    found.add_argument("--jump", default="1-10:0.8,1-120:0.2", help="of td-vae")
    found.add_argument("--examples", type=int, default=4000, help="oscillators, of each split")
    found.add_argument("--beta-share", type=float, default=0.3, help="of td-vae")
    found.add_argument("--learning-rate", type=float, default=3e-3)
    found.add_argument("--threads", type=int, default=1)
    found.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    options.add_runs(found)
    given = found.parse_args(argv)
    with options.runs_of(given) as runs:
        return _all(given, runs, argv)


def _all(given: Any, runs: Path, argv: Sequence[str]) -> int:
    import torch

    from lowerbound.training.engine import versions

    torch.set_num_threads(given.threads)
    shares: dict[str, list[tuple[float, ...]]] = {"TD-VAE": [], "next step": []}
    tasks = [(name, seed) for seed in range(given.seeds) for name in shares]
    if given.jobs > 1:
        names, seeds = zip(*tasks, strict=True)
        with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
            list(pool.map(_kept, (_file(runs, *task) for task in tasks), names,
                          [given] * len(tasks), seeds))  # fmt: skip
    for seed in range(given.seeds):
        for name, values in shares.items():
            values.append(_kept(_file(runs, name, seed), name, given, seed))
            told = ", ".join(f"{100 * value:.1f} %" for value in values[-1])
            print(f"seed {seed}: {name} {told}", flush=True)
    rows = []
    for name, values in shares.items():
        early, late = zip(*values, strict=True)
        rows.append([name, f"{100 * statistics.mean(early):.1f}", *_summary(list(late))])
    header = ["trained as", *(f"right after step {step}, %" for step in _READ), "standard error",
              "least", "most"]  # fmt: skip
    text = [__doc__.partition("\n\n")[2].strip(), table(header, rows)]
    text.append(
        f"Seeds: {given.seeds}. LSTM of width {given.width}, {given.steps:,} steps of 32 sequences "
        f"each, jumps {given.jump}. "
        "What each run was right of is in belief_memory/."
    )
    write(
        "belief_memory",
        "What a belief remembers",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("belief_memory", argv),
        folder=given.out,
    )
    return 0


def _file(runs: Path, name: str, seed: int) -> Path:
    return runs / f"{name.replace(' ', '-')}-{seed}.json"


def _kept(path: Path, name: str, given: Any, seed: int) -> tuple[float, ...]:
    """Shares of right answers after the steps of `_READ`; those in the file, if it has them."""
    settings = {
        key: getattr(given, key)
        for key in ("steps", "width", "span", "jump", "examples", "beta_share", "learning_rate")
    }

    def measure() -> dict[str, Any]:
        import torch

        torch.set_num_threads(given.threads)
        train, test = (changing(given.examples, 2 * seed + part) for part in range(2))
        beliefs = _td_vae if name == "TD-VAE" else _next_step
        known, new = beliefs(train[0], test[0], given, seed)
        return {"right": [_read(known[:, at], new[:, at], train[1], test[1]) for at in _READ]}

    return tuple(kept(path, settings, measure)["right"])


def changing(n: int, seed: int) -> tuple[Any, Any]:
    """Oscillators ``(n, 140, 1)``, and whether the first frequency was above the second, (n,)."""
    import numpy as np

    random = np.random.default_rng([seed, 0xF1F2])
    frequency = 2.0 * np.pi / random.uniform(*_PERIODS, (3, n))
    above = frequency[0] > frequency[1]
    last = np.where(above, *(2.0 * np.pi / period for period in _LAST))
    spans = np.diff(_EDGES)
    each = np.repeat(np.stack([*frequency, last]), spans, axis=0)  # (140, n)
    state = random.uniform(0.8, 1.2, n) * np.exp(2j * np.pi * random.uniform(size=n))
    x = np.empty((n, _EDGES[-1], 1), np.float32)
    for step, turned in enumerate(each):
        state = state * np.exp(1j * turned)
        # The noise neither feeds the oscillator nor slows it down.
        state = state / np.abs(state) * (1.0 + 0.9 * (np.abs(state) - 1.0))
        state = state + _KICK * (random.standard_normal(n) + 1j * random.standard_normal(n))
        x[:, step, 0] = state.real + _NOISE * random.standard_normal(n)
    return x, above


def _td_vae(train: Any, test: Any, given: Any, seed: int) -> tuple[Any, Any]:
    """Beliefs up to the last change, of both splits, ``(N, 121, width)``."""
    import tempfile

    import torch

    import lowerbound as lb
    from lowerbound.data import Prepare

    with tempfile.TemporaryDirectory() as folder:
        run = lb.train(
            {"x_train": train, "x_test": test}, "td-vae", out=Path(folder) / "run", jump=given.jump,
            belief="lstm", belief_width=given.width, belief_span=given.span, steps=given.steps,
            beta_share=given.beta_share, batch_size=32, seed=seed, progress=False,
            learning_rate=given.learning_rate, threads=given.threads,
        )  # fmt: skip
        model: Any = run.model.eval()
        prepare = Prepare(run.spec)
        found = []
        with torch.no_grad():
            for x in (train, test):
                known = prepare(torch.from_numpy(x[:, : _EDGES[-2]]), torch.Generator())
                found.append(model.beliefs(model.pack(known)).numpy())
    return found[0], found[1]


def _next_step(train: Any, test: Any, given: Any, seed: int) -> tuple[Any, Any]:
    """The same of a network that is trained to tell the next step from those before it."""
    import torch

    from lowerbound.distributions import DiagonalGaussian, Head
    from lowerbound.networks.belief import Gated, memory

    torch.manual_seed(seed)
    x = torch.from_numpy((train - train.mean()) / train.std())
    goes = memory("lstm", 1, given.width, span=given.span)
    family = DiagonalGaussian(1)
    head = Head(Gated(given.width, family.raw_shape, (64,)), family)
    parts = [*goes.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parts, given.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.steps)
    for _ in range(given.steps):
        some = x[torch.randint(len(x), (32,))]
        loss = -head(goes(some)[:, :-1]).log_prob(some).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parts, 10.0)
        optimizer.step()
        schedule.step()
    known = [(each[:, : _EDGES[-2]] - train.mean()) / train.std() for each in (train, test)]
    with torch.no_grad():
        one, other = (goes(torch.from_numpy(each)).numpy() for each in known)
    return one, other


def _read(train: Any, test: Any, above: Any, above_test: Any) -> float:
    """Share of the held-out answers that a logistic regression reads from the beliefs."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train, above)
    return float(found.score(test, above_test))


def _summary(values: list[float]) -> list[str]:
    spread = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
    mean, least, most = statistics.mean(values), min(values), max(values)
    shown = [f"{100 * each:.1f}" for each in (mean, least, most)]
    return [shown[0], "–" if spread is None else f"{100 * spread:.1f}", *shown[1:]]
