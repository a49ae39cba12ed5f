"""Models of sequences on held-out data: log p of each step, forecasts and their intervals."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import LowerboundError
from .arithmetic import baseline_bits_per_dim, binarized, bits_per_dim, mean_and_error, of_levels
from .decoding import evaluating, home
from .result import Bound, Evaluation, Likelihood
from .rows import Row, number, with_error

if TYPE_CHECKING:
    from ..data.spec import DataSpec

SAMPLES = 64
_STATES = 8_000_000  # drawn in all, unless samples are asked for
_BATCH = 64
_FORECASTS, _DRAWS = 200, 100  # sequences that are rolled out, and how often each
_KNOWN = 0.6  # share of a sequence that a forecast is given
_HORIZONS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
LEVELS = (0.5, 0.9)


@dataclass(frozen=True)
class Steps:
    """What is known of single steps: a section of an evaluation.

    Attributes:
        value: mean −log p(x_t | x_1..x_{t-1}), nats a step, with its standard error over sequences.
        bound: mean of the negative evidence bound of the same, likewise.
        note: how the value was estimated.
        per_sequence: known steps of a sequence, on average.
        given: steps that forecasts were made from.
        error: root of the mean squared error of the forecast's mean, by horizon in steps, in the
            data's own units.
        repeat: the same of repeating the last known step.
        covered: share of the data inside the central intervals of the forecasts, by level.
    """

    value: tuple[float, float | None] | None
    bound: tuple[float, float | None] | None
    note: str
    per_sequence: float
    given: int
    error: dict[int, float]
    repeat: dict[int, float]
    covered: dict[float, float]
    name: str = "steps"
    notes: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """For people."""
        rows = []
        if self.value is not None and self.bound is not None:
            given = "given those before it"
            told = f"log p of a step {given}; {self.note}"
            rows.append(
                Row("−log p(x_t)", with_error(*self.value), "nats a step", "estimate", told)
            )
            told = f"evidence bound of a step {given}, one step after the other"
            rows.append(Row("−bound", with_error(*self.bound), "nats a step", "lower bound", told))
        for horizon, error in self.error.items():
            told = f"root of the mean squared error {horizon} steps after step {self.given}"
            told += f"; repeating that step: {number(self.repeat[horizon])}"
            rows.append(Row(f"error at {horizon}", number(error), "data units", "", told))
        for level, share in self.covered.items():
            told = "of held-out data within the forecasts' central interval, all horizons together"
            rows.append(Row(f"inside {level:.0%}", f"{100 * share:.1f}", "%", "", told))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types."""
        content = asdict(self)
        for key in ("error", "repeat", "covered"):
            content[key] = {f"{k:g}": v for k, v in content[key].items()}
        return {key: value for key, value in content.items() if key not in ("name", "notes")}


