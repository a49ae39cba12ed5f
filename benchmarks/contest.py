"""Contestants measured in turns: one process each, of which one computes at a time.

What slows the machine for a while slows all of them, so that ratios within a round hold where
absolute numbers do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from .machine import busy_seconds, cores
from .tables import ROOT

#: Seconds before each turn, in which the threads of the one before stop spinning.
PAUSE = 0.2


@dataclass(frozen=True)
class Turn:
    """What one contestant did in one round.

    Args:
        seconds: by the contest's clock, from the word to the answer.
        examples: done in that time.
        others: CPU seconds that other processes used meanwhile; None where unknown.
        about: whatever else it told.
    """

    seconds: float
    examples: int
    others: float | None = None
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Examples per second."""
        return self.examples / self.seconds


class Contestant:
    """A process that waits for its turns (`benchmarks.child.Link` is its side).

    Args:
        name: for tables.
        command: starts it.
        environment: variables beside those of this process.

    Raises:
        RuntimeError: the process ended; the message holds the end of what it wrote to stderr.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.command = name, list(command)
        threads = {"OMP_NUM_THREADS": str(cores())}
        self.environment = {**threads, **os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
        self.about: dict[str, Any] = {}

    def __enter__(self) -> Contestant:
        self._errors = tempfile.TemporaryFile()
        begin = time.perf_counter()
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            bufsize=1,
            env=self.environment,
        )
        try:
            self.about = {**self._hear("ready"), "setup": time.perf_counter() - begin}
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            try:
                self._send("quit")
                self._process.wait(timeout=20)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def turn(self, **arguments: Any) -> Turn:
        """Let it compute once."""
        busy = busy_seconds()
        begin = time.perf_counter()
        self._send("turn", **arguments)
        told = self._hear("done")
        seconds = time.perf_counter() - begin
        after, cpu = busy_seconds(), told.pop("cpu")
        others = None if busy is None or after is None else max(0.0, after - busy - cpu)
        return Turn(seconds, told.pop("examples"), others, told)

    def ask(self, what: str, **arguments: Any) -> Any:
        """Something that it answers between turns."""
        self._send(what, **arguments)
        return self._hear("answer")["value"]

    def _send(self, what: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self._process.stdin.flush()

    def _hear(self, expected: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            end = self._errors.read().decode(errors="replace")[-3000:]
            raise RuntimeError(f"{self.name} ended before it was '{expected}':\n{end}")
        told = json.loads(line)
        if told.pop("is") != expected:
            raise RuntimeError(f"{self.name}: expected '{expected}', came {line.strip()}")
        return told


def contest(
    contestants: Sequence[Contestant],
    rounds: int,
    *,
    warm: int = 1,
    finish: Callable[[Contestant], object] = lambda contestant: None,
    arguments: Callable[[int], Mapping[str, Any]] = lambda number: {},
) -> dict[str, list[Turn]]:
    """Let all of them take their turns.

    They are started one after the other, each once the one before is ready, and stay until the end.
    The order turns round from one round to the next.

    Args:
        contestants: not yet started.
        rounds: that count.
        warm: rounds before, which do not count.
        finish: called with each at the end, before they are ended.
        arguments: of the turns of a round, by its number; rounds to warm up are below zero.

    Returns:
        by name, the turns that count, in order.
    """
    turns: dict[str, list[Turn]] = {each.name: [] for each in contestants}
    with ExitStack() as stack:
        for each in contestants:
            print(f"starting {each.name} …", flush=True)
            stack.enter_context(each)
            print(f"  ready after {each.about['setup']:.1f} s", flush=True)
        for number in range(-warm, rounds):
            for each in contestants if number % 2 == 0 else reversed(contestants):
                time.sleep(PAUSE)
                turn = each.turn(**arguments(number))
                if number >= 0:
                    turns[each.name].append(turn)
            rates = "  ".join(f"{n} {t[-1].rate:,.0f}/s" for n, t in turns.items() if t)
            print(f"round {number + 1} of {rounds}: {rates or 'warm-up'}", flush=True)
        for each in contestants:
            finish(each)
    return turns


def quiet(turns: Mapping[str, Sequence[Turn]]) -> str:
    """How much of the machine others took while it was measured, in words."""
    shares = [
        100 * turn.others / turn.seconds
        for each in turns.values()
        for turn in each
        if turn.others is not None
    ]
    if not shares:
        return "How busy other processes kept the machine is not known here."
    shares.sort()
    return (
        f"Other processes took {shares[len(shares) // 2]:.0f} % of one core in the middle turn and "
        f"{shares[-1]:.0f} % in the worst."
    )
