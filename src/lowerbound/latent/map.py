"""A plane to look at codes in, and codes laid out on a grid to decode. Arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import LowerboundError
from ..evaluation.codes import encode_all

Array = NDArray[Any]


@dataclass(frozen=True)
class LatentMap:
    """Codes in the plane.

    Attributes:
        points: ``(N, 2)``; ``(N, 1)`` for codes of one number.
        method: ``"raw"`` (the codes themselves) or ``"pca"``.
        explained_variance: part of the codes' variance along each axis, in [0, 1], ``(2,)``;
            ``None`` for raw codes.
        mean: what was subtracted, ``(latent,)``, zeros for raw codes.
        axes: orthonormal rows, ``(2, latent)``: ``points = (codes - mean) @ axes.T``.
    """

    points: Array
    method: str
    explained_variance: Array | None
    mean: Array
    axes: Array


def posterior_means(model: Any, x: Tensor, *context: Tensor) -> Array:
    """Codes ``E_q[z]`` of data, ``(N, latent)`` float32, flattened.

    Args:
        model: has ``encode(x, *c)``.
        x: prepared data, ``(N, *event)``.
        context: ``(N, ...)`` each.
    """
    return encode_all(model, x, *context, reconstruct=False).means.float().numpy()


def latent_map(codes: Array) -> LatentMap:
    """A plane for codes: the codes themselves where they have two numbers, else their two
    principal components.

    Args:
        codes: ``(N, latent)``, from :func:`posterior_means`.

    Raises:
        LowerboundError: not a matrix, or nothing in it.

    >>> line = np.outer(np.linspace(-1, 1, 5), [3.0, 0.0, 4.0])
    >>> latent_map(line).explained_variance.round(6).tolist()
    [1.0, 0.0]
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[0] == 0 or codes.shape[1] == 0:
        raise LowerboundError(f"expected codes of shape (N, latent), got {codes.shape}")
    latent = codes.shape[1]
    if latent <= 2:
        return LatentMap(codes, "raw", None, np.zeros(latent, codes.dtype), np.eye(latent))
    mean = codes.mean(0, dtype=np.float64)
    centred = codes - mean
    variances, vectors = np.linalg.eigh(centred.T @ centred)  # ascending
    axes = vectors[:, :-3:-1].T
    # An eigenvector has no sign of its own: the largest part is made positive.
    largest = np.abs(axes).argmax(1)
    axes = axes * np.sign(axes[np.arange(2), largest])[:, None]
    total = variances.clip(0).sum()
    explained = variances[:-3:-1].clip(0) / (total if total > 0 else 1.0)
    return LatentMap(centred @ axes.T, "pca", explained, mean, axes)


def manifold_codes(side: int = 15, margin: float = 0.02) -> Array:
    """A square grid of 2-D codes, evenly spaced in the *probability* of a standard normal prior.

    Row-major from the top left, so that decoded images laid out in this order have the first code
    dimension to the right and the second upwards.

    Args:
        side: codes along an edge.
        margin: probability left out at each end.

    Returns:
        ``(side * side, 2)`` float32.

    References:
        Kingma, Welling: Auto-encoding variational Bayes. arXiv 1312.6114, fig. 4.

    >>> manifold_codes(3, margin=0.25).round(2)[:3].tolist()
    [[-0.67, 0.67], [0.0, 0.67], [0.67, 0.67]]
    """
    normal = NormalDist()
    steps = [normal.inv_cdf(p) for p in np.linspace(margin, 1 - margin, side)]
    right, up = np.meshgrid(steps, steps[::-1])
    return np.stack([right.ravel(), up.ravel()], 1).astype(np.float32)


def traversal_codes(centre: Array, dimensions: Sequence[int], values: Sequence[float]) -> Array:
    """Codes that differ from one in a single dimension at a time.

    Args:
        centre: the code to start from, ``(latent,)``; zeros are the prior's mean.
        dimensions: which to move.
        values: what each is set to, in turn.

    Returns:
        ``(len(dimensions) * len(values), latent)`` float32, dimension by dimension.

    >>> traversal_codes(np.zeros(3), [1], [-1, 1]).tolist()
    [[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]
    """
    codes = np.tile(np.asarray(centre, np.float32), (len(dimensions), len(values), 1))
    for row, dimension in enumerate(dimensions):
        codes[row, :, dimension] = values
    return codes.reshape(-1, codes.shape[-1])
