"""What an encoder's answer costs: log p(x) = ELBO(q) + amortization gap + approximation gap.

The amortization gap is what one encoder for all data loses against the best diagonal normal of each
datum; the approximation gap is what even that one loses, since the posterior is no diagonal normal
(EQUATIONS 21).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import sample_with_log_prob
from ..errors import LowerboundError
from ..inference import refine, refuse_codes
from .decoding import batch, evaluating, home, log_densities
from .result import Gap
from .streaming import WeightSums
from .tiles import cut

_BATCH = 64
# Of the type's resolution, what sums over a datum lose: 1e-6 in float32.
_ROUNDING = 8


def amortization_gap(
    model: Any,
    x: Tensor,
    *context: Tensor,
    steps: int = 200,
    learning_rate: float = 0.5,
    samples: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Gap:
    """How far below log p(x) the encoder's bound lies, and which part of it refinement wins back.

    Refinement is :func:`lowerbound.inference.refine`. Both bounds are measured with the same noise,
    none of which the refinement has seen.

    Args:
        model: has ``encode``, ``decode``, ``prior``; log p(x) is exact if it has ``log_prob``.
        x: prepared data, ``(N, *event)``.
        context: ``(N, ...)`` each.
        steps: of refinement.
        learning_rate: of refinement.
        samples: codes for each bound of each datum, and for log p(x) where it is not exact.
        seed: of all noise.
        progress: called with (examples done, examples in all).

    Raises:
        LowerboundError: the model has no likelihood, or codes that do not fill all of R^n.

    References:
        Cremer, Li & Duvenaud 2018, Inference suboptimality in variational autoencoders, arXiv
        1801.03558
    """
    refuse_gap(model, x, *context)
    device, dtype = home(model, x)
    exact = hasattr(model, "log_prob")
    rows: list[Tensor] = []
    with (
        evaluating(model),
        torch.no_grad(),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
    ):
        for start in range(0, len(x), _BATCH):
            here, *c = batch(model, slice(start, start + _BATCH), x, *context)
            refined = refine(model, here, *c, steps=steps, learning_rate=learning_rate, seed=seed)
            noise = seed + 1 + start  # none that the refinement has seen
            amortized, _ = _bounds(model, model.encode(here, *c), here, c, samples, noise)
            best, evidence = _bounds(model, refined, here, c, samples, noise)
            if exact:
                evidence = model.log_prob(here, *c)
            rows.append(torch.stack([t.double().cpu() for t in (amortized, best, evidence)]))
            if progress is not None:
                progress(start + len(here), len(x))
    amortized, best, evidence = torch.cat(rows, dim=1)
    amortization, approximation = best - amortized, evidence - best
    # Round-off is no gap.
    noise = _ROUNDING * torch.finfo(dtype).eps * max(1.0, float(amortized.abs().mean()))
    lost, left = (_beyond(each, noise) for each in (amortization, approximation))
    return Gap(
        log_likelihood=float(evidence.mean()),
        kind="exact" if exact else "estimate",
        refined=float(best.mean()),
        amortized=float(amortized.mean()),
        amortization=lost[0],
        amortization_error=lost[1],
        approximation=left[0],
        approximation_error=left[1],
        examples=len(x),
        settings={"steps": steps, "learning_rate": learning_rate, "samples": samples, "seed": seed},
    )


def refuse_gap(model: Any, x: Tensor, *context: Tensor, reason: str | None = None) -> None:
    """Refuse a model whose encoder has no diagonal normal to be compared with.

    Args:
        model: what :func:`amortization_gap` is asked of.
        x: prepared data, ``(N, *event)``; one example is encoded.
        context: ``(N, ...)`` each.
        reason: why there is no likelihood, if so.

    Raises:
        LowerboundError: no likelihood or no bound, or codes that do not fill R^n.
    """
    reason = getattr(model, "no_likelihood", None) or reason
    lacks = [name for name in ("prior", "encode", "decode") if not hasattr(model, name)]
    if reason is None and getattr(model, "bijective", False):
        reason = "its codes are the data themselves, through a bijection, and lose nothing"
    if reason is None and lacks:
        reason = f"it has no {' and no '.join(lacks)}"
    if reason is not None:
        raise LowerboundError(
            f"amortization gap: expected a model with a bound, came one without: {reason}"
        )
    here, *c = batch(model, slice(1), x, *context)
    try:
        refuse_codes(model, here, *c)
    except LowerboundError as error:
        raise LowerboundError(f"amortization gap: {error}") from None


def _bounds(
    model: Any,
    q: Distribution,
    x: Tensor,
    context: list[Tensor],
    samples: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Mean and log-mean-exp of the weights log p(x, z) − log q(z): ``(B,)`` each, nats.

    Where q is the posterior every weight is log p(x), and neither has any noise.
    """
    rows = cut(samples, math.prod(model.latent_shape), x[0].numel(), None, x.device.type).rows
    at_once = max(1, rows // len(x))
    torch.manual_seed(seed)
    total = x.new_zeros(len(x)) if x.is_floating_point() else torch.zeros(len(x), device=x.device)
    sums = WeightSums(len(x), total)
    for first in range(0, samples, at_once):
        z, log_q = sample_with_log_prob(q, (min(at_once, samples - first),))
        log_likelihood, log_prior = log_densities(model, z, x, *context)
        weights = log_likelihood + log_prior - log_q
        sums.add(weights)
        total = total + weights.sum(0)
    return total / samples, sums.log_mean()


def _beyond(values: Tensor, noise: float) -> tuple[float, float | None]:
    """Mean and its error; zero where both are below the noise."""
    mean, error = float(values.mean()), _error(values)
    if abs(mean) < noise and (error or 0.0) < noise:
        return 0.0, None if error is None else 0.0
    return mean, error


def _error(values: Tensor) -> float | None:
    """Standard error of the mean."""
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None
