"""Work that goes on by itself: trainings and measurements, each a process of its own.

A process of its own cannot slow the page down, dies alone, and is stopped as a person at a terminal
would stop it. What it says is kept in a file beside the runs.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import LowerboundError

LOGS = ".studio"  # beside the runs; folders with a dot are not looked at
PROGRESS = "@progress"  # how a worker's line of (done, in all) begins
MOST = 2  # at a time of each sort: this machine has other things to do
_KEPT = 40  # jobs that have ended
_TAIL = 16_384  # bytes of a log
_PATIENCE = 0.7  # seconds that a studio that ends waits for its jobs to have saved
#: Whether this process, and so its jobs, hear Ctrl-C: one that a script put behind itself does not.
_HEARD = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
_STOPPED = (130, -signal.SIGINT, -signal.SIGTERM)

#: Those that a studio which has ended did not wait for; they are told, and end by themselves.
_LEFT: list[subprocess.Popen[bytes]] = []

#: How a job begins. ``-P``: a file of this name beside the runs must never be imported.
PYTHON = (sys.executable, "-P", "-m")


@dataclass
class Job:
    """One process.

    Attributes:
        id: by which a browser names it.
        kind: train, resume, evaluate, diagnose, compare.
        path: of the run that it is about, or makes; None of several.
        command: as one would type it.
        log: all that it says.
        folder: where it leaves files, gone with the studio.
        about: what its view keeps of it.
    """

    id: str
    kind: str
    path: Path | None
    command: str
    log: Path
    folder: Path
    process: subprocess.Popen[bytes]
    began: float
    about: dict[str, Any] = field(default_factory=dict)
    asked: bool = False

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.process.poll() is None

    @property
    def state(self) -> str:
        """Running, stopping, done, stopped, failed."""
        code = self.process.poll()
        if code is None:
            return "stopping" if self.asked else "running"
        if code == 0:
            return "done"
        return "stopped" if code in _STOPPED else "failed"

    def said(self) -> list[str]:
        """The last lines that it said."""
        try:
            with self.log.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - _TAIL))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        return [line.rstrip() for line in text.splitlines() if line.strip()]

    def line(self) -> str:
        """What is to be known of it, in a line: the error, else what it said last."""
        lines = [line for line in self.said() if not line.startswith(PROGRESS)]
        if self.state == "failed":
            errors = [line for line in lines if line.startswith("error: ")]
            if errors:
                return errors[-1].removeprefix("error: ")
            code = self.process.returncode
            return lines[-1].strip() if lines else f"it ended with code {code} and said nothing"
        return lines[-1].strip() if lines else ""

    def share(self) -> tuple[int, int] | None:
        """Done, in all; None where it does not count."""
        for line in reversed(self.said()):
            word, *numbers = line.split()
            if word == PROGRESS and len(numbers) == 2:
                return int(numbers[0]), int(numbers[1])
        return None

    def told(self) -> dict[str, Any]:
        """For a browser."""
        share = self.share()
        return {
            "id": self.id,
            "kind": self.kind,
            "name": None if self.path is None else self.path.name,
            "command": self.command,
            "state": self.state,
            "line": self.line(),
            "done": None if share is None else share[0],
            "total": None if share is None else share[1],
            "seconds": round(time.time() - self.began, 1),
        }


class Jobs:
    """Those of one studio.

    Args:
        home: where new runs are made, and the logs kept.
    """

    def __init__(self, home: Callable[[], Path]) -> None:
        self._home = home
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="lowerbound-jobs-")

    def start(
        self,
        kind: str,
        words: Sequence[str],
        *,
        path: Path | None = None,
        shown: str,
        module: str = "lowerbound",
        about: Mapping[str, Any] | None = None,
    ) -> Job:
        """Start one.

        Args:
            kind: of work.
            words: the arguments; ``{folder}`` stands for the job's own folder.
            path: of the run.
            shown: the command as one would type it.
            module: that is run.
            about: what its view keeps of it.

        Raises:
            LowerboundError: too many go on, one is at this run, or it does not start.
        """
        training = _trains(kind)
        with self._lock:
            going = [job for job in self._jobs.values() if job.running]
            same = [job for job in going if _trains(job.kind) == training]
            if len(same) >= MOST:
                what = "trainings" if training else "measurements"
                raise LowerboundError(
                    f"{len(same)} {what} go on already, and more at a time slow all of them down; "
                    "wait for one, or stop it"
                )
            if path is not None and any(job.path == path for job in going):
                raise LowerboundError(f"something is being done with {path.name}; wait for it")
            id = secrets.token_hex(6)
            folder = Path(self._folder.name) / id
            folder.mkdir()
            try:
                logs = self._home() / LOGS
                logs.mkdir(parents=True, exist_ok=True)
                log = logs / f"{kind}-{id}.log"
                with log.open("xb") as file:
                    process = subprocess.Popen(
                        [*PYTHON, module, *(w.replace("{folder}", str(folder)) for w in words)],
                        stdin=subprocess.DEVNULL,
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,  # Ctrl-C at the studio's terminal is not for it
                    )
            except OSError as error:
                raise LowerboundError(f"cannot start it in {self._home()}: {error}") from None
            job = Job(id, kind, path, shown, log, folder, process, time.time(), dict(about or {}))
            self._jobs[id] = job
            ended = [each.id for each in self._jobs.values() if not each.running]
            for old in ended[:-_KEPT]:
                del self._jobs[old]
            return job

    def get(self, id: str) -> Job:
        """One of them.

        Raises:
            LowerboundError: there is none of that id (any more).
        """
        found = self._jobs.get(id)
        if found is None:
            raise LowerboundError("the studio knows no such work (any more); start it again")
        return found

    def all(self) -> list[Job]:
        """Those that are known, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def at(self, path: Path) -> Job | None:
        """What goes on with a run."""
        return next((job for job in self.all() if job.path == path and job.running), None)

    def stop(self, id: str) -> Job:
        """Ask it to save and stop; asked twice it stops at once."""
        job = self.get(id)
        if job.running:
            number = signal.SIGTERM if job.asked or not _HEARD else signal.SIGINT
            job.asked = True
            with contextlib.suppress(ProcessLookupError):
                job.process.send_signal(number)
        return job

    def forget(self, id: str) -> None:
        """One that has ended is no longer told of; its log stays.

        Raises:
            LowerboundError: it goes on.
        """
        if self.get(id).running:
            raise LowerboundError("it goes on; stop it first")
        with self._lock:
            self._jobs.pop(id, None)

    def close(self) -> None:
        """Stop all. What trains saves; if that takes longer, it ends by itself a little later."""
        going = [job for job in self.all() if job.running]
        for job in going:
            if not job.asked:
                self.stop(job.id)
        end = time.monotonic() + _PATIENCE
        for job in going:
            try:
                job.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                if _trains(job.kind):
                    _LEFT.append(job.process)
                    continue
                job.process.kill()  # what measures has nothing to save
                job.process.wait()
        with contextlib.suppress(OSError):
            self._folder.cleanup()


def _trains(kind: str) -> bool:
    return kind in ("train", "resume")
