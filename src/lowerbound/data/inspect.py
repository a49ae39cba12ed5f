"""What the data are: counts, range, levels, constants, labels; before anything is chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lowerbound.data.facts import Facts
from lowerbound.data.splits import Rows, RowsSplit, Source
from lowerbound.errors import LowerboundError

_CHUNK = 1 << 22  # numbers looked at together
_SAMPLE = 1 << 22  # numbers looked at for distinct values
_ROWS_FROM_DISK = 1024  # examples looked at where reading costs a disk or a decoder
_FEW_LEVELS = 64  # whole numbers 0 .. k below this count as k + 1 levels; above, as 8 bits
_MOST_LEVELS = 1 << 16


def inspect(
    source: Source, train: RowsSplit, validation: RowsSplit | None, test: RowsSplit
) -> Facts:
    """Look at every value (at a sample of examples where they are not in memory).

    Raises:
        LowerboundError: all examples are the same.
    """
    parts = [rows for rows in (source.train, source.validation, source.test) if rows is not None]
    event_shape = source.train.event_shape
    low, high, whole = _extremes(parts)
    values = _sample(parts)
    distinct = np.unique(values)
    integers = source.train.dtype.kind in "iu"
    grid = _grid(source, parts, low, high, whole, distinct)
    levels, grid_low, step = grid if grid else (None, low, 0.0)
    span = step * (levels - 1) if levels else high - low
    normalized = (float(values.mean()) - grid_low) / span if span else 0.0
    two_valued = normalized * (1.0 - normalized)
    spread = float(values.var()) / span**2 if span else 0.0
    mean, std = _moments(train)
    if not np.any(std > 0.0):
        raise LowerboundError(
            f"expected examples that differ, came {len(train):,} that are all the same "
            f"in '{source.name}' (values in [{low:g}, {high:g}]): pass other data"
        )
    labels, classes = train.labels, source.classes
    counts = None
    if labels is not None and classes is not None:
        counts = tuple(np.bincount(labels, minlength=len(classes)).tolist())
    total = sum(len(part) for part in (train, validation, test) if part is not None)
    return Facts(
        name=source.name,
        kind=source.kind or {3: "image", 4: "video"}.get(len(event_shape), "vector"),
        event_shape=event_shape,
        dtype=source.as_came or str(source.train.dtype),
        train=len(train),
        validation=0 if validation is None else len(validation),
        test=len(test),
        low=low,
        high=high,
        whole=whole,
        integers=integers and source.as_came not in ("uint8", "bool"),
        levels=levels,
        grid_low=grid_low,
        grid_step=step,
        distinct=len(distinct) if len(distinct) <= _MOST_LEVELS else None,
        share_low=float((values == low).mean()),
        share_high=float((values == high).mean()),
        two_valued=min(1.0, spread / two_valued) if two_valued > 0 else 0.0,
        mean=mean,
        std=std,
        whole_columns=_whole_columns(source.train) if len(event_shape) == 1 else None,
        columns=source.columns,
        classes=classes,
        attributes=source.attribute_names,
        factors=source.factor_classes,
        sample_rate=source.sample_rate,
        padding=source.padding,
        counts=counts,
        looked_at=min(total, sum(len(_looked_at(rows)) for rows in parts)),
        notes=tuple(source.notes),
    )


def not_finite(rows: Rows) -> tuple[int, int, np.ndarray, np.ndarray | None]:
    """NaN, infinities, the examples that hold them, and the index of the first value."""
    nans = infinities = 0
    first: np.ndarray | None = None
    bad = [np.empty(0, np.int64)]
    if rows.dtype.kind == "f":
        for positions, chunk in _chunks(rows):
            fine = np.isfinite(chunk)
            if fine.all():
                continue
            nans += int(np.isnan(chunk).sum())
            infinities += int(np.isinf(chunk).sum())
            places = np.argwhere(~fine)
            bad.append(positions[np.unique(places[:, 0])])
            if first is None:
                first = np.array([positions[places[0, 0]], *places[0, 1:]])
    return nans, infinities, np.concatenate(bad), first


def _looked_at(rows: Rows) -> np.ndarray:
    """Positions looked at: all, or as many as a pass over the disk may cost, evenly spread."""
    if rows.in_memory or len(rows) <= _ROWS_FROM_DISK:
        return np.arange(len(rows))
    return np.linspace(0, len(rows) - 1, _ROWS_FROM_DISK).astype(np.int64)


def _chunks(rows: Rows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    positions = _looked_at(rows)
    per = max(1, _CHUNK // max(1, math.prod(rows.event_shape)))
    for start in range(0, len(positions), per):
        part = positions[start : start + per]
        yield part, rows.take(part)


def _extremes(parts: list[Rows]) -> tuple[float, float, bool]:
    """Least and greatest value, and whether all are whole numbers."""
    low, high, whole = math.inf, -math.inf, True
    for rows in parts:
        for _, chunk in _chunks(rows):
            low, high = min(low, float(chunk.min())), max(high, float(chunk.max()))
            if chunk.dtype.kind == "f" and whole:
                whole = bool((chunk == np.rint(chunk)).all())
    return low, high, whole


def _sample(parts: list[Rows]) -> np.ndarray:
    """Values (at most `_SAMPLE`), of examples evenly spread over the training rows."""
    rows = parts[0]
    positions = _looked_at(rows)
    most = max(1, _SAMPLE // max(1, math.prod(rows.event_shape)))
    if len(positions) > most:
        positions = positions[np.linspace(0, len(positions) - 1, most).astype(np.int64)]
    values = rows.take(positions).reshape(-1)
    return values if values.dtype.kind != "f" else values.astype(np.float64)


def _grid(
    source: Source, parts: list[Rows], low: float, high: float, whole: bool, distinct: np.ndarray
) -> tuple[int, float, float] | None:
    """(levels, least, step) of the grid that all values lie on, None where there is none."""
    if low == high:
        return None
    if source.levels is not None:
        return source.levels, 0.0, 1.0
    if len(distinct) == 2 and len(source.train.event_shape) > 0:
        two = {float(value) for value in distinct}
        if two == {low, high} and _only(parts, distinct):
            return 2, low, high - low
    image = len(source.train.event_shape) >= 3
    if whole:
        if source.train.dtype.kind == "f" and not image and not _like_pixels(source, low, high):
            return None  # a table whose columns happen to hold whole numbers
        span = int(high - low) + 1
        if low >= 0 and high <= 255:
            every = low == 0 and len(distinct) == span
            few = every and span <= _FEW_LEVELS
            return (span, 0.0, 1.0) if few else (256, 0.0, 1.0)
        return (span, low, 1.0) if span <= _MOST_LEVELS else None
    if image or (_like_pixels(source, low, high) and high == 1.0):
        return _float_grid(parts, low, high, distinct)
    return None


def _only(parts: list[Rows], values: np.ndarray) -> bool:
    """Whether nothing but these values occurs, in any part."""
    return all(bool(np.isin(chunk, values).all()) for rows in parts for _, chunk in _chunks(rows))


def _like_pixels(source: Source, low: float, high: float) -> bool:
    """Whether rows of numbers look like flattened images: many, of one range with round ends."""
    many = math.prod(source.train.event_shape) >= 16
    return many and ((low, high) in ((0, 1), (-1, 1)) or (low == 0 and 2 < high <= 255))


def _float_grid(
    parts: list[Rows], low: float, high: float, distinct: np.ndarray
) -> tuple[int, float, float] | None:
    """The grid of floats that came from levels, such as k / 255, verified on every value."""
    if not 2 < len(distinct) <= 4096:
        return None
    step = float(np.diff(distinct).min())
    eight = 1.0 / 255.0
    if low >= 0.0 and high <= 1.0 and np.abs(distinct * 255 - np.rint(distinct * 255)).max() < 1e-3:
        levels, least = 256, 0.0
        if low == 0.0 and high == 1.0:  # coarser levels, k / 15, lie on the grid of 255 as well
            common = int(np.gcd.reduce(np.rint(distinct * 255).astype(np.int64)))
            levels = 255 // common + 1
        step = eight * (255 // (levels - 1))
    else:
        levels, least = round((high - low) / step) + 1, low
        step = (high - low) / (levels - 1)
    if levels > 4096:
        return None
    for rows in parts:
        for _, chunk in _chunks(rows):
            cells = (chunk.astype(np.float64) - least) / step
            if np.abs(cells - np.rint(cells)).max() > 1e-2:
                return None
    return levels, least, step


def _whole_columns(rows: Rows) -> np.ndarray:
    whole = np.ones(rows.event_shape[0], bool)
    for _, chunk in _chunks(rows):
        if chunk.dtype.kind == "f":
            whole &= (chunk == np.rint(chunk)).all(axis=0)
    return whole


def _moments(train: RowsSplit) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the training examples at each position, float64."""
    positions = np.arange(len(train))
    if not train.in_memory and len(train) > _ROWS_FROM_DISK:
        positions = np.linspace(0, len(train) - 1, _ROWS_FROM_DISK).astype(np.int64)
    per = max(1, _CHUNK // max(1, math.prod(train.source.event_shape)))
    # Around the first example, so that a feature far from zero keeps its digits.
    center = train.stored(positions[:1]).numpy()[0].astype(np.float64)
    total = np.zeros_like(center)
    squares = np.zeros_like(center)
    for start in range(0, len(positions), per):
        chunk = train.stored(positions[start : start + per]).numpy() - center
        total += chunk.sum(axis=0)
        squares += np.einsum("n...,n...->...", chunk, chunk)
    mean = total / len(positions)
    variance = np.maximum(squares / len(positions) - mean**2, 0.0)
    # Rounding leaves a little where nothing changes.
    variance[variance <= 1e-14 * squares / len(positions)] = 0.0
    return center + mean, np.sqrt(variance)
