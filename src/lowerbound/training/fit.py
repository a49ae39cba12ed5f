"""The one training loop. It knows phases, batches and time, and no model; it yields events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lowerbound.data import Data
from lowerbound.errors import LowerboundError

from . import engine
from .choices import choose
from .events import Checkpointed, Event, Finished, HeldOut, Progress, Started
from .held_out import HeldOutSet
from .phase import ClosedForm, Phase
from .solve import solve
from .state import WEIGHTS
from .stepper import Stepper
from .units import in_stored_units, known_log_jacobian

Watch = Callable[[nn.Module], dict[str, float]]


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
    watch: Watch | None = None,
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
        watch: ``watch(model)`` gives more numbers, by name, for every report of held-out data.

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
        yield from solve(model, phases[0], data, options, folder if writes else None, stop)
        return
    steps = [phase for phase in phases if isinstance(phase, Phase)]
    processes = processes or engine.Processes()
    stepper = Stepper(model, steps, data, options, folder, processes)
    loop = _Loop(stepper, data, watch)
    yield from loop.run(dict(resolved or {}), stop)


_MOST_LOOKS = 200


class _Loop:
    """Steps until the end, with reports, looks at held-out data and checkpoints between them."""

    def __init__(self, stepper: Stepper, data: Data, watch: Watch | None = None) -> None:
        self.stepper, self.state, self.watch = stepper, stepper.state, watch
        self.options, self.folder = stepper.options, stepper.folder
        self.processes = stepper.processes
        options = self.options
        _refuse_patience(options["patience"], [step.phase for step in stepper.steps])
        self.held_out = HeldOutSet(
            data,
            stepper.prepare,
            stepper.device,
            options["seed"],
            whole=options["patience"] is not None,
            side=stepper.side,
        )
        condition = getattr(stepper.model, "condition", None)  # of a part of the datum: its part
        told = partial(
            in_stored_units, likelihood=getattr(stepper.model, "no_likelihood", None) is None
        )
        own = getattr(condition, "log_jacobian", None)
        of_training = known_log_jacobian(data.spec, data.train) if own is None else own
        self._told = partial(told, log_jacobian=of_training)
        self._told_held_out = partial(
            told, log_jacobian=self.held_out.log_jacobian if own is None else own
        )

    def run(self, resolved: dict[str, Any], stop: Callable[[], bool]) -> Iterator[Event]:
        state, options = self.state, self.options
        resolved = choose(self.stepper, resolved)
        if self.folder is not None:
            # One of step 0, too: initial weights of one's own cannot be made again.
            if state.load(self.folder):
                self.stepper.saved_at = state.step
            elif self._writes:
                state.save(self.folder)
        phases = tuple(step.phase.name for step in self.stepper.steps)
        yield Started(state.step, self.stepper.total, self.stepper.per_epoch, resolved, phases)
        every, patience = resolved["report_every"], options["patience"]
        held_every = max(1, round(options["held_out_every"] * self.stepper.per_epoch))
        held_every = max(held_every, (self.stepper.total or 0) // _MOST_LOOKS)
        save_every = 60.0 * options["checkpoint_minutes"]
        reason = self._already_over()
        begun = told = saved = time.perf_counter()
        earlier, told_step = state.seconds, state.step
        while not reason:
            clock = self.stepper.advance()
            state.step += 1
            stopped = over = due = False
            ended = self.stepper.total is not None and state.step >= self.stepper.total
            reports = state.step % every == 0 or ended
            if reports:
                now = time.perf_counter()
                # Agreed between processes, for schedules and the end may follow the clock.
                state.seconds = self.processes.mean(earlier + now - begun)
                speed = (state.step - told_step) * self.stepper.batch_size / (now - told)
                yield self._report(speed, self.stepper.learning_rate(clock))
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
        self.stepper.batches.close()
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
        over_steps = self.stepper.total is not None and state.step >= self.stepper.total
        return "done" if over_time or over_steps else ""

    def _report(self, speed: float, rate: float) -> Progress:
        state = self.state
        values = self._told(self.stepper.collect())
        epoch = state.step / self.stepper.per_epoch
        remaining = self._remaining(speed)
        return Progress(state.step, epoch, state.seconds, remaining, speed, rate, values)

    def _remaining(self, speed: float) -> float:
        left = []
        if self.stepper.total is not None:
            left.append((self.stepper.total - self.state.step) * self.stepper.batch_size / speed)
        if self.options["minutes"] is not None:
            left.append(60.0 * self.options["minutes"] - self.state.seconds)
        return max(0.0, min(left))

    def _look(self) -> HeldOut:
        state, clock = self.state, self.stepper.clock()
        phases = [step.phase for step in self.stepper.steps]
        prefixes = [""] if len(phases) == 1 else [f"{phase.name}/" for phase in phases]
        numbers = self.stepper.scheduled(clock)
        with state.shipped_weights():
            # What has ended says nothing new, and would hide what is at work.
            measured = self.held_out.measure(
                self.stepper.model,
                {
                    prefix: (phase, own)
                    for prefix, phase, own in zip(prefixes, phases, numbers, strict=True)
                    if phase.runs(clock.progress)
                },
            )
            watched = {} if self.watch is None else self.watch(self.stepper.model)
        values = self._told_held_out(measured) | watched
        score, final = self._score(values)
        score = self.processes.mean(score)  # what follows from it must be the same on all
        best = not final or state.best is None or score > state.best
        state.best, state.waited = (score, 0) if best else (state.best, state.waited + 1)
        state.best = state.best if final else None
        if best and self.options["patience"] and self.folder is not None and self._writes:
            state.save_weights(self.folder)
        epoch = state.step / self.stepper.per_epoch
        return HeldOut(
            state.step,
            epoch,
            state.seconds,
            self.held_out.split,
            self.held_out.examples,
            values,
            best,
        )

    def _score(self, values: Mapping[str, float]) -> tuple[float, bool]:
        """The score of the phases that run to the end, and whether all phases have begun: what
        comes before is of a model that is not yet whole."""
        phases = [step.phase for step in self.stepper.steps]
        progress = self.stepper.clock().progress
        if any(phase.window[0] > progress for phase in phases):
            return 0.0, False
        last = [phase for phase in phases if phase.window[1] == 1.0 and not phase.player]
        if not last:
            return 0.0, False  # a game: who of its players is ahead says nothing of the model
        if len(last) < len(phases):
            theirs = tuple(f"{phase.name}/" for phase in last)
            values = {name: value for name, value in values.items() if name.startswith(theirs)}
        return _score(values), True

    def _save(self) -> Iterator[Event]:
        """A checkpoint, of a state that is known to be finite."""
        self.stepper.check_finite()
        if self.folder is not None and self._writes:
            self.state.save(self.folder)
            self.stepper.saved_at = self.state.step
            yield Checkpointed(self.state.step)


def _refuse_patience(patience: int | None, phases: Sequence[Phase]) -> None:
    """Refuse to stop a game by losses of its players: the least is where the other fails."""
    if patience is not None and not any(p.window[1] == 1.0 and not p.player for p in phases):
        names = " and ".join(f"'{p.name}'" for p in phases if p.window[1] == 1.0)
        raise LowerboundError(
            f"patience {patience}: expected a loss that falls as the model gets better, came those "
            f"of players, {names}; leave it out, and choose how long with --steps or --minutes"
        )


def _score(values: Mapping[str, float]) -> float:
    """What is better when it is larger: the tightest bound that a phase tells of, else the first
    phase's loss with its sign turned."""
    for kind in ("log_likelihood", "iwae", "bound"):
        for name, value in values.items():
            if name.rpartition("/")[2] == kind:
                return value
    return -next(iter(values.values()))
