"""What training is made of: phases that move modules, and solutions in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

if TYPE_CHECKING:
    from lowerbound.bounds import Terms

    from .schedules import Schedule


@dataclass
class Phase:
    """An objective and the modules it alone may move.

    A plain VAE has one phase, a GAN two. During a phase every other module's ``requires_grad`` is
    off, so that one player cannot leak its gradient into another.

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
    """

    name: str
    objective: Callable[..., Terms]
    moves: list[nn.Module]
    every: int = 1
    scheduled: dict[str, Schedule] = field(default_factory=dict)
    learning_rate: float = 1.0


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
