"""The runs that the studio shows: those it was started with, and those below its folders.

A browser names a run by an id that this module gave out, never by a path. A run may be somebody
else's: links that lead out of it are not followed, and what it says of itself is only read.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import LowerboundError
from ..runs import DESCRIPTION, EVALUATION, LOCK
from ..training.checkpoint import read_about
from ..training.options import BATCH, total_steps
from ..training.record import METRICS
from ..training.state import CHECKPOINT, WEIGHTS

REPORT = "report.html"
DELETED = ".deleted"  # where runs that are taken away lie, beside the others
_DEEP = 3  # folders below one that was named
_PICTURES = (".png", ".gif")
_LARGEST = 16 * 2**20  # bytes of a description or an evaluation that are read
_TAIL = 65_536  # bytes at the end of the metrics
_YOUNG = 5.0  # seconds: a run that begins takes its lock, which must not be tried meanwhile
_TELLING = ("samples", "manifold", "reconstructions", "latent_map")
_TOGETHER = 120.0  # seconds within which an evaluation draws its pictures
#: What a held-out report has of log p(x), and its kind.
_REPORTED = {"log_likelihood": "exact", "iwae": "lower bound", "bound": "lower bound"}


class Folder:
    """Where runs are looked for.

    Args:
        roots: runs, and folders with runs below them; the first folder takes new runs.

    Raises:
        LowerboundError: one that was named is not there.
    """

    def __init__(self, roots: Sequence[str | Path] = ("runs",)) -> None:
        self.roots = [Path(root).expanduser().resolve() for root in roots]
        for root in self.roots:
            # The default need not be there before the first run.
            if not root.is_dir() and len(roots) + (root.name != "runs") > 1:
                raise LowerboundError(f"{root} is no folder; pass runs, or folders with runs")
            if root.exists() and not root.is_dir():
                raise LowerboundError(f"{root} is a file; pass runs, or folders with runs")
        self._told: dict[Path, tuple[Any, dict[str, Any]]] = {}

    @property
    def home(self) -> Path:
        """Where new runs are made."""
        for root in self.roots:
            if not (root / DESCRIPTION).is_file():
                return root
        return self.roots[0].parent

    def paths(self) -> dict[str, Path]:
        """Every run by its id: its name, with a number where two have the same."""
        found: dict[str, Path] = {}
        for root in self.roots:
            for path in _below(root, _DEEP):
                name, number = path.name, 1
                while found.get(name, path) != path:
                    number += 1
                    name = f"{path.name}~{number}"
                found[name] = path
        return found

    def path(self, run: str) -> Path:
        """The folder of a run.

        Raises:
            LowerboundError: there is none of that id (any more).
        """
        found = self.paths().get(run)
        if found is None:
            raise LowerboundError(f"there is no run '{run}' (any more); go back to the list")
        return found

    def told(self) -> list[dict[str, Any]]:
        """What is told of every run, the newest first; see ``studio/src/views/run_info.ts``."""
        found = [self.about(run, path) for run, path in self.paths().items()]
        return sorted(found, key=lambda info: info["began"] or "", reverse=True)

    def about(self, run: str, path: Path) -> dict[str, Any]:
        """What is told of one; read again only if its files have changed."""
        names = (DESCRIPTION, EVALUATION, METRICS, REPORT, WEIGHTS, CHECKPOINT, "pictures")
        stamp = (run, *(_stamp(path / name) for name in names))
        kept = self._told.get(path)
        if kept is None or kept[0] != stamp or kept[1]["active"]:
            kept = self._told[path] = stamp, told(run, path)
        return dict(kept[1])

    def picture(self, run: str, name: str) -> Path:
        """A picture of a run.

        Raises:
            LowerboundError: there is none of that name in its folder.
        """
        for path in pictures(self.path(run)):
            if path.name == name:
                return path
        raise LowerboundError(f"run '{run}' has no picture '{name}'")

    def delete(self, run: str) -> Path:
        """Take a run out of the list. Nothing is erased: its folder is moved aside.

        Returns:
            Where it is now.

        Raises:
            LowerboundError: it is in use, was named itself when the studio began, or cannot be
                moved.
        """
        path = self.path(run)
        if path in self.roots:
            raise LowerboundError(
                f"{path} is what the studio was started with; take it away by hand"
            )
        if locked(path):
            raise LowerboundError(f"{path.name} is being trained; stop it first")
        aside, number = path.parent / DELETED / path.name, 1
        while aside.exists():
            number += 1
            aside = path.parent / DELETED / f"{path.name}-{number}"
        try:
            aside.parent.mkdir(exist_ok=True)
            path.rename(aside)
        except OSError as error:
            raise LowerboundError(f"cannot move {path}: {error.strerror}") from None
        self._told.pop(path, None)
        return aside


def told(run: str, path: Path) -> dict[str, Any]:
    """What is told of one run, without opening its model."""
    try:
        info = read(path)
        spec, status = info["data"]["spec"], info["status"]
        error = status.get("error")
        found = {
            "recipe": str(info["recipe"] or ""),
            "data": str(spec.get("name", "")),
            "kind": str(spec.get("kind", "")),
            "state": str(status.get("reason", "")),
            "step": int(status.get("step") or 0),
            "seconds": _finite(status.get("seconds")) or 0.0,
            "began": None if info.get("began") is None else str(info["began"]),
            "error": None if error is None else str(error),
            "total": _total(info),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        found = {
            "recipe": "", "data": "", "kind": "", "step": 0, "seconds": 0.0, "began": None,
            "state": "corrupt", "total": None,
            "error": f"{DESCRIPTION} does not read ({type(error).__name__}); restore it",
        }  # fmt: skip
    active = found["state"] == "training" and in_use(path)
    drawn = pictures(path)
    if found["state"] == "training":
        found |= _latest(path)
    return {
        "id": run,
        "name": path.name,
        "path": str(path),
        **found,
        "active": active,
        "resumable": not active and found["state"] in ("training", "interrupted"),
        "bound": _bound(path),
        "pictures": [each.name for each in drawn],
        "thumbnail": _telling(drawn),
        "snapshot": None,
        "weights": _opens(path),
        "report": is_plain(path / REPORT),
        "changed": max((stamp[0] for n in (METRICS, DESCRIPTION) if (stamp := _stamp(path / n))),
                       default=0) / 1e9,
    }  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """A run's description.

    Raises:
        OSError, ValueError: it does not read.
    """
    file = path / DESCRIPTION
    if not is_plain(file) or file.stat().st_size > _LARGEST:
        raise ValueError(f"{file} is no file of a run's")
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def pictures(path: Path) -> list[Path]:
    """The pictures in a run's folder, the newest first; no links that lead out of it."""
    try:
        if (path / "pictures").is_symlink():
            return []
        files = [p for p in (path / "pictures").iterdir() if p.suffix in _PICTURES]
        kept = [p for p in files if is_plain(p)]
        return sorted(kept, key=lambda p: (-p.stat().st_mtime, p.name))
    except OSError:
        return []


