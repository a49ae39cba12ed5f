"""The exact state of a model in training, and its way to the disk and back."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.distributions import Reducible, set_precision
from lowerbound.errors import LowerboundError

from .checkpoint import fill, load_tensors, save_tensors
from .step import PhaseStep

CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "weights.safetensors"


class TrainingState:
    """All that a resumed run needs beside its options: order, noise and learning rate are functions
    of the step, so weights, moments, averages and a few counters are enough.

    Args:
        model: on its device.
        steps: one per phase.
        ema: decay of the averaged weights; 0 is off.
    """

    def __init__(self, model: nn.Module, steps: list[PhaseStep], ema: float) -> None:
        self.model, self.steps, self.decay = model, steps, ema
        self.step = 0
        self.seconds = 0.0
        self.best: float | None = None
        self.waited = 0  # held-out reports since the best one
        self._live = [parameter for step in steps for parameter in step.parameters]
        self._names = _names(model, steps)
        self._average = [p.detach().clone() for p in self._live] if ema else []
        self._settled: set[int] = set()

    def average(self, updated: Sequence[int] = ()) -> None:
        """Fold the weights into their moving average.

        Args:
            updated: numbers of the phases that ran in this step. One with a window is averaged over
                its own steps alone.
        """
        if not self._average:
            return
        with torch.no_grad():
            for number, step in enumerate(self.steps):
                count = self.step + 1
                if step.phase.window != (0.0, 1.0):
                    if number not in updated:
                        continue
                    count = step.optimizer.count
                # Over about the last tenth of the steps while they are few, for a short run is no
                # mean of all that it has passed through; a function of the step, so that a
                # resumed run averages alike.
                weight = max(1.0 - self.decay, 10.0 / (9.0 + count))
                average, live = self._average[self._part(number)], self._live[self._part(number)]
                torch._foreach_lerp_(average, live, weight)  # ty: ignore[no-matching-overload]

    def settle(self, number: int) -> None:
        """A phase is over: what it moved alone is from now on what the run ships of it, and what
        later phases build on."""
        if not self._average or number in self._settled:
            return
        self._settled.add(number)
        others = {id(p) for i, s in enumerate(self.steps) if i != number for p in s.parameters}
        part = self._part(number)
        with torch.no_grad():
            for parameter, value in zip(self._live[part], self._average[part], strict=True):
                if id(parameter) not in others:
                    parameter.copy_(value)

    def _part(self, number: int) -> slice:
        """Where a phase's parameters are among all."""
        begin = sum(len(step.parameters) for step in self.steps[:number])
        return slice(begin, begin + len(self.steps[number].parameters))

    @contextlib.contextmanager
    def shipped_weights(self) -> Generator[None]:
        """The model in evaluation mode and full precision, with the weights that the run ships:
        averaged if asked."""
        kept = [p.detach().clone() for p in self._live] if self._average else []
        heads = [(m, m.precision) for m in self.model.modules() if isinstance(m, Reducible)]
        was_training = self.model.training
        self.model.eval()
        set_precision(self.model, None)
        try:
            self._set(self._average)
            yield
        finally:
            self._set(kept)
            self.model.train(was_training)
            for head, precision in heads:
                head.precision = precision

    def _set(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._live, values, strict=False):
                parameter.copy_(value)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state, by name; the tensors themselves, not copies."""
        named = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        averages = zip(self._names, self._average, strict=False)
        named |= {f"average.{name}": tensor for name, tensor in averages}
        for step in self.steps:
            adam = step.optimizer
            for i, (first, second) in enumerate(zip(adam.first, adam.second, strict=True)):
                named[f"{step.phase.name}.first.{i}"] = first
                named[f"{step.phase.name}.second.{i}"] = second
        return named

    def save(self, folder: Path) -> None:
        """Write the checkpoint, atomically."""
        about = {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "waited": self.waited,
            "updates": {step.phase.name: step.optimizer.count for step in self.steps},
        }
        save_tensors(folder / CHECKPOINT, self.tensors(), about)

    def load(self, folder: Path) -> bool:
        """Go on from the folder's checkpoint; False if there is none yet.

        Raises:
            LowerboundError: it is corrupt or of another model.
        """
        path = folder / CHECKPOINT
        if not path.exists():
            return False
        stored, about = load_tensors(path)
        fill(self.tensors(), stored, path)
        try:
            self.step, self.seconds = int(about["step"]), float(about["seconds"])
            self.best, self.waited = about["best"], int(about["waited"])
            for step in self.steps:
                step.optimizer.count = int(about["updates"][step.phase.name])
        except (KeyError, TypeError, ValueError) as error:
            raise LowerboundError(
                f"{path} is corrupt ({type(error).__name__}: {error}); restore it or train again"
            ) from None
        return True

    def save_weights(self, folder: Path) -> None:
        """Write the weights that the run ships, float32, atomically."""
        about: dict[str, Any] = {"step": self.step, "averaged": bool(self._average)}
        with self.shipped_weights():
            save_tensors(folder / WEIGHTS, self.model.state_dict(), about)

    @contextlib.contextmanager
    def untouched(self) -> Generator[None]:
        """Try a step and take it back."""
        kept = {name: tensor.detach().clone() for name, tensor in self.tensors().items()}
        counts = [step.optimizer.count for step in self.steps]
        settled = set(self._settled)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, tensor in self.tensors().items():
                    tensor.copy_(kept[name])
            for step, count in zip(self.steps, counts, strict=True):
                step.optimizer.count = count
            self._settled = settled


def shipped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a checkpoint's tensors the weights that the run would ship: averaged ones if there are."""
    weights = {}
    for prefix in ("model.", "average."):
        found = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        weights |= {name.removeprefix(prefix): tensor for name, tensor in found.items()}
    return weights


def _names(model: nn.Module, steps: list[PhaseStep]) -> list[str]:
    """What the model calls the parameters that the phases move."""
    known = {id(parameter): name for name, parameter in model.named_parameters()}
    names = [step.phase.name for step in steps]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise LowerboundError(f"expected phases of different names, came '{twice[0]}' twice")
    for step in steps:
        if any(id(parameter) not in known for parameter in step.parameters):
            raise LowerboundError(
                f"phase '{step.phase.name}' moves parameters that are not the model's, which a "
                "checkpoint would miss; make its modules parts of the model"
            )
    return [known[id(parameter)] for step in steps for parameter in step.parameters]
