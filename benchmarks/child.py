"""A contestant's side of a contest: it computes only in its turns. Needs nothing but Python.

Lines of JSON go over the stdin and stdout that the process was started with. Whatever else it or
its libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


class Over(BaseException):
    """The contest is over. No `Exception`, so that a trainer that we sit in lets it through."""


class Link:
    """The line to the contest.

    Args:
        answers: what else can be asked for between turns, by name.
    """

    def __init__(self, answers: dict[str, Callable[..., Any]] | None = None) -> None:
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        self.answers = answers or {}
        self._cpu = 0.0

    def ready(self, **about: Any) -> None:
        """Set up, compiled, waiting."""
        self._say("ready", **about)

    def wait(self) -> dict[str, Any]:
        """Block until our turn; its arguments.

        Raises:
            Over: there are no more turns.
        """
        for line in sys.stdin:
            asked = json.loads(line)
            name = asked.pop("do")
            if name == "turn":
                self._cpu = time.process_time()
                return asked
            if name == "quit":
                break
            self._say("answer", value=self.answers[name](**asked))
        raise Over

    def done(self, examples: int, **about: Any) -> None:
        """The turn is done, its results computed and at hand."""
        self._say("done", examples=examples, cpu=time.process_time() - self._cpu, **about)

    def _say(self, what: str, **values: Any) -> None:
        self._out.write(json.dumps({"is": what, **values}) + "\n")
        self._out.flush()
