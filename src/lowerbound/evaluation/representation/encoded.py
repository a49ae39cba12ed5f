"""Codes of some examples as they are measured: means, one draw each, and the posteriors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...distributions import DiagonalNormal, sample_with_log_prob
from ..codes import encode_all, normal_factors
from ..decoding import batch, evaluating, home

Array = NDArray[Any]

_BATCH = 256
#: A dimension whose rate is less carries nothing; of a code without rate, one whose spread is
#: less than this share of the largest.
LEAST_RATE, LEAST_SPREAD = 0.01, 1e-6


@dataclass(frozen=True)
class Encoded:
    """Codes of N examples; on the CPU.

    Attributes:
        means: E_q[z], ``(N, D)``; indices are int64.
        draws: one z ~ q(z|x) for each, ``(N, D)``.
        posterior: diagonal normals, batch shape ``(N,)``, event shape ``(D,)``; or None.
        kl_per_dimension: nats, ``(D,)``, or None where q and p do not factorise.
    """

    means: Array
    draws: Array
    posterior: DiagonalNormal | None
    kl_per_dimension: Array | None

    @property
    def index(self) -> bool:
        """Whether the codes are indices, whose values are no quantities."""
        return self.means.dtype.kind in "iu"

    def used(self) -> Array:
        """Dimensions that carry something: positions, ascending."""
        if self.kl_per_dimension is not None:
            return np.flatnonzero(self.kl_per_dimension >= LEAST_RATE)
        spread = self.means.astype(np.float64).std(0)
        return np.flatnonzero(spread > LEAST_SPREAD * max(float(spread.max(initial=0)), 1e-300))


def encode_examples(
    model: Any,
    x: Tensor,
    *context: Tensor,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Encoded:
    """Encode examples.

    Args:
        model: has ``encode(x, *c)``; the rate wants ``prior(*c)``.
        x: prepared data, ``(N, *event)``.
        context: ``(N, ...)`` each.
        seed: of the draws.
        progress: called with (examples done, examples in all).
    """
    found = encode_all(model, x, *context, reconstruct=False, progress=progress)
    device, _ = home(model, x)
    draws, normals = [], []
    devices = [device] if device.type == "cuda" else []
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        for start in range(0, len(x), _BATCH):
            here, *c = batch(model, slice(start, start + _BATCH), x, *context)
            q = model.encode(here, *c)
            z = q.sample() if not q.has_rsample else sample_with_log_prob(q)[0]
            draws.append(z.flatten(1).cpu())
            factors = normal_factors(q)
            if factors is not None:
                both = (factors.loc, factors.log_scale.expand_as(factors.loc))
                normals.append([t.flatten(1).float().cpu() for t in both])
    posterior = None
    if len(normals) == len(draws):
        loc, log_scale = (torch.cat(parts) for parts in zip(*normals, strict=True))
        posterior = DiagonalNormal(loc, log_scale, 1)
    rate = found.kl_per_dimension
    return Encoded(
        found.means.numpy(),
        torch.cat(draws).numpy(),
        posterior,
        None if rate is None else rate.numpy(),
    )
