"""Which examples are near one another, and which are like no other."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..bounds import elbo
from ..errors import LowerboundError
from ..evaluation.codes import encode_all, posterior_mean
from ..evaluation.decoding import batch, evaluating, home
from .space import Array

_ROWS = 256
_DRAWS = 8  # of each posterior, for a bound


@dataclass(frozen=True)
class Neighbours:
    """The nearest of some rows to others, the nearest first.

    Attributes:
        index: of the rows searched, ``(Q, k)``.
        distance: Euclidean, ``(Q, k)``.
    """

    index: Array
    distance: Array


@dataclass(frozen=True)
class Ranking:
    """Examples, the strangest first.

    Attributes:
        index: ``(N,)``.
        score: in the order of `index`: the higher, the stranger, ``(N,)``.
        by: bound, code or reconstruction.
        unit: of the score.
    """

    index: Array
    score: Array
    by: str
    unit: str


def nearest_rows(queries: Array, rows: Array, k: int = 8, *, others: bool = False) -> Neighbours:
    """The k nearest rows to each query, by Euclidean distance; ties in the order of the rows.

    Args:
        queries: ``(Q, ...)``: codes, or data.
        rows: ``(N, ...)``, of the same shape.
        k: how many.
        others: the queries are the rows themselves, which are not their own neighbours.

    Raises:
        LowerboundError: shapes that differ, or fewer than k rows.

    >>> found = nearest_rows(np.array([[0.9]]), np.array([[0.0], [1.0], [3.0]]), k=2)
    >>> found.index.tolist(), found.distance.round(6).tolist()
    ([[1, 0]], [[0.1, 0.9]])
    """
    queries, rows = (np.asarray(r, np.float64).reshape(len(r), -1) for r in (queries, rows))
    most = len(rows) - bool(others)
    if queries.shape[1] != rows.shape[1] or (others and len(queries) != len(rows)):
        raise LowerboundError(
            f"search: expected queries of {rows.shape[1]} numbers, came {queries.shape[1]}"
        )
    if not 1 <= k <= most:
        raise LowerboundError(
            f"search: expected from 1 to {most} neighbours, as there are {most} other examples, "
            f"came {k}"
        )
    index, distance = [], []
    for start in range(0, len(queries), _ROWS):
        some = queries[start : start + _ROWS]
        squares = (some**2).sum(1)[:, None] - 2 * some @ rows.T + (rows**2).sum(1)
        if others:
            squares[np.arange(len(some)), start + np.arange(len(some))] = np.inf
        # The products lose digits where rows lie near each other: what is near is measured again.
        near = np.argpartition(squares, min(2 * k, len(rows)) - 1)[:, : 2 * k]
        exact = np.sqrt(np.square(rows[near] - some[:, None]).sum(2))
        exact[np.isinf(np.take_along_axis(squares, near, 1))] = np.inf
        order = np.lexsort((near, exact), axis=1)[:, :k]
        index.append(np.take_along_axis(near, order, 1))
        distance.append(np.take_along_axis(exact, order, 1))
    return Neighbours(np.concatenate(index), np.concatenate(distance))


def bounds_of(model: Any, x: Tensor, *context: Tensor, draws: int = _DRAWS, seed: int = 0) -> Array:
    """The evidence lower bound of each example, nats of x, ``(N,)``.

    Raises:
        LowerboundError: the model has no prior or no likelihood to speak of.
    """
    reason = getattr(model, "no_likelihood", None)
    if reason or not all(hasattr(model, name) for name in ("prior", "encode", "decode")):
        why = reason or "it lacks a prior, an encoder or a decoder"
        raise LowerboundError(
            f"expected a model with a bound on log p(x), came {type(model).__name__} ({why}); pass "
            "reconstruction"
        )
    found = []
    with _drawing(model, x, seed):
        for start in range(0, len(x), _ROWS):
            here, *c = batch(model, slice(start, start + _ROWS), x, *context)
            found.append(elbo(model, here, *c, samples=draws).parts["bound"].double().cpu())
    return torch.cat(found).numpy()


def reconstruction_errors(model: Any, x: Tensor, *context: Tensor) -> Array:
    """``|x - E[x|z]|²`` at ``z = E_q[z]`` of each example, ``(N,)``.

    Of a denoiser, too, z is the code of x as it came: what it makes of a corrupted x is for
    :func:`~lowerbound.evaluation.encode_all` to measure.

    Raises:
        LowerboundError: data without a distance, or a model without a decoder.
    """
    decodes = hasattr(model, "decode") and not getattr(model, "bijective", False)
    if not decodes or not x.is_floating_point():
        raise LowerboundError(
            f"expected data with a squared error and a model that decodes, came "
            f"{type(model).__name__} of {x.dtype}; pass bound"
        )
    found = []
    with _drawing(model, x, 0):  # for posteriors that know no mean but by sampling
        for start in range(0, len(x), _ROWS):
            here, *c = batch(model, slice(start, start + _ROWS), x, *context)
            z = posterior_mean(model.encode(here, *c))
            squares = (model.decode(z, *c).mean - here).flatten(1).square()
            found.append(squares.sum(1).double().cpu())
    return torch.cat(found).numpy()


def anomalies(
    model: Any,
    x: Tensor,
    *context: Tensor,
    by: Literal["bound", "code", "reconstruction"] = "bound",
    known: Array | None = None,
    k: int = 5,
) -> Ranking:
    """Examples, those that fit least first.

    Args:
        model: has ``encode(x, *c)``.
        x: prepared data, ``(N, *event)``.
        context: ``(N, ...)`` each.
        by: the bound on -log p(x), nats; the distance of the code to the k-th nearest of those
            known; or the squared error of the reconstruction.
        known: codes of other examples, ``(M, latent)``, for `code`; None: those of x.
        k: see `by`.

    Raises:
        LowerboundError: the model or the data have no such score.
    """
    if by == "bound":
        score, unit = -bounds_of(model, x, *context), "nats"
    elif by == "reconstruction":
        score, unit = reconstruction_errors(model, x, *context), "squared error"
    elif by == "code":
        found = encode_all(model, x, *context, reconstruct=False)
        if found.index:
            raise LowerboundError(
                "search: expected codes of real numbers, came indices, which have no distance; "
                "pass bound or reconstruction"
            )
        codes = found.means.double().numpy()
        near = nearest_rows(codes, codes if known is None else known, k, others=known is None)
        score, unit = near.distance[:, -1], "distance"
    else:
        raise LowerboundError(f"search: expected bound, code or reconstruction, came {by!r}")
    order = np.argsort(-score, kind="stable")
    return Ranking(order, score[order], by, unit)


@contextmanager
def _drawing(model: Any, x: Tensor, seed: int) -> Generator[None]:
    """No gradients, and draws by a seed that leave no trace."""
    device, _ = home(model, x)
    devices = [device] if device.type == "cuda" else []
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
