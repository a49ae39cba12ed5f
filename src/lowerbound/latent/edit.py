"""Changing a datum by its code: attributes added and taken away, analogies, straight lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import LowerboundError
from .directions import Directions, Strength
from .space import Array, Centre, Space, check_codes, mean, space_of
from .support import support_of


@dataclass(frozen=True)
class Line:
    """Codes along a direction, decoded.

    Attributes:
        codes: ``(N, steps, latent)``, brought back where they leave the prior (see
            :func:`~lowerbound.latent.support.support_of`).
        decoded: ``(N, steps, *event)``.
        amounts: of the direction that was added, ``(steps,)``.
    """

    codes: Array
    decoded: Array
    amounts: Array


@dataclass(frozen=True)
class Edit:
    """What :func:`edit` returns.

    Attributes:
        codes: of the data as they came, ``(N, latent)``, brought back where they lie off the prior
            (see :func:`~lowerbound.latent.support.support_of`).
        edited_codes: ``(N, latent)``, likewise.
        reconstructed: the decoded codes, ``(N, *event)``.
        decoded: the decoded edited codes, ``(N, *event)``.
        names: of the attributes.
        logits: of the codes, ``(N, A)``.
        edited_logits: of the edited codes, ``(N, A)``.
    """

    codes: Array
    edited_codes: Array
    reconstructed: Array
    decoded: Array
    names: tuple[str, ...]
    logits: Array
    edited_logits: Array


@dataclass(frozen=True)
class Analogy:
    """What :func:`analogy` returns: ``code = a - b + c``.

    Attributes:
        codes: of a, b and c, ``(3, latent)``.
        code: ``(latent,)``, brought back where it leaves the prior (see
            :func:`~lowerbound.latent.support.support_of`).
        decoded: at a, b, c and the new code, ``(4, *event)``.
    """

    codes: Array
    code: Array
    decoded: Array


def along(
    model: Any,
    codes: Any,
    direction: Any,
    amounts: Sequence[float] | Array,
    *context: Tensor,
    centre: Centre = mean,
) -> Line:
    """Add several amounts of a direction to codes, and decode: ``z + α d``.

    Args:
        model: has ``decode(z, *c)``.
        codes: ``(N, latent)``.
        direction: ``(latent,)``, or ``(N, latent)``.
        amounts: the values of α.
        context: ``(N, ...)`` each, or ``(1, ...)``.
        centre: what is taken of p(x|z).

    >>> import torch
    >>> from lowerbound.models import LinearGaussian
    >>> model = LinearGaussian((3,), 2, weight=torch.eye(3)[:, :2])
    >>> along(model, [[1.0, 1.0]], [1.0, 0.0], [-1, 1]).codes.tolist()
    [[[0.0, 1.0], [2.0, 1.0]]]
    """
    space = space_of(model, "along", encoder=False, centre=centre)
    rows, step = check_codes(codes, space, "along"), check_codes(direction, space, "along")
    share = np.asarray(amounts, np.float64).reshape(-1)
    moved = support_of(model, *context)(rows[:, None] + share[:, None] * step[:, None])
    return Line(moved, _grid(space, moved, context), share)


def edit(
    model: Any,
    x: Tensor,
    directions: Directions,
    changes: Mapping[str, Strength],
    *context: Tensor,
    centre: Centre = mean,
) -> Edit:
    """Add and take away attributes of data.

    Args:
        model: has ``encode(x, *c)`` and ``decode(z, *c)``.
        x: prepared data, ``(N, *event)``.
        directions: from :func:`~lowerbound.latent.directions.fit_directions`, on codes of it.
        changes: how much to move each attribute's logit: above 0 adds, below 0 takes away; "with"
            and "without" move it to where examples are that have or have not the attribute.
        context: ``(N, ...)`` each.
        centre: what is taken of p(x|z).

    Raises:
        LowerboundError: no encoder or decoder, codes that are indices, an unknown attribute.
    """
    space = space_of(model, "edit", centre=centre)
    back = support_of(model, *context)
    codes = back(space.encode(x, *context))
    check_codes(directions.vectors[:1], space, "edit")
    moved = back(np.stack([_moved(code, directions, changes) for code in codes]))
    both = space.decode(np.concatenate([codes, moved]), *(_twice(c, len(codes)) for c in context))
    logits = directions.logits
    return Edit(
        codes, moved, both[: len(codes)], both[len(codes) :],
        directions.names, logits(codes), logits(moved),
    )  # fmt: skip


def analogy(model: Any, a: Any, b: Any, c: Any, *context: Tensor, centre: Centre = mean) -> Analogy:
    """What is to c as a is to b: decodes ``a - b + c``.

    Args:
        model: has ``decode(z, *c)``.
        a: a code, ``(latent,)``; b, c: likewise.
        b: see a.
        c: see a.
        context: ``(1, ...)`` each.
        centre: what is taken of p(x|z).

    References:
        Radford, Metz and Chintala, 2016, arXiv 1511.06434, 6.3.2

    >>> import torch
    >>> from lowerbound.models import LinearGaussian
    >>> model = LinearGaussian((3,), 2, weight=torch.eye(3)[:, :2])
    >>> analogy(model, [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]).code.tolist()
    [0.0, 1.0]
    """
    space = space_of(model, "analogy", encoder=False, centre=centre)
    rows = np.concatenate([check_codes(each, space, "analogy") for each in (a, b, c)])
    if len(rows) != 3:
        raise LowerboundError(f"analogy: expected one code each for a, b and c, came {len(rows)}")
    code = support_of(model, *context)(rows[0] - rows[1] + rows[2])
    return Analogy(rows, code, space.decode(np.concatenate([rows, code[None]]), *context))


def _moved(code: Array, directions: Directions, changes: Mapping[str, Strength]) -> Array:
    # Each step is measured from the code as it came: where none is given, others do not count.
    return code + sum(
        (directions.step(name, strength, code) for name, strength in changes.items()),
        np.zeros_like(code),
    )


def _grid(space: Space, codes: Array, context: tuple[Tensor, ...]) -> Array:
    lead = codes.shape[:2]
    beside = [
        c if len(c) == 1 else c.repeat_interleave(lead[1], dim=0) for c in context
    ]  # a row of the grid has one context
    found = space.decode(codes.reshape(-1, codes.shape[-1]), *beside)
    return found.reshape(*lead, *found.shape[1:])


def _twice(c: Tensor, count: int) -> Tensor:
    return c.expand(count, *c.shape[1:]).repeat(2, *(1,) * (c.dim() - 1))
