"""Walks through the code space of a run; arrays come in the units of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import conditioning
from ..conditioning import Given
from ..errors import LowerboundError
from ..evaluation.chosen import Chosen
from ..latent import (
    Directions,
    Interpolation,
    LatentMap,
    Plane,
    Traversal,
    Variations,
    density,
    latent_map,
    manifold,
    ranges,
    reconstruction_errors,
    spread_out,
)
from ..latent import interpolate as latent_interpolate
from ..latent import plane as latent_plane
from ..latent import traverse as latent_traverse
from ..latent import vary as latent_vary
from ..latent.interpolate import Path as How
from ..latent.space import Space, space_of
from ..runs import Run
from .bounds import bounds
from .editing import attribute_values, attributes
from .examples import Example, centre_of, examples_of, open_model, stored, take, take_all

Array = NDArray[Any]

_LIMIT = 1000  # held-out examples by which ranges are known
_MAPPED = 2000


def vary(
    run: str | Path | Run,
    example: Any,
    n: int = 16,
    *,
    given: Given = None,
    spread: float = 1.0,
    seed: int = 0,
) -> Variations:
    """Like this one, but different: decodes of draws from q(z|x).

    Args:
        run: a run or its folder.
        example: an image of any size, or whatever :func:`~lowerbound.exploring.take` takes.
        n: how many.
        given: of a conditional run, the condition.
        spread: see :func:`lowerbound.latent.vary`.
        seed: of the draws.
    """
    run, model = open_model(run)
    space = space_of(model, "vary", vectors=True, centre=centre_of(run))
    taken = take(run, example, space, given)
    if taken.x is None:
        raise LowerboundError("vary: expected an example, came a code, which has no posterior")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = latent_vary(
            model, taken.x, *taken.context, n=n, spread=spread, seed=seed, centre=space.centre
        )
    decoded, again = (stored(run, each) for each in (found.decoded, found.reconstructed))
    return replace(found, decoded=decoded, reconstructed=again)


def interpolate(
    run: str | Path | Run,
    ends: Sequence[Any],
    *,
    steps: int = 9,
    path: How = "linear",
    given: Given = None,
) -> Interpolation:
    """Decode what lies between examples, from the first to the last.

    Args:
        run: a run or its folder.
        ends: two examples or more, whatever :func:`~lowerbound.exploring.take` takes.
        steps: pictures on each leg, with its two ends.
        path: linear, spherical or geodesic; see :func:`lowerbound.latent.interpolate`.
        given: of a conditional run, the condition of all; None goes from that of one to the next.
    """
    run, model = open_model(run)
    centre = centre_of(run)
    space = space_of(model, "interpolate", vectors=True, encoder=False, centre=centre)
    if any(not str(end).startswith("prior") for end in ends):
        space = space_of(model, "interpolate", vectors=True, centre=centre)
    _, codes, context = take_all(run, ends, space, given)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = latent_interpolate(model, codes, *context, steps=steps, path=path, centre=centre)
    return replace(found, decoded=stored(run, found.decoded))


def traverse(
    run: str | Path | Run,
    example: Any = None,
    *,
    dimensions: Sequence[int] | None = None,
    most: int = 8,
    steps: int = 9,
    width: float = 2.0,
    given: Given = None,
) -> Traversal:
    """Move one dimension of a code at a time, those of the largest rate first.

    Args:
        run: a run or its folder.
        example: whose code is left; None: the mean of all codes.
        dimensions: see :func:`lowerbound.latent.traverse`; most, steps, width: likewise.
        most: see above.
        steps: see above.
        width: see above.
        given: of a conditional run, the condition that the example is encoded and that codes are
            decoded with.
    """
    run, model = open_model(run)
    space = space_of(model, "traverse", centre=centre_of(run))
    chosen = examples_of(run, _LIMIT)
    start, own = None, None
    if example is not None:
        taken = take(run, example, space, given)
        start, own = torch.from_numpy(taken.code_in(space)), taken.context
    elif given is not None:
        own = conditioning.contexts_for(run, 1, given, 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = latent_traverse(
            model, chosen.x, *chosen.context, start=start, dimensions=dimensions, most=most,
            steps=steps, width=width, given=own, centre=space.centre,
        )  # fmt: skip
    return replace(found, decoded=stored(run, found.decoded))


def plane(
    run: str | Path | Run,
    example: Any = None,
    *,
    right: str | int | None = None,
    up: str | int | None = None,
    steps: int = 7,
    width: float = 2.0,
    given: Given = None,
    directions: Directions | None = None,
) -> Plane:
    """Decode a plane of codes: degree of smile to the right, head pose upwards.

    Args:
        run: a run or its folder.
        example: whose code is in the middle; None: the mean of codes.
        right: an attribute of the data, or the number of a dimension; None, with `up`: of codes of
            two numbers the whole prior, of longer ones the two dimensions of the largest rate.
        up: likewise.
        steps: codes along an edge; odd ones have the middle among them.
        width: dimensions go over mean ± so many standard deviations of codes of data; attributes,
            to both sides, over so many halves of the step from examples without to those with them.
        given: of a conditional run, the condition.
        directions: those of `attributes`, if they are there already.
    """
    run, model = open_model(run)
    space = space_of(model, "plane", centre=centre_of(run))
    if (right is None) != (up is None):
        raise LowerboundError("plane: expected two directions, came one; pass --right and --up")
    if right is None and example is None and space.width == 2 and hasattr(model, "prior"):
        context = conditioning.contexts_for(run, 1, given, 0)
        found = manifold(model, *context, side=steps, centre=space.centre)
        return replace(found, decoded=stored(run, found.decoded))
    chosen = examples_of(run, _LIMIT)
    known = ranges(model, chosen.x, *chosen.context)
    if right is None or up is None:
        right, up = known.order[:2] if space.width > 1 else (0, 0)
    names = [each for each in (right, up) if not _dimension(each)]
    if names and directions is None:
        directions = attributes(run)
    origin, context = _middle(run, example, space, given, known.mean)
    share = np.linspace(-1, 1, steps)
    axes, amounts = [], []
    for each in (right, up):
        if _dimension(each):
            d = _known_dimension(int(each), space.width)
            axes.append(np.eye(space.width)[d])
            amounts.append(known.mean[d] + width * known.deviation[d] * share - origin[d])
        else:
            assert directions is not None
            row = directions.index(str(each))
            axes.append(directions.vectors[row])
            amounts.append(width / 2 * directions.natural[row] * share)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = latent_plane(
            model, origin, *axes, *context, across=amounts[0], along=amounts[1],
            centre=space.centre,
        )  # fmt: skip
    return replace(found, decoded=stored(run, found.decoded))


@dataclass(frozen=True)
class MapOfRun:
    """What :func:`map_codes` returns.

    Attributes:
        map: the points.
        colour: what they are coloured by.
        values: of each point, ``(N,)``; None for one colour.
        classes: names, where values are labels.
        positions: of the examples among the held-out ones, ``(N,)``.
        thumbnails: which points have a picture, ``(K,)``.
        pictures: of these, ``(K, *event)`` in the units of the data.
    """

    map: LatentMap
    colour: str
    values: Array | None
    classes: tuple[str, ...] | None
    positions: Array
    thumbnails: Array
    pictures: Array


def map_codes(
    run: str | Path | Run,
    *,
    colour: str | None = None,
    method: Literal["auto", "raw", "pca", "umap"] = "auto",
    limit: int = _MAPPED,
) -> MapOfRun:
    """A plane of the codes of held-out data.

    Args:
        run: a run or its folder.
        colour: label, an attribute, density, bound (nats) or error (of the reconstruction); None is
            the label where there is one, else density.
        method: see :func:`lowerbound.latent.latent_map`.
        limit: examples at most.
    """
    run, model = open_model(run)
    space = space_of(model, "map")
    test = run.data().test
    chosen = examples_of(run, limit)
    if len(chosen.x) < 3:
        raise LowerboundError(f"map: expected at least 3 held-out examples, came {len(chosen.x)}")
    found = latent_map(space.encode(chosen.x, *chosen.context), method)
    colour, values, classes = colour_values(run, chosen, found.points, colour)
    points = found.points if found.points.shape[1] == 2 else np.repeat(found.points, 2, 1)
    shown = spread_out(points)
    pictures = test.stored(chosen.positions[shown]).numpy()
    return MapOfRun(found, colour, values, classes, chosen.positions, shown, pictures)


def colour_values(
    run: Run, chosen: Chosen, points: Array, colour: str | None
) -> tuple[str, Array, tuple[str, ...] | None]:
    """What points of held-out examples are coloured by.

    Args:
        run: whose examples they are.
        chosen: the examples.
        points: theirs on the map, ``(N, 2)``.
        colour: see :func:`map_codes`.

    Returns:
        the colour's name, its values ``(N,)``, and the classes' names where they are labels.
    """
    model, test = run.model, run.data().test
    labelled = test.labels is not None
    colour = colour or ("label" if labelled else "density")
    if colour == "label" and labelled:
        return colour, np.asarray(test.labels)[chosen.positions], run.spec.classes
    if colour == "density":
        return colour, density(points), None
    if colour == "bound":
        return colour, bounds(run, chosen.x, *chosen.context), None
    if colour == "error":
        return colour, reconstruction_errors(model, chosen.x, *chosen.context), None
    return colour, *_attribute(run, test, chosen.positions, colour)


def _attribute(
    run: Run, split: Any, positions: Array, name: str
) -> tuple[Array, tuple[str, ...] | None]:
    from ..errors import nearest

    try:
        values, names = attribute_values(run, split, positions)
    except LowerboundError:
        values, names = np.zeros((len(positions), 0)), ()
    known = ("label", "density", "bound", "error", *names)
    if name not in names:
        hint = nearest(name, known) or f"; there are: {', '.join(known[:20])}"
        raise LowerboundError(f"expected a colour that the data have, came '{name}'{hint}")
    column = values[:, names.index(name)]
    if set(np.unique(column)) <= {0.0, 1.0}:
        return column.astype(np.int64), (f"no {name}", name)
    return column, None


def _dimension(given: Any) -> bool:
    return isinstance(given, int | np.integer) or (isinstance(given, str) and given.isdigit())


def _known_dimension(given: int, width: int) -> int:
    if not 0 <= given < width:
        raise LowerboundError(
            f"plane: expected an attribute or a dimension from 0 to {width - 1}, came {given}"
        )
    return given


def _middle(
    run: Run, example: Any, space: Space, given: Given, mean: Array
) -> tuple[Array, tuple[Tensor, ...]]:
    """The code in the middle of a plane, and the context that it is decoded with."""
    if example is not None:
        taken: Example = take(run, example, space, given)
        return taken.code_in(space), taken.context
    if given is not None:
        return mean, conditioning.contexts_for(run, 1, given, 0)
    return mean, tuple(each[:1] for each in examples_of(run, 1).context)
