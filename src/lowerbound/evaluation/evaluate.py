"""All that is to be known about a model on held-out data, as one result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ..errors import LowerboundError
from .amortization import amortization_gap, refuse_gap
from .annealing.measure import Ask, annealed
from .arithmetic import baseline_bits_per_dim, binarized, bits_per_dim, mean_and_error, of_levels
from .codes import Codes, encode_all, pseudo_likelihood
from .conditional import counted, prior_monte_carlo
from .decoding import batch, evaluating, home
from .effort import affordable
from .likelihood import LogLikelihood, estimate_log_likelihood
from .result import Bound, ErrorAt, Evaluation, Gap, Likelihood
from .rows import of_what
from .sections import Annealing
from .temporal import evaluate_sequences

if TYPE_CHECKING:
    from ..data.spec import DataSpec

Progress = Callable[[int, int], None]

# Posterior samples for the distortion where log p(x) itself is exact and asks for none.
_DISTORTION_SAMPLES = 64
_BATCH = 1024


def evaluate(
    model: Any,
    spec: DataSpec,
    x: Tensor,
    *context: Tensor,
    name: str = "model",
    split: str = "test",
    samples: int | None = None,
    rows: int | None = None,
    precision: torch.dtype | None = None,
    compile: bool | Literal["auto"] = "auto",
    seed: int = 0,
    of: int | None = None,
    gap: bool = False,
    unfinished: str | None = None,
    likelihood: bool = True,
    ais: Ask | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on held-out data.

    A model that has ``log_prob`` is measured exactly; any other with a likelihood and a prior by
    importance sampling, or by its evidence lower bound where ``samples`` is 1. Log-likelihood,
    bound and distortion are those of the *stored* values (``spec.log_jacobian`` is counted), the
    rate belongs to the code and needs no such thing, the squared error is in the model's units.

    Args:
        model: has ``encode``; what else is measured follows from what else it has.
        spec: of the data.
        x: prepared data, ``(N, *event)`` (noise of binarization and dequantization already drawn).
        context: what the model is conditioned on, ``(N, ...)`` each.
        name: of the model, for the result.
        split: of the data, for the result.
        samples: importance samples for each example, k; 1: the lower bound alone; None: 1000, or as
            many as are affordable (`lowerbound.evaluation.effort`), which may leave out examples.
        of: how many examples x was drawn from.
        gap: also refine the posterior of each example, and tell the amortization gap.
        unfinished: of a model whose training has not ended, how far it came, in words.
        likelihood: whether to measure log p(x), bound and distortion; else what codes tell alone.
        ais: also estimate log p(x) by annealed importance sampling, as is said there.
        rows, precision, compile, seed: see :func:`estimate_log_likelihood`.
        progress: called with (examples done, examples in all); a method ``stage`` of it, if there
            is one, is told what is being done.

    Raises:
        LowerboundError: ``x`` does not have the model's shape, or cannot be measured as is asked.
    """
    began = time.monotonic()
    event_shape = tuple(model.event_shape)
    if x.shape[1:] != event_shape or len(x) == 0:
        expected = ", ".join(["N", *map(str, event_shape)])
        raise LowerboundError(f"expected x of shape ({expected}), got {tuple(x.shape)}")
    if hasattr(model, "evidence"):
        asked = {"gap": gap, "ais": ais}
        told: dict[str, Any] = {"name": name, "split": split, "samples": samples, "seed": seed}
        told |= {"of": of, "unfinished": unfinished, "likelihood": likelihood, "progress": progress}
        return evaluate_sequences(model, spec, x, *context, asked=asked, **told)
    reason: str | None = getattr(model, "no_likelihood", None) or _unfit(model, spec)
    of = len(x) if of is None else of
    # A bijection codes x without loss: no distortion or rate, log p(x) alone.
    bijective = getattr(model, "bijective", False)
    probabilistic = hasattr(model, "prior") and hasattr(model, "decode") and not bijective
    exact = reason is None and hasattr(model, "log_prob")
    if reason is None and not exact and not probabilistic:
        reason = "the model has no prior and no log_prob"
    if reason is None and not exact and not hasattr(model, "encode"):
        reason = "the model has no posterior to draw codes from; --ais needs none"
    if gap:
        refuse_gap(model, x, *context, reason=reason)
    if ais is not None:
        ais.refuse(model, spec, x, *context)
    certain = certain_of(model, x, *context)
    if certain and reason is None and not exact:
        samples = 1  # every draw is the same code: more of them are the same lower bound
    if not likelihood:
        exact = False
    if likelihood and samples is None and reason is None and probabilistic and not exact:
        samples, examples = affordable(model, x, context=context)
        x, context = x[:examples], tuple(c[:examples] for c in context)
    samples = 1000 if samples is None else samples
    codes: Codes | None = None
    if hasattr(model, "encode"):
        codes = encode_all(
            model,
            x,
            *context,
            reconstruct=spec.support != "categories",
            progress=progress if reason is not None or not likelihood else None,
        )
    found: LogLikelihood | None = None
    if likelihood and reason is None and probabilistic and codes is not None:
        found = estimate_log_likelihood(
            model,
            x,
            *context,
            samples=min(samples, _DISTORTION_SAMPLES) if exact else samples,
            rows=rows,
            precision=precision,
            compile=compile,
            seed=seed,
            progress=progress,
        )
    by_prior: LogLikelihood | None = None
    if found is not None and not exact and samples > 1 and context:
        by_prior = prior_monte_carlo(
            model, x, *context, samples=samples, rows=rows, precision=precision, seed=seed
        )
    rate = None if codes is None else codes.rate
    distortion = None if found is None else found.distortion
    if found is not None and rate is not None and exact:
        # Where log p(x) and the posterior are known every weight is log p(x): what the drawn rate
        # is off by the drawn distortion is off by, too, and together they leave no noise.
        distortion = found.distortion + found.rate - rate
    elif found is not None and (rate is None or found.samples > 1):
        # From the same draws as the estimate, so that a bound never stands above it by chance.
        rate = found.rate
    shift, dimensions = counted(model, spec, *context)
    bound = None if distortion is None or rate is None else shift - distortion - rate
    values: Tensor | None = None
    if exact:
        values = shift + _exact(model, x, *context)
    elif found is not None:
        values = bound if samples == 1 else shift + found.values
    short: Gap | None = None
    if gap and found is not None:
        short = amortization_gap(
            model, x, *context, samples=max(100, found.samples), seed=seed, progress=progress
        ).shifted(float(torch.as_tensor(shift, dtype=torch.float64).mean()))
    given = _given(model) if context else None
    by_annealing: Annealing | None = None
    if ais is not None:
        by_annealing = annealed(
            model,
            spec,
            x,
            *context,
            ask=ais,
            values=values,
            kind="exact" if exact else "ELBO" if samples == 1 else "importance sampling",
            given=given,
            progress=progress,
        )
    by_places = hasattr(model, "masking") and hasattr(model, "predict")
    return Evaluation(
        model=name,
        data={
            "name": spec.name,
            "split": split,
            "examples": len(x),
            "of": of,
            "event_shape": list(event_shape),
            "binarize": spec.binarize,
            "dequantize": spec.dequantize,
            "levels": spec.levels,
            "continuous": not of_levels(spec),
        },
        log_likelihood=None
        if values is None
        else _likelihood(values, spec, found, exact, dimensions, given=given),
        no_likelihood=reason,
        bound=None if bound is None else Bound(*mean_and_error(bound)),
        rate=None if rate is None else mean_and_error(rate)[0],
        distortion=None if distortion is None else mean_and_error(distortion - shift)[0],
        active_units=codes.active_units if probabilistic and codes is not None else None,
        latent_dim=_latent_dim(model) if codes is None else codes.means.shape[1],
        kl_per_dimension=_kl_per_dimension(codes),
        squared_error=None
        if codes is None or codes.squared_error is None
        else mean_and_error(codes.squared_error)[0],
        baseline_bits_per_dim=baseline_bits_per_dim(spec),
        settings={
            "samples": None if found is None else found.samples,
            "rows": None if found is None else found.rows,
            "precision": str(precision or home(model, x)[1]).removeprefix("torch."),
            "compiled": False if found is None else found.compiled,
            "compile_note": "" if found is None else found.note,
            "seed": seed,
            "seconds": round(time.monotonic() - began, 3),
        },
        prior_monte_carlo=None
        if by_prior is None
        else _likelihood(
            shift + by_prior.values, spec, by_prior, False, dimensions, "prior", given
        ),
        gap=short,
        given=given,
        dimensions=dimensions,
        hidden_error=None
        if codes is None or codes.hidden_error is None
        else mean_and_error(codes.hidden_error)[0],
        error_at=_error_at(model, codes),
        pseudo_likelihood=Bound(*mean_and_error(pseudo_likelihood(model, x, seed)))
        if by_places
        else None,
        unfinished=unfinished,
        uniform_rate=getattr(model, "uniform_rate", None) if certain else None,
        codebook=_codebook(model, codes),
        annealing=by_annealing,
    )