def is_plain(path: Path) -> bool:
    """Whether it is a file, and no link to one."""
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:
        return False


def in_use(path: Path) -> bool:
    """Whether a process trains in one that says so; asked again and again."""
    stamp = _stamp(path / DESCRIPTION)
    if stamp is not None and 0 <= time.time() - stamp[0] / 1e9 < _YOUNG:
        return (path / LOCK).exists()
    return locked(path)


def locked(path: Path) -> bool:
    """Whether a process trains in it now."""
    from filelock import FileLock, Timeout

    if not (path / LOCK).exists():
        return False
    try:
        with FileLock(path / LOCK, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def evaluation(path: Path) -> dict[str, Any] | None:
    """The last evaluation as it was written."""
    file = path / EVALUATION
    try:
        if not is_plain(file) or file.stat().st_size > _LARGEST:
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _bound(path: Path) -> dict[str, Any] | None:
    """log p(x) as the last evaluation has it; without one, the last held-out bound."""
    found = evaluation(path)
    try:
        if found is not None and found["log_likelihood"] is not None:
            entry = found["log_likelihood"]
            value = _finite(entry["value"])
            if value is not None:
                return {"value": value, "unit": str(entry.get("unit", "nats")),
                        "kind": str(entry["kind"]), "from": "evaluation"}  # fmt: skip
        if found is not None and found.get("no_likelihood"):
            return None
    except (KeyError, TypeError, AttributeError):
        return None
    for line in reversed(_tail(path)):
        for name, kind in _REPORTED.items():
            value = _finite(line.get(name))
            if line.get("split") != "train" and value is not None:
                return {"value": value, "unit": "nats", "kind": kind, "from": "training"}
    return None


def _opens(path: Path) -> bool:
    """Whether there is a model: the checkpoint before the first step is of none."""
    if is_plain(path / WEIGHTS):
        return True
    try:
        return is_plain(path / CHECKPOINT) and read_about(path / CHECKPOINT).get("step", 0) > 0
    except (LowerboundError, OSError, ValueError, TypeError):
        return False


def _telling(found: Sequence[Path]) -> str | None:
    """Which picture, of :func:`pictures`, tells most of a run: of those that evaluations draw the
    best of the newest set, whatever tools have drawn since; else the newest."""
    drawn = [each for each in found if each.stem in _TELLING]
    if not drawn:
        return found[0].name if found else None
    newest = drawn[0].stat().st_mtime
    together = [each for each in drawn if newest - each.stat().st_mtime < _TOGETHER]
    return min(together, key=lambda each: _TELLING.index(each.stem)).name


def _latest(path: Path) -> dict[str, Any]:
    """How far a run is that has not ended."""
    lines = _tail(path)
    if not lines:
        return {}
    last = lines[-1]
    step, seconds = last.get("step"), _finite(last.get("seconds"))
    found: dict[str, Any] = {"step": step} if isinstance(step, int) else {}
    return found if seconds is None else {**found, "seconds": seconds}


def _tail(path: Path) -> list[dict[str, Any]]:
    file = path / METRICS
    if not is_plain(file):
        return []
    try:
        with file.open("rb") as opened:
            opened.seek(0, 2)
            start = max(0, opened.tell() - _TAIL)
            opened.seek(start)
            text = opened.read().decode("utf-8", "replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines()[1 if start else 0 :]:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def _total(info: dict[str, Any]) -> int | None:
    """Steps in all; None where the clock decides, or nothing is stepped."""
    training = info.get("training") or {}
    batch = training.get("batch_size") or BATCH
    examples = info["data"]["spec"].get("train") or 0
    try:
        found = total_steps(training, examples / min(batch, examples))
    except (KeyError, TypeError, ZeroDivisionError):
        return None
    return found


def _finite(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _below(path: Path, deep: int) -> list[Path]:
    if (path / DESCRIPTION).is_file():
        return [path]
    if deep == 0:
        return []
    try:
        inner = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []
    return [found for each in inner for found in _below(each, deep - 1)]
