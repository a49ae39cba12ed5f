"""Sources made fit for use: no NaN or infinity, labels numbered from 0."""

from __future__ import annotations

import numpy as np

from lowerbound.data.arrays import ArrayRows
from lowerbound.data.inspect import not_finite
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError


def refuse_or_skip(source: Source, skip_bad: bool) -> None:
    """NaN and infinities: named, or their examples left out."""
    for part in ("train", "validation", "test"):
        rows = getattr(source, part)
        if rows is None:
            continue
        nans, infinities, bad, first = not_finite(rows)
        can_skip = skip_bad and isinstance(rows, ArrayRows) and rows.in_memory
        bad = _with_attributes(source, part, bad, can_skip)
        if not len(bad):
            continue
        if first is not None and not can_skip:
            place = f"example {first[0]}"
            if len(first) == 2 and source.columns is not None:
                place += f", column '{source.columns[first[1]]}'"
            elif len(first) > 1:
                place += f", position {tuple(int(each) for each in first[1:])}"
            fix = "leave those examples out with skip_bad (--skip-bad)"
            if skip_bad:
                fix = "pass more memory (--memory), since what is read from the disk is not skipped"
            raise LowerboundError(
                f"expected finite numbers in '{source.name}', came {nans} NaN and {infinities} "
                f"infinite in {len(bad)} examples, first in {place} of {part}: mend them, or {fix}"
            )
        keep = np.setdiff1d(np.arange(len(rows)), bad)
        if not len(keep):
            raise LowerboundError(
                f"expected examples of finite numbers in '{source.name}', came none in {part}"
            )
        setattr(source, part, ArrayRows.of(rows.take(keep)))
        for what in ("labels", "attributes"):
            named = what if part == "train" else f"{part}_{what}"
            beside = getattr(source, named)
            setattr(source, named, None if beside is None else np.asarray(beside)[keep])
        named = "captions" if part == "train" else f"{part}_captions"
        say = getattr(source, named)
        if say is not None:
            setattr(source, named, lambda at, say=say, keep=keep: say(keep[at]))
        source.notes.append(("skipped", f"{len(bad)} {part} examples with NaN or infinity"))


def _with_attributes(source: Source, part: str, bad: np.ndarray, can_skip: bool) -> np.ndarray:
    """The bad examples of a part with those whose attributes are not finite.

    Raises:
        LowerboundError: there are such attributes, and they are not to be skipped.
    """
    values = getattr(source, "attributes" if part == "train" else f"{part}_attributes")
    if values is None or np.isfinite(values).all():
        return bad
    rows, columns = np.nonzero(~np.isfinite(values))
    if not can_skip:
        names = source.attribute_names or ()
        named = names[columns[0]] if len(names) > columns[0] else str(columns[0])
        raise LowerboundError(
            f"expected finite attributes in '{source.name}', came NaN or infinity in "
            f"{len(np.unique(rows))} {part} examples, first in example {rows[0]}, '{named}': mend "
            "them, or leave those examples out with skip_bad (--skip-bad)"
        )
    return np.union1d(bad, rows)


def name_labels(source: Source) -> None:
    """Labels as int64 from 0, and the classes' names; factors likewise."""
    _name_factors(source)
    parts = [
        (name, getattr(source, name))
        for name in ("labels", "validation_labels", "test_labels")
        if getattr(source, name) is not None
    ]
    if not parts:
        return
    everything = np.concatenate([np.asarray(labels) for _, labels in parts])
    if everything.dtype.kind == "f" and np.all(everything == np.rint(everything)):
        everything = everything.astype(np.int64)
    if everything.dtype.kind not in "biuUS":
        raise LowerboundError(
            f"expected labels as whole numbers or texts, came {everything.dtype}: "
            "number the classes from 0"
        )
    if everything.dtype.kind in "biu" and source.classes is not None:
        names, codes = source.classes, everything.astype(np.int64)
        if codes.min() < 0 or codes.max() >= len(names):
            raise LowerboundError(
                f"expected labels from 0 to {len(names) - 1}, came {codes.min()} to {codes.max()}"
            )
    else:
        values, codes = np.unique(everything, return_inverse=True)
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
        names = tuple(texts)
    source.classes = names
    start = 0
    for name, labels in parts:
        setattr(source, name, codes[start : start + len(labels)].astype(np.int64))
        start += len(labels)


def _name_factors(source: Source) -> None:
    parts = [source.factors, source.validation_factors, source.test_factors]
    if not source.factors:
        source.factors = source.validation_factors = source.test_factors = None
        return
    source.factor_classes = {}
    for name in source.factors:
        found = [part[name] for part in parts if part is not None]
        values, codes = np.unique(np.concatenate(found), return_inverse=True)
        source.factor_classes[name] = tuple(str(value) for value in values)
        start = 0
        for part in parts:
            if part is not None:
                part[name] = codes[start : (start := start + len(part[name]))].astype(np.int64)
