"""Paths between codes: straight, on a sphere, or the shortest that the decoder knows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from torch import Tensor

from ..errors import LowerboundError
from .geodesic import between, geodesic, path_length
from .space import Array, Centre, Space, check_codes, mean, space_of

Path = Literal["linear", "spherical", "geodesic"]
PATHS = ("linear", "spherical", "geodesic")
_FINE = 32  # segments of a geodesic, at least
_OPPOSITE = 1e-6


@dataclass(frozen=True)
class Interpolation:
    """What :func:`interpolate` returns.

    Attributes:
        codes: along the path, ``(M, latent)``; the ends as they came.
        decoded: the likelihood's mean at each, x as the model sees it, ``(M, *event)``.
        at: where each is: 0 at the first end, 1 at the second, 2 at the third …, ``(M,)``.
        path: linear, spherical or geodesic.
        lengths: of each leg, how far data move along it, with what conditions that change on the
            way do to them (see :func:`~lowerbound.latent.geodesic.path_length`), ``(ends - 1,)``.
        straight: the same of the straight line between its ends, ``(ends - 1,)``.
    """

    codes: Array
    decoded: Array
    at: Array
    path: str
    lengths: Array
    straight: Array


def interpolate(
    model: Any,
    ends: Any,
    *context: Tensor,
    steps: int = 9,
    path: Path = "linear",
    centre: Centre = mean,
) -> Interpolation:
    """Decode what lies between codes, from the first to the last.

    Args:
        model: has ``decode(z, *c)``.
        ends: two codes or more, ``(ends, latent)``; of indices (a VQ-VAE's) the vectors behind
            them, ``space_of(model, "", vectors=True).encode(x)``.
        context: ``(1, ...)`` each for all of the path; or ``(ends, ...)``: numbers are then
            interpolated, and labels change half way.
        steps: codes on each leg, with its two ends.
        path: linear; spherical, which goes along the arc and changes the norm evenly (codes of a
            normal prior of many dimensions have nearly one norm); or geodesic, the shortest path
            as the decoder measures it.
        centre: what is taken of p(x|z).

    Raises:
        LowerboundError: fewer than two codes or steps, an unknown path, or one that does not exist
            between these codes.

    >>> import torch
    >>> from lowerbound.models import LinearGaussian
    >>> model = LinearGaussian((3,), 2, weight=torch.eye(3)[:, :2])
    >>> interpolate(model, [[0.0, 2.0], [2.0, 0.0]], steps=3).codes.tolist()
    [[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]
    """
    if path not in PATHS:
        raise LowerboundError(f"interpolate: expected linear, spherical or geodesic, came {path!r}")
    space = space_of(model, "interpolate", vectors=True, encoder=False, centre=centre)
    rows = check_codes(ends, space, "interpolate")
    if len(rows) < 2 or steps < 2:
        raise LowerboundError(
            f"interpolate: expected at least 2 ends and 2 steps, came {len(rows)} and {steps}"
        )
    if space.vectors and path != "linear":
        raise LowerboundError(
            f"interpolate: expected codes of real numbers for a {path} path, came the indices of a "
            f"{type(model).__name__}; pass linear, which goes between the decoder's vectors"
        )
    legs, lengths, straight = [], [], []
    for leg, (a, b) in enumerate(pairwise(rows)):
        here = tuple(c if len(c) == 1 else c[leg : leg + 2] for c in context)
        if path == "geodesic":
            finer = -(-_FINE // (steps - 1))
            codes = geodesic(space, a, b, *here, segments=_power(finer * (steps - 1)))
            lengths.append(_length(space, codes, here))
            straight.append(_length(space, _linear(a, b, len(codes)), here))
            codes = _evenly(codes, steps)
        else:
            codes = _linear(a, b, steps) if path == "linear" else spherical(a, b, steps)
            fine = _linear(a, b, _FINE + 1) if path == "linear" else spherical(a, b, _FINE + 1)
            lengths.append(_length(space, fine, here))
            line = fine if path == "linear" else _linear(a, b, _FINE + 1)
            straight.append(_length(space, line, here) if path != "linear" else lengths[-1])
        legs.append(codes if leg == 0 else codes[1:])
    codes = np.concatenate(legs)
    at = np.linspace(0, len(rows) - 1, len(codes))
    beside = [between(c, at) for c in context]
    decoded = space.decode(codes, *beside)
    return Interpolation(codes, decoded, at, path, np.array(lengths), np.array(straight))


def spherical(a: Array, b: Array, steps: int) -> Array:
    """Codes along the arc from a to b ``(latent,)``: ``(steps, latent)``.

    The direction turns evenly and the norm changes evenly, so that codes of one norm keep it.

    Raises:
        LowerboundError: an end is zero, or they are opposite: no arc is the one between them.

    References:
        Shoemake, 1985, Animating rotation with quaternion curves, SIGGRAPH;
        White, 2016, Sampling generative networks, arXiv 1609.04468
    """
    one, two = np.linalg.norm(a), np.linalg.norm(b)
    share = np.linspace(0, 1, steps)[:, None]
    cosine = float(np.clip(a @ b / (one * two), -1, 1)) if one > 0 and two > 0 else -1.0
    if cosine < _OPPOSITE - 1:
        raise LowerboundError(
            "interpolate: expected two codes with one arc between them, came opposite ones or a "
            "zero; pass linear"
        )
    angle = np.arccos(cosine)
    if angle < _OPPOSITE:
        return _linear(a, b, steps)
    unit = np.sin((1 - share) * angle) * (a / one) + np.sin(share * angle) * (b / two)
    codes = unit / np.linalg.norm(unit, axis=1, keepdims=True) * (one + share * (two - one))
    codes[0], codes[-1] = a, b
    return codes


def _length(space: Space, codes: Array, ends: tuple[Tensor, ...]) -> float:
    at = np.linspace(0, 1, len(codes))
    return path_length(space, codes, *(between(c, at) for c in ends))


def _linear(a: Array, b: Array, steps: int) -> Array:
    share = np.linspace(0, 1, steps)[:, None]
    codes = (1 - share) * a + share * b
    codes[-1] = b
    return codes


def _power(least: int) -> int:
    """4, 8, 16 …, at least so many."""
    count = 4
    while count < least:
        count *= 2
    return count


def _evenly(codes: Array, steps: int) -> Array:
    """Some of the codes of a path, at even distances along it, between codes where need be."""
    place = np.linspace(0, len(codes) - 1, steps)
    low = np.minimum(place.astype(int), len(codes) - 2)
    rest = (place - low)[:, None]
    found = (1 - rest) * codes[low] + rest * codes[low + 1]
    found[0], found[-1] = codes[0], codes[-1]
    return found
