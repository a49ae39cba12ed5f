"""Runs of sequence models at work: forecasts, beliefs, what a gap held, and how odd each step is.

>>> import lowerbound as lb
>>> run = lb.train("oscillator", "td-vae", jump="1-10")  # doctest: +SKIP
>>> ahead = lb.forecast(run, "my_series.csv", horizon=50)  # doctest: +SKIP
>>> ahead.mean.shape, ahead.low.shape  # doctest: +SKIP
((1, 50, 1), (1, 50, 1))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .data import Prepare
from .errors import LowerboundError
from .evaluation.temporal import between, interval
from .runs import Run
from .sequences import Packed, particle_filter, smoothed_draws, unpack
from .series import Series, series_of

LEVEL = 0.9
_PARTICLES = 256


@dataclass(frozen=True)
class Forecasted:
    """Sequences, and how they may go on; in the units of the data.

    Attributes:
        past: what was given, ``(N, T, *frame)``, NaN where a number is missing.
        truth: what came then, ``(N, H', *frame)``, where it is known; H' may be 0.
        mean: of what comes, ``(N, H, *frame)``.
        low: of the central interval that holds a share `level` of it. high: likewise.
        draws: ``(K, N, H, *frame)``.
        times: of what comes, since the first step, ``(N, H)``.
        level: of the interval.
        columns: names of the numbers of a step.
    """

    past: np.ndarray
    truth: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    draws: np.ndarray
    times: np.ndarray
    level: float
    columns: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; draws as they are."""
        return {
            "format": 1,
            "given": self.past.shape[1],
            "horizon": self.mean.shape[1],
            "level": self.level,
            "columns": list(self.columns),
            "times": self.times.tolist(),
            "mean": self.mean.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "draws": self.draws.tolist(),
        }


@dataclass(frozen=True)
class Believed:
    """What is known of each step; in the units of the data.

    Attributes:
        x: the data, ``(N, T, *frame)``, NaN where a number is missing.
        mean: of E[x_t | z_t] given the data up to step t, ``(N, T, *frame)``.
        low: of the central interval of the same. high: likewise.
        smoothed: E[x_t | z_t] given all data: where a step is missing, what stood there.
        smoothed_low: of the central interval of x_t given all data. smoothed_high: likewise.
        score: −log p(x_t | x_1..x_{t-1}), nats, of the stored values; NaN where nothing is known.
            Steps of a high score are odd.
        state: mean and standard deviation of the state, ``(N, T, 2, d)``.
        level: of the intervals.
        columns: names of the numbers of a step.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    smoothed: np.ndarray
    smoothed_low: np.ndarray
    smoothed_high: np.ndarray
    score: np.ndarray
    state: np.ndarray
    level: float
    columns: tuple[str, ...]

    @property
    def imputed(self) -> np.ndarray:
        """The data, with the smoothed mean where a number is missing, ``(N, T, *frame)``."""
        return np.where(np.isnan(self.x), self.smoothed, self.x)

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; None where nothing is known."""
        score = [[None if np.isnan(v) else float(v) for v in row] for row in self.score]
        return {
            "format": 1,
            "level": self.level,
            "columns": list(self.columns),
            "mean": self.mean.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "imputed": self.imputed.tolist(),
            "score": score,
        }


def forecast(
    run: str | Path | Run,
    source: Any = None,
    *,
    horizon: int = 50,
    samples: int = 20,
    at: int | None = None,
    jump: int | None = None,
    n: int = 4,
    level: float = LEVEL,
    seed: int = 0,
) -> Forecasted:
    """How sequences may go on.

    Args:
        run: a run of td-vae or state-space-vae, or its folder.
        source: a table or array file of one sequence, an array ``(N, T, *frame)`` or ``(T,
            *frame)`` in the units of the data, a folder, the number of a held-out example, or None
            for the first held-out ones.
        horizon: so many steps ahead.
        samples: paths.
        at: the model is given so many steps; what follows is held beside the forecast. None: all
            of a source, of held-out examples all but the horizon (at least the first half).
        jump: paths go ahead by so many steps at once, and the steps up to the next landing are
            reached from the last one, each in one jump. 1: every step from the one before. None:
            the usual jump that td-vae was trained on, with state-space-vae 1.
        n: sequences at most.
        level: of the central interval.
        seed: of the draws.

    Raises:
        LowerboundError: no model of sequences, data that do not fit it, or nothing to go on from.
    """
    run, model = opened(run)
    jump = model.hop if jump is None else jump
    for name, value in (("horizon", horizon), ("samples", samples), ("jump", jump), ("n", n)):
        if value < 1:
            raise LowerboundError(f"{name}: expected at least 1, came {value}; pass e.g. 20")
    found = series_of(run, source, n)
    length = found.x.shape[1]
    if at is None:
        at = length if source is not None else max(length - horizon, length // 2)
    if not 1 <= at <= length:
        raise LowerboundError(
            f"at: expected from 1 to {length} steps, which the sequence has, came {at}"
        )
    past, ahead = found.part(0, at), found.part(at, length)
    x = _prepared(run, past)
    if bool(x.isnan().flatten(1).all(1).any()):
        raise LowerboundError(
            f"expected something known in the first {at} steps to go on from, came none; pass "
            "another --at, or other data"
        )
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        packed = model.pack(x, *past.context())
        times = _ahead(model, packed, ahead, horizon)
        since = times.diff(dim=1, prepend=packed.times[:, -1:])
        rolled = model.roll(model.last(packed, samples), since.to(x.dtype), jump)
    prepare = Prepare(run.spec)
    draws = prepare.restore(rolled.draws)
    low, high = interval(draws, level)
    return Forecasted(
        past=past.x,
        truth=ahead.x[:, :horizon],
        mean=prepare.expected(rolled.means).mean(0).numpy(),
        low=low.numpy(),
        high=high.numpy(),
        draws=draws.numpy(),
        times=times.numpy(),
        level=level,
        columns=found.columns,
    )


def belief(
    run: str | Path | Run,
    source: Any = None,
    *,
    samples: int = 256,
    n: int = 4,
    level: float = LEVEL,
    seed: int = 0,
) -> Believed:
    """What a model believes at each step, what it takes missing steps for, and how odd steps are.

    Args:
        run: a run of td-vae or state-space-vae, or its folder.
        source: as of :func:`forecast`.
        samples: draws, for each step.
        n: sequences at most.
        level: of the central intervals.
        seed: of the draws.

    Raises:
        LowerboundError: no model of sequences, or data that do not fit it.
    """
    run, model = opened(run)
    found = series_of(run, source, n)
    x = _prepared(run, found)
    if bool(x.isnan().flatten(1).all(1).any()):
        raise LowerboundError("expected sequences of which something is known, came one without")
    prepare = Prepare(run.spec)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        packed = model.pack(x, *found.context())
        z = model.filtered(packed, samples)
        state = torch.stack((z.mean(0), z.std(0)), 2)[..., : model.latent_shape[0]]
        evidence = model.evidence(x, *found.context(), samples=samples)
        each = np.broadcast_to(run.spec.log_jacobians[:1], (1, *x.shape[2:]))
        shift = torch.where(packed.observed, torch.from_numpy(each.copy()), 0.0).flatten(2).sum(2)
        score = unpack(-(evidence.value + shift.to(x.dtype)), packed)
        grid, beliefs = _grid(model, x, packed, found)
        paths = smoothed_draws(
            model,
            grid,
            beliefs,
            particle_filter(model, grid, beliefs, max(_PARTICLES, samples), model.time.unit),
            samples,
        )
        seen, means = model.decoded(paths)
        filtered = prepare.expected(model.decoded(z)[1])
    low, high = interval(filtered, level)
    smooth_low, smooth_high = interval(prepare.restore(seen), level)
    back = [unpack(each, packed).numpy() for each in (filtered.mean(0), low, high, state)]
    return Believed(
        x=found.x,
        mean=back[0],
        low=back[1],
        high=back[2],
        smoothed=prepare.expected(means).mean(0).numpy(),
        smoothed_low=smooth_low.numpy(),
        smoothed_high=smooth_high.numpy(),
        score=score.numpy(),
        state=back[3],
        level=level,
        columns=found.columns,
    )


def opened(run: str | Path | Run) -> tuple[Run, Any]:
    """The run, and its model on the CPU.

    Raises:
        LowerboundError: it is no model of sequences.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    model: Any = run.model
    if not hasattr(model, "roll"):
        raise LowerboundError(
            f"expected a run of a model of sequences, came {run.path} ({run.name}); train one with "
            "--recipe td-vae or --recipe state-space-vae"
        )
    return run, model.to("cpu").eval()


def _prepared(run: Run, found: Series) -> Tensor:
    stored = torch.from_numpy(np.ascontiguousarray(found.x))
    return Prepare(run.spec)(stored, torch.Generator().manual_seed(0))


def _grid(model: Any, x: Tensor, packed: Packed, found: Series) -> tuple[Packed, Tensor]:
    """All steps in their places, those that are missing too, and the beliefs around each."""
    observed = ~x.isnan()
    present = observed.flatten(2).any(2)
    times = torch.arange(x.shape[1], dtype=x.dtype).expand(present.shape)
    if found.times is not None:
        known = torch.from_numpy(found.times).to(x.dtype)
        last = torch.where(known.isnan(), -torch.inf, known).cummax(1).values
        times = torch.where(last.isinf(), 0.0, last)
    every = torch.arange(x.shape[1]).expand(present.shape)
    grid = Packed(torch.where(observed, x, 0.0), observed, present, times, every)
    seen = torch.cat((torch.zeros(len(x), 1, dtype=torch.long), present.long().cumsum(1)), 1)
    b = model.beliefs(packed)
    return grid, b.gather(1, seen[..., None].expand(-1, -1, b.shape[-1]))


def _ahead(model: Any, packed: Packed, ahead: Series, horizon: int) -> Tensor:
    """Times of the steps ahead, ``(N, H)``: those that are known, then at the usual distance."""
    count = ahead.x.shape[1]
    known = ()
    if ahead.times is not None and count:
        known = (torch.from_numpy(ahead.times[:, :horizon]).to(packed.times.dtype),)
        rest = torch.full((len(packed.times), max(0, horizon - count)), torch.nan)
        known = (torch.cat((known[0], rest), 1),)
    return packed.times[:, -1:] + between(model, packed, horizon, *known).cumsum(1)
