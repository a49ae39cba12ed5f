"""Directions of a code along which an attribute changes, in units of a classifier's logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..errors import LowerboundError, nearest
from .space import Array

How = Literal["regression", "means", "logistic"]
#: Of a change: logits, or as much as examples with the attribute differ from those without it.
Strength = float | Literal["with", "without"]
HOWS = ("regression", "means", "logistic")
_HELD = 5  # a fifth of the examples judges the classifiers
_LEAST = 2  # examples on either side
_STRENGTH = 1.0  # of the classifier's prior, scikit-learn's C


@dataclass(frozen=True)
class Directions:
    """What :func:`fit_directions` returns. Rows belong to the attributes, in the order of `names`.

    Attributes:
        names: of the attributes.
        vectors: code steps that move their own attribute's logit by 1, ``(A, latent)``.
        weights: of the classifiers: ``logit = codes @ weights.T + biases``, ``(A, latent)``.
        biases: ``(A,)``.
        thresholds: an example has the attribute where its value is above, ``(A,)``.
        typical: median logit of the examples without and with it, ``(A, 2)``.
        natural: change of the logit by the whole step, as long as examples with the attribute
            differ from those without it along this direction, ``(A,)``.
        accuracy: of the classifiers on examples that they were not fitted to, in [0, 1], ``(A,)``.
        share: of the examples that have it, ``(A,)``.
        how: regression, means or logistic.
        kept: for each attribute the names of those whose logit its step leaves as it is.
        left_out: attributes that have no direction, as too few examples lie on one side, and why.
    """

    names: tuple[str, ...]
    vectors: Array
    weights: Array
    biases: Array
    thresholds: Array
    typical: Array
    natural: Array
    accuracy: Array
    share: Array
    how: str
    kept: tuple[tuple[str, ...], ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def index(self, name: str) -> int:
        """The row of an attribute.

        Raises:
            LowerboundError: there is none of that name (the nearest is offered), or it was left
                out.
        """
        if name in self.names:
            return self.names.index(name)
        if name in self.left_out:
            raise LowerboundError(self.left_out[name])
        hint = nearest(name, self.names) or f"; there are: {', '.join(self.names[:20])}"
        raise LowerboundError(f"expected an attribute of the data, came '{name}'{hint}")

    def vague(self, name: str) -> bool:
        """Whether codes tell the attribute hardly better than its share of the examples does."""
        row = self.index(name)
        chance = max(float(self.share[row]), 1.0 - float(self.share[row]))
        return bool(self.accuracy[row] < chance + 0.25 * (1.0 - chance))

    def logits(self, codes: Array) -> Array:
        """Of codes ``(*lead, latent)``: ``(*lead, A)``."""
        return np.asarray(codes) @ self.weights.T + self.biases

    def step(self, name: str, strength: Strength, code: Array) -> Array:
        """The change of a code that moves an attribute's logit by `strength`, ``(latent,)``.

        Args:
            name: of the attribute.
            strength: in logits; "with" takes the whole natural step, but no farther than to the
                median logit of examples that have the attribute; "without" goes the other way.
            code: that is to be changed, ``(latent,)``.
        """
        row = self.index(name)
        if isinstance(strength, str):
            way = float(self.typical[row, ("without", "with").index(strength)])
            way -= float(self.logits(code)[row])
            most = float(self.natural[row])
            strength = min(max(way, 0.0), most) if strength == "with" else max(min(way, 0.0), -most)
        return strength * self.vectors[row]

    def to_json(self) -> dict[str, Any]:
        """As a page reads it: an accuracy that nothing could tell is 0."""
        names = ("vectors", "weights", "biases", "typical", "natural", "accuracy", "share")
        told = {name: np.nan_to_num(getattr(self, name)).tolist() for name in names}
        return {"names": list(self.names), **told, "vague": [self.vague(n) for n in self.names]}


def fit_directions(
    codes: Array,
    values: Array,
    names: Sequence[str],
    *,
    how: How = "regression",
    keep: Sequence[str] | Literal["all", "none"] = "none",
) -> Directions:
    """Directions from codes of examples and their attributes.

    An attribute of two values is one that an example has or has not; others are cut between two of
    their values, where the two sides are most nearly of one size. One that fewer than two examples
    have, or have not, is left out. A logistic regression on the codes tells the two apart: its
    logit is the unit of every strength. The direction itself is

    - means: from the mean code of those without it to that of those with it, as usual;
    - regression: how the mean code changes with this attribute and no other, by least squares on
      all attributes together: where attributes go together in the data (beards with men), the
      difference of means takes the others along, and this does not;
    - logistic: the normal of the classifier's plane.

    Other attributes can be kept besides: the step is then projected, along the directions in which
    codes vary, to where no logit of theirs changes.

    Args:
        codes: posterior means, ``(N, latent)``.
        values: of the attributes, ``(N, A)``.
        names: of the attributes.
        how: see above.
        keep: the attributes whose logits are not to change: names, all of the others, or none.
            Those that exclude each other and leave no other choice (the colours of hair) are not
            kept for one another.

    Raises:
        LowerboundError: too few examples with or without every attribute, values that do not fit,
            an unknown name to keep, or one that was left out.

    References:
        Larsen et al., 2016, Autoencoding beyond pixels, arXiv 1512.09300 (means);
        Shen et al., 2020, Interpreting the latent space of GANs, arXiv 1907.10786 (logistic,
        kept attributes)
    """
    codes, values = np.asarray(codes, np.float64), np.asarray(values, np.float64)
    names = tuple(names)
    _check(codes, values, names, how)
    thresholds, has = _sides(values)
    left_out = _few(has, names)
    fit = np.array([a for a, name in enumerate(names) if name not in left_out], dtype=np.intp)
    if not len(fit):
        raise LowerboundError(next(iter(left_out.values()), "expected attributes, came none"))
    if not isinstance(keep, str) or keep not in ("all", "none"):
        keep = [keep] if isinstance(keep, str) else list(keep)
        for name in keep:
            if name in left_out:
                raise LowerboundError(left_out[name])
    groups = _among(exclusive(has), fit)
    names, values, has = tuple(names[a] for a in fit), values[:, fit], has[:, fit]
    weights, biases, accuracy = _classifiers(codes, has)
    covariance = np.cov(codes.T).reshape(codes.shape[1], -1)
    found = _raw(codes, values, has, how, weights)
    natural = np.empty(len(names))
    rows, kept = np.zeros_like(weights), []
    for a, name in enumerate(names):
        others = _others(a, name, names, keep, groups)
        row = found[a] - _kept_out(found[a], weights[others], covariance)
        moved = float(weights[a] @ row)
        if abs(moved) < 1e-9 * (np.linalg.norm(weights[a]) * np.linalg.norm(found[a]) + 1e-30):
            raise LowerboundError(
                f"{name}: expected an attribute that can change while {len(others)} others are "
                "kept, came one that cannot; keep fewer (keep='none')"
            )
        rows[a], natural[a] = row / moved, max(moved, 0.0)
        kept.append(tuple(names[b] for b in others))
    logits = codes @ weights.T + biases
    typical = np.array(
        [[np.median(logits[~h, a]), np.median(logits[h, a])] for a, h in enumerate(has.T)]
    )
    return Directions(
        names, rows, weights, biases, thresholds[fit], typical, natural, accuracy, has.mean(0), how,
        tuple(kept), left_out,
    )  # fmt: skip


def exclusive(has: Array) -> list[frozenset[int]]:
    """Groups of attributes of which every example has exactly one, bool ``(N, A)``.

    >>> exclusive(np.array([[1, 0, 0], [0, 1, 1], [1, 0, 1]], bool))
    [frozenset({0, 1})]
    """
    count = has.shape[1]
    together = has.astype(np.float64).T @ has
    groups = set()
    for first in range(count):
        group = [first]
        for other in range(count):
            if other != first and all(together[other, member] == 0 for member in group):
                group.append(other)
        if len(group) > 1 and (has[:, group].sum(1) == 1).all():
            groups.add(frozenset(group))
    return sorted(groups, key=min)


def _check(codes: Array, values: Array, names: tuple[str, ...], how: str) -> None:
    if how not in HOWS:
        raise LowerboundError(f"expected regression, means or logistic, came {how!r}")
    if codes.ndim != 2 or values.shape != (len(codes), len(names)):
        raise LowerboundError(
            f"expected codes (N, latent) and values (N, {len(names)}), came {codes.shape} and "
            f"{values.shape}"
        )
    if not (np.isfinite(codes).all() and np.isfinite(values).all()):
        raise LowerboundError("expected finite codes and attributes, came NaN or infinity")


def _sides(values: Array) -> tuple[Array, Array]:
    """Thresholds ``(A,)`` and who has each attribute, bool ``(N, A)``."""
    thresholds = np.empty(values.shape[1])
    for a, column in enumerate(values.T):
        seen, counts = np.unique(column, return_counts=True)
        if len(seen) == 1:  # nobody has it
            thresholds[a] = seen[0]
            continue
        # Of two cuts that are as good the upper one: what is in the middle has it not.
        uneven = np.abs(2 * counts.cumsum()[:-1] - len(column))
        low = len(uneven) - 1 - int(uneven[::-1].argmin())
        middle = 0.5 * (seen[low] + seen[low + 1])
        thresholds[a] = middle if middle < seen[low + 1] else seen[low]
    return thresholds, values > thresholds


def _few(has: Array, names: tuple[str, ...]) -> dict[str, str]:
    """Attributes of which there are too few examples on one side, each with the reason."""
    found = {}
    for name, column in zip(names, has.T, strict=True):
        count = int(column.sum())
        if min(count, len(column) - count) < _LEAST:
            found[name] = (
                f"{name}: expected at least {_LEAST} examples with it and {_LEAST} without, came "
                f"{count} and {len(column) - count}; take more examples"
            )
    return found


def _among(groups: list[frozenset[int]], fit: Array) -> list[frozenset[int]]:
    """Groups of attributes as positions among those that are fitted."""
    place = {int(a): k for k, a in enumerate(fit)}
    return [frozenset(place[a] for a in group if a in place) for group in groups]


def _judges(has: Array) -> Array:
    """A fifth of the examples with an attribute and of those without it, by chance: ``(N,)``."""
    random = np.random.default_rng(0)
    held = np.zeros(len(has), bool)
    for side in (False, True):
        rows = random.permutation(np.flatnonzero(has == side))
        held[rows[: max(1, round(len(rows) / _HELD))]] = True
    return held


def _classifiers(codes: Array, has: Array) -> tuple[Array, Array, Array]:
    """Weights, biases and held-out accuracy of a logistic regression for each attribute."""
    from sklearn.linear_model import LogisticRegression

    middle, spread = codes.mean(0), codes.std(0)
    spread = np.where(spread > 0, spread, 1.0)
    scaled = (codes - middle) / spread
    weights, biases, accuracy = [], [], []
    for h in has.T:
        held = _judges(h)
        found = LogisticRegression(C=_STRENGTH, max_iter=2000)
        score = float(found.fit(scaled[~held], h[~held]).score(scaled[held], h[held]))
        found.fit(scaled, h)
        w = found.coef_[0] / spread
        weights.append(w)
        biases.append(float(found.intercept_[0]) - float(w @ middle))
        accuracy.append(score)
    return np.array(weights), np.array(biases), np.array(accuracy)


def _raw(codes: Array, values: Array, has: Array, how: str, weights: Array) -> Array:
    """A step for each attribute before any is kept, from without to with it, ``(A, latent)``."""
    means = np.stack([codes[h].mean(0) - codes[~h].mean(0) for h in has.T])
    if how == "means":
        return means
    if how == "logistic":  # as far along the normal as the means are apart
        squares = np.square(weights).sum(1) + 1e-300
        return weights * ((weights * means).sum(1) / squares)[:, None]
    spread = values.std(0)
    scaled = (values - values.mean(0)) / np.where(spread > 0, spread, 1.0)
    found: Any = np.linalg.lstsq(scaled, codes - codes.mean(0), rcond=1e-9)[0]
    apart = np.array([s[h].mean() - s[~h].mean() for s, h in zip(scaled.T, has.T, strict=True)])
    return found * apart[:, None]


def _others(
    a: int,
    name: str,
    names: tuple[str, ...],
    keep: Sequence[str] | str,
    groups: list[frozenset[int]],
) -> list[int]:
    if keep == "none":
        return []
    bound = next((group for group in groups if a in group), frozenset())
    if keep == "all":
        return [b for b in range(len(names)) if b != a and b not in bound]
    for other in keep:
        if other not in names:
            hint = nearest(other, names) or f"; there are: {', '.join(names[:20])}"
            raise LowerboundError(f"expected an attribute to keep, came '{other}'{hint}")
    return [names.index(other) for other in keep if other != name]


def _kept_out(row: Array, others: Array, covariance: Array) -> Array:
    """The part of a step that moves the others' logits, the likeliest such one."""
    if not len(others):
        return np.zeros_like(row)
    spread = covariance @ others.T  # (latent, others)
    return spread @ np.linalg.lstsq(others @ spread, others @ row, rcond=1e-10)[0]
