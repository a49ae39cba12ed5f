"""Traversals: one dimension of a code moved at a time, over the range that data give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..distributions import sample_with_log_prob
from ..errors import LowerboundError
from ..evaluation.codes import encode_all, normal_factors
from ..evaluation.decoding import batch, evaluating, home
from .space import Centre, mean, space_of
from .support import support_of

Array = NDArray[Any]

_BATCH = 256
_DRAWS = 64  # of a posterior whose variance has no closed form


@dataclass(frozen=True)
class Ranges:
    """What :func:`ranges` returns: where codes of data are, by dimension.

    Attributes:
        means: E_q[z] of each datum, ``(N, latent)``.
        mean: of the aggregate posterior, ``(latent,)``.
        deviation: its standard deviation, ``(latent,)``.
        kl: rate of each dimension, nats, ``(latent,)``; None where the rate has no such parts.
        order: dimensions by their rate, else by their deviation, the largest first, ``(latent,)``.
    """

    means: Array
    mean: Array
    deviation: Array
    kl: Array | None
    order: Array


@dataclass(frozen=True)
class Traversal:
    """What :func:`traverse` returns; arrays on the CPU.

    Attributes:
        dimensions: of the code that were moved, those of the largest rate first, ``(K,)``.
        values: what each is in `codes`, ascending, ``(K, steps)``.
        start: the code that all of them leave, ``(latent,)``.
        codes: ``(K, steps, latent)``.
        decoded: the likelihood's mean at each code, x as the model sees it,
            ``(K, steps, *event)``; of categories the likeliest.
        kl: rate of each of the dimensions, nats, ``(K,)``; None where the rate has no such parts,
            and the dimensions come by the spread of their codes.
    """

    dimensions: tuple[int, ...]
    values: Array
    start: Array
    codes: Array
    decoded: Array
    kl: Array | None


def ranges(model: Any, x: Tensor, *context: Tensor) -> Ranges:
    """Where codes of data are: the moments of the aggregate posterior, and what each one costs.

    Args:
        model: has ``encode(x, *c)`` and ``decode(z, *c)``; the rate wants ``prior(*c)``.
        x: prepared data, ``(N, *event)``, N at least 2.
        context: ``(N, ...)`` each.

    Raises:
        LowerboundError: no encoder or decoder, a single datum, or codes that are indices.
    """
    if not hasattr(model, "encode") or not hasattr(model, "decode"):
        raise LowerboundError(
            f"traverse: expected a model that encodes and decodes, came {type(model).__name__}; "
            "train a vae or an autoencoder"
        )
    if len(x) < 2:
        raise LowerboundError(f"traverse: expected at least 2 examples, came {len(x)}")
    found = encode_all(model, x, *context, reconstruct=False)
    if found.index:
        raise LowerboundError(
            "traverse: expected codes of real numbers, came indices, between which there is "
            "nothing; sample instead"
        )
    means = found.means.double().numpy()
    kl = None if found.kl_per_dimension is None else found.kl_per_dimension.numpy()
    deviation = np.sqrt(means.var(0) + _posterior_variance(model, x, *context))
    order = np.argsort(-(deviation if kl is None else kl), kind="stable")
    return Ranges(means, means.mean(0), deviation, kl, order)


def traverse(
    model: Any,
    x: Tensor,
    *context: Tensor,
    start: int | Tensor | Sequence[float] | None = 0,
    dimensions: Sequence[int] | None = None,
    most: int = 10,
    steps: int = 9,
    width: float = 2.0,
    given: Sequence[Tensor] | None = None,
    centre: Centre | None = None,
) -> Traversal:
    """Move one dimension of a code at a time, the others as they are, and decode.

    A dimension runs over mean ± `width` standard deviations of the *aggregate posterior* of x,
    whose variance is that of the posterior means plus the mean posterior variance: over what codes
    of data are, which the prior need not say. Where the prior has edges, or lies on a sphere, codes
    that leave it are brought back (:func:`~lowerbound.latent.support.support_of`).

    Args:
        model: has ``encode(x, *c)`` and ``decode(z, *c)``; the rate wants ``prior(*c)``.
        x: prepared data, ``(N, *event)``, N at least 2, for ranges and rates.
        context: ``(N, ...)`` each, that x is encoded with.
        start: the code to leave: the posterior mean of the example at this position, a code, or
            None for the mean of all codes.
        dimensions: which to move, in this order; None: by their rate, the largest first.
        most: of these, so many.
        steps: values of each, at even distances.
        width: see above.
        given: contexts ``(1, ...)`` each that codes are decoded with; None: those of the example
            started from, or of the first one.
        centre: what is taken of p(x|z); None: the mean, of categories the likeliest.

    Raises:
        LowerboundError: no encoder or decoder, codes that are indices, or a dimension, start or
            number of steps that does not exist.

    >>> from lowerbound.models import LinearGaussian
    >>> weight = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> found = traverse(LinearGaussian((3,), 2, weight=weight), torch.randn(100, 3), steps=3)
    >>> found.decoded.shape
    (2, 3, 3)
    """
    if steps < 2 or len(x) < 2:
        raise LowerboundError(
            f"traverse: expected at least 2 steps and 2 examples, came {steps} and {len(x)}"
        )
    known = ranges(model, x, *context)
    means, latent, kl = known.means, known.means.shape[1], known.kl
    moved = [int(d) for d in (known.order[:most] if dimensions is None else dimensions)]
    wrong = [d for d in moved if not 0 <= d < latent]
    if wrong or not moved:
        raise LowerboundError(
            f"traverse: expected dimensions from 0 to {latent - 1}, came {wrong or 'none'}"
        )
    leaves, own = _start(start, means, context)
    own = own if given is None else tuple(given)
    back = support_of(model, *own)
    leaves, reach = back(leaves), width * known.deviation
    values = np.linspace((known.mean - reach)[moved], (known.mean + reach)[moved], steps, axis=1)
    shape = (len(moved), steps)
    codes = np.tile(leaves, (*shape, 1))
    for row, d in enumerate(moved):
        codes[row, :, d] = values[row]
    codes = back(codes)
    values = np.stack([codes[row, :, d] for row, d in enumerate(moved)])
    looked = centre or (mean if x.is_floating_point() else (lambda found: found.mode))
    space = space_of(model, "traverse", centre=looked)
    decoded = space.decode(codes.reshape(-1, latent), *own)
    return Traversal(
        tuple(moved),
        values,
        leaves,
        codes,
        decoded.reshape(*shape, *decoded.shape[1:]),
        None if kl is None else kl[moved],
    )


def _start(
    start: int | Tensor | Sequence[float] | None, means: Array, context: tuple[Tensor, ...]
) -> tuple[Array, tuple[Tensor, ...]]:
    """The code to leave, and the context that it is decoded with."""
    if start is None:
        return means.mean(0), tuple(c[:1] for c in context)
    if isinstance(start, int | np.integer):
        if not 0 <= start < len(means):
            raise LowerboundError(
                f"traverse: expected a start from 0 to {len(means) - 1}, came {start}"
            )
        return means[start], tuple(c[start : start + 1] for c in context)
    given = np.asarray(start, np.float64).reshape(-1)
    if len(given) != means.shape[1]:
        raise LowerboundError(
            f"traverse: expected a start of {means.shape[1]} numbers, came {len(given)}"
        )
    return given, tuple(c[:1] for c in context)


def _posterior_variance(model: Any, x: Tensor, *context: Tensor) -> Array:
    """Mean over the examples of Var_q[z], ``(latent,)``."""
    device, _ = home(model, x)
    devices = [device] if device.type == "cuda" else []
    total: Any = 0.0
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(0)
        for start in range(0, len(x), _BATCH):
            here, *c = batch(model, slice(start, start + _BATCH), x, *context)
            variance = _variance(model.encode(here, *c))
            total = total + variance.flatten(1).double().sum(0).cpu().numpy()
    return total / len(x)


def _variance(q: Any) -> Tensor:
    """Var_q[z], ``(B, *latent)``; that of draws where q does not know it (a flow)."""
    normal = normal_factors(q)
    if normal is not None:
        return normal.variance
    try:
        return q.variance
    except (NotImplementedError, AttributeError):
        draws = sample_with_log_prob(q, (_DRAWS,))[0]
    try:
        return (draws - q.mean).square().mean(0)
    except (NotImplementedError, AttributeError):
        # What the mean of as many draws is wrong by is counted with the means.
        return draws.var(0, correction=0)
