"""Shortest paths between codes, as the decoder measures them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..errors import LowerboundError
from ..evaluation.decoding import evaluating, home
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

    Args:
        space: of a model, with a decoder that has gradients.
        start: the first code, ``(latent,)``.
        end: the last one.
        context: ``(1, ...)`` each.
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
    context = tuple(c.to(device, dtype if c.is_floating_point() else None) for c in context)
    count = min(_COARSE, segments)
    share = torch.linspace(0, 1, count + 1, device=device, dtype=dtype)[:, None]
    path = ends[0] + share * (ends[1] - ends[0])
    with evaluating(space.model), torch.enable_grad():
        while True:
            path = _shortened(space, path, context, iterations)
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

    In the units of x, the root of a squared error summed over the datum.
    """
    decoded = space.decode(codes, *context).astype(np.float64)
    steps = np.diff(decoded.reshape(len(decoded), -1), axis=0)
    return float(np.sqrt(np.square(steps).sum(1)).sum())


def _shortened(space: Space, path: Tensor, context: tuple[Tensor, ...], iterations: int) -> Tensor:
    inner = path[1:-1].clone().requires_grad_()
    ends = path[:1], path[-1:]
    beside = [c.expand(len(path), *c.shape[1:]) for c in context]
    weights = [w for w in space.model.parameters() if w.requires_grad]

    def energy() -> Tensor:
        z = torch.cat([ends[0], inner, ends[1]]).reshape(len(path), *space.shape)
        seen = space.likelihood(z, *beside).mean.flatten(1)
        return 0.5 * (len(path) - 1) * seen.diff(dim=0).square().sum()

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
