"""Calls of the real command line, and how they are printed in results."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def lowerbound(*words: object) -> None:
    """Run a command of the package in this environment; progress stays on the terminal.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-m", "lowerbound", *map(str, words)]
    print("$ " + shown(words), flush=True)
    found = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    if found.returncode:
        sys.exit(f"error: it ended with {found.returncode}")


def shown(words: Sequence[object]) -> str:
    """The command as a user types it, with files by their last name.

    >>> shown(["train", Path("/data/mnist.npz"), "--epochs", 5])
    'lowerbound train mnist.npz --epochs 5'
    """
    names = [word.name if isinstance(word, Path) else str(word) for word in words]
    return " ".join(["lowerbound", *names])


def evaluation(run: Path) -> dict[str, Any]:
    """What the last evaluation of a run found."""
    return json.loads((run / "evaluation.json").read_text(encoding="utf-8"))


def description(run: Path) -> dict[str, Any]:
    """A run's ``run.json``."""
    return json.loads((run / "run.json").read_text(encoding="utf-8"))
