"""A value for each test example, of everything that can be told of a run; kept in its folder."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import held_out
from ..errors import LowerboundError
from ..evaluation import encode_all, estimate_log_likelihood, held_out_contexts
from ..evaluation.conditional import counted
from ..evaluation.decoding import batch, evaluating
from ..evaluation.effort import affordable
from ..evaluation.evaluate import certain_of
from ..evaluation.rate_distortion import beta_of
from ..training.checkpoint import write_whole
from ..training.noise import mix
from ..training.state import CHECKPOINT, WEIGHTS
from .target import Target, target_of

if TYPE_CHECKING:
    from ..runs import Run

Array = NDArray[np.float64]
Kind = Literal["exact", "estimate", "lower bound", "", "none"]

#: File of a run that keeps the values.
KEPT = "comparison.npz"
_FORMAT = 1
#: Where the noise of binarization and dequantization starts, the same as of `evaluate`.
_HELD_OUT_SEED = 0
_SAMPLES_BESIDE_EXACT = 64


@dataclass(frozen=True)
class Quantity:
    """A column: two runs' values compare where their quantities are equal.

    Attributes:
        name: "−log p(x)", "−ELBO", "squared error".
        kind: exact, estimate, lower bound; "" of what is no bound on anything.
        samples: importance samples of an estimate, k.
        unit: "nats", or what the squared error is counted in.
    """

    name: str
    kind: Kind
    samples: int | None = None
    unit: str = "nats"

    @property
    def of_likelihood(self) -> bool:
        """Whether it stands for log p(x)."""
        return self.kind in ("exact", "estimate", "lower bound")

    def title(self) -> str:
        """As a heading.

        >>> Quantity("−log p(x)", "estimate", 1000).title()
        '−log p(x), estimate k = 1,000'
        """
        more = f" k = {self.samples:,}" if self.kind == "estimate" and self.samples else ""
        return self.name + (f", {self.kind}{more}" if self.kind else "")


@dataclass(frozen=True)
class Measured:
    """What is known of a run, example by example.

    Attributes:
        name: of the run.
        path: its folder.
        model: what the model is called.
        target: what the numbers are about.
        values: by quantity, less is better, ``(n,)``.
        means: what is told beside: rate, distortion, nats.
        bits: what a number of nats is divided by to be bits/dim.
        no_likelihood: why there is no log p(x), if so.
        unfinished: how far a training came that has not ended.
        beta: weight of the rate in its training; None where there is none.
    """

    name: str
    path: str
    model: str
    target: Target
    values: Mapping[Quantity, Array]
    means: Mapping[str, float] = field(default_factory=dict)
    bits: float = 1.0
    no_likelihood: str | None = None
    unfinished: str | None = None
    beta: float | None = None


def effort_of(run: Run, limit: int | None) -> tuple[int, int]:
    """Importance samples and examples that are affordable for a run."""
    x, context, _ = _points(run, limit)
    if not _sampled(run.model):
        return 1000, len(x)
    return affordable(run.model, x, context=context)


def measure(
    run: Run,
    *,
    samples: int,
    limit: int | None = None,
    seed: int = 0,
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """Measure a run on its test examples, or read what was measured of the same weights before.

    Args:
        run: with weights.
        samples: importance samples for each example where log p(x) is not exact.
        limit: the first so many of a shuffle that is the same for all runs.
        seed: of the posterior's samples.
        name: to call it by; its folder's name by default.
        progress: called with (examples done, examples in all).

    Raises:
        LowerboundError: no weights, data that are gone or changed.
    """
    model, spec = run.model, run.spec
    x, context, stored = _points(run, limit)
    target = target_of(model, spec, stored, context)
    asked = {
        "format": _FORMAT,
        "weights": _digest(run.path),
        "points": target.points,
        "examples": len(x),
        "samples": samples,
        "seed": seed,
    }
    found = _read(run.path, asked)
    if found is None:
        found = _measured(run, x, context, samples, seed, progress)
        _write(run.path, asked, *found)
    elif progress is not None:
        progress(len(x), len(x))
    values, means = found
    status = run.info["status"]
    ended = status["reason"] not in ("training", "interrupted", "failed")
    _, dimensions = counted(model, spec, *context)
    return Measured(
        name or run.path.name,
        str(run.path),
        run.name,
        target,
        values,
        means,
        dimensions * math.log(2.0),
        no_likelihood_of(model, spec),
        None if ended else f"{status['reason']} at step {status['step']:,}",
        beta_of(run),
    )


def no_likelihood_of(model: Any, spec: Any) -> str | None:
    """Why log p(x) of a model is not to be told, if so."""
    reason = getattr(model, "no_likelihood", None)
    family = getattr(getattr(model, "likelihood", None), "family", None)
    supports = getattr(family, "supports", None)
    if reason is None and supports is not None and spec.support not in supports:
        told = getattr(family, "not_a_likelihood", {}).get(spec.support)
        reason = f"likelihood {type(family).__name__}: {told or 'it is none of such data'}"
    if reason is None and not hasattr(model, "log_prob") and not _sampled(model):
        reason = "the model has no prior and no log_prob"
    return reason


def _sampled(model: Any) -> bool:
    """Whether log p(x) can be estimated by codes from the posterior."""
    able = all(hasattr(model, each) for each in ("prior", "encode", "decode"))
    return able and not getattr(model, "bijective", False)


def _points(run: Run, limit: int | None) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Test examples: prepared, with their conditions, and as stored."""
    split = run.data().test
    generator = torch.Generator().manual_seed(mix(0))
    chosen = torch.randperm(len(split), generator=generator)[:limit]
    x = held_out(split, run.spec, _HELD_OUT_SEED)
    context = held_out_contexts(run.model, x, split, seed=_HELD_OUT_SEED)
    return x[chosen], tuple(c[chosen] for c in context), split.stored(chosen)


