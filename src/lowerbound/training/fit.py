"""The one training loop. It knows phases, batches and time, and no model; it yields events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.allocator import keep_freed_memory
from lowerbound.data import Data, Loader, Order, Prepare
from lowerbound.distributions import set_precision
from lowerbound.errors import LowerboundError

from . import engine
from .events import Checkpointed, Event, Finished, HeldOut, Progress, Started
from .held_out import HeldOutSet
from .noise import seed_noise
from .options import batch_size, refuse_unfit
from .phase import ClosedForm, Phase
from .schedules import Clock, learning_rate
from .state import WEIGHTS, TrainingState
from .step import PhaseStep
from .units import in_stored_units

_REPORT_SECONDS = 0.5
_CLOSED_FORM_ROWS = 4096
_MOST_REPORTS = 5000
_THREADS_GAIN = 1.1  # how much slower one thread may be and still be taken


def fit(
    model: nn.Module,
    phases: Sequence[Phase | ClosedForm],
    data: Data,
    options: Mapping[str, Any],
    *,
    folder: Path | None = None,
    resolved: Mapping[str, Any] | None = None,
    processes: engine.Processes | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train a model, or go on with one, and tell what happens.

    Args:
        model: is moved to its device and trained in place.
        phases: what each step does, in order; or one closed form.
        data: prepared.
        options: resolved by `lowerbound.training.options.resolve`.
        folder: where checkpoint and weights are kept; a checkpoint found there is gone on from.
        resolved: what an earlier session of the same run resolved from ``auto``.
        processes: this process among those of the run.
        stop: asked at every report, about twice a second; True saves a checkpoint and ends.

    Yields:
        events (`lowerbound.training.events`); the last is `Finished`.

    Raises:
        LowerboundError: a loss is not finite (the phase, the step and the last checkpoint are
            named), the disk is full, a device is missing.
    """
    if not phases or (len(phases) > 1 and any(isinstance(p, ClosedForm) for p in phases)):
        raise LowerboundError(
            f"expected phases, or one closed form alone, came {[p.name for p in phases]}"
        )
    if isinstance(phases[0], ClosedForm):
        writes = processes is None or processes.rank == 0
        yield from _solve(model, phases[0], data, options, folder if writes else None)
        return
    steps = [phase for phase in phases if isinstance(phase, Phase)]
    loop = _Loop(model, steps, data, options, folder, processes or engine.Processes())
    yield from loop.run(dict(resolved or {}), stop)


def _solve(
    model: nn.Module, phase: ClosedForm, data: Data, options: Mapping[str, Any], folder: Path | None
) -> Iterator[Event]:
    begin = time.perf_counter()
    device = engine.pick_device(options["accelerator"])
    model.to(device)
    loader = Loader(data.train, device)
    prepare = Prepare(data.spec).to(device)
    seed_noise(device, options["seed"], 0)
    yield Started(0, 1, 1.0, {"device": str(device)})
    rows = min(_CLOSED_FORM_ROWS, len(loader))
    values = phase.solve(model, (prepare(stored) for stored, _ in loader.sweep(rows)))
    values = in_stored_units(values, data.spec.log_jacobian)
    state = TrainingState(model, [], 0.0)
    state.step, state.seconds = 1, time.perf_counter() - begin
    if folder is not None:
        state.save(folder)
        state.save_weights(folder)
    yield Finished(1, "solved", state.seconds, values)


