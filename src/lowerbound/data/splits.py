"""Rows of data, wherever they lie, and the parts of them that train and test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from lowerbound.errors import LowerboundError


class Rows(Protocol):
    """Examples by position: an array in memory, a memory-mapped file, or image files."""

    @property
    def event_shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    @property
    def in_memory(self) -> bool: ...
    def __len__(self) -> int: ...
    def take(self, positions: np.ndarray) -> np.ndarray:
        """The examples at `positions` (N,), as a fresh array (N, *event_shape)."""
        ...


@runtime_checkable
class Split(Protocol):
    """Examples that serve one purpose.

    `labels` is an int64 array (N,) or None, `attributes` an array of floats (N, A) or None,
    `nbytes` what `all()` takes.
    """

    labels: np.ndarray | None
    attributes: np.ndarray | None

    def __len__(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def stored(self, indices: Tensor | np.ndarray) -> Tensor:
        """Examples as stored, (N, *event_shape), on the CPU."""
        ...

    def all(self) -> Tensor:
        """Every example in order; may share memory with the source."""
        ...


@dataclass
class Source:
    """What was read from one place, before any choice is made.

    `train` holds everything where the source brings no split of its own. Labels are as they came:
    whole numbers or texts, attributes floats (N, A), factors several labels by name. `levels` is
    set where the source knows how many there are, `kind` where the shape does not tell it; examples
    of one of the `groups` (N,) are trained or tested on together.
    """

    name: str
    train: Rows
    labels: np.ndarray | None = None
    test: Rows | None = None
    test_labels: np.ndarray | None = None
    attributes: np.ndarray | None = None
    test_attributes: np.ndarray | None = None
    validation_attributes: np.ndarray | None = None
    attribute_names: tuple[str, ...] | None = None
    validation: Rows | None = None
    validation_labels: np.ndarray | None = None
    classes: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    levels: int | None = None
    as_came: str = ""
    kind: str | None = None
    factors: dict[str, np.ndarray] | None = None
    test_factors: dict[str, np.ndarray] | None = None
    validation_factors: dict[str, np.ndarray] | None = None
    factor_classes: dict[str, tuple[str, ...]] | None = None
    groups: np.ndarray | None = None
    #: Sentences of examples by their positions, (N,) -> N times one or more.
    captions: Callable[[np.ndarray], list[tuple[str, ...]]] | None = None
    test_captions: Callable[[np.ndarray], list[tuple[str, ...]]] | None = None
    validation_captions: Callable[[np.ndarray], list[tuple[str, ...]]] | None = None
    sample_rate: int | None = None
    padding: float = 0.0
    notes: list[tuple[str, str]] = field(default_factory=list)


class RowsSplit:
    """A `Split` of some `Rows`: all of them, or those at `rows` (ascending positions)."""

    def __init__(
        self,
        source: Rows,
        rows: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        attributes: np.ndarray | None = None,
        factors: dict[str, np.ndarray] | None = None,
    ) -> None:
        self.source, self.rows = source, rows
        self.factors = {n: f if rows is None else f[rows] for n, f in (factors or {}).items()}
        #: Set where captions are asked for: (N, K, L) numbers, and the sentences themselves.
        self.captions: np.ndarray | None = None
        self.sentences: list[tuple[str, ...]] | None = None
        self.labels = _some(labels, rows)
        #: Of sequences: when their steps were (N, T), and how many each has (N,).
        self.times: np.ndarray | None = _some(getattr(source, "times", None), rows)
        self.lengths: np.ndarray | None = _some(getattr(source, "lengths", None), rows)
        self.attributes = _some(attributes, rows)

    def __len__(self) -> int:
        return len(self.source) if self.rows is None else len(self.rows)

    @property
    def nbytes(self) -> int:
        return len(self) * math.prod(self.source.event_shape) * self.source.dtype.itemsize

    @property
    def in_memory(self) -> bool:
        """Whether reading costs no disk and no decoding."""
        return self.source.in_memory

    def stored(self, indices: Tensor | np.ndarray) -> Tensor:
        positions = indices.numpy() if isinstance(indices, Tensor) else np.asarray(indices)
        if self.rows is not None:
            positions = self.rows[positions]
        return torch.from_numpy(self.source.take(positions))

    def all(self) -> Tensor:
        whole: Any = getattr(self.source, "array", None)
        if self.rows is None and self.in_memory and whole is not None and whole.flags.writeable:
            return torch.from_numpy(whole)
        return self.stored(np.arange(len(self)))


def _some(values: np.ndarray | None, rows: np.ndarray | None) -> np.ndarray | None:
    return values if values is None or rows is None else values[rows]


def divide(
    source: Source,
    *,
    test_fraction: float,
    validation_fraction: float,
    seed: int,
    limit: int | None,
) -> tuple[RowsSplit, RowsSplit | None, RowsSplit]:
    """Training, validation and test examples of a source.

    A split the source brings is kept; a missing test split is drawn from all examples, and the
    validation examples from those that train. The same seed draws the same split.

    Raises:
        LowerboundError: a fraction out of range, or too few examples.
    """
    if not 0.0 < test_fraction < 1.0:
        raise LowerboundError(
            f"expected a test fraction between 0 and 1, came {test_fraction}: pass e.g. 0.2"
        )
    if not 0.0 <= validation_fraction < 1.0:
        raise LowerboundError(
            "expected a validation fraction of at least 0 and below 1, "
            f"came {validation_fraction}: pass e.g. 0.1"
        )
    if limit is not None and limit < 2:
        raise LowerboundError(f"expected a limit of at least 2 examples, came {limit}")
    random = np.random.default_rng([seed, 0x5711])  # not the stream that orders the epochs
    count = len(source.train)
    if count < 2:
        raise LowerboundError(
            f"expected at least 2 examples in '{source.name}', came {count}: "
            "the first axis counts examples, shape (N, ...)"
        )
    rows: np.ndarray | None = None
    test_rows: np.ndarray | None = None
    if source.test is None:
        rows, test_rows = _part(random, np.arange(count), test_fraction, source.groups)
    validation = None
    if source.validation is not None:
        validation = RowsSplit(
            source.validation,
            _first(random, None, len(source.validation), limit),
            source.validation_labels,
            source.validation_attributes,
            source.validation_factors,
        )
    elif validation_fraction > 0.0:
        everything = np.arange(count) if rows is None else rows
        if len(everything) < 2:
            raise LowerboundError(
                f"expected enough examples to set some aside for validation, came {len(everything)}"
            )
        rows, held = _part(random, everything, validation_fraction, source.groups)
        held = _first(random, held, len(held), limit)
        beside = source.labels, source.attributes, source.factors
        validation = RowsSplit(source.train, held, *beside)
    chosen = _first(random, rows, count, limit)
    train = RowsSplit(source.train, chosen, source.labels, source.attributes, source.factors)
    if len(train) < 2:
        raise LowerboundError(
            f"expected at least 2 examples to train on, came {count} in '{source.name}' of which "
            f"{len(train)} is left: pass more examples"
        )
    if source.test is None:
        test_rows = _first(random, test_rows, count, limit)
        test = RowsSplit(source.train, test_rows, source.labels, source.attributes, source.factors)
    else:
        test_rows = _first(random, None, len(source.test), limit)
        beside = source.test_labels, source.test_attributes, source.test_factors
        test = RowsSplit(source.test, test_rows, *beside)
    return train, validation, test


def _part(
    random: np.random.Generator,
    rows: np.ndarray,
    fraction: float,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows kept and rows set aside, each ascending and never empty; groups whole, if there are."""
    if groups is not None and len(names := np.unique(groups[rows])) > 1:
        _, held = _part(random, names, fraction)
        aside = np.isin(groups[rows], held)
        return rows[~aside], rows[aside]
    aside = min(max(1, round(fraction * len(rows))), len(rows) - 1)
    order = random.permutation(rows)
    return np.sort(order[aside:]), np.sort(order[:aside])


def _first(
    random: np.random.Generator, rows: np.ndarray | None, count: int, limit: int | None
) -> np.ndarray | None:
    """At most `limit` of the rows (None: of all `count`), drawn, ascending."""
    if limit is None or limit >= (count if rows is None else len(rows)):
        return rows
    return np.sort(random.choice(count if rows is None else rows, limit, replace=False))
