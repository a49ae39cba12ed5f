"""The examples that are to be coded, in the order that they came in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lowerbound.conditioning import example_of
from lowerbound.continuing import clip_of
from lowerbound.data import Data, Prepare, RowsSplit, aligned, misfit, side_of
from lowerbound.data.arrays import ArrayRows, as_numpy
from lowerbound.errors import LowerboundError
from lowerbound.runs import Run

PARTS = ("train", "validation", "test")
_ROWS = 1000  # prepared together, as in every report on held-out data
_SEED = 0  # of binarization, likewise


class Examples:
    """Examples of one or several splits.

    Args:
        parts: the splits.
        order: of each example its split and its place in it, int64 ``(N, 2)``.
    """

    def __init__(self, parts: list[RowsSplit], order: np.ndarray | None = None) -> None:
        self.parts = parts
        if order is None:
            order = np.concatenate(
                [np.stack([np.full(len(s), k), np.arange(len(s))], 1) for k, s in enumerate(parts)]
            )
        self.order = order

    def __len__(self) -> int:
        return len(self.order)

    def stored(self, start: int, stop: int) -> Tensor:
        """Examples as stored, ``(n, *event_shape)``."""
        return self._gathered(start, stop, lambda part, at: part.stored(at))

    def side(self, name: Any, otherwise: str) -> Tensor:
        """What comes beside each example, ``(N, ...)``; `otherwise` as of `side_of`."""
        sides = [side_of(part, name, otherwise) for part in self.parts]
        return torch.stack([sides[part][at] for part, at in self.order.tolist()])

    def prepared(self, spec: Any) -> Iterator[Tensor]:
        """x in pieces, ``(n, *event_shape)``; binarized or dequantized from a fixed seed."""
        prepare, generator = Prepare(spec), torch.Generator().manual_seed(_SEED)
        for start in range(0, len(self), _ROWS):
            yield prepare(self.stored(start, min(start + _ROWS, len(self))), generator)

    def _gathered(self, start: int, stop: int, get: Any) -> Tensor:
        rows = self.order[start:stop]
        found: Tensor | None = None
        for which, part in enumerate(self.parts):
            mine = np.flatnonzero(rows[:, 0] == which)
            if not len(mine):
                continue
            values = get(part, rows[mine, 1])
            if found is None:
                found = values.new_empty((len(rows), *values.shape[1:]))
            found[mine] = values.to(found.dtype)
        assert found is not None
        return found


def examples(run: Run, source: Any, split: str = "all", limit: int | None = None) -> Examples:
    """What is to be coded.

    Args:
        run: whose codes they are to become.
        source: what `load` takes; or one example: an image, clip or sound file, or an array
            ``event_shape``.
        split: ``all`` of the examples in the order they came in, or ``train``, ``validation`` or
            ``test``.
        limit: the first so many.

    Raises:
        LowerboundError: they are of another shape, or values that the model gives no probability.
    """
    if split not in ("all", *PARTS):
        raise LowerboundError(f"split: expected all, {', '.join(PARTS)}, came '{split}'")
    found = _single(run, source)
    if found is None:
        found = _several(run, source, split)
    for part in found.parts:
        outside = misfit(part, run.spec)
        if outside is not None:
            raise LowerboundError(
                f"expected {outside[0]}, as {run.path} was trained on, came {outside[1]}; scale "
                "them alike"
            )
    if limit is not None:
        found.order = found.order[:limit]
    return found


def _single(run: Run, source: Any) -> Examples | None:
    """One example from a file of its own, or arrays that need no more than their shape."""
    shape = tuple(run.spec.event_shape)
    if isinstance(source, Data | dict):
        return None
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        known = path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
        if path.is_file() and path.suffix.lower() == ".gif" and run.spec.kind == "video":
            clip, _ = clip_of(run, path)
            if clip.shape != shape:
                raise LowerboundError(
                    f"expected a clip of {shape[0]} frames, as {run.path} was trained on, came "
                    f"{len(clip)} in {path.name}; continue it first (lowerbound complete)"
                )
            return Examples([_rows(clip[None])])
        if path.is_file() and known and run.spec.kind == "image":
            return Examples([_rows(example_of(run, path).numpy()[None])])
        if path.suffix.lower() != ".npy" or not path.is_file():
            return None
        try:
            source = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None  # `load` says why
    array = as_numpy(source)
    if array.shape == shape:
        return Examples([_rows(array[None])])
    if array.ndim >= 2 and array.shape[0] == 1 and array.dtype.kind in "biuf":
        rows = ArrayRows(array, "the array", run.spec.kind == "video")
        if rows.event_shape == shape:
            return Examples([RowsSplit(rows)])
    return None


def _rows(values: np.ndarray) -> RowsSplit:
    return RowsSplit(ArrayRows.of(np.ascontiguousarray(values)))


def _several(run: Run, source: Any, split: str) -> Examples:
    data = source if isinstance(source, Data) else run.read(source)
    came, known = tuple(data.spec.event_shape), tuple(run.spec.event_shape)
    if came != known:
        raise LowerboundError(
            f"expected data of shape {known}, as {run.path} was trained on, came {came}; pass "
            "others"
        )
    side = getattr(getattr(run.model, "condition", None), "side", None)
    fitting = aligned(data, run.spec, str(run.path), side)
    wanted = PARTS if split == "all" else (split,)
    parts = {name: getattr(fitting, name) for name in wanted}
    if split != "all" and parts[split] is None:
        raise LowerboundError(
            f"split: expected one that {data.spec.name} has, came '{split}'; pass all"
        )
    kept = [name for name in wanted if parts[name] is not None]
    # Splits that were drawn from the same rows are put together again in the order of these.
    sources = [id(getattr(data, name).source) for name in kept]
    keys = []
    for number, name in enumerate(kept):
        part = getattr(data, name)
        rows = np.arange(len(part)) if part.rows is None else part.rows
        first = sources.index(sources[number])
        keys.append(np.stack([np.full(len(rows), first), rows], 1))
    found = Examples([parts[name] for name in kept])
    joined = np.concatenate(keys)
    found.order = found.order[np.lexsort((joined[:, 1], joined[:, 0]))]
    return found
