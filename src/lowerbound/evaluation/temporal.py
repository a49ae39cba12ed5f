"""Models of sequences on held-out data: log p of each step, forecasts and their intervals."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from ..errors import LowerboundError
from .arithmetic import baseline_bits_per_dim, binarized, bits_per_dim, mean_and_error, of_levels
from .decoding import evaluating, home
from .result import Bound, Evaluation, Likelihood
from .rows import Row, with_error
from .sections import Forecasts, Horizon, Value

if TYPE_CHECKING:
    from ..data.spec import DataSpec

SAMPLES = 64
_STATES = 8_000_000  # drawn in all, unless samples are asked for
_BATCH = 64
_FORECASTS, _DRAWS = 200, 100  # sequences that are rolled out, and how often each
_KNOWN = 0.6  # share of a sequence that a forecast is given
_LEAST = 5  # sequences that a horizon needs; all of them, where there are fewer
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
        forecasts: errors by horizon, and how much of the data intervals hold.
    """

    value: Value | None
    bound: Value | None
    note: str
    per_sequence: float
    forecasts: Forecasts
    name: str = "steps"

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences under its rows."""
        return self.forecasts.notes()

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
        return rows + self.forecasts.rows()

    def to_json(self) -> dict[str, Any]:
        """Stable keys, JSON's types."""
        return {
            "value": self.value,
            "bound": self.bound,
            "note": self.note,
            "per_sequence": self.per_sequence,
            **self.forecasts.to_json(),
        }


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
        forecasts = forecasts_of(model, spec, x, *context)
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
                per_sequence=float((~x.isnan()).flatten(2).any(2).sum(1).double().mean()),
                forecasts=forecasts,
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
) -> tuple[Likelihood, Bound, Value, Value]:
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
    steps = [_per(-each, count) for each in (value, bound)]
    return likelihood, Bound(*mean_and_error(bound)), steps[0], steps[1]


