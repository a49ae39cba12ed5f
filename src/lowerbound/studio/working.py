"""What a job that measures runs: ``python -P -m lowerbound.studio.working KIND FOLDER JSON``.

It says how far it is in lines that the studio reads, and leaves its answer in the folder.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from lowerbound.errors import LowerboundError
from lowerbound.studio.jobs import PROGRESS

RESULT = "result.json"
FILES = ("comparison.html", "comparison.md", "comparison.png", "comparison.json")
_EVERY = 0.25  # seconds between two lines


class Told:
    """Progress as lines."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Say it, but not too often."""
        now = time.monotonic()
        if now - self._last >= _EVERY or done >= total:
            self._last = now
            sys.stdout.write(f"{PROGRESS} {int(done)} {int(total)}\n")
            sys.stdout.flush()


def evaluate(asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Measure a run; what it finds is written into the run."""
    from lowerbound import api

    run = asked.pop("run")
    return api.evaluate(run, **asked, progress=Told()).to_json()


def diagnose(asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Say what is wrong with a run."""
    from lowerbound import diagnosis

    found = diagnosis.diagnose(asked["run"], progress=Told())
    return {"headline": found.headline(), **found.to_json()}


def compare(asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Hold runs against one another, and write that in every way."""
    from lowerbound import comparison
    from lowerbound.comparison.rows import HEADER, lines, without

    found = comparison.compare(asked.pop("runs"), **asked, progress=Told())
    for name in FILES:
        comparison.write(found, folder / name)
    groups = [
        {
            "title": group.runs[0].target.title(),
            "apart": list(group.apart),
            "sections": [[list(row) for row in section] for section in lines(group)],
            "beside": without(group),
        }
        for group in found.groups
    ]
    return {"header": list(HEADER), "groups": groups, "notes": list(found.notes)}


KINDS = {"evaluate": evaluate, "diagnose": diagnose, "compare": compare}


def main(kind: str, folder: str, asked: str) -> int:
    """Do it.

    Args:
        kind: of work.
        folder: for what it leaves.
        asked: its arguments, as JSON.

    Returns:
        The exit code; 2 after a line ``error: …``.
    """
    try:
        found = KINDS[kind](json.loads(asked), Path(folder))
    except LowerboundError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    (Path(folder) / RESULT).write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
