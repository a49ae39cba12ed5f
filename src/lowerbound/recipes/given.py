"""What a recipe is conditioned on, by the name that ``--given`` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import LowerboundError

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..models.conditions import Condition

_WHERE = {
    "labels": "images in a folder per class, a table's column with --key, or 'labels' in an .npz; "
    "or --given attributes with a table's columns as --attributes",
    "attributes": "'attributes' (N, A) in an .npz, or a table's columns with --attributes",
}


def condition_of(name: str, data: DataSpec, given: str) -> Condition | None:
    """What a model is conditioned on.

    Args:
        name: of the recipe, for messages.
        data: what there is to know of the data.
        given: ``labels``, ``attributes``, the name of one of several labels, or ``none``.

    Raises:
        LowerboundError: the data come without it.
    """
    from ..models.conditions import GivenAttributes, GivenFactor, GivenLabel

    factors = data.factors or {}
    if given == "none":
        return None
    if given in factors:
        return GivenFactor(given, factors[given])
    if given == "labels" and data.classes:
        return GivenLabel(data.classes)
    if given == "attributes" and data.attributes:
        return GivenAttributes(data.attributes, data.attribute_mean, data.attribute_std)
    there = [*(["labels"] if data.classes else []), *(["attributes"] if data.attributes else [])]
    there += list(factors)
    hint = f"--given {there[0]}" if there else _WHERE.get(given, _WHERE["labels"])
    raise LowerboundError(
        f"{name}: expected data with {given}, came {data.name} without; pass {hint}"
    )
