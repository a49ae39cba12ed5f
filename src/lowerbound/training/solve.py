"""Solutions without gradients: one pass over the data, or a few of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.data import Data, Loader, Prepare

from . import engine
from .events import Checkpointed, Event, Finished, Progress, Started
from .noise import seed_noise
from .phase import ClosedForm
from .state import TrainingState
from .units import in_stored_units

_ROWS = 4096


def solve(
    model: nn.Module,
    phase: ClosedForm,
    data: Data,
    options: Mapping[str, Any],
    folder: Path | None,
    stop: Callable[[], bool],
) -> Iterator[Event]:
    """Solve a model, and tell what happens as `fit` does.

    Args:
        model: is moved to its device and changed in place.
        phase: its solution.
        data: prepared.
        options: resolved training options.
        folder: where the weights are kept; None keeps nothing.
        stop: asked after every iteration; True ends it there.
    """
    begin = time.perf_counter()
    device = engine.pick_device(options["accelerator"])
    model.to(device)
    loader = Loader(data.train, device, data.options.get("memory"))
    prepare = Prepare(data.spec).to(device)
    rows = min(_ROWS, len(loader))

    def sweep() -> Iterator[Tensor]:
        # The same noise in every pass, so that an iteration improves on the last one's x.
        seed_noise(device, options["seed"], 0)
        return (prepare(stored) for stored, _ in loader.sweep(rows))

    state = TrainingState(model, [], 0.0)
    seed_noise(device, options["seed"], 0)
    yield Started(0, None, 1.0, {"device": str(device)})
    values: dict[str, float] = {}
    reason = "solved"
    with torch.no_grad():
        for found in phase.solve(model, sweep):
            values = in_stored_units(found, data.spec.log_jacobian)
            state.step, state.seconds = state.step + 1, time.perf_counter() - begin
            speed = len(loader) * state.step / state.seconds
            yield Progress(state.step, float(state.step), state.seconds, 0.0, speed, 0.0, values)
            if stop():
                reason = "interrupted"
                break
    if folder is not None:
        state.save(folder)
        state.save_weights(folder)
        yield Checkpointed(state.step)
    yield Finished(state.step, reason, state.seconds, values)
