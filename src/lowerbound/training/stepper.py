"""The steps of a run: what each is done on, by which phases, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.collectives import gather
from lowerbound.data import Data, Loader, Order, Prepare
from lowerbound.errors import LowerboundError

from . import engine
from .noise import seed_noise
from .options import batch_size, refuse_unfit, total_steps
from .phase import Phase
from .schedules import Clock, learning_rate
from .state import TrainingState
from .step import PhaseStep, contexts, told

_UPKEEP = 0x0FCEE9  # keeps its noise apart from that of the shards

Batch = tuple[Tensor, Tensor | None, Tensor | None]


class Stepper:
    """Advances a model by one step at a time; it knows no clock but the one of schedules.

    Args:
        model: is moved to its device and trained in place.
        phases: what each step does, in order.
        data: prepared.
        options: resolved training options.
        folder: where checkpoints are, for messages.
        processes: this process among those of the run.
    """

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
        _refuse_idle(phases)
        self.steps = [PhaseStep(model, phase, self.prepare, options) for phase in phases]
        self.state = TrainingState(model, self.steps, options["ema"])
        self.count = len(data.train)
        refuse_unfit(options, self.count, None if data.validation is None else len(data.validation))
        self.batch_size = batch_size(options, self.count)
        self.side = getattr(told(model), "side", None)
        self.loader = Loader(data.train, self.device, data.options.get("memory"), self.side)
        share = self.batch_size // processes.count
        part = slice(processes.rank * share, (processes.rank + 1) * share)
        part = slice(None) if processes.count == 1 else part
        order = Order(self.count, options["seed"])
        self.batches = self.loader.steps(order, self.batch_size, part)
        self.few = [None if p.among is None else self._among(p.among, data.train) for p in phases]
        self.apart = processes.count * options["accumulate"] > 1
        self.rate = learning_rate(options)
        self.per_epoch = self.count / self.batch_size
        self.total = total_steps(options, self.per_epoch)
        self.pending: list[list[tuple[int, Tensor]]] = [[] for _ in phases]  # step, values
        self.saved_at = -1

    def first_batch(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What a step is tried on."""
        return self._fetch(0)[0]

    def clock(self) -> Clock:
        step, minutes, shares = self.state.step, self.options["minutes"], []
        if self.total is not None:
            shares.append(step / self.total)
        if minutes is not None:
            shares.append(self.state.seconds / (60.0 * minutes))
        return Clock(step, step / self.per_epoch, min(1.0, max(shares)))

    def scheduled(self, clock: Clock) -> list[dict[str, Tensor]]:
        return [
            {
                name: torch.tensor(
                    schedule(clock.within(phase.window)), dtype=torch.float32, device=self.device
                )
                for name, schedule in phase.scheduled.items()
            }
            for phase in (step.phase for step in self.steps)
        ]

    def learning_rate(self, clock: Clock) -> float:
        """The run's learning rate: that of the last phase that is at work."""
        at_work = [step.phase for step in self.steps if step.phase.runs(clock.progress)]
        return self.rate(clock.within(at_work[-1].window))

    def compile(self) -> str | None:
        """Compile every phase's step and try it once; what went wrong, in a line, or None."""
        torch._dynamo.config.trace_autograd_ops = True  # ty: ignore[invalid-assignment]
        torch._dynamo.config.allow_rnn = True  # ty: ignore[invalid-assignment]
        for step in self.steps:
            step.compile(self.apart)
        try:
            with self.state.untouched():
                self.advance(record=False, everything=True)
        except Exception as error:  # whatever a compiler may raise: eager is always there
            for step in self.steps:
                step.eager()
            return " ".join((str(error).strip() or type(error).__name__).split())[:200]
        return None

    def advance(self, record: bool = True, everything: bool = False) -> Clock:
        """One step of every phase that is due; of `everything`, due or not."""
        step, clock = self.state.step, self.clock()
        everyone = self._fetch(step)
        updated = []
        for number, (phase, numbers) in enumerate(
            zip(self.steps, self.scheduled(clock), strict=True)
        ):
            window = phase.phase.window
            if window[1] < 1.0 and clock.progress >= window[1]:
                self.state.settle(number)
            due = step % phase.phase.every == 0 and phase.phase.runs(clock.progress)
            if not (due or everything):
                continue
            few = self.few[number]
            microbatches = everyone if few is None else self._fetch(step, few)
            self._upkeep(phase, number, microbatches)
            rate = self.rate(clock.within(window))
            scalars = phase.optimizer.scalars(rate * phase.phase.learning_rate)
            scalars = scalars if self.device.type == "cpu" else scalars.to(self.device)
            if not self.apart:
                seed_noise(self.device, self.options["seed"], step, number, 0)
                values = phase.whole(*microbatches[0], numbers, scalars)
            else:
                values = self._averaged(phase, number, microbatches, numbers, scalars)
            if record:
                self.pending[number].append((step, values))
            updated.append(number)
        self.state.average(updated)
        return clock

    def _upkeep(self, phase: PhaseStep, number: int, microbatches: list[Batch]) -> None:
        """What a phase wants done between its updates, on all processes alike."""
        if phase.phase.upkeep is None:
            return
        every, function = phase.phase.upkeep
        done = phase.optimizer.count
        if done % every:
            return
        seed, step = self.options["seed"], self.state.step
        first = self.processes.rank * len(microbatches)
        prepared = []
        with torch.no_grad():
            for offset, (source, index, _) in enumerate(microbatches):
                seed_noise(self.device, seed, step, number, first + offset)
                prepared.append(phase.prepared(source, index))
            x = gather(torch.cat(prepared))
            sides = [side for _, _, side in microbatches if side is not None]
            side = gather(torch.cat(sides)) if sides else None
            seed_noise(self.device, seed, step, number, _UPKEEP)
            function(self.model, x, *contexts(self.model, x, side), step=done)
        # The same arithmetic on the same numbers, but perhaps on other devices.
        self.processes.agree([*phase.parameters, *self.model.buffers()])

    def _among(self, among: Callable[..., Any], split: Any) -> Callable[[int], Tensor]:
        """The positions of a step's examples among some of the split: as many as a batch has, or
        all of them where they are fewer."""
        chosen = torch.as_tensor(among(split))
        size = batch_size(self.options, len(chosen))
        order, share = Order(len(chosen), self.options["seed"]), size // self.processes.count
        first = self.processes.rank * share
        return lambda step: chosen[order.positions(step, size)[first : first + share]]

    def _fetch(self, step: int, few: Callable[[int], Tensor] | None = None) -> list[Batch]:
        """This process's microbatches of a step: (source, index or None, side or None)."""
        accumulate = self.options["accumulate"]
        positions = self.batches.positions if few is None else few
        if self.loader.tensor is not None:
            index = positions(step).to(self.device, non_blocking=True)
            side = self.loader.side
            return [
                (self.loader.tensor, part, None if side is None else side.index_select(0, part))
                for part in ((index,) if accumulate == 1 else index.chunk(accumulate))
            ]
        stored, side = self.batches(step) if few is None else self.loader.batch(few(step))
        parts = stored.chunk(accumulate)
        sides = [None] * len(parts) if side is None else side.chunk(accumulate)
        return [(part, None, each) for part, each in zip(parts, sides, strict=True)]

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

    def collect(self, clear: bool = True) -> dict[str, float]:
        """Means of what the steps returned since the last call; refuses what is not finite."""
        means: dict[str, float] = {}
        for step, pending in zip(self.steps, self.pending, strict=True):
            step.optimizer.mirrors.doubt()
            if not pending:
                continue
            table = torch.stack([values for _, values in pending]).double().cpu()  # (steps, values)
            bad = (~table.isfinite()).any(1).nonzero()
            if len(bad):
                self.refuse("loss", step, pending[int(bad[0])][0])
            prefix = "" if len(self.steps) == 1 else f"{step.phase.name}/"
            pairs = zip(step.names, table.mean(0).tolist(), strict=True)
            means |= {prefix + name: value for name, value in pairs}
            if clear:
                pending.clear()
        return means

    def refuse(self, what: str, step: PhaseStep, at: int) -> None:
        last = "there is no checkpoint of an earlier step"
        if self.folder is not None and self.saved_at > 0:
            last = f"the last good checkpoint in {self.folder} is of step {self.saved_at}"
        raise LowerboundError(
            f"the {what} of phase '{step.phase.name}' is not finite at step {at + 1}; {last}; try "
            "a smaller --learning-rate, --clip 1 or --precision float32"
        )

    def check_finite(self) -> None:
        """Refuse a state that is not finite, which must not be kept."""
        self.collect(clear=False)
        for step in self.steps:  # a finite loss may have a gradient that is not
            if not step.is_finite():
                self.refuse("gradient", step, self.state.step - 1)


def _refuse_idle(phases: Sequence[Phase]) -> None:
    """Refuse windows that leave a part of the run without a phase."""
    reached = 0.0
    for begin, end in sorted(phase.window for phase in phases):
        if begin > reached:
            break
        reached = max(reached, end)
    if reached < 1.0:
        raise LowerboundError(
            f"expected phases whose windows cover the run, came none at {reached:.3g} of it; "
            "let one end at 1.0, and each begin where another still runs or ends"
        )