class _Loop:
    def __init__(
        self,
        model: nn.Module,
        phases: list[Phase],
        data: Data,
        options: Mapping[str, Any],
        folder: Path | None,
        processes: engine.Processes,
    ) -> None:
        self.options, self.folder, self.processes = options, folder, processes
        self.device = engine.pick_device(options["accelerator"])
        self.model = model.to(self.device).train()
        self.prepare = Prepare(data.spec).to(self.device)
        self.phases = phases
        self.steps = [PhaseStep(model, phase, self.prepare, options) for phase in phases]
        self.state = TrainingState(model, self.steps, options["ema"])
        self.count = len(data.train)
        refuse_unfit(options, self.count, None if data.validation is None else len(data.validation))
        self.batch_size = batch_size(options, self.count)
        self.loader = Loader(data.train, self.device, data.options.get("memory"))
        share = self.batch_size // processes.count
        part = slice(processes.rank * share, (processes.rank + 1) * share)
        part = slice(None) if processes.count == 1 else part
        order = Order(self.count, options["seed"])
        self.batches = self.loader.steps(order, self.batch_size, part)
        self.apart = processes.count * options["accumulate"] > 1
        self.rate = learning_rate(options)
        self.per_epoch = self.count / self.batch_size
        self.total = _total_steps(options, self.per_epoch)
        self.held_out = HeldOutSet(
            data, self.prepare, self.device, options["seed"], options["patience"] is not None
        )
        self._told = partial(
            in_stored_units,
            log_jacobian=data.spec.log_jacobian,
            likelihood=getattr(model, "no_likelihood", None) is None,
        )
        self.pending: list[list[Tensor]] = [[] for _ in phases]
        self.saved_at = -1

    # What is resolved once

    def resolve(self, resolved: dict[str, Any]) -> dict[str, Any]:
        options = self.options
        if self.device.type == "cpu":
            keep_freed_memory()
        precision, why_precision = engine.pick_precision(
            resolved.get("precision", options["precision"]), self.device
        )
        set_precision(self.model, torch.bfloat16 if precision == "bfloat16" else None)
        with self.state.untouched():
            source, index, context = self._first_batch()
            for step, numbers in zip(self.steps, self._scheduled(self._clock()), strict=True):
                step.probe(source, index, context, numbers)
            threads, why_threads, seconds = self._timed(resolved.get("threads"))
        asked = resolved.get("compile", options["compile"])
        compiled, why_compile = engine.pick_compile(
            {True: "yes", False: "no"}.get(asked, asked),
            self.device,
            lambda: self._expected_seconds(seconds),
        )
        if compiled:
            trouble = self._compile()
            if trouble is not None and options["compile"] == "yes":
                raise LowerboundError(f"the training step did not compile: {trouble}")
            if trouble is not None:
                compiled, why_compile = False, f"it did not compile: {trouble}"
        every = self._report_every(seconds)
        choices = {
            "device": str(self.device),
            "threads": threads,
            "precision": precision,
            "compile": compiled,
            "resident": self.loader.resident,
            "batch_size": self.batch_size,
            "report_every": every,
            "why": {
                "threads": why_threads,
                "precision": why_precision,
                "compile": why_compile,
            },
        }
        # What the run began with stays, but for a compiler that is gone.
        return {**choices, **resolved, "compile": compiled}

    def _first_batch(self) -> tuple[Tensor, Tensor | None, tuple]:
        return self._fetch(0)[0]

    def _timed(self, threads: int | None) -> tuple[int, str, float]:
        """CPU threads, why, and seconds of an eager step with them.

        Where other programs keep the cores busy, threads wait for one another at every operation,
        and one alone can be many times faster than all.
        """
        most = threads or engine.pick_threads(self.options["threads"])
        asked = threads is not None or self.options["threads"] is not None
        torch.set_num_threads(most)
        # Agreed between processes: what follows from it must be the same on all.
        seconds = self.processes.mean(self._eager_seconds())
        if asked or most == 1 or self.device.type != "cpu" or self.processes.count > 1:
            return most, "as asked" if asked else "what torch finds", seconds
        torch.set_num_threads(1)
        alone = self._eager_seconds()
        if alone < _THREADS_GAIN * seconds:
            return 1, f"a step takes {alone * 1e3:.3g} ms, with {most} {seconds * 1e3:.3g}", alone
        torch.set_num_threads(most)
        return most, f"a step takes {seconds * 1e3:.3g} ms, with 1 {alone * 1e3:.3g}", seconds

    def _eager_seconds(self) -> float:
        """Seconds of an eager step: the best of a few, for other programs only ever add."""
        best = math.inf
        for _ in range(4):
            begin = time.perf_counter()
            self._advance(record=False)
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - begin)
        return best

    def _report_every(self, step_seconds: float) -> int:
        """Steps between two reports: about half a second, four an epoch, at most 5,000 a run."""
        wanted = min(round(_REPORT_SECONDS / step_seconds), round(self.per_epoch / 4))
        return max(1, wanted, (self.total or 0) // _MOST_REPORTS)

    def _expected_seconds(self, step_seconds: float) -> float:
        limits = []
        if self.options["minutes"] is not None:
            limits.append(60.0 * self.options["minutes"])
        if self.total is not None:
            limits.append((self.total - self.state.step) * step_seconds)
        return min(limits)

    def _compile(self) -> str | None:
        """Compile every phase's step and try it once; what went wrong, in a line, or None."""
        torch._dynamo.config.trace_autograd_ops = True  # ty: ignore[invalid-assignment]
        for step in self.steps:
            step.compile(self.apart)
        try:
            with self.state.untouched():
                self._advance(record=False)
        except Exception as error:  # whatever a compiler may raise: eager is always there
            for step in self.steps:
                step.whole, step.gradients, step.update = (
                    step._whole,
                    step._gradients,
                    step._update,
                )
            return " ".join((str(error).strip() or type(error).__name__).split())[:200]
        return None

    # The loop

    def run(self, resolved: dict[str, Any], stop: Callable[[], bool]) -> Iterator[Event]:
        state, options = self.state, self.options
        resolved = self.resolve(resolved)
        if self.folder is not None:
            # One of step 0, too: initial weights of one's own cannot be made again.
            if state.load(self.folder):
                self.saved_at = state.step
            elif self._writes:
                state.save(self.folder)
        yield Started(state.step, self.total, self.per_epoch, resolved)
        every, patience = resolved["report_every"], options["patience"]
        held_every = max(1, round(options["held_out_every"] * self.per_epoch))
        save_every = 60.0 * options["checkpoint_minutes"]
        reason = self._already_over()
        begun = told = saved = time.perf_counter()
        earlier, told_step = state.seconds, state.step
        while not reason:
            clock = self._advance()
            state.step += 1
            stopped = over = due = False
            ended = self.total is not None and state.step >= self.total
            reports = state.step % every == 0 or ended
            if reports:
                now = time.perf_counter()
                # Agreed between processes, for schedules and the end may follow the clock.
                state.seconds = self.processes.mean(earlier + now - begun)
                speed = (state.step - told_step) * self.batch_size / (now - told)
                yield self._report(speed, self.rate(clock))
                over_time = options["minutes"] and state.seconds >= 60.0 * options["minutes"]
                stopped, over, due = self.processes.any(
                    stop(), bool(over_time), time.perf_counter() - saved >= save_every
                )
                ended = ended or over
                told, told_step = time.perf_counter(), state.step
            looks = state.step % held_every == 0 or ended
            if looks:
                pause = time.perf_counter()
                yield self._look()
                told += time.perf_counter() - pause  # the speed told is that of training alone
            if ended:
                reason = "done"
            elif patience and state.waited >= patience:
                reason = "early stopping"
            elif stopped:
                reason = "interrupted"
            elif due if save_every else looks:
                yield from self._save()
                saved = time.perf_counter()
        yield from self._save()
        kept = bool(patience) and self.folder is not None and (self.folder / WEIGHTS).exists()
        if self.folder is not None and self._writes and not kept:
            state.save_weights(self.folder)
        self.batches.close()
        self.processes.wait()
        yield Finished(state.step, reason, state.seconds)

    @property
    def _writes(self) -> bool:
        """Whether this process keeps the run's files."""
        return self.folder is not None and self.processes.rank == 0

    def _already_over(self) -> str:
        """Why there is nothing to do in a run that is resumed, or ``""``."""
        options, state = self.options, self.state
        if options["patience"] and state.waited >= options["patience"]:
            return "early stopping"
        over_time = options["minutes"] and state.seconds >= 60.0 * options["minutes"]
        over_steps = self.total is not None and state.step >= self.total
        return "done" if over_time or over_steps else ""

    def _report(self, speed: float, rate: float) -> Progress:
        state = self.state
        values = self._told(self._collect())
        epoch = state.step / self.per_epoch
        remaining = self._remaining(speed)
        return Progress(state.step, epoch, state.seconds, remaining, speed, rate, values)

    def _clock(self) -> Clock:
        step, minutes, shares = self.state.step, self.options["minutes"], []
        if self.total is not None:
            shares.append(step / self.total)
        if minutes is not None:
            shares.append(self.state.seconds / (60.0 * minutes))
        return Clock(step, step / self.per_epoch, min(1.0, max(shares)))

    def _remaining(self, speed: float) -> float:
        left = []
        if self.total is not None:
            left.append((self.total - self.state.step) * self.batch_size / speed)
        if self.options["minutes"] is not None:
            left.append(60.0 * self.options["minutes"] - self.state.seconds)
        return max(0.0, min(left))

    def _scheduled(self, clock: Clock) -> list[dict[str, Tensor]]:
        return [
            {
                name: torch.tensor(schedule(clock), dtype=torch.float32, device=self.device)
                for name, schedule in phase.scheduled.items()
            }
            for phase in self.phases
        ]

    def _fetch(self, step: int) -> list[tuple[Tensor, Tensor | None, tuple]]:
        """This process's microbatches of a step: (source, index or None, context)."""
        accumulate = self.options["accumulate"]
        if self.loader.tensor is not None:
            index = self.batches.positions(step).to(self.device, non_blocking=True)
            return [(self.loader.tensor, part, ()) for part in index.chunk(accumulate)]
        stored, _ = self.batches(step)
        return [(part, None, ()) for part in stored.chunk(accumulate)]

    def _advance(self, record: bool = True) -> Clock:
        """One step of every phase that is due."""
        step, clock = self.state.step, self._clock()
        microbatches, rate = self._fetch(step), self.rate(clock)
        for number, (phase, numbers) in enumerate(
            zip(self.steps, self._scheduled(clock), strict=True)
        ):
            if step % phase.phase.every:
                continue
            scalars = phase.optimizer.scalars(rate * phase.phase.learning_rate)
            scalars = scalars if self.device.type == "cpu" else scalars.to(self.device)
            if not self.apart:
                seed_noise(self.device, self.options["seed"], step, number, 0)
                values = phase.whole(*microbatches[0], numbers, scalars)
            else:
                values = self._averaged(phase, number, microbatches, numbers, scalars)
            if record:
                self.pending[number].append(values)
        self.state.average()
        return clock

    def _averaged(
        self, phase: PhaseStep, number: int, microbatches: list, numbers: dict, scalars: Tensor
    ) -> Tensor:
        """A step whose gradients are means over microbatches and processes.

        One flat message carries all gradients of the phase and the values: so every process sees
        the same numbers, and a NaN on one stops them all.
        """
        first = self.processes.rank * len(microbatches)
        gradients: list[Tensor] = []
        values: Tensor | None = None
        for offset, batch in enumerate(microbatches):
            shard = first + offset
            seed_noise(self.device, self.options["seed"], self.state.step, number, shard)
            found, told = phase.gradients(*batch, numbers)
            found = [gradient.float() for gradient in found]
            values = told if values is None else values + told
            gradients = found if not gradients else list(torch._foreach_add(gradients, found))
        assert values is not None
        flat = torch.cat([*(g.reshape(-1) for g in gradients), values]) / len(microbatches)
        flat = self.processes.average(flat)
        sizes = [g.numel() for g in gradients]
        *parts, values = flat.split([*sizes, len(values)])
        gradients = [part.view_as(g) for part, g in zip(parts, gradients, strict=True)]
        return torch.cat([values, phase.update(gradients, scalars)])

    def _collect(self, clear: bool = True) -> dict[str, float]:
        """Means of what the steps returned since the last call; refuses what is not finite."""
        means: dict[str, float] = {}
        for step, pending in zip(self.steps, self.pending, strict=True):
            if not pending:
                continue
            table = torch.stack(pending).double().cpu()  # (steps, values)
            bad = (~table.isfinite()).any(1).nonzero()
            if len(bad):
                every = step.phase.every
                last = (self.state.step - 1) // every * every
                self._refuse("loss", step, last - (len(pending) - 1 - int(bad[0])) * every)
            prefix = "" if len(self.steps) == 1 else f"{step.phase.name}/"
            pairs = zip(step.names, table.mean(0).tolist(), strict=True)
            means |= {prefix + name: value for name, value in pairs}
            if clear:
                pending.clear()
        return means

    def _refuse(self, what: str, step: PhaseStep, at: int) -> None:
        last = "there is no checkpoint of an earlier step"
        if self.folder is not None and self.saved_at > 0:
            last = f"the last good checkpoint in {self.folder} is of step {self.saved_at}"
        raise LowerboundError(
            f"the {what} of phase '{step.phase.name}' is not finite at step {at + 1}; {last}; try "
            "a smaller --learning-rate, --clip 1 or --precision float32"
        )

    def _look(self) -> HeldOut:
        state = self.state
        with state.shipped_weights():
            measured = self.held_out.measure(
                self.model, self.phases, self._scheduled(self._clock())
            )
        values = self._told(measured)
        found = next((values[name] for name in ("iwae", "bound") if name in values), None)
        score = -next(iter(values.values())) if found is None else found
        score = self.processes.mean(score)  # what follows from it must be the same on all
        best = state.best is None or score > state.best
        state.best, state.waited = (score, 0) if best else (state.best, state.waited + 1)
        if best and self.options["patience"] and self.folder is not None and self._writes:
            state.save_weights(self.folder)
        epoch = state.step / self.per_epoch
        return HeldOut(
            state.step,
            epoch,
            state.seconds,
            self.held_out.split,
            self.held_out.examples,
            values,
            best,
        )

    def _save(self) -> Iterator[Event]:
        """A checkpoint, of a state that is known to be finite."""
        self._collect(clear=False)
        for step in self.steps:  # a finite loss may have a gradient that is not
            if not step.is_finite():
                self._refuse("gradient", step, self.state.step - 1)
        if self.folder is not None and self._writes:
            self.state.save(self.folder)
            self.saved_at = self.state.step
            yield Checkpointed(self.state.step)


def _total_steps(options: Mapping[str, Any], per_epoch: float) -> int | None:
    """Steps of the run, None if only the clock ends it."""
    limits = []
    if options["steps"] is not None:
        limits.append(options["steps"])
    if options["epochs"] is not None:
        limits.append(max(1, round(options["epochs"] * per_epoch)))
    return min(limits) if limits else None
