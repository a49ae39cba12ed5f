"""Attributes of a run's data: directions for them, edits by them, analogies."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ..conditioning import Given
from ..errors import LowerboundError
from ..latent import Analogy, Directions, Edit, Strength, fit_directions
from ..latent import analogy as latent_analogy
from ..latent import edit as latent_edit
from ..latent.directions import How
from ..latent.space import space_of
from ..runs import Run
from ..training.checkpoint import write_out
from .examples import (
    Example,
    centre_of,
    examples_of,
    open_model,
    stored,
    take,
    take_all,
)

Array = NDArray[Any]

_LIMIT = 4000  # examples that directions are fitted to
_CLASSES = 20  # of a label, up to which each is an attribute


@dataclass(frozen=True)
class Edited:
    """What :func:`edit` returns; arrays in the units of the data.

    Attributes:
        example: what was edited.
        directions: that it was edited by.
        found: codes, what they decode to, and the logits of all attributes before and after.
        changes: what was asked, by attribute.
        values: the edited datum, ``event_shape``.
        reconstructed: the datum as the model has it, ``event_shape``.
        original: as it came, ``event_shape``; None of a code.
        image: of an image, the edited picture at its own size; else None.
    """

    example: Example
    directions: Directions
    found: Edit
    changes: dict[str, Strength]
    values: Array
    reconstructed: Array
    original: Array | None
    image: Image.Image | None

    def save(self, path: str | Path) -> Path:
        """Write the picture (.png, .jpg), or the edited datum (.npy).

        Raises:
            LowerboundError: another name, no image, or a file that cannot be written.
        """
        path = Path(path)
        content = io.BytesIO()
        if path.suffix.lower() == ".npy":
            np.save(content, self.values, allow_pickle=False)
        elif self.image is None or path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            wanted = ".npy" if self.image is None else ".png, .jpg or .npy"
            raise LowerboundError(f"expected a name that ends in {wanted}, came '{path.name}'")
        elif path.suffix.lower() == ".png":
            self.image.save(content, "png")
        else:
            flat = self.image.convert("L" if self.image.mode in ("L", "LA") else "RGB")
            flat.save(content, "jpeg", quality=95)
        return write_out(path, content.getvalue())


def attributes(
    run: str | Path | Run,
    *,
    how: How = "regression",
    keep: Sequence[str] | Literal["all", "none"] = "none",
    limit: int = _LIMIT,
) -> Directions:
    """Directions for the attributes and labels of a run's data, from codes of training examples.

    Args:
        run: a run or its folder.
        how: see :func:`lowerbound.latent.fit_directions`.
        keep: likewise.
        limit: examples that are looked at.

    Raises:
        LowerboundError: the data have neither, too few examples, or a model without such codes.
    """
    run, model = open_model(run)
    space = space_of(model, "attributes")
    data = run.data()
    chosen = examples_of(run, limit, train=True)
    values, names = attribute_values(run, data.train, chosen.positions)
    codes = space.encode(chosen.x, *chosen.context)
    return fit_directions(codes, values, names, how=how, keep=keep)


def attribute_values(run: Run, split: Any, positions: Array) -> tuple[Array, tuple[str, ...]]:
    """What is known of examples beside x: attributes, and each class of a label as 0 or 1.

    Returns:
        ``(N, A)``, and the names.

    Raises:
        LowerboundError: nothing is.
    """
    spec = run.spec
    columns: dict[str, Array] = {}
    if split.attributes is not None and spec.attributes:
        for name, column in zip(spec.attributes, np.asarray(split.attributes).T, strict=True):
            columns[name] = np.asarray(column, np.float64)[positions]
    several = {"": (split.labels, spec.classes)} if split.labels is not None else {}
    for factor, classes in (spec.factors or {}).items():
        several[f"{factor}="] = (getattr(split, "factors", {}).get(factor), classes)
    for prefix, (labels, classes) in several.items():
        if labels is None or not classes or len(classes) > _CLASSES:
            continue
        if prefix and split.labels is not None and np.array_equal(labels, split.labels):
            continue  # the labels again, by the name of their folders
        here = np.asarray(labels)[positions]
        for k, name in list(enumerate(classes))[1 if len(classes) == 2 else 0 :]:
            columns.setdefault(f"{prefix}{name}", (here == k).astype(np.float64))
    # What does not change tells nothing of how codes change with it.
    columns = {name: c for name, c in columns.items() if len(np.unique(c)) > 1}
    if not columns:
        raise LowerboundError(
            f"expected data with labels or attributes, came {spec.name}, which vary in none; "
            "train on data that have them"
        )
    return np.stack(list(columns.values()), 1), tuple(columns)


def edit(
    run: str | Path | Run,
    example: Any,
    *,
    add: str | Sequence[str] = (),
    subtract: str | Sequence[str] = (),
    strength: float | None = None,
    how: How = "regression",
    keep: Sequence[str] | Literal["all", "none"] = "none",
    detail: bool = True,
    given: Given = None,
    directions: Directions | None = None,
) -> Edited:
    """Add attributes to a datum and take others away.

    Args:
        run: a run or its folder.
        example: an image of any size, or whatever :func:`~lowerbound.exploring.take` takes.
        add: names of attributes, ``"smile"``, ``"smile,glasses"``, each with a strength of its own
            if so wished, ``"smile:3"``.
        subtract: likewise.
        strength: by how much the classifier's logit of each attribute is moved (0.7 doubles the
            odds); None takes the step that examples with the attribute differ by from those
            without it.
        how: see :func:`lowerbound.latent.fit_directions`.
        keep: the attributes whose logits stay as they are: all of the others, none, or names.
        detail: whether an image keeps the detail that the model does not reproduce: only the
            change is brought into it.
        given: of a conditional run, the condition.
        directions: those of :func:`attributes`, if they are there already.

    Raises:
        LowerboundError: an unknown attribute (the nearest is offered), nothing to change, or a run
            or example that does not do.
    """
    run, model = open_model(run)
    space = space_of(model, "edit", centre=centre_of(run))
    changes = parse_changes(add, subtract, strength)
    taken = take(run, example, space, given)
    if taken.x is None:
        raise LowerboundError("edit: expected an example, came a code; decode it, or use along")
    if directions is None:
        directions = attributes(run, how=how, keep=keep)
    for name in changes:
        directions.index(name)  # refuses
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = latent_edit(
            model, taken.x, directions, changes, *taken.context, centre=space.centre
        )
    values, again = (stored(run, each)[0] for each in (found.decoded, found.reconstructed))
    image = _image(run, taken, values, again, detail)
    return Edited(taken, directions, found, changes, values, again, taken.stored, image)


def parse_changes(
    add: str | Sequence[str], subtract: str | Sequence[str], strength: float | None
) -> dict[str, Strength]:
    """What is to change by how much.

    Raises:
        LowerboundError: nothing, something twice, or a strength that is no number.

    >>> parse_changes("smile:3,beard", "glasses", None)
    {'smile': 3.0, 'beard': 'with', 'glasses': 'without'}
    """
    found: dict[str, Strength] = {}
    for given, sign, word in ((add, 1.0, "with"), (subtract, -1.0, "without")):
        parts = given.split(",") if isinstance(given, str) else list(given)
        for part in filter(None, (part.strip() for part in parts)):
            name, colon, own = part.rpartition(":")
            if not colon:
                name = part
            elif not _is_number(own):
                raise LowerboundError(f"expected a strength as a number, came '{part}'")
            amount = float(own) if colon else strength
            if name in found:
                raise LowerboundError(f"expected each attribute once, came {name} twice")
            found[name] = word if amount is None else sign * amount
    if not found:
        raise LowerboundError("expected something to change, came nothing; pass --add smile")
    return found


def analogy(
    run: str | Path | Run, a: Any, b: Any, c: Any, *, given: Given = None
) -> tuple[Analogy, list[Example]]:
    """What is to c as a is to b: decodes ``a - b + c``.

    Args:
        run: a run or its folder.
        a: an example, see :func:`~lowerbound.exploring.take`; b, c: likewise.
        b: see a.
        c: see a.
        given: of a conditional run, the condition; None decodes under that of c.

    Returns:
        codes and what they decode to, in the units of the data; the three examples.
    """
    run, model = open_model(run)
    space = space_of(model, "analogy", centre=centre_of(run))
    taken, codes, context = take_all(run, (a, b, c), space, given)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        beside = tuple(each[[0, 1, 2, 2]] for each in context)
        found = latent_analogy(model, *codes, *beside, centre=space.centre)
    return replace(found, decoded=stored(run, found.decoded)), taken


def _image(
    run: Run, taken: Example, values: Array, again: Array, detail: bool
) -> Image.Image | None:
    spec = run.spec
    if spec.kind != "image" or spec.event_shape[0] not in (1, 3):
        return None
    after, before = (_unit(spec, each) for each in (values, again))
    if taken.upload is not None:
        return taken.upload.with_part(after, change_of=before if detail else None)
    assert taken.stored is not None
    whole = _unit(spec, taken.stored) + after - before if detail else after
    levels = np.rint(255 * whole.clip(0, 1)).astype(np.uint8)
    return Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))


def _unit(spec: Any, values: Array) -> Array:
    black, white = spec.shown
    return ((values - black) / ((white - black) or 1.0)).astype(np.float64)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
