"""Samples of models that train, drawn whenever their weights have moved on."""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..training.state import CHECKPOINT, WEIGHTS
from .asked import Studio

_MOST = 24  # of a run
_RUNS = 8
_SAMPLES = 36


@dataclass
class Snapshots:
    """Samples of models that train, as their weights move on.

    Attributes:
        kept: by run, what was drawn: (step, PNG).
        busy: whether one is being drawn.
    """

    kept: OrderedDict[Path, list[tuple[int, bytes]]] = field(default_factory=OrderedDict)
    stamps: dict[Path, Any] = field(default_factory=dict)
    problems: dict[Path, str] = field(default_factory=dict)
    busy: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, studio: Studio, path: Path) -> None:
        """Draw another one, in a thread, if there is something new."""
        stamp = tuple(_stamp(path / name) for name in (CHECKPOINT, WEIGHTS))
        with self.lock:
            if self.busy or stamp == self.stamps.get(path) or not any(stamp):
                return
            self.busy, self.stamps[path] = True, stamp
        threading.Thread(target=self._draw, args=(studio, path), daemon=True).start()

    def _draw(self, studio: Studio, path: Path) -> None:
        from .. import api
        from ..training.checkpoint import read_about

        try:
            with tempfile.TemporaryDirectory() as folder, studio.models.lock:
                files = [path / name for name in (CHECKPOINT, WEIGHTS) if (path / name).exists()]
                step = max(int(read_about(file).get("step", 0)) for file in files)
                run = studio.models.get(path).run
                file = Path(folder) / "samples.png"
                api.write(file, run, api.sample(run, _SAMPLES, seed=0))
                content = file.read_bytes()
            with self.lock:
                found = [each for each in self.kept.get(path, []) if each[0] != step]
                self.kept[path] = _thinned([*found, (step, content)])
                self.problems.pop(path, None)
                while len(self.kept) > _RUNS:
                    self.kept.popitem(last=False)
        except Exception as error:  # a run may be anybody's, and this is only a picture
            with self.lock:
                self.problems[path] = str(error)
        finally:
            self.busy = False


def snapshots_of(studio: Studio) -> Snapshots:
    """Those that the studio has drawn."""
    return studio.parts.setdefault("snapshots", Snapshots())


def last_snapshot(studio: Studio, info: dict[str, Any]) -> int | None:
    """The step of the last one, until there are pictures; of a run that trains another is drawn."""
    found, path = snapshots_of(studio), Path(info["path"])
    if info["active"]:
        found.look(studio, path)
    elif info["pictures"]:
        return None
    with found.lock:
        kept = found.kept.get(path)
        return kept[-1][0] if kept else None


def _thinned(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Every other of the older ones, where there are too many: the first and the last stay."""
    found = sorted(found)
    if len(found) <= _MOST:
        return found
    half = len(found) // 2
    return found[:half:2] + found[half:]


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