def _exact(model: Any, x: Tensor, *context: Tensor) -> Tensor:
    """log p(x) of a model that knows it, nats, ``(N,)``."""
    pieces = []
    with evaluating(model), torch.no_grad():
        for start in range(0, len(x), _BATCH):
            here = batch(model, slice(start, start + _BATCH), x, *context)
            pieces.append(model.log_prob(*here).cpu())
    return torch.cat(pieces)


def _unfit(model: Any, spec: DataSpec) -> str | None:
    """Why the likelihood is no normalised one of such data; None if it is, or cannot be asked."""
    family = getattr(getattr(model, "likelihood", None), "family", None)
    supports = getattr(family, "supports", None)
    if supports is None or spec.support in supports:
        return None
    name = type(family).__name__
    told = getattr(family, "not_a_likelihood", {}).get(spec.support)
    return f"likelihood {name}: " + (
        told or f"it is one of data that are {' or '.join(sorted(supports))}, not {spec.support}"
    )


def _given(model: Any) -> str | None:
    """What a conditional model is given, in a word; None of others."""
    condition = getattr(model, "condition", None)
    if condition is None or condition.side == "position":
        return None
    words = {"labels": "label", "attributes": "attributes"}
    return "rest" if getattr(condition, "of_x", False) else words.get(condition.side, "condition")


