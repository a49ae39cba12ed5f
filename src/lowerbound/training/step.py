"""One step of one phase: batch -> objective -> gradients of its own modules -> update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lowerbound.distributions import Reducible
from lowerbound.errors import LowerboundError
from lowerbound.noise import keyed, step_keys

from .adam import Adam
from .phase import Phase

if TYPE_CHECKING:
    from lowerbound.bounds import Terms


def contexts(model: nn.Module, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
    """What a conditional model is conditioned on, or any is told while it trains, made of x and of
    what comes beside it."""
    condition = told(model)
    return () if condition is None else condition(x, side)


def told(model: nn.Module) -> Any:
    """What makes the contexts of a model's objectives: its ``supervision``, of what training alone
    is told, else its ``condition``; None where there is neither."""
    supervision = getattr(model, "supervision", None)
    return getattr(model, "condition", None) if supervision is None else supervision


class PhaseStep:
    """The training step of a phase, eager or compiled as a whole.

    ``gradients`` and ``update`` are apart so that several processes, or several microbatches, can
    average between them; ``whole`` is both, which the compiler turns into one piece of code without
    a gap: the gather, the binarization, both passes and the optimizer.

    Gradients are asked for with respect to the phase's own parameters, so none can reach another
    module, and no module's ``requires_grad`` has to change.

    Args:
        model: what the objective is a function of.
        phase: the objective and the modules it moves.
        prepare: stored values -> x.
        options: resolved training options (`lowerbound.training.options`).
    """

    def __init__(
        self, model: nn.Module, phase: Phase, prepare: nn.Module, options: Mapping[str, Any]
    ) -> None:
        self.model, self.phase, self.prepare = model, phase, prepare
        named = {
            id(parameter): parameter
            for module in phase.moves
            for parameter in module.parameters()
            if parameter.requires_grad
        }
        self.parameters = list(named.values())
        decays = {
            id(getattr(module, name)): decay
            for owner in phase.moves
            for module in owner.modules()
            for name, decay in getattr(module, "averages", {}).items()
        }
        #: Of each parameter the decay with which it averages; None if it descends.
        self.decays: list[float | None] = [decays.get(id(p)) for p in self.parameters]
        if not self.parameters:
            raise LowerboundError(
                f"phase '{phase.name}' moves no parameter that requires a gradient; "
                "give it modules with parameters, or solve the model in closed form"
            )
        self.clip: float | None = options["clip"]
        self.optimizer = Adam(
            [p for p, decay in zip(self.parameters, self.decays, strict=True) if decay is None],
            beta1=options["beta1"],
            beta2=options["beta2"],
            epsilon=options["epsilon"],
            weight_decay=options["weight_decay"],
            decoupled=options["optimizer"] == "adamw",
        )
        self.names: list[str] = []
        self.whole: Callable[..., Tensor] = self._whole
        self.gradients: Callable[..., tuple[list[Tensor], Tensor]] = self._gradients
        self.update: Callable[..., Tensor] = self._update

    def probe(
        self,
        source: Tensor,
        index: Tensor | None,
        side: Tensor | None,
        scheduled: Mapping[str, Tensor],
    ) -> None:
        """Learn the names of the objective's parts, without a gradient and before any step."""
        with torch.no_grad():
            terms = self._terms(source, index, side, scheduled)
        self.names = ["loss", *terms.parts]
        if self.clip is not None:
            self.names.append("gradient_norm")

    def is_finite(self) -> bool:
        """Whether all that the phase moves is finite still."""
        tensors = (*self.parameters, *self.optimizer.first, *self.optimizer.second)
        return bool(torch.stack([tensor.detach().isfinite().all() for tensor in tensors]).all())

    def prepared(self, source: Tensor, index: Tensor | None) -> Tensor:
        """x of a microbatch."""
        x = self.prepare(source if index is None else source.index_select(0, index))
        # A view by strides is of memory: without it the compiler draws the noise of x and turns
        # bytes into numbers anew in each kernel that reads x (3 % of a small VAE's step).
        return x.as_strided(x.shape, x.stride()) if torch.compiler.is_compiling() else x

    def compile(self, apart: bool) -> None:
        """Compile the step; with `apart`, its two halves."""
        from .compiled import compiled  # of a compiler that is imported where it is used

        device = self.parameters[0].device
        if apart:
            gradients = compiled(self._gradients, device)
            self.gradients = lambda *given: gradients(*given, step_keys(device))
            self.update = compiled(self._update, device)
        else:
            reduced = {m.precision for m in self.model.modules() if isinstance(m, Reducible)}
            self.optimizer.mirrors.keep(reduced.pop() if len(reduced) == 1 else None)
            self.whole = partial(self._mirrored, compiled(self._whole, device), device)

    def eager(self) -> None:
        """Take `compile` back."""
        self.optimizer.mirrors.keep(None)
        self.whole, self.gradients, self.update = self._whole, self._gradients, self._update

    def _mirrored(self, whole: Callable[..., Tensor], device: torch.device, *given: Any) -> Tensor:
        """The compiled step, on what `_whole` is given."""
        mirrors = self.optimizer.mirrors
        mirrors.refresh()
        values = whole(*given, step_keys(device))
        mirrors.written()
        return values

    def _terms(
        self,
        source: Tensor,
        index: Tensor | None,
        side: Tensor | None,
        scheduled: Mapping[str, Tensor],
    ) -> Terms:
        x = self.prepared(source, index)
        return self.phase.objective(self.model, x, *contexts(self.model, x, side), **scheduled)

    def _gradients(
        self,
        source: Tensor,
        index: Tensor | None,
        side: Tensor | None,
        scheduled: Mapping[str, Tensor],
        keys: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        with keyed(keys):
            terms = self._terms(source, index, side, scheduled)
        found = torch.autograd.grad(terms.loss, self.parameters, allow_unused=True)
        gradients = [
            torch.zeros_like(parameter) if gradient is None else gradient
            for parameter, gradient in zip(self.parameters, found, strict=True)
        ]
        parts = [part.detach().mean() for part in terms.parts.values()]
        return gradients, torch.stack([terms.loss.detach(), *parts])

    def _update(self, gradients: Sequence[Tensor], scalars: Tensor) -> Tensor:
        """Clip and move; the gradient's norm (1,) before clipping, (0,) if it is not clipped."""
        if len(self.optimizer.parameters) < len(self.parameters):
            gradients = self._averaged(gradients)
        if self.clip is None:
            self.optimizer.update(gradients, scalars)
            return scalars.new_zeros(0)
        with torch.no_grad():
            norm = torch.stack([g.float().square().sum() for g in gradients]).sum().sqrt()
            factor = (self.clip / (norm + 1e-6)).clamp(max=1.0)
            self.optimizer.update([g * factor for g in gradients], scalars)
        return norm.reshape(1)

    def _averaged(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Move the running means; the gradients of the others."""
        left = []
        with torch.no_grad():
            for p, g, decay in zip(self.parameters, gradients, self.decays, strict=True):
                if decay is None:
                    left.append(g)
                else:
                    p.lerp_(g.to(p.dtype), 1.0 - decay)
        return left

    def _whole(
        self,
        source: Tensor,
        index: Tensor | None,
        side: Tensor | None,
        scheduled: Mapping[str, Tensor],
        scalars: Tensor,
        keys: Tensor | None = None,
    ) -> Tensor:
        gradients, values = self._gradients(source, index, side, scheduled, keys)
        return torch.cat([values, self._update(gradients, scalars)])
