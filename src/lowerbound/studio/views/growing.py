"""What is known of each of many examples, found part by part while somebody waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST = 64  # rows of the first part, which somebody waits for before an empty map
_SECONDS = 0.25  # parts grow until one takes so long; between two of them others may compute


class Growing:
    """Values of examples, found in the order of a shuffle: the first of them stand for all.

    Attributes:
        count: of the examples.

    >>> import threading
    >>> found = Growing(1000, lambda rows: rows * 0.5)
    >>> found.grow(threading.Lock(), until=0.0)
    >>> complete, rows, values = found.now()
    >>> complete, len(rows), bool((values == rows * 0.5).all())
    (False, 64, True)
    >>> found.grow(threading.Lock())
    >>> complete, rows, values = found.now()
    >>> complete, values[:3].tolist()
    (True, [0.0, 0.5, 1.0])
    """

    def __init__(self, count: int, work: Callable[[NDArray[np.int64]], NDArray]) -> None:
        """Nothing is known yet.

        Args:
            count: of the examples.
            work: values of some rows of them, ``(n,)`` to ``(n, ...)``.
        """
        self.count = count
        self._work = work
        self._order = np.random.default_rng(0).permutation(count)
        self._rows: list[NDArray[np.int64]] = []
        self._parts: list[NDArray] = []
        self._done, self._size = 0, _LEAST

    @property
    def complete(self) -> bool:
        """Whether all are known."""
        return self._done == self.count

    def now(self) -> tuple[bool, NDArray[np.int64], NDArray]:
        """What is known at one moment: whether all is, rows and values."""
        parts = list(self._rows)
        rows = np.concatenate(parts)
        order, values = np.argsort(rows), np.concatenate(self._parts[: len(parts)])
        return len(rows) == self.count, rows[order], values[order]

    def grow(self, lock: AbstractContextManager[Any], until: float | None = None) -> None:
        """Find more: all that is missing, or parts until a time has passed, one at least.

        Args:
            lock: held while a part is found.
            until: of `time.monotonic`; the very first part is not waited with.
        """
        if until is not None and not self._done:
            until = 0.0
        while not self.complete:
            with lock:
                if self.complete:  # by somebody else
                    return
                began = time.monotonic()
                rows = np.sort(self._order[self._done : self._done + self._size])
                self._parts.append(self._work(rows))  # `now` reads without the lock: rows last
                self._rows.append(rows)
                self._done += len(rows)
                if time.monotonic() - began < _SECONDS:
                    self._size *= 2
            if until is not None and time.monotonic() >= until:
                return
