"""The runs that the studio shows: those it was started with, and those below its folders.

A browser names a run by an id that this module gave out, never by a path.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import LowerboundError
from ..runs import DESCRIPTION, EVALUATION, LOCK

_DEEP = 3  # folders below one that was named
_PICTURES = (".png", ".gif")


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
        """What is told of every run, the newest first; see ``studio/src/views/runs.ts``."""
        found = [told(run, path) for run, path in self.paths().items()]
        return sorted(found, key=lambda info: info["began"] or "", reverse=True)

    def picture(self, run: str, name: str) -> Path:
        """A picture of a run.

        Raises:
            LowerboundError: there is none of that name in its folder.
        """
        for path in pictures(self.path(run)):
            if path.name == name:
                return path
        raise LowerboundError(f"run '{run}' has no picture '{name}'")


def told(run: str, path: Path) -> dict[str, Any]:
    """What is told of one run, without opening its model."""
    try:
        info = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
        spec, status = info["data"]["spec"], info["status"]
        found = {
            "recipe": str(info["recipe"]),
            "data": str(spec.get("name", "")),
            "kind": str(spec.get("kind", "")),
            "state": str(status.get("reason", "")),
            "step": int(status.get("step") or 0),
            "seconds": float(status.get("seconds") or 0.0),
            "began": info.get("began"),
            "error": status.get("error"),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = {
            "recipe": "", "data": "", "kind": "", "step": 0, "seconds": 0.0, "began": None,
            "state": "corrupt", "error": f"{DESCRIPTION} does not read ({type(error).__name__})",
        }  # fmt: skip
    return {
        "id": run,
        "name": path.name,
        "path": str(path),
        **found,
        "active": found["state"] == "training" and in_use(path),
        "bound": _bound(path),
        "pictures": [each.name for each in pictures(path)],
    }


def pictures(path: Path) -> list[Path]:
    """The pictures in a run's folder, the newest first; no links that lead out of it."""
    try:
        files = [p for p in (path / "pictures").iterdir() if p.suffix in _PICTURES]
        kept = [p for p in files if p.is_file() and not p.is_symlink()]
        return sorted(kept, key=lambda p: (-p.stat().st_mtime, p.name))
    except OSError:
        return []


def in_use(path: Path) -> bool:
    """Whether a process trains in it."""
    from filelock import FileLock, Timeout

    if not (path / LOCK).exists():
        return False
    try:
        with FileLock(path / LOCK, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _bound(path: Path) -> dict[str, Any] | None:
    """log p(x) as the last evaluation has it."""
    try:
        entry = json.loads((path / EVALUATION).read_text(encoding="utf-8"))["log_prob"]
        return {"value": float(entry["value"]), "unit": "nats", "kind": str(entry["kind"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
