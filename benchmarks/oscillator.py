"""Noisy oscillators: roll-outs of 20 and 100 steps from step 60, TD-VAE beside its baselines.

Each model has seen 60 steps of held-out oscillators and goes on from there: TD-VAE in its usual
jumps and in single steps, the state-space VAEs in single steps. The error of the phase is that of
the forecast's mean, taken at the best angle between it and the true position over a window of one
period around the horizon; errors are root mean squares of the position, in the data's units.
Next to nothing beats the mixture of Kalman filters that know all but the frequency;
always to say 0 costs the spread of the data. A shortened training: "consistent with", where it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from . import options
from .machine import describe
from .tables import command_line, table, write

_AT, _LENGTH = 60, 140
_TEST = 1000  # held-out oscillators of the data set
_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "TD-VAE, jumps to 10": ("td-vae", {"jump": "1-10"}),
    "TD-VAE, jumps to 120": ("td-vae", {"jump": "1-10:0.8,1-120:0.2"}),
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
    found.add_argument("--examples", type=int, default=200, help="held-out ones to roll out")
    given = found.parse_args(argv)
    from pathlib import Path

    import numpy as np

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
        measured = lb.evaluate(run, report=False)
        value = measured.sections[0].to_json()["value"]
        model: Any = run.model
        for jump in sorted({1, model.hop}, reverse=True):
            found = _rolled(run, given.examples, jump)
            how = "steps" if jump == 1 else f"jumps of {jump}"
            cells = _errors(found.mean[..., 0], given.examples)
            rows.append([name, how, f"{value[0]:.3f}" if value else None, *cells])
    rows.append(["Kalman filters, mixed over frequencies", None, *_exact(given.examples)])
    rows.append(
        ["always 0", None, None, *_errors(np.zeros((given.examples, _LENGTH)), given.examples)]
    )
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


def _rolled(run: Any, examples: int, jump: int) -> Any:
    import numpy as np

    import lowerbound as lb

    x = _known(examples).x.astype(np.float32)
    return lb.forecast(run, x, horizon=_LENGTH, samples=50, at=_AT, jump=jump, n=examples)


def _known(examples: int) -> Any:
    """The first held-out oscillators."""
    from lowerbound.data.series import Oscillations, oscillator

    # Phases and noise are drawn after all frequencies: fewer of a seed are not its first.
    return Oscillations(*(each[:examples] for each in oscillator(_TEST, seed=2)))


def _exact(examples: int) -> list[str | None]:
    """Cells of the mixture of Kalman filters over periods that are equally likely.

    It takes the amplitude at the first step for normal where it is uniform between 0.8 and 1.2,
    which costs 0.005 nats a step.
    """
    import numpy as np
    import torch

    from lowerbound.data.series import DAMPING, KICK, NOISE, PERIODS
    from lowerbound.sequences import LinearDynamics

    x = torch.from_numpy(_known(_TEST).x)  # as the models are measured: all of them
    evidence, means = [], []
    for period in np.linspace(*PERIODS, 81):
        angle, kept = 2.0 * np.pi / period, np.exp(-DAMPING)
        turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        radius = 0.5067 * torch.eye(2)  # E r^2 / 2 where r is uniform in 0.8 to 1.2
        filtered = LinearDynamics.of(
            kept * turn, KICK**2 * torch.eye(2), [[1.0, 0.0]], [[NOISE**2]], [0.0, 0.0], radius
        )  # fmt: skip
        evidence.append(filtered.filter(x).log_evidence.cumsum(1))
        means.append(filtered.forecast(x[:examples, :_AT], _LENGTH)[0][..., 0])
    sums = torch.stack(evidence)  # (81, N, T)
    shares = sums[:, :examples, _AT - 1].softmax(0)[..., None]
    log_p = (sums[..., -1].logsumexp(0) - np.log(len(sums))).mean() / x.shape[1]
    mean = (shares * torch.stack(means)).sum(0).numpy()
    return [f"{-float(log_p):.3f}", *_errors(mean, examples)]


def _errors(mean: Any, examples: int) -> list[str | None]:
    """Cells of forecasts ``(N, 140)`` of the steps after the 60th."""
    import numpy as np

    known = _known(examples)
    cells: list[str | None] = []
    for horizon in (20, 100):
        truth = known.position[:, _AT + horizon - 1]
        root = float(np.sqrt(np.mean((mean[:, horizon - 1] - truth) ** 2)))
        cells += [f"{root:.3f}", f"{_phase(mean, known, horizon):.0f}" if mean.any() else None]
    return cells


def _phase(mean: Any, known: Any, horizon: int) -> float:
    """Mean absolute angle, degrees, between the forecast and the position around a horizon."""
    import numpy as np

    steps = np.arange(1, _LENGTH + 1)
    window = np.abs(steps - horizon) <= 20
    angles = []
    for row, values in enumerate(np.asarray(mean)):
        time_ = _AT + steps[window] - 1
        wave = np.exp(1j * known.frequency[row] * time_)
        made = np.sum(values[window] * np.conj(wave))
        true = np.sum(known.position[row, time_] * np.conj(wave))
        angles.append(abs(np.angle(made * np.conj(true))))
    return float(np.degrees(np.mean(angles)))
