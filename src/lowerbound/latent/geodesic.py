"""Shortest paths between codes, as the decoder measures them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import LowerboundError
from ..evaluation.decoding import batch, evaluating, home
from .space import Array, Space

_COARSE = 4  # segments that a path begins with; then they are halved


def geodesic(
    space: Space,
    start: Array,
    end: Array,
    *context: Tensor,
    segments: int = 32,
    iterations: int = 40,
) -> Array:
    """A geodesic of the metric that the decoder pulls back from data space.

    With ``f(z)`` the mean of p(x|z), a small step dz is as long as ``|f(z + dz) - f(z)|``: the
    metric is ``JᵀJ``. The path minimises the energy ``n/2 Σ |f(z_k+1) - f(z_k)|²`` over its inner
    points (L-BFGS), from the straight line and from coarse to fine; at its minimum all steps are
    of one length. It is a local minimum: around a hole it goes on the side where the line does.
    Where a label changes on the way, the data jump; the jump counts as the length that it is, and
    the steps on either side of it are of one length.

    Args:
        space: of a model, with a decoder that has gradients.
        start: the first code, ``(latent,)``.
        end: the last one.
        context: ``(1, ...)`` each for all of the path, or ``(2, ...)``, of its ends: see
            :func:`between`.
        segments: of the path, a power of two times 4.
        iterations: of L-BFGS, at each fineness.

    Returns:
        ``(segments + 1, latent)``, the first and the last as they came.

    Raises:
        LowerboundError: codes that are vectors behind indices, or a decoder without gradients.

    References:
        Arvanitidis, Hansen and Hauberg, 2018, Latent space oddity, arXiv 1710.11379;
        Shao, Kumar and Fletcher, 2018, The Riemannian geometry of deep generative models,
        arXiv 1711.08014
    """
    if space.vectors:
        raise LowerboundError(
            "geodesic: expected codes of real numbers, came indices, which have no metric; "
            "interpolate linearly"
        )
    device, dtype = home(space.model, torch.zeros(0))
    ends = torch.from_numpy(np.stack([start, end])).to(device, dtype)
    count = min(_COARSE, segments)
    share = torch.linspace(0, 1, count + 1, device=device, dtype=dtype)[:, None]
    path = ends[0] + share * (ends[1] - ends[0])
    with evaluating(space.model), torch.enable_grad():
        while True:
            points, beside = _stops(context, count)
            _, *beside = batch(space.model, slice(None), ends, *beside)
            path = _shortened(space, path, torch.from_numpy(points), beside, iterations)
            if count >= segments:
                break
            middle = 0.5 * (path[:-1] + path[1:])
            path = torch.cat([torch.stack([path[:-1], middle], 1).flatten(0, 1), path[-1:]])
            count *= 2
    found = path.double().cpu().numpy()
    found[0], found[-1] = start, end
    return found


def path_length(space: Space, codes: Array, *context: Tensor) -> float:
    """How far data move along a path of codes ``(M, latent)``: ``Σ |f(z_k+1) - f(z_k)|``.

    In the units of x, the root of a squared error summed over the datum. Contexts are those of all
    codes, ``(1, ...)`` each, or of each of them, ``(M, ...)``.
    """
    decoded = space.decode(codes, *context).astype(np.float64)
    steps = np.diff(decoded.reshape(len(decoded), -1), axis=0)
    return float(np.sqrt(np.square(steps).sum(1)).sum())


def between(c: Tensor, at: Array) -> Tensor:
    """What holds on the way from one condition to the next: ``(len(at), ...)``.

    Numbers change evenly, labels half way.

    Args:
        c: of each end, ``(ends, ...)``; or ``(1, ...)``, which holds everywhere and comes back.
        at: where on the way: 0 at the first end, 1 at the second …

    >>> between(torch.tensor([3, 8]), np.array([0.0, 0.5, 0.6, 1.0])).tolist()
    [3, 3, 8, 8]
    """
    if len(c) == 1:
        return c
    low = np.minimum(at.astype(int), len(c) - 2)
    rest = torch.from_numpy(at - low)
    if not c.is_floating_point():
        return c[torch.from_numpy(low + (rest.numpy() > 0.5))]
    rest = rest.to(c.dtype).reshape(-1, *(1,) * (c.dim() - 1))
    return (1 - rest) * c[low] + rest * c[low + 1]


def _stops(context: tuple[Tensor, ...], count: int) -> tuple[Array, list[Tensor]]:
    """At which points of a path data are looked at, ``(M,)``, and their conditions, ``(M, ...)``.

    In order; where a label changes on the way the point in the middle twice, under either.
    """
    points, half = np.arange(count + 1), count // 2
    changes = (c for c in context if len(c) > 1 and not c.is_floating_point())
    if any(not torch.equal(c[0], c[1]) for c in changes):
        points = np.concatenate([points[: half + 1], points[half:]])
    at = points / count
    if len(points) > count + 1:
        at[half + 1] = np.nextafter(0.5, 1.0)
    return points, [between(c, at) for c in context]


def _shortened(
    space: Space, path: Tensor, points: Tensor, context: list[Tensor], iterations: int
) -> Tensor:
    inner = path[1:-1].clone().requires_grad_()
    ends = path[:1], path[-1:]
    beside = [c.expand(len(points), *c.shape[1:]) for c in context]
    half = len(path) // 2  # steps before a label changes, if one does
    weights = [w for w in space.model.parameters() if w.requires_grad]

    def energy() -> Tensor:
        z = torch.cat([ends[0], inner, ends[1]])[points].reshape(len(points), *space.shape)
        seen = space.likelihood(z, *beside).mean.flatten(1)
        squares = seen.diff(dim=0).square().sum(1)
        if len(points) == len(path):
            return 0.5 * (len(path) - 1) * squares.sum()
        # Half the square of the length, as without a jump, where all steps of a part are alike.
        split = squares.tensor_split([half, half + 1])
        parts = torch.stack([len(part) * part.sum() for part in split])
        return 0.5 * parts.clamp_min(torch.finfo(seen.dtype).tiny).sqrt().sum().square()

    first = energy()
    if not first.requires_grad:
        raise LowerboundError(
            "geodesic: expected a decoder with gradients, came one without; interpolate linearly"
        )
    if not float(first.detach()) > 0.0:  # nothing changes on the way
        return path
    # Counted in the first energy, so that the tolerances mean the same for every decoder.
    unit = first.detach()
    search = torch.optim.LBFGS(
        [inner], max_iter=iterations, history_size=20, line_search_fn="strong_wolfe",
        tolerance_grad=1e-9, tolerance_change=1e-12,
    )  # fmt: skip
    asked = [w.requires_grad_(False) for w in weights]

    def closure() -> Tensor:
        search.zero_grad()
        loss = energy() / unit
        loss.backward()
        return loss

    try:
        search.step(closure)
    finally:
        for w in asked:
            w.requires_grad_(True)
    found = torch.cat([ends[0], inner.detach(), ends[1]])
    return found if bool(found.isfinite().all()) else path