def certain_of(model: Any, x: Tensor, *context: Tensor) -> bool:
    """Whether the posterior is a point, so that one draw says it all (an index of a codebook)."""
    if not hasattr(model, "encode"):
        return False
    here = batch(model, slice(1), x, *context)
    with evaluating(model), torch.no_grad():
        return getattr(model.encode(*here), "certain", False)


def _latent_dim(model: Any) -> int:
    return math.prod(getattr(model, "latent_shape", (0,)))


def _error_at(model: Any, codes: Codes | None) -> ErrorAt:
    """Of which reconstruction the squared error is."""
    if hasattr(model, "denoise") and hasattr(model, "corruption"):
        return "denoised"
    if codes is None or not codes.index:
        return "posterior mean"
    return "codes" if hasattr(model, "code_use") else "likeliest component"


def _codebook(model: Any, codes: Codes | None) -> dict[str, float] | None:
    """How much of a codebook all of the data use; None where codes are no indices into one."""
    if codes is None or not codes.index or not hasattr(model, "code_use"):
        return None
    return model.code_use(codes.means.reshape(-1, *model.latent_shape))


def _kl_per_dimension(codes: Codes | None) -> list[float] | None:
    return (
        None if codes is None or codes.kl_per_dimension is None else codes.kl_per_dimension.tolist()
    )


def _likelihood(
    values: Tensor,
    spec: DataSpec,
    found: LogLikelihood | None,
    exact: bool,
    dimensions: float,
    codes: str = "posterior",
    given: str | None = None,
) -> Likelihood:
    value, error = mean_and_error(values)
    bits = bits_per_dim(value, dimensions)
    if exact or found is None:
        note = of_what(_note("exact", spec, None), given)
        return Likelihood(value, "exact", note, None, None, error, bits)
    if found.samples == 1:
        note = of_what(_note("lower bound", spec, found), given)
        return Likelihood(value, "lower bound", note, 1, None, error, bits)
    ess = found.ess.double()
    return Likelihood(
        value,
        "estimate",
        of_what(_note("estimate", spec, found, codes), given),
        found.samples,
        float(ess.mean()),
        error,
        bits,
        ess_min=float(ess.min()),
        ess_p5=float(ess.quantile(0.05)),
    )


def _note(kind: str, spec: DataSpec, found: LogLikelihood | None, codes: str = "posterior") -> str:
    """What the number is, in words that can stand beside it in a paper."""
    dequantized = spec.dequantize == "uniform"
    of = " of the dequantized density," if dequantized else ""
    target = "the discrete log P(x)" if dequantized else "log p(x)"
    if kind == "exact":
        note = "log p(x) in closed form"
        if dequantized:
            note += f" of the dequantized density, in expectation a lower bound on {target}"
    elif kind == "lower bound":
        note = f"evidence lower bound (ELBO){of or ','} in expectation below {target}"
    else:
        assert found is not None
        way = "importance-weighted" if codes == "posterior" else "Monte Carlo over the prior, an"
        note = f"{way} estimate with k = {found.samples:,}{of or ';'} "
        note += f"in expectation a lower bound on {target}"
    return note + binarized(spec)
