"""Runs of sequence models at work: forecasts, beliefs, what a gap held, and how odd each step is.

>>> import lowerbound as lb
>>> run = lb.train("oscillator", "td-vae", jump="1-10")  # doctest: +SKIP
>>> ahead = lb.forecast(run, "my_series.csv", horizon=50)  # doctest: +SKIP
>>> ahead.mean.shape, ahead.low.shape  # doctest: +SKIP
((1, 50, 1), (1, 50, 1))
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .data import Prepare
from .data.cells import dates_of
from .errors import LowerboundError
from .evaluation.temporal import between, interval
from .runs import Run
from .sequences import Packed, particle_filter, smoothed_draws, unpack
from .series import Series, series_of

LEVEL = 0.9
_PARTICLES = 256
_MOST_PATHS = 1000  # drawn for an interval alone


@dataclass(frozen=True, repr=False)
class Forecasted:
    """Sequences, and how they may go on; in the units of the data.

    Attributes:
        past: what was given, ``(N, T, *frame)``, NaN where a number is missing and, of a sequence
            of which fewer steps were given, before the first: the last step is the last given.
        given: how many were given of each, ``(N,)``.
        truth: what came then, ``(N, H', *frame)``, NaN where it is not known; H' may be 0.
        mean: of what comes, ``(N, H, *frame)``.
        low: of the central interval that holds a share `level` of it. high: likewise.
        draws: ``(K, N, H, *frame)``.
        times: of what comes, ``(N, H)``: as the source has them, else the first step is at 0.
        past_times: of what was given, ``(N, T)``, likewise.
        level: of the interval.
        columns: names of the numbers of a step.
        names: of the sequences. total: how many the source has.
        dated: whether times are seconds since 1970, as the source has dates.
    """

    past: np.ndarray
    given: np.ndarray
    truth: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    draws: np.ndarray
    times: np.ndarray
    past_times: np.ndarray
    level: float
    columns: tuple[str, ...]
    names: tuple[str, ...]
    total: int
    dated: bool = False

    def __repr__(self) -> str:
        """How much there is of it."""
        paths, count, horizon = self.draws.shape[:3]
        return f"Forecasted({count} sequences, {horizon} steps ahead, {paths} paths)"

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types; draws as they are."""
        return {
            "format": 1,
            "given": self.past.shape[1],
            "given_each": self.given.tolist(),
            "horizon": self.mean.shape[1],
            "level": self.level,
            "columns": list(self.columns),
            "names": list(self.names),
            "times": self.times.tolist(),
            "dates": [dates_of(row) for row in self.times] if self.dated else None,
            "mean": self.mean.tolist(),
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "draws": self.draws.tolist(),
        }


@dataclass(frozen=True, repr=False)
class Believed:
    """What is known of each step; in the units of the data.

    Attributes:
        x: the data, ``(N, T, *frame)``, NaN where a number is missing and beyond a sequence's end.
        lengths: steps of each sequence, ``(N,)``; what is told beyond is of no data.
        times: of the steps, ``(N, T)``: as the source has them, else 0, 1, 2, …
        mean: of E[x_t | z_t] given the data up to step t, ``(N, T, *frame)``.
        low: of the central interval of the same. high: likewise.
        smoothed: E[x_t | z_t] given all data: where a step is missing, what stood there.
        smoothed_low: of the central interval of x_t given all data. smoothed_high: likewise.
        score: −log p(x_t | x_1..x_{t-1}), nats, of the stored values; NaN where nothing is known.
            Steps of a high score are odd.
        state: mean and standard deviation of the state, ``(N, T, 2, d)``.
        level: of the intervals.
        columns: names of the numbers of a step.
        names: of the sequences.
        dated: whether times are seconds since 1970, as the source has dates.
    """

    x: np.ndarray
    lengths: np.ndarray
    times: np.ndarray
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
    names: tuple[str, ...]
    dated: bool = False

    def __repr__(self) -> str:
        """How much there is of it."""
        return f"Believed({len(self.x)} sequences of {self.x.shape[1]} steps)"

    @property
    def missing(self) -> int:
        """Numbers that are missing within the sequences."""
        inside = np.arange(self.x.shape[1]) < self.lengths[:, None]
        return int(np.isnan(self.x[inside]).sum())

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
            "names": list(self.names),
            "lengths": self.lengths.tolist(),
            "times": self.times.tolist(),
            "dates": [dates_of(row) for row in self.times] if self.dated else None,
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
        at: the model is given so many steps of each (all of a shorter one); what follows is held
            beside the forecast. None: each sequence of a source as a whole, of held-out ones all
            but the horizon (at least the first half).
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
    if jump > 1 >= model.time.longest:
        raise LowerboundError(
            f"jump: expected 1, for a {run.name} goes from step to step, came {jump}; leave it out"
        )
    _refuse_level(level)
    found = series_of(run, source, n)
    length = found.x.shape[1]
    if at is not None and not 1 <= at <= length:
        raise LowerboundError(
            f"at: expected from 1 to {length} steps, which the sequence has, came {at}"
        )
    ends = found.lengths if at is None else np.minimum(found.lengths, at)
    if at is None and source is None:
        ends = np.maximum(ends - horizon, np.maximum(ends // 2, 1))
    past = found.until(ends)
    x = _prepared(run, past)
    if bool(x.isnan().flatten(1).all(1).any()):
        raise LowerboundError(
            f"expected something known in the first {int(ends.max())} steps to go on from, came "
            "none; pass another --at, or other data"
        )
    truth, known = _after(found, ends, horizon)
    # So few paths have no interval of that level: more are drawn than are given away.
    paths = max(samples, min(_MOST_PATHS, math.ceil(2.0 / (1.0 - level)) - 1))
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        packed = model.pack(x, *past.context())
        end, at_end = None, torch.from_numpy(ends)
        if past.times is not None:
            end = torch.from_numpy(past.times).gather(1, at_end[:, None] - 1).to(x.dtype)
        ahead = () if known is None else (torch.from_numpy(known).to(x.dtype),)
        since = between(model, packed, horizon, *ahead, at=at_end, end=end)
        rolled = model.roll(model.last(packed, paths), since.to(x.dtype), jump)
    prepare = Prepare(run.spec)
    draws = prepare.restore(rolled.draws)
    low, high = interval(draws, level)
    times = (packed.times[:, -1:] + since.cumsum(1)).double().numpy() + found.origins[:, None]
    return Forecasted(
        past=_ending_together(past.x, ends),
        given=ends,
        truth=truth,
        mean=prepare.expected(rolled.means).mean(0).numpy(),
        low=low.numpy(),
        high=high.numpy(),
        draws=draws[:samples].numpy(),
        times=times,
        past_times=_ending_together(_times(past), ends),
        level=level,
        columns=found.columns,
        names=found.names,
        total=found.total,
        dated=found.dated,
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
    _refuse_level(level)
    if samples < 2:
        raise LowerboundError(f"samples: expected at least 2, came {samples}; pass e.g. 256")
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
        lengths=found.lengths,
        times=_times(found),
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
        names=found.names,
        dated=found.dated,
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


def _refuse_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise LowerboundError(f"level: expected between 0 and 1, came {level}; pass e.g. 0.9")


def _times(found: Series) -> np.ndarray:
    """Of the steps ``(N, T)``, as the source has them, else 0, 1, 2, …"""
    steps = np.broadcast_to(np.arange(found.x.shape[1], dtype=np.float64), found.x.shape[:2])
    return steps if found.times is None else found.times + found.origins[:, None]


def _ending_together(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """``(N, T, *)`` moved so that the last step of each is the last of all, NaN before."""
    length = values.shape[1]
    if (ends == length).all():
        return values
    moved = np.full_like(values, np.nan)
    for row, end in enumerate(ends):
        moved[row, length - end :] = values[row, :end]
    return moved


def _after(found: Series, ends: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The steps after those given, ``(N, H', *frame)``, and their times ``(N, H)`` where known."""
    left = np.minimum(found.lengths - ends, horizon)
    values = found.x[:, : int(left.max())].copy()
    if (left < left.max()).any():
        values[:] = np.nan
    times = None if found.times is None else np.full((len(ends), horizon), np.nan)
    for row, (end, count) in enumerate(zip(ends, left, strict=True)):
        values[row, :count] = found.x[row, end : end + count]
        if times is not None and found.times is not None:
            times[row, :count] = found.times[row, end : end + count]
    return values, times
