"""What training is made of: phases that move modules, and solutions in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from lowerbound.errors import LowerboundError

if TYPE_CHECKING:
    from lowerbound.bounds import Terms

    from .schedules import Schedule


@dataclass
class Phase:
    """An objective and the modules it alone may move.

    A plain VAE has one phase, a GAN two. During a phase every other module's ``requires_grad`` is
    off, so that one player cannot leak its gradient into another.

    A module may hold parameters that are running means, not descended: its attribute ``averages``
    maps their names to a decay. What reaches such a parameter p as its gradient g is the batch's
    statistic, and p becomes decay·p + (1 − decay)·g. So microbatches and processes are averaged
    before it moves, and a resumed run finds it among the weights.

    Args:
        name: for metrics and messages: ``"elbo"``, ``"discriminator"``.
        objective: ``objective(model, x, *context, **scheduled) -> Terms``; its ``loss``, a mean
            over examples, is minimised.
        moves: the modules whose parameters it trains, parts of the model (or the model itself).
            A list of them, never a new container, which would double their state-dict keys.
        every: the phase runs in one of so many steps.
        scheduled: keyword arguments of the objective that change over the run, by name; they reach
            it as 0-d tensors, since a changing Python number would recompile it.
        learning_rate: factor on the run's learning rate.
        window: the share of the run in which the phase runs, ``(begin, end)``; learning rate,
            warm-up and its own schedules take it for the whole. Held-out reports are of all phases.
        upkeep: ``(every, function)``: ``function(model, x, *context, step=step)`` is called, eager
            and without a gradient, before the phase's updates number 0, every, 2 every, …: to start
            a codebook on data, or its dead entries anew. x is the whole batch, of all processes and
            microbatches; what it draws is a function of the run's seed and of the step. It may
            change parameters that the phase moves, and buffers.
        among: ``among(split) -> positions`` (N,) of the training examples that the phase is done
            on, in an order of their own: the few that have labels, say; None for all.
        player: whether the loss is that of a player in a game, or in units that one moves: it
            tells how the other plays, not how good the model is, so nothing is decided by it.

    Raises:
        LowerboundError: a window that is no part of the run, or an upkeep in no number of steps.
    """

    name: str
    objective: Callable[..., Terms]
    moves: list[nn.Module]
    every: int = 1
    scheduled: dict[str, Schedule] = field(default_factory=dict)
    learning_rate: float = 1.0
    window: tuple[float, float] = (0.0, 1.0)
    upkeep: tuple[int, Callable[..., None]] | None = None
    among: Callable[[Any], Any] | None = None
    player: bool = False

    def __post_init__(self) -> None:
        begin, end = self.window
        if not 0.0 <= begin < end <= 1.0:
            raise LowerboundError(
                f"phase '{self.name}': expected a window (begin, end) with 0 <= begin < end <= 1, "
                f"came {self.window}; pass (0.0, 1.0) for the whole run"
            )
        if self.upkeep is not None and self.upkeep[0] < 1:
            raise LowerboundError(
                f"phase '{self.name}': expected an upkeep every 1 or more steps, came "
                f"{self.upkeep[0]}"
            )

    def runs(self, progress: float) -> bool:
        """Whether a step at this share of the run is in the phase's window."""
        begin, end = self.window
        return begin <= progress and (progress < end or end == 1.0)


@dataclass
class ClosedForm:
    """A model that is solved, not trained.

    Args:
        name: for metrics and messages.
        solve: ``solve(model, sweep)``, a generator that sets the model's weights. ``sweep()``
            begins a pass over prepared x, batches ``(n, *event_shape)``, the same x in every pass.
            It yields once per iteration what there is to report, ``{"log_likelihood": …}`` (nats
            per example where it is a likelihood), and may be closed after any of them.
    """

    name: str
    solve: Callable[[Any, Callable[[], Iterator[Tensor]]], Iterator[dict[str, float]]]
