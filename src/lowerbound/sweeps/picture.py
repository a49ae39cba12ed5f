"""The picture of a sweep, in its folder."""

from __future__ import annotations

from pathlib import Path

from ..plots import save
from .result import Sweep
from .space import Range, read

PICTURE = "sweep.png"


def draw(found: Sweep) -> Path | None:
    """Write ``sweep.png`` into the sweep's folder; None where no trial came to its end."""
    from ..plots.sweep import sweep

    if not found.ranked:
        return None
    trials = [vars(each) for each in found.ranked]
    winner = found.winner
    logs = [each.key for each in read(found.vary) if isinstance(each, Range) and each.log]
    way = "greatest" if found.direction == "maximize" else "least"
    title = f"{found.recipe}: {way} {found.best} on validation data"
    label = f"{found.best} ({found.unit})" if found.unit else found.best
    figure = sweep(trials, label, None if winner is None else winner.number, logs, title)
    return save(figure, Path(found.folder) / PICTURE)
