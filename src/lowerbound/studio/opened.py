"""Runs that are looked at: their models stay in memory, and are read anew when they train on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..errors import LowerboundError
from ..runs import DESCRIPTION, Run
from ..training.state import CHECKPOINT, WEIGHTS

_KEPT = 4  # runs
T = TypeVar("T")


@dataclass
class Opened:
    """A run with its model.

    Attributes:
        run: its data and model are read once.
        weights: by which older ones are known.
        known: what views keep of it, gone when the weights change.
    """

    run: Run
    weights: tuple[tuple[int, int] | None, ...]
    known: dict[Any, Any] = field(default_factory=dict)


class Models:
    """The runs that were opened last.

    Attributes:
        lock: held while a model computes. Random numbers are the process's own, and two
            computations at once on two cores are no faster than one after the other.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._kept: OrderedDict[Path, Opened] = OrderedDict()

    def get(self, path: Path) -> Opened:
        """A run, opened.

        Raises:
            LowerboundError: it has no weights yet, is gone or corrupt, or wants code that is not
                in it: none is ever run.
        """
        with self.lock:
            now = tuple(_stamp(path / name) for name in (DESCRIPTION, WEIGHTS, CHECKPOINT))
            found = self._kept.get(path)
            if found is None or found.weights != now:
                self._kept.pop(path, None)
                found = Opened(Run.open(path), now)
                _ = found.run.model  # refuses here what cannot be rebuilt
                self._kept[path] = found
            self._kept.move_to_end(path)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return found

    def remember(self, of: Path | Opened, key: Any, make: Callable[[Run], T]) -> T:
        """What `make(run)` gave for this key and these weights.

        Args:
            of: a run's path; or the run as it was opened, for several things of the same weights.
            key: of the thing.
            make: makes it.
        """
        with self.lock:
            opened = self.get(of) if isinstance(of, Path) else of
            if key not in opened.known:
                opened.known[key] = make(opened.run)
            return opened.known[key]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LowerboundError(f"cannot read {path}: {error.strerror}") from None
    return found.st_mtime_ns, found.st_size