def forecasts_of(model: Any, spec: DataSpec, x: Tensor, *context: Tensor) -> Forecasts:
    """Errors by horizon and coverage, of forecasts of the last part of each sequence.

    A forecast begins at the same share of each sequence, from its first known step to its last: of
    sequences of several lengths all take part.

    Args:
        model: of sequences.
        spec: of the data.
        x: prepared data, ``(N, T, *frame)``, NaN where a number is missing.
        context: times of the steps, ``(N, T)``.
    """
    device, dtype = home(model, x)
    units = _Units.of(spec, x)
    given, first, room = (each[:_FORECASTS].to(device) for each in _beginnings(x))
    some = room > 0
    of, given, told = len(x), given[some], (given - first)[some].sort().values.tolist()
    rows = [t[:_FORECASTS].to(device, dtype)[some] for t in (x, *context)]
    empty = Forecasts(
        sequences=len(told),
        of=of,
        given=(told[len(told) // 2], told[0], told[-1]) if told else (0, 0, 0),
        unit="std of the data" if units.spread else "data units",
        horizons={},
        beyond=int(room.max()) if told else None,
        share=_KNOWN,
        least=min(_LEAST, max(1, len(told))),
        spread=units.spread,
        covered={},
        numbers=0,
    )
    if empty.beyond is None:
        return empty
    truth = _after(rows[0], given, empty.beyond)
    known = ~truth.isnan() & units.varies.to(device)
    enough = known.flatten(2).any(2).sum(0) >= empty.least
    if not bool(enough.any()):
        return empty
    furthest = int(enough.nonzero().max()) + 1
    truth, known = truth[:, :furthest], known[:, :furthest]
    before = torch.arange(rows[0].shape[1], device=device) < given[:, None]
    before = before.reshape(*before.shape, *[1] * (truth.dim() - 2))
    past = torch.where(before, rows[0], torch.nan)[:, : int(given.max())]
    packed = model.pack(past, *(c[:, : past.shape[1]] for c in rows[1:]))
    ahead = (_after(c, given, furthest) for c in rows[1:])
    since = between(model, packed, furthest, *ahead, at=given)
    found = model.roll(model.last(packed, _DRAWS), since, model.hop)
    off, still = found.means.mean(0) - truth, _last_known(past) - truth
    horizons = {
        h: _horizon(off[:, h - 1], still[:, h - 1], known[:, h - 1], units, empty.least)
        for h in sorted({*_HORIZONS, furthest})
        if h <= furthest and enough[h - 1]
    }
    covered = {}
    if spec.support in ("real", "unit"):
        for level in LEVELS:
            low, high = interval(found.draws, level)
            covered[level] = _ratio((truth >= low) & (truth <= high), known)
    return replace(empty, horizons=horizons, covered=covered, numbers=int(known.sum()))


class _Units(NamedTuple):
    """In what errors are told.

    Attributes:
        scale: of x, to the data's own units, ``()`` or what broadcasts to a step.
        factor: of errors of x, to the unit in which all features are taken together, likewise.
        varies: which features take part: not those of one value, which have no spread.
        spread: of each of several features in its own unit, by name; empty of others.
    """

    scale: Tensor
    factor: Tensor
    varies: Tensor
    spread: dict[str, float]

    @classmethod
    def of(cls, spec: DataSpec, x: Tensor) -> _Units:
        """The data's own; of several features, of which each has its own, standard deviations."""
        scale = torch.as_tensor(spec.scale, dtype=torch.float64)
        if spec.kind != "sequence" or x.dim() != 3 or x.shape[2] < 2:
            return cls(scale, scale, torch.ones((), dtype=torch.bool), {})
        x = x.cpu().double()
        spread = (x - x.nanmean((0, 1))).square().nanmean((0, 1)).sqrt().nan_to_num(0.0)
        varies = spread > 0.0
        names = spec.columns or tuple(f"x{place}" for place in range(x.shape[2]))
        scale = scale.expand(spread.shape)
        own = dict(zip(names, (spread * scale).tolist(), strict=True))
        return cls(scale, spread.where(varies, 1.0).reciprocal(), varies, own)


def _horizon(off: Tensor, still: Tensor, known: Tensor, units: _Units, least: int) -> Horizon:
    """Of errors ``(B, *frame)`` of the forecast's mean and of repeating, at one horizon."""
    off, still = off.double(), still.double()
    again = known & ~still.isnan()  # a number that was not known before has nothing to repeat
    scale, factor = units.scale.to(off), units.factor.to(off)
    features: dict[str, tuple[Value, Value] | None] = {}
    for place, name in enumerate(units.spread):
        at = (..., place)
        enough = int(known[at].sum()) >= least
        features[name] = (
            (_root((off * scale)[at], known[at]), _root((still * scale)[at], again[at]))
            if enough
            else None
        )
    return Horizon(
        error=_root(off * factor, known),
        repeat=_root(still * factor, again),
        sequences=int(known.flatten(1).any(1).sum()),
        numbers=int(known.sum()),
        features=features,
    )


def _beginnings(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each sequence the place at which its forecast begins, that of its first known step, and
    how many steps there are from the former to its last known one, int64 ``(N,)`` each."""
    there = (~x.isnan()).flatten(2).any(2)
    place = torch.arange(x.shape[1], device=x.device)
    first = torch.where(there, place, x.shape[1]).amin(1)
    end = torch.where(there, place, -1).amax(1) + 1
    length = (end - first).clamp_min(0)
    share = (_KNOWN * length.double()).round().long().clamp_min(1)
    given = first + torch.minimum(share, (length - 1).clamp_min(0))
    return given, first, torch.where(length > 1, end - given, 0)


def _after(values: Tensor, given: Tensor, steps: int) -> Tensor:
    """Of each sequence so many steps from its own place on, NaN beyond its end.

    ``(B, T, *) -> (B, H, *)``.
    """
    index = given[:, None] + torch.arange(steps, device=values.device)
    wide = (*index.shape, *[1] * (values.dim() - 2))
    inside = (index < values.shape[1]).reshape(wide)
    index = index.clamp_max(values.shape[1] - 1).reshape(wide)
    found = values.gather(1, index.expand(*index.shape[:2], *values.shape[2:]))
    return torch.where(inside, found, torch.nan)


def _last_known(x: Tensor) -> Tensor:
    """Each number where it was known last, ``(B, 1, *)``; NaN where it never was."""
    place = torch.arange(x.shape[1], device=x.device).reshape(1, -1, *[1] * (x.dim() - 2))
    at = torch.where(x.isnan(), 0, place).amax(1, keepdim=True)
    return x.gather(1, at)


def between(
    model: Any,
    past: Any,
    horizon: int,
    *ahead: Tensor,
    at: Tensor | None = None,
    end: Tensor | None = None,
) -> Tensor:
    """Time from the last known step to the first one ahead, and on from step to step, ``(B, H)``.

    Args:
        model: knows the usual time between two steps.
        past: packed.
        horizon: H.
        ahead: times of the steps ahead, ``(B, H)``, NaN where they are not known; without them the
            grid goes on as it was.
        at: steps of each sequence before the first one ahead, ``(B,)``; None: all there are places
            for.
        end: time of the last of these, ``(B, 1)``, where times are known; None: as usual.
    """
    unit, last = model.time.unit, past.times[:, -1:]
    if end is None:
        # The last steps of a sequence may be missing: they lie between.
        count = past.steps.shape[1] if at is None else at
        late = count - 1 - past.places.where(past.steps, -1).max(1).values
        end = last + unit * late.clamp_min(0)[:, None]
    steps = torch.full((len(last), horizon), unit).to(last)
    if ahead:
        gaps = torch.cat((end, ahead[0]), 1).diff(dim=1)
        steps = torch.where(gaps.isnan(), steps, gaps)
    steps[:, :1] += end - last
    return steps.clamp_min(0.0)


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


def _ratio(values: Tensor, known: Tensor) -> Value:
    """Mean of the known numbers of all sequences, ``(B, *)`` each, and its standard error."""
    known = known.expand(values.shape).reshape(len(values), -1)
    total = torch.where(known, values.reshape(len(values), -1).double(), 0.0).sum(1)
    return _per(total, known.sum(1).double())


def _per(total: Tensor, count: Tensor) -> Value:
    """Σ total / Σ count over sequences, ``(B,)`` each, and its standard error.

    What is of one sequence belongs together, and how much it has is no noise: the error is that of
    a ratio of two means.
    """
    total, count = total[count > 0], count[count > 0]
    if not len(count):
        return math.nan, None
    mean = total.sum() / count.sum()
    if len(count) == 1:
        return float(mean), None
    spread = (total - mean * count).square().sum() * len(count) / (len(count) - 1)
    return float(mean), float(spread.sqrt() / count.sum())


def _root(off: Tensor, known: Tensor) -> Value:
    """Root of the mean square of the known numbers, and its standard error."""
    mean, error = _ratio(off.double().square(), known)
    root = math.sqrt(mean)
    return root, error / (2.0 * root) if error is not None and root > 0.0 else None
