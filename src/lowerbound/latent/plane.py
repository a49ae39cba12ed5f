"""A plane in code space, decoded: two dimensions, two directions, or the prior itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..distributions.base import where_codes_live
from ..errors import LowerboundError
from ..evaluation.decoding import evaluating
from .space import Array, Centre, check_codes, mean, space_of
from .support import support_of

_DRAWS = 20_000  # of a prior whose quantiles have no closed form


@dataclass(frozen=True)
class Plane:
    """Codes on a grid, row-major from the top left: right grows with the column, up with height.

    Attributes:
        right: amount in each column, ascending, ``(R,)``.
        up: amount in each row, descending, ``(U,)``.
        codes: ``(U, R, latent)``.
        decoded: the likelihood's mean at each, ``(U, R, *event)``.
        origin: ``(latent,)``.
        axes: the two directions, ``(2, latent)``: ``code = origin + right a + up b``, brought back
            where the prior has edges, or lies on a sphere.
    """

    right: Array
    up: Array
    codes: Array
    decoded: Array
    origin: Array
    axes: Array


def plane(
    model: Any,
    origin: Any,
    right: Any,
    up: Any,
    *context: Tensor,
    across: Sequence[float] | Array = (-2, -1, 0, 1, 2),
    along: Sequence[float] | Array = (-2, -1, 0, 1, 2),
    centre: Centre = mean,
) -> Plane:
    """Decode the plane of two directions through a code: degree of smile × head pose.

    Args:
        model: has ``decode(z, *c)``.
        origin: the code in the middle, ``(latent,)``.
        right: a direction ``(latent,)``, or the number of a dimension.
        up: likewise.
        context: ``(1, ...)`` each.
        across: amounts of `right`, ascending.
        along: amounts of `up`, ascending.
        centre: what is taken of p(x|z).

    Raises:
        LowerboundError: no decoder, codes that are indices, or two directions that are one.

    >>> from lowerbound.models import LinearGaussian
    >>> model = LinearGaussian((3,), 2, weight=torch.eye(3)[:, :2])
    >>> plane(model, [5.0, 5.0], 0, 1, across=[0, 1], along=[0, 1]).codes[0].tolist()
    [[5.0, 6.0], [6.0, 6.0]]
    """
    space = space_of(model, "plane", encoder=False, centre=centre)
    (middle,) = check_codes(origin, space, "plane")
    axes = np.stack([_direction(each, space, middle) for each in (right, up)])
    lengths = np.linalg.norm(axes, axis=1)
    cosine = abs(axes[0] @ axes[1]) / max(lengths[0] * lengths[1], 1e-300)
    if lengths.min() == 0 or cosine > 1 - 1e-9:
        raise LowerboundError("plane: expected two directions, came the same one twice or a zero")
    columns, rows = np.asarray(across, np.float64), np.asarray(along, np.float64)[::-1]
    codes = middle + columns[None, :, None] * axes[0] + rows[:, None, None] * axes[1]
    codes = support_of(model, *context)(codes)
    decoded = space.decode(codes.reshape(-1, codes.shape[-1]), *context)
    decoded = decoded.reshape(*codes.shape[:2], *decoded.shape[1:])
    return Plane(columns, rows, codes, decoded, middle, axes)


def manifold(
    model: Any,
    *context: Tensor,
    side: int = 15,
    margin: float = 0.02,
    seed: int = 0,
    centre: Centre = mean,
) -> Plane:
    """All of a two-dimensional code space: a grid over the quantiles of each dimension's prior.

    Args:
        model: has ``prior(*c)`` and ``decode(z, *c)``, and codes of two numbers.
        context: ``(1, ...)`` each.
        side: codes along an edge.
        margin: probability left out at each end.
        seed: of the draws that quantiles are taken from, of a prior that is not normal.
        centre: what is taken of p(x|z).

    Raises:
        LowerboundError: no prior, or codes of another size.

    References:
        Kingma and Welling, 2014, Auto-encoding variational Bayes, arXiv 1312.6114, fig. 4
    """
    space = space_of(model, "manifold", encoder=False, centre=centre)
    if space.width != 2 or not hasattr(model, "prior") or side < 2:
        raise LowerboundError(
            f"manifold: expected a prior over codes of 2 numbers and 2 steps or more, came "
            f"{space.width} numbers and {side}; draw a plane of two dimensions"
        )
    shares = np.linspace(margin, 1 - margin, side)
    normal = np.array([NormalDist().inv_cdf(p) for p in shares])
    with evaluating(model), torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(seed)
        prior = model.prior(*(c[:1] for c in context))
        if _is_standard(prior):
            right, up = normal, normal
        elif where_codes_live(prior) is not None and "box" not in str(where_codes_live(prior)):
            raise LowerboundError(
                f"manifold: expected a prior on the plane, came one of {where_codes_live(prior)}; "
                "draw a map"
            )
        else:
            draws = prior.sample((_DRAWS,)).reshape(_DRAWS, 2).double().cpu().numpy()
            right, up = np.quantile(draws, shares, axis=0).T
    return plane(model, np.zeros(2), 0, 1, *context, across=right, along=up, centre=centre)


def _is_standard(prior: Any) -> bool:
    try:
        middle, spread = prior.mean, prior.variance
    except (NotImplementedError, AttributeError):
        return False
    normal = (
        "Normal" in type(prior).__name__
        or "Normal" in type(getattr(prior, "base_dist", prior)).__name__
    )
    return normal and bool((middle == 0).all()) and bool((spread == 1).all())


def _direction(given: Any, space: Any, origin: Array) -> Array:
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if not 0 <= given < space.width:
            raise LowerboundError(
                f"plane: expected a dimension from 0 to {space.width - 1}, came {given}"
            )
        return np.eye(space.width)[given]
    (found,) = check_codes(given, space, "plane")
    return found