def _measured(
    run: Run,
    x: Tensor,
    context: tuple[Tensor, ...],
    samples: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[Quantity, Array], dict[str, float]]:
    model, spec = run.model, run.spec
    values: dict[Quantity, Array] = {}
    means: dict[str, float] = {}
    likelihood = no_likelihood_of(model, spec) is None
    exact = likelihood and hasattr(model, "log_prob")
    shift, _ = counted(model, spec, *context)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model.to(device)
        if exact:
            log_p = shift + _exact(model, x, context)
            values[Quantity("−log p(x)", "exact")] = _array(-log_p)
        if likelihood and _sampled(model):
            k = min(samples, _SAMPLES_BESIDE_EXACT) if exact else samples
            if certain_of(model, x, *context):
                k = 1  # every draw is the same code, and an average of them no better a bound
            found = estimate_log_likelihood(
                model, x, *context, samples=k, seed=seed, progress=progress
            )
            if not exact and k > 1:
                name = Quantity("−log p(x)", "estimate", k)
                values[name] = _array(-(found.values + shift))
            bound = _array(found.distortion + found.rate - shift)
            values[Quantity("−ELBO", "lower bound")] = bound
            means["rate"] = float(found.rate.double().mean())
            means["distortion"] = float(_array(found.distortion - shift).mean())
        if hasattr(model, "encode"):
            codes = encode_all(model, x, *context, reconstruct=spec.support != "categories")
            if codes.squared_error is not None:
                name = "squared error, denoised" if hasattr(model, "denoise") else "squared error"
                quantity = Quantity(name, "", unit=_unit(spec))
                values[quantity] = _array(codes.squared_error)
    finally:
        model.to("cpu")
    return values, means


def _exact(model: Any, x: Tensor, context: tuple[Tensor, ...]) -> Tensor:
    """log p(x|c), nats, ``(N,)``."""
    pieces = []
    with evaluating(model), torch.no_grad():
        for start in range(0, len(x), 256):
            here = batch(model, slice(start, start + 256), x, *context)
            pieces.append(model.log_prob(*here).cpu())
    return torch.cat(pieces)


def _unit(spec: Any) -> str:
    """What x is counted in, where the squared error is: stored values over their scale."""
    if isinstance(spec.scale, list):
        return "per example, each column over its standard deviation"
    return f"per example, x / {spec.scale:g}" if spec.scale != 1.0 else "per example"


def _array(values: Tensor) -> Array:
    return values.detach().cpu().double().numpy()


# What is kept


def _digest(path: Path) -> str:
    """Of the weights."""
    found = hashlib.sha256()
    for name in (WEIGHTS, CHECKPOINT):
        file = path / name
        if file.exists():
            with file.open("rb") as opened:
                found.update(hashlib.file_digest(opened, "sha256").digest())
    return found.hexdigest()


def _write(
    path: Path, asked: dict[str, Any], values: Mapping[Quantity, Array], means: Mapping[str, float]
) -> None:
    about = {
        "asked": asked,
        "means": dict(means),
        "quantities": [vars(quantity) for quantity in values],
    }
    buffer = io.BytesIO()
    arrays = {f"values{place}": array for place, array in enumerate(values.values())}
    np.savez_compressed(buffer, about=np.array(json.dumps(about)), **arrays)  # ty: ignore
    try:
        write_whole(path / KEPT, buffer.getvalue())
    except (LowerboundError, OSError):
        return  # somebody else's folder, or a full disk: it is measured again the next time


def _read(
    path: Path, asked: dict[str, Any]
) -> tuple[dict[Quantity, Array], dict[str, float]] | None:
    """What was kept, if it answers just this."""
    try:
        with np.load(path / KEPT, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["asked"] != asked:
                return None
            quantities = [Quantity(**each) for each in about["quantities"]]
            values = {q: file[f"values{place}"] for place, q in enumerate(quantities)}
    except (OSError, ValueError, KeyError, TypeError):  # none, or corrupt: to be measured
        return None
    return values, about["means"]
