"""The sessions of the lab: a few at a time."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from typing import Any

from ...errors import LowerboundError
from .session import AWAY, Session
from .setup import Live, Setup

MOST = 4


class Sessions:
    """Those that there are.

    Args:
        lock: held while a model of the studio computes.
    """

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self._lock = lock
        self._mine = threading.Lock()
        self._kept: dict[str, Session] = {}

    def begin(self, setup: Setup, live: Live) -> Session:
        """A new one.

        Raises:
            LowerboundError: there are as many as may be, all looked at.
        """
        self._make_room()
        session = Session(setup, live, self._lock)
        with self._mine:
            self._kept[session.id] = session
        return session

    def get(self, found: str) -> Session:
        """One that goes on.

        Raises:
            LowerboundError: there is none of that id (any more).
        """
        session = self._kept.get(found)
        if session is None:
            raise LowerboundError("this session has ended; press Reset to begin another")
        return session

    def end(self, found: str) -> None:
        """Close one, if it is there."""
        with self._mine:
            session = self._kept.pop(found, None)
        if session is not None:
            session.close()

    def close(self) -> None:
        """Close all."""
        for found in list(self._kept):
            self.end(found)

    def __len__(self) -> int:
        """How many are open."""
        return sum(not each.closed for each in self._kept.values())

    def _make_room(self) -> None:
        for found, session in list(self._kept.items()):
            if session.closed:
                self.end(found)
        now = time.monotonic()
        while len(self._kept) >= MOST:
            found, oldest = min(self._kept.items(), key=lambda each: each[1].asked)
            if now - oldest.asked < AWAY:
                raise LowerboundError(
                    f"expected at most {MOST} pages of the lab at once, came another; close one"
                )
            self.end(found)
