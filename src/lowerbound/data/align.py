"""Other data in the order of those that a model knows: classes, attributes, columns by name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lowerbound.data.arrays import ArrayRows
from lowerbound.data.captions import again
from lowerbound.data.load import Data
from lowerbound.data.spec import DataSpec
from lowerbound.data.splits import RowsSplit
from lowerbound.errors import LowerboundError, nearest


def aligned(data: Data, spec: DataSpec, where: str, side: str | None = None) -> Data:
    """The same examples, their features, labels and attributes counted as those of `spec`.

    Attributes and columns without names of their own are taken in the order that they come in.

    Args:
        data: other data than the model was trained on.
        spec: of those that it was trained on.
        where: what was trained on them, for messages.
        side: what the model is conditioned on beside x; only that is looked at.

    Raises:
        LowerboundError: they have a class, a column or an attribute of another name.
    """
    came = data.spec
    if came.columns and spec.columns and came.columns != spec.columns:
        _refuse_unknown(came.columns, spec.columns, "columns", where)
        order = _places(came.columns, spec.columns, "columns", where)
        data = _each(data, lambda split: _reordered(split, order))
    if side == "labels" and came.classes and spec.classes and came.classes != spec.classes:
        _refuse_unknown(came.classes, spec.classes, "labels", where)
        numbers = np.array([spec.classes.index(name) for name in came.classes], np.int64)
        data = _each(data, lambda split: _with(split, "labels", lambda found: numbers[found]))
    here, there = (dict(each.factors or {}).get(str(side)) for each in (came, spec))
    if here and there and here != there:
        _refuse_unknown(here, there, f"values of {side}", where)
        numbers = np.array([there.index(name) for name in here], np.int64)
        data = _each(data, lambda split: _renumbered(split, str(side), numbers))
    if side == "attributes" and came.attributes and spec.attributes:
        unnamed = tuple(f"attribute{number}" for number in range(len(spec.attributes)))
        if came.attributes not in (spec.attributes, unnamed):
            places = _places(came.attributes, spec.attributes, "attributes", where)
            data = _each(
                data, lambda split: _with(split, "attributes", lambda found: found[:, places])
            )
    if side == "captions" and spec.captions and came.captions:
        told = spec.captions
        data = _each(data, lambda split: again(split, told))
    known = ("classes", "columns", "attributes", "factors", "captions")
    names = {name: getattr(spec, name) for name in known}
    return replace(data, spec=replace(data.spec, **names))


def _refuse_unknown(came: Sequence[str], known: Sequence[str], what: str, where: str) -> None:
    for name in came:
        if name not in known:
            raise LowerboundError(
                f"expected {what} that {where} was trained on ({_listed(known)}), came '{name}'"
                f"{nearest(name, known)}"
            )


def _places(came: Sequence[str], known: Sequence[str], what: str, where: str) -> list[int]:
    """Where each known name stands among those that came."""
    for name in known:
        if name not in came:
            raise LowerboundError(
                f"expected {what} {_listed(known)}, as {where} was trained on, came "
                f"{_listed(came)}: there is no '{name}'{nearest(name, came)}"
            )
    return [came.index(name) for name in known]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def _each(data: Data, change: Callable[[RowsSplit], RowsSplit]) -> Data:
    parts = {name: getattr(data, name) for name in ("train", "validation", "test")}
    return replace(data, **{n: None if p is None else change(p) for n, p in parts.items()})


def _with(split: RowsSplit, name: str, change: Callable[[np.ndarray], np.ndarray]) -> RowsSplit:
    found = getattr(split, name)
    changed = copy.copy(split)
    setattr(changed, name, None if found is None else change(found))
    return changed


def _renumbered(split: RowsSplit, factor: str, numbers: np.ndarray) -> RowsSplit:
    changed = copy.copy(split)
    changed.factors = {**split.factors, factor: numbers[split.factors[factor]]}
    return changed


def _reordered(split: RowsSplit, order: list[int]) -> RowsSplit:
    """The same rows with their columns in another order; a table lies in memory."""
    rows: Any = split.source
    changed = copy.copy(split)
    changed.source = ArrayRows.of(np.ascontiguousarray(rows.array[..., order]))
    return changed
