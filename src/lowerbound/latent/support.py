"""Where codes of a model's prior are, and how codes that were moved are brought back there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import constraints

from ..distributions.base import Sphere
from ..evaluation.decoding import batch, evaluating
from .space import Array


def support_of(model: Any, *context: Tensor) -> Callable[[Array], Array]:
    """How codes are brought back to where those of the prior are.

    What a tool makes of codes may be a code that the decoder never saw: a sum of two that lie on a
    sphere, or a step out of a box. Of a prior in a box the nearest code in it is taken, of one on
    the sphere the code in the same direction.

    Args:
        model: may have ``prior(*c)``, of codes ``latent_shape``.
        context: ``(N, ...)`` each; the prior is asked for the first.

    Returns:
        from codes ``(*lead, latent)`` to those that are taken, float64; codes of a prior on all of
        R^n, and of a model without a prior, are taken as they are.

    >>> from types import SimpleNamespace
    >>> from lowerbound.distributions import UniformPrior
    >>> model = UniformPrior(2)
    >>> model.prior, model.latent_shape = model.forward, (2,)
    >>> support_of(model)(np.array([[0.5, -3.0]])).tolist()
    [[0.5, -1.0]]
    """
    if not hasattr(model, "prior"):
        return _as_they_are
    _, *first = batch(model, slice(0, 1), torch.zeros(1), *context)
    with evaluating(model), torch.no_grad():
        try:
            support = model.prior(*first).support
        except NotImplementedError:
            return _as_they_are
    shape = tuple(model.latent_shape)

    def brought_back(codes: Array) -> Array:
        codes = np.ascontiguousarray(codes, np.float64)
        rows = torch.from_numpy(codes).reshape(-1, *shape)
        return _nearest(support, rows).reshape(codes.shape).numpy()

    return brought_back


def _as_they_are(codes: Array) -> Array:
    return codes


def _nearest(support: Any, z: Tensor) -> Tensor:
    """Of codes ``(M, *latent)``; those of categories and counts are left as they are."""
    while isinstance(support, constraints.independent):
        support = support.base_constraint
    if isinstance(support, constraints.cat):  # parts, each with a support of its own
        parts = z.split(list(support.lengths), support.dim)
        found = [_nearest(own, part) for own, part in zip(support.cseq, parts, strict=True)]
        return torch.cat(found, support.dim)
    if isinstance(support, Sphere):
        length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
        # No direction is nearer to the centre than another.
        some = torch.nn.functional.one_hot(torch.tensor(0), z.shape[-1]).to(z)
        return torch.where(length > 0, z / length.clamp_min(torch.finfo(z.dtype).tiny), some)
    if isinstance(support, constraints.interval):
        low, high = (torch.as_tensor(e).to(z) for e in (support.lower_bound, support.upper_bound))
        return z.clamp(low, high)
    return z
