"""What a run reports while it trains, kept: ``metrics.jsonl``, and TensorBoard's event files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from lowerbound.errors import LowerboundError

from .checkpoint import write_whole
from .events import Event, HeldOut, Progress, Started

METRICS = "metrics.jsonl"
BOARD = "tensorboard"


class Record:
    """Writes events into a run's folder. Lines after the step a run goes on from are cut off, so
    that a resumed run leaves the file that an unbroken one would.

    Args:
        folder: of the run.
        tensorboard: auto, yes or no.

    Raises:
        LowerboundError: TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, tensorboard: str = "no") -> None:
        self.folder = folder
        installed = importlib.util.find_spec("tensorboard") is not None
        if tensorboard == "yes" and not installed:
            raise LowerboundError(
                "expected TensorBoard because of --tensorboard yes, but it is not installed; "
                "pip install tensorboard"
            )
        self._wanted = installed and tensorboard != "no"
        self._board: Any = None

    def __call__(self, event: Event) -> None:
        """Write what belongs into the files."""
        if isinstance(event, Started):
            self._cut(event.step)
            if self._wanted:
                from torch.utils.tensorboard import SummaryWriter

                self._board = SummaryWriter(str(self.folder / BOARD), purge_step=event.step or None)
        elif isinstance(event, Progress):
            about = {
                "learning_rate": event.learning_rate,
                "examples_per_second": round(event.examples_per_second, 1),
            }
            self._write(event, "train", {**about, **event.values})
        elif isinstance(event, HeldOut):
            self._write(event, event.split, {"examples": event.examples, **event.values})

    def close(self) -> None:
        """Flush and close."""
        if self._board is not None:
            self._board.close()

    def _write(self, event: Progress | HeldOut, split: str, values: dict[str, float]) -> None:
        place = {
            "step": event.step,
            "epoch": round(event.epoch, 4),
            "seconds": round(event.seconds, 3),
            "split": split,
        }
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**place, **values}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{name}/{split}", value, event.step)

    def _cut(self, step: int) -> None:
        file = self.folder / METRICS
        if not file.exists():
            return
        kept = []
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                break  # the line that a crash tore, and nothing after it
        write_whole(file, "".join(kept).encode())
