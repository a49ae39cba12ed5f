"""What ``auto`` leaves open, resolved once for a run: device, threads, precision, compilation."""

from __future__ import annotations

import math
import time
from typing import Any

import torch

from lowerbound.allocator import keep_freed_memory
from lowerbound.distributions import set_precision
from lowerbound.errors import LowerboundError

from . import engine
from .stepper import Stepper

_REPORT_SECONDS = 0.5
_MOST_REPORTS = 5000
_THREADS_GAIN = 1.1  # how much slower one thread may be and still be taken
_TRIES = 3  # times that one thread has to be the better choice


def choose(stepper: Stepper, resolved: dict[str, Any]) -> dict[str, Any]:
    """All that ``auto`` leaves open, with the reasons in words.

    Args:
        stepper: its steps are compiled, if that is the choice.
        resolved: what an earlier session of the same run resolved, which stays.
    """
    options = stepper.options
    if stepper.device.type == "cpu":
        keep_freed_memory()
    precision, why_precision = engine.pick_precision(
        resolved.get("precision", options["precision"]), stepper.device
    )
    set_precision(stepper.model, torch.bfloat16 if precision == "bfloat16" else None)
    with stepper.state.untouched():
        source, index, side = stepper.first_batch()
        for step, numbers in zip(stepper.steps, stepper.scheduled(stepper.clock()), strict=True):
            step.probe(source, index, side, numbers)
        threads, why_threads, seconds = _timed(stepper, resolved.get("threads"))
    asked = resolved.get("compile", options["compile"])
    compiled, why_compile = engine.pick_compile(
        {True: "yes", False: "no"}.get(asked, asked),
        stepper.model,
        stepper.device,
        lambda: _expected_seconds(stepper, seconds),
    )
    if compiled:
        trouble = stepper.compile()
        if trouble is not None and options["compile"] == "yes":
            raise LowerboundError(f"the training step did not compile: {trouble}")
        if trouble is not None:
            compiled, why_compile = False, f"it did not compile: {trouble}"
    every = _report_every(stepper, seconds)
    choices = {
        "device": str(stepper.device),
        "threads": threads,
        "precision": precision,
        "compile": compiled,
        "resident": stepper.loader.resident,
        "batch_size": stepper.batch_size,
        "report_every": every,
        "parameters": sum(parameter.numel() for parameter in stepper.model.parameters()),
        "why": {
            "threads": why_threads,
            "precision": why_precision,
            "compile": why_compile,
            **_parts_of_parameters(stepper.model),
        },
    }
    # What the run began with stays, but for a compiler that is gone.
    return {**choices, **resolved, "compile": compiled}


def _parts_of_parameters(model: Any) -> dict[str, str]:
    """What a model says of its parameters, where they are of several kinds (`counts`)."""
    counts: dict[str, int] = getattr(model, "counts", None) or {}
    told = ", ".join(f"{count:,} of the {name}" for name, count in counts.items())
    return {"parameters": told} if told else {}


def _timed(stepper: Stepper, threads: int | None) -> tuple[int, str, float]:
    """CPU threads, why, and seconds of an eager step with them.

    Where other programs keep the cores busy, threads wait for one another at every operation,
    and one alone can be many times faster than all.
    """
    most = threads or engine.pick_threads(stepper.options["threads"])
    asked = threads is not None or stepper.options["threads"] is not None
    torch.set_num_threads(most)
    # Agreed between processes: what follows from it must be the same on all.
    seconds = stepper.processes.mean(_eager_seconds(stepper))
    if asked or most == 1 or stepper.device.type != "cpu" or stepper.processes.count > 1:
        return most, "as asked" if asked else "what torch finds", seconds
    alone = math.inf
    for _ in range(_TRIES):  # a hiccup of the machine must not decide about the whole run
        torch.set_num_threads(1)
        alone = min(alone, _eager_seconds(stepper))
        if alone >= _THREADS_GAIN * seconds:
            break
        torch.set_num_threads(most)
        seconds = min(seconds, _eager_seconds(stepper))
    if alone < _THREADS_GAIN * seconds:
        torch.set_num_threads(1)
        return 1, f"a step takes {alone * 1e3:.3g} ms, with {most} {seconds * 1e3:.3g}", alone
    torch.set_num_threads(most)
    return most, f"a step takes {seconds * 1e3:.3g} ms, with 1 {alone * 1e3:.3g}", seconds


def _eager_seconds(stepper: Stepper) -> float:
    """Seconds of an eager step: the best of a few, for other programs only ever add."""
    best = math.inf
    for _ in range(4):
        begin = time.perf_counter()
        stepper.advance(record=False)
        if stepper.device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begin)
    return best


def _report_every(stepper: Stepper, step_seconds: float) -> int:
    """Steps between two reports: about half a second, four an epoch, at most 5,000 a run."""
    wanted = min(round(_REPORT_SECONDS / step_seconds), round(stepper.per_epoch / 4))
    return max(1, wanted, (stepper.total or 0) // _MOST_REPORTS)


def _expected_seconds(stepper: Stepper, step_seconds: float) -> float:
    limits = []
    if stepper.options["minutes"] is not None:
        limits.append(60.0 * stepper.options["minutes"])
    if stepper.total is not None:
        limits.append((stepper.total - stepper.state.step) * step_seconds)
    return min(limits)
