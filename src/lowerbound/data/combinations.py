"""Examples whose combination of attributes is never trained on: what a model makes of them is new.

>>> ask = {"red": np.array([1.0, 1, 0, 0]), "round": np.array([1.0, 0, 1, 0])}
>>> trained, held = hold_out(ask, [{"red": 1, "round": 1}])
>>> trained.tolist(), held.tolist()
([1, 2, 3], [0])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lowerbound.errors import LowerboundError, nearest

#: What an attribute is: a value (0 and 1 are told apart at one half), or from one to another.
Wanted = float | tuple[float, float]
_HALF = 0.5


def hold_out(
    attributes: Mapping[str, np.ndarray], combinations: Sequence[Mapping[str, Wanted]]
) -> tuple[np.ndarray, np.ndarray]:
    """Positions to train on, and those of combinations that are held out.

    Args:
        attributes: by name, (N,) each, as `lowerbound.data.avatars.attributes` returns them.
        combinations: each some attributes at once: 0 or 1 by name, or a range (low, high) of which
            the ends belong to it.

    Returns:
        positions of the others and of the held-out ones, int64, ascending.

    Raises:
        LowerboundError: an unknown attribute; a combination that no example has; nothing is left to
            train on, or of one of the attributes alone nothing is: then it would be new itself, and
            not the combination.
    """
    if not combinations or not attributes:
        raise LowerboundError("expected attributes and combinations to hold out, came none")
    count = len(next(iter(attributes.values())))
    held = np.zeros(count, bool)
    for each in combinations:
        here = np.ones(count, bool)
        for name, wanted in each.items():
            here &= _has(attributes, name, wanted)
        if not here.any():
            raise LowerboundError(f"expected examples with {_told(each)}, came none of {count:,}")
        held |= here
    for each in combinations:
        for name, wanted in each.items():
            if not (_has(attributes, name, wanted) & ~held).any():
                raise LowerboundError(
                    f"expected examples to train on with {_told({name: wanted})} in other "
                    "combinations, came none; hold fewer combinations out"
                )
    return np.flatnonzero(~held), np.flatnonzero(held)


def _has(attributes: Mapping[str, np.ndarray], name: str, wanted: Wanted) -> np.ndarray:
    if name not in attributes:
        hint = nearest(name, attributes) or f"; there are: {', '.join(attributes)}"
        raise LowerboundError(f"there is no attribute '{name}'{hint}")
    values = np.asarray(attributes[name])
    if isinstance(wanted, tuple):
        return (values >= wanted[0]) & (values <= wanted[1])
    return (values > _HALF) == (wanted > _HALF)


def _told(each: Mapping[str, Wanted]) -> str:
    return " and ".join(f"{name}={wanted}" for name, wanted in each.items())
