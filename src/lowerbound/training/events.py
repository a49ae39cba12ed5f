"""What `fit` tells while it works. Progress bars, metrics and pictures are made of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Started:
    """Training begins, or goes on at `step`.

    Args:
        step: the first step to be done.
        total_steps: of the whole run; None when the clock decides.
        steps_per_epoch: a fraction where the batch does not divide the data.
        resolved: every choice left to ``auto``, as it was made, with the reason in words.
        phases: names of what a step does, in order.
    """

    step: int
    total_steps: int | None
    steps_per_epoch: float
    resolved: dict[str, Any]
    phases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """Means over the steps since the last one of these.

    Args:
        step: steps done. epoch: passes over the data done.
        seconds: in training, of all processes of this run together with those before it resumed.
        remaining: seconds that are left, as it looks now.
        examples_per_second: since the last report, over all processes.
        learning_rate: of the last step.
        values: the loss, and the parts of the objective in nats per example, by name.
    """

    step: int
    epoch: float
    seconds: float
    remaining: float
    examples_per_second: float
    learning_rate: float
    values: dict[str, float]


@dataclass(frozen=True)
class HeldOut:
    """Means of the objective's parts over held-out examples.

    Args:
        split: ``"validation"`` or ``"test"``.
        examples: how many were used.
        values: nats per example, by name.
        best: whether the bound (or the loss where there is none) is the best so far.
    """

    step: int
    epoch: float
    seconds: float
    split: str
    examples: int
    values: dict[str, float]
    best: bool


@dataclass(frozen=True)
class Checkpointed:
    """The exact state after `step` steps is safe on the disk."""

    step: int


@dataclass(frozen=True)
class Finished:
    """Training has ended.

    Args:
        reason: ``"done"``, ``"early stopping"``, ``"interrupted"`` or ``"solved"``.
        values: what a closed form reports.
    """

    step: int
    reason: str
    seconds: float
    values: dict[str, float] = field(default_factory=dict)


Event = Started | Progress | HeldOut | Checkpointed | Finished