def evaluate_sequences(
    model: Any,
    spec: DataSpec,
    x: Tensor,
    *context: Tensor,
    name: str,
    split: str,
    samples: int | None,
    seed: int,
    of: int | None,
    unfinished: str | None,
    likelihood: bool,
    asked: dict[str, Any],
    progress: Callable[[int, int], None] | None,
) -> Evaluation:
    """Measure a model of sequences (`lowerbound.models.temporal.SequenceModel`).

    Args:
        model: has ``evidence``, ``pack``, ``last`` and ``roll``.
        spec: of the data.
        x: prepared data, ``(N, T, *frame)``, NaN where a number is missing.
        context: times of the steps, ``(N, T)``.
        samples: pairs of states, or particles, for each step; None: 64, of as many sequences as
            take about a minute.
        asked: what else was asked for, by name: there is none of it for sequences.
        name, split, seed, of, unfinished, likelihood, progress: see `evaluate`.

    Raises:
        LowerboundError: something that sequences have not was asked for.
    """
    for what, wanted in asked.items():
        if wanted:
            raise LowerboundError(
                f"{what}: expected a model of one code for each example, came one of sequences "
                f"({type(model).__name__}); leave it out"
            )
    began = time.monotonic()
    of = len(x) if of is None else of
    if samples is None:
        samples = SAMPLES
        most = max(_BATCH, _STATES // (samples * x.shape[1]))
        x, context = x[:most], tuple(c[:most] for c in context)
    device, dtype = home(model, x)
    reason = model.no_likelihood
    measured = likelihood and reason is None
    parts: list[tuple[Tensor, ...]] = []
    with evaluating(model), torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        for start in range(0, len(x), _BATCH) if measured else ():
            rows = [t[start : start + _BATCH].to(device, dtype) for t in (x, *context)]
            found = model.evidence(*rows, samples=samples)
            there = found.packed.steps
            count = there.sum(1)
            parts.append(
                tuple(
                    t.double().cpu()
                    for t in (found.value.sum(1), found.bound.sum(1), count, found.effective[there])
                )
            )
            if progress is not None:
                progress(min(start + _BATCH, len(x)), len(x))
        forecast = _forecasts(model, spec, x[:_FORECASTS], *(c[:_FORECASTS] for c in context))
    found = _likelihood(model, spec, x, parts, samples) if parts else None
    return Evaluation(
        model=name,
        data={
            "name": spec.name,
            "split": split,
            "examples": len(x),
            "of": of,
            "event_shape": list(model.event_shape),
            "binarize": spec.binarize,
            "dequantize": spec.dequantize,
            "continuous": not of_levels(spec),
        },
        log_likelihood=None if found is None else found[0],
        no_likelihood=reason,
        bound=None if found is None else found[1],
        rate=None,
        distortion=None,
        active_units=None,
        latent_dim=math.prod(model.latent_shape),
        kl_per_dimension=None,
        squared_error=None,
        baseline_bits_per_dim=baseline_bits_per_dim(spec),
        settings={
            "samples": samples if measured else None,
            "precision": str(dtype).removeprefix("torch."),
            "seed": seed,
            "seconds": round(time.monotonic() - began, 3),
        },
        unfinished=unfinished,
        sections=(
            Steps(
                value=None if found is None else found[2],
                bound=None if found is None else found[3],
                note=_how(model, samples),
                **forecast,
            ),
        ),
    )


def _how(model: Any, samples: int) -> str:
    filtered = hasattr(model, "particles")
    return (
        f"particle filter with {samples:,} particles"
        if filtered
        else f"importance-weighted with {samples:,} pairs of states from the beliefs"
    )


def _likelihood(
    model: Any, spec: DataSpec, x: Tensor, parts: list[tuple[Tensor, ...]], samples: int
) -> tuple[Likelihood, Bound, tuple[float, float | None], tuple[float, float | None]]:
    """Of sequences and of their steps, of the stored values."""
    value, bound, count, effective = (torch.cat(each) for each in zip(*parts, strict=True))
    jacobian = torch.from_numpy(spec.log_jacobians)
    known = ~x.isnan()
    shift = torch.where(known, jacobian.to(x.device), 0.0).flatten(1).sum(1).double().cpu()
    value, bound = value + shift, bound + shift
    numbers = float(known.flatten(1).sum(1).double().mean())
    mean, error = mean_and_error(value)
    note = f"{_how(model, samples)}; in expectation a lower bound on log p(x)"
    note += f", of {numbers:,.0f} known numbers on average{binarized(spec)}"
    likelihood = Likelihood(
        mean,
        "estimate",
        note,
        samples,
        float(effective.mean()),
        error,
        bits_per_dim(mean, numbers),
        ess_min=float(effective.min()),
        ess_p5=float(effective.quantile(0.05)) if len(effective) < 1 << 24 else None,
    )
    steps = [mean_and_error(-each / count.mean()) for each in (value, bound)]
    return likelihood, Bound(*mean_and_error(bound)), steps[0], steps[1]


def _forecasts(model: Any, spec: DataSpec, x: Tensor, *context: Tensor) -> dict[str, Any]:
    """Errors by horizon and coverage, of forecasts of the last part of each sequence."""
    device, dtype = home(model, x)
    x = x.to(device, dtype)
    length = x.shape[1]
    given = min(max(1, round(_KNOWN * length)), length - 1)
    some = ~x[:, :given].isnan().flatten(1).all(1)
    x, context = x[some], tuple(c.to(device, dtype)[some] for c in context)
    per = float((~x.isnan()).flatten(2).any(2).sum(1).double().mean())
    empty = {"per_sequence": per, "given": given, "error": {}, "repeat": {}, "covered": {}}
    if not len(x):
        return empty
    past = model.pack(x[:, :given], *(c[:, :given] for c in context))
    since = between(model, past, length - given, *(c[:, given:] for c in context))
    found = model.roll(model.last(past, _DRAWS), since, model.hop)
    truth = x[:, given:]
    known = ~truth.isnan()
    scale = torch.as_tensor(spec.scale, device=device, dtype=dtype)
    squared = (found.means.mean(0) - truth).square() * scale.square()
    at = (past.lengths - 1)[:, None].reshape(-1, 1, *[1] * (x.dim() - 2))
    last = past.x.gather(1, at.expand(-1, 1, *x.shape[2:]))
    repeated = (last - truth).square() * scale.square()
    horizons = [h for h in (*_HORIZONS, length - given) if h <= length - given]
    error, repeat = (
        {h: _root(each[:, h - 1], known[:, h - 1]) for h in sorted(set(horizons))}
        for each in (squared, repeated)
    )
    covered = {}
    if spec.support in ("real", "unit"):
        for level in LEVELS:
            low, high = interval(found.draws, level)
            inside = (truth >= low) & (truth <= high)
            covered[level] = float(inside[known].double().mean())
    return {**empty, "error": error, "repeat": repeat, "covered": covered}


def between(model: Any, past: Any, horizon: int, *ahead: Tensor) -> Tensor:
    """Time from the last known step to the first one ahead, and on from step to step, ``(B, H)``.

    Args:
        model: knows the usual time between two steps.
        past: packed.
        horizon: H.
        ahead: times of the steps ahead, ``(B, H)``, NaN where they are not known; without them the
            grid goes on as it was.
    """
    unit = model.time.unit
    steps = torch.full((len(past.times), horizon), unit).to(past.times)
    if ahead:
        times = torch.cat((past.times[:, -1:], ahead[0]), 1)
        gaps = times.diff(dim=1)
        return torch.where(gaps.isnan(), unit, gaps).clamp_min(0.0)
    # The last steps of a sequence may be missing: they lie between.
    late = past.steps.shape[1] - 1 - past.places.where(past.steps, -1).max(1).values
    steps[:, 0] += unit * late.clamp_min(0)
    return steps


def interval(draws: Tensor, level: float) -> tuple[Tensor, Tensor]:
    """The central interval of draws ``(K, *)`` that is to hold a share ``level`` of the data.

    Between order statistics such that a further draw lies inside with that probability.
    """
    ordered = draws.sort(0).values
    count = len(draws)
    low = (1.0 - level) / 2.0 * (count + 1) - 1.0
    return tuple(_between(ordered, at) for at in (low, count - 1 - low))  # ty: ignore[invalid-explicit-return]


def _between(ordered: Tensor, at: float) -> Tensor:
    at = min(max(at, 0.0), len(ordered) - 1.0)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return torch.lerp(ordered[below], ordered[above], at - below)


def _root(squared: Tensor, known: Tensor) -> float:
    count = known.sum()
    return float((torch.where(known, squared, 0.0).sum() / count).sqrt()) if count else math.nan
