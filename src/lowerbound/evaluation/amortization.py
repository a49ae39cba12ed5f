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
from ..inference import refine
from .decoding import evaluating, home, log_densities
from .result import Gap
from .streaming import WeightSums
from .tiles import cut

_BATCH = 64


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
        LowerboundError: the model has no likelihood, or codes that are no real numbers.

    References:
        Cremer, Li & Duvenaud 2018, Inference suboptimality in variational autoencoders, arXiv
        1801.03558
    """
    reason = getattr(model, "no_likelihood", None)
    if reason is None and not (hasattr(model, "prior") and hasattr(model, "decode")):
        reason = "the model has no prior and no likelihood"
    if reason is not None:
        raise LowerboundError(f"expected a model with a bound, came one without: {reason}")
    device, dtype = home(model, x)
    exact = hasattr(model, "log_prob")
    rows: list[Tensor] = []
    with (
        evaluating(model),
        torch.no_grad(),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
    ):
        for start in range(0, len(x), _BATCH):
            here, *c = (
                t[start : start + _BATCH].to(device, dtype if t.is_floating_point() else None)
                for t in (x, *context)
            )
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
    return Gap(
        log_likelihood=float(evidence.mean()),
        kind="exact" if exact else "estimate",
        refined=float(best.mean()),
        amortized=float(amortized.mean()),
        amortization=float(amortization.mean()),
        amortization_error=_error(amortization),
        approximation=float(approximation.mean()),
        approximation_error=_error(approximation),
        examples=len(x),
        settings={"steps": steps, "learning_rate": learning_rate, "samples": samples, "seed": seed},
    )


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


def _error(values: Tensor) -> float | None:
    """Standard error of the mean."""
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None
