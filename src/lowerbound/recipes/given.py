"""What a recipe is conditioned on, by the name that ``--given`` takes."""

from __future__ import annotations

from difflib import SequenceMatcher
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


def _where(given: str, kind: str) -> str:
    """Where data of a kind have such a condition."""
    if kind == "audio":
        field = "label" if given in _WHERE or not given.isidentifier() else given
        return (
            f"sound in a folder per {field} with --given label, a pattern of the files' names "
            f"(--pattern {{{field}}}_{{}}) or a table that labels them (--labels labels.csv) with "
            f"--given {field}"
        )
    return _WHERE.get(given, _WHERE["labels"])


def _by_nearness(given: str, names: list[str]) -> list[str]:
    """
    >>> _by_nearness("singer", ["word", "speaker", "take"])
    ['speaker', 'word', 'take']
    """
    return sorted(names, key=lambda name: -SequenceMatcher(None, given, name).ratio())


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
    own = data.classes and data.classes not in factors.values()  # else it has a name of its own
    there = [*(["labels"] if own else []), *(["attributes"] if data.attributes else []), *factors]
    there = _by_nearness(given, there)
    hint = f"--given {' or '.join(there)}" if there else _where(given, data.kind)
    raise LowerboundError(
        f"{name}: expected data with {given}, came {data.name} without; pass {hint}"
    )
