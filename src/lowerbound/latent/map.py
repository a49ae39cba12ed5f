"""A plane to look at codes in, and codes laid out on a grid to decode. Arrays in and out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..errors import LowerboundError
from ..evaluation.codes import encode_all

Array = NDArray[Any]

_ROWS = 256


@dataclass(frozen=True)
class LatentMap:
    """Codes in the plane.

    Attributes:
        points: ``(N, 2)``; ``(N, 1)`` for codes of one number.
        method: ``"raw"`` (the codes themselves), ``"pca"`` or ``"umap"``.
        explained_variance: part of the codes' variance along each axis, in [0, 1], ``(2,)``;
            ``None`` for raw codes and UMAP.
        mean: what was subtracted, ``(latent,)``, zeros for raw codes.
        axes: orthonormal rows, ``(2, latent)``: ``points = (codes - mean) @ axes.T``; of UMAP,
            which has none, ``(0, latent)``.
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


def latent_map(
    codes: Array, method: Literal["auto", "raw", "pca", "umap"] = "auto", *, seed: int = 0
) -> LatentMap:
    """A plane for codes: the codes themselves where they have two numbers, else their two
    principal components, or a map that keeps neighbours together.

    Args:
        codes: ``(N, latent)``, from :func:`posterior_means`.
        method: auto is raw for codes of one or two numbers, else pca; umap needs umap-learn
            (``pip install lowerbound[umap]``), and distances on it mean little.
        seed: of umap.

    Raises:
        LowerboundError: not a matrix, nothing in it, too much for raw, or no umap-learn.

    References:
        McInnes, Healy and Melville, 2018, UMAP, arXiv 1802.03426

    >>> line = np.outer(np.linspace(-1, 1, 5), [3.0, 0.0, 4.0])
    >>> latent_map(line).explained_variance.round(6).tolist()
    [1.0, 0.0]
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[0] == 0 or codes.shape[1] == 0:
        raise LowerboundError(f"expected codes of shape (N, latent), got {codes.shape}")
    latent = codes.shape[1]
    if method not in ("auto", "raw", "pca", "umap"):
        raise LowerboundError(f"expected method auto, raw, pca or umap, came {method!r}")
    if method == "raw" and latent > 2:
        raise LowerboundError(
            f"expected codes of one or two numbers for a raw map, came {latent}; pass pca"
        )
    if method == "umap" and latent > 1:
        return LatentMap(_umap(codes, seed), "umap", None, np.zeros(latent), np.zeros((0, latent)))
    if latent == 1 or (latent == 2 and method != "pca"):
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


def density(points: Array) -> Array:
    """log density of points ``(N, D)`` at themselves, ``(N,)``: a normal kernel, Scott's width.

    The kernel is as wide in each direction as the points are, times ``N^(-1/(D+4))``; a point does
    not count for itself.

    Raises:
        LowerboundError: fewer than three points, or points on a line.

    References:
        Scott, 1992, Multivariate density estimation
    """
    points = np.asarray(points, np.float64)
    count, width = points.shape
    spread = np.cov(points.T).reshape(width, width) if count > 2 else np.zeros((width, width))
    if np.linalg.matrix_rank(spread) < width:
        raise LowerboundError(
            f"expected three points or more that lie on no line for a density, came {count}"
        )
    factor = count ** (-1.0 / (width + 4))
    root = np.linalg.cholesky(spread) * factor
    scaled = np.linalg.solve(root, (points - points.mean(0)).T).T
    found = np.empty(count)
    for start in range(0, count, _ROWS):
        some = scaled[start : start + _ROWS]
        exponent = -0.5 * np.square(some[:, None] - scaled).sum(2)
        exponent[np.arange(len(some)), start + np.arange(len(some))] = -np.inf
        top = exponent.max(1)
        found[start : start + _ROWS] = top + np.log(np.exp(exponent - top[:, None]).sum(1))
    log_norm = 0.5 * width * np.log(2 * np.pi) + np.log(np.diag(root)).sum() + np.log(count - 1)
    return found - log_norm


def spread_out(points: Array, most: int = 120, across: int = 16) -> Array:
    """Positions of points that do not lie on one another: one of each cell of a grid.

    Args:
        points: ``(N, 2)``.
        most: at most so many, those of the fullest cells.
        across: cells along the longer side.

    Returns:
        ``(K,)``, the point nearest to the middle of each cell.
    """
    points = np.asarray(points, np.float64)
    low = points.min(0)
    cell = max(float(np.ptp(points, axis=0).max()) / across, 1e-12)
    place = np.floor((points - low) / cell).astype(np.int64)
    away = np.square((points - low) / cell - place - 0.5).sum(1)
    keys, which, counts = np.unique(place, axis=0, return_inverse=True, return_counts=True)
    best = np.full(len(keys), -1)
    for i in np.argsort(away, kind="stable")[::-1]:
        best[which.reshape(-1)[i]] = i
    return best[np.argsort(-counts, kind="stable")[:most]]


def _umap(codes: Array, seed: int) -> Array:
    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own workings
            from umap import UMAP

            return UMAP(random_state=seed, n_jobs=1).fit_transform(np.asarray(codes, np.float32))
    except ImportError:
        raise LowerboundError(
            "expected umap-learn for a map by umap, came no such package; install "
            "lowerbound[umap], or pass pca"
        ) from None


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
