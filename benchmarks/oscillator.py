"""Noisy oscillators: roll-outs of 20 and 100 steps from step 60, TD-VAE beside its baselines.

Each model has seen 60 steps of held-out oscillators and goes on from there: TD-VAE in single steps
and in jumps, the state-space VAEs in single steps. The error of the phase is that of the forecast's
mean, taken at the best angle between it and the true position over a window of one period around
the horizon; errors are root mean squares in the data's units, beside those of repeating step 60 and
of the noise alone, which nothing can beat. A shortened training: "consistent with", where it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

_AT = 60
_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "TD-VAE, jumps": ("td-vae", {"jump": "1-10:0.8,1-120:0.2"}),
    "TD-VAE, jump 1": ("td-vae", {"jump": "1"}),
    "state-space VAE, filtering": ("state-space-vae", {"posterior": "filtering"}),
    "state-space VAE, mean-field": ("state-space-vae", {"posterior": "mean-field"}),
}


def main(argv: Sequence[str]) -> int:
    """Train all of them and write docs/results/oscillator.md."""
    found = options.parser(__doc__, "oscillator")
    found.add_argument("--steps", type=int, default=20_000, help="of training")
    found.add_argument("--limit", type=int, help="use so many oscillators only (to try it out)")
    found.add_argument("--runs", default="runs/benchmark-oscillator", help="folder of the runs")
    found.add_argument("--examples", type=int, default=200, help="held-out oscillators")
    given = found.parse_args(argv)
    from pathlib import Path

    import lowerbound as lb
    from lowerbound.training.engine import versions

    train: dict[str, Any] = {"steps": given.steps, "progress": False}
    train |= {} if given.limit is None else {"limit": given.limit}
    rows, began = [], time.monotonic()
    for name, (recipe, arguments) in _MODELS.items():
        out = Path(given.runs) / name.replace(", ", "-").replace(" ", "-").lower()
        if out.exists():
            run = lb.open_run(out)
        else:
            run = lb.train("oscillator", recipe, out=out, **train, **arguments)
        measured = lb.evaluate(run, report=False, limit=given.examples)
        per_step = measured.sections[0].to_json()
        rolls = {1: "steps"} | ({10: "jumps of 10"} if "jumps" in name else {})
        for jump, how in rolls.items():
            errors = _errors(run, given.examples, jump)
            value = per_step["value"]
            rows.append([name, how, f"{value[0]:.3f}" if value else None, *errors])
    header = ["model", "roll-out", "−log p, nats a step", "error at 20", "phase at 20, °",
              "error at 100", "phase at 100, °"]  # fmt: skip
    text = [__doc__.partition("\n\n")[2].strip(), table(header, rows)]
    text.append(f"{given.steps:,} training steps each; {(time.monotonic() - began) / 60:.0f} min.")
    write(
        "oscillator",
        "Noisy oscillators",
        "\n\n".join(text),
        machine=describe(**versions()),
        command=command_line("oscillator", argv),
        folder=given.out,
    )
    return 0


def _errors(run: Any, examples: int, jump: int) -> list[str]:
    import numpy as np

    import lowerbound as lb
    from lowerbound.data.series import oscillator

    known = oscillator(examples, seed=2)  # the held-out ones: the first of the same seed
    found = lb.forecast(
        run, known.x.astype(np.float32), horizon=140, samples=50, at=_AT, jump=jump, n=examples
    )
    cells = []
    for horizon in (20, 100):
        at = horizon // jump - 1
        truth = known.position[:, _AT + horizon - 1]
        root = float(np.sqrt(np.mean((found.mean[:, at, 0] - truth) ** 2)))
        cells += [f"{root:.3f}", f"{_phase(found.mean[..., 0], known, horizon, jump):.0f}"]
    return cells


def _phase(mean: Any, known: Any, horizon: int, jump: int) -> float:
    """Mean absolute angle, degrees, between the forecast and the position around a horizon."""
    import numpy as np

    steps = np.arange(jump, 141, jump)
    window = np.abs(steps - horizon) <= 20
    angles = []
    for row, values in enumerate(np.asarray(mean)):
        time_ = _AT + steps[window] - 1
        wave = np.exp(1j * known.frequency[row] * time_)
        made = np.sum(values[window] * np.conj(wave))
        true = np.sum(known.position[row, time_] * np.conj(wave))
        angles.append(abs(np.angle(made * np.conj(true))))
    return float(np.degrees(np.mean(angles)))
