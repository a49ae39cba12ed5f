"""The objective's parts on held-out examples, while a model trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lowerbound.data import Data, Prepare, Side, side_of

from .noise import mix, seed_noise
from .phase import Phase
from .step import contexts
from .units import known_log_jacobian

#: Examples that a report looks at when nothing is decided by it: about 1 % of an epoch's time.
GLANCE = 2000
_ROWS = 500
_PURPOSE = 0x4E1D0  # keeps this noise apart from that of training steps


class HeldOutSet:
    """Held-out examples, prepared once from a fixed seed, and the objective's means over them.

    Args:
        data: validation is used if there is one, else test.
        prepare: stored values -> x.
        device: where the model is.
        seed: of the preparation and of the objective's noise, the same at every report.
        whole: use all examples (something is decided by them) instead of a fixed sample.
        side: what comes with each example (`lowerbound.data.Loader`). A model of the ``position``
            of each training example knows nothing of others, and is looked at on these.

    Attributes:
        log_jacobian: of the examples (`known_log_jacobian`), nats.
    """

    def __init__(
        self,
        data: Data,
        prepare: Prepare,
        device: torch.device,
        seed: int,
        whole: bool,
        side: Side | None = None,
    ) -> None:
        self.split = "test" if data.validation is None else "validation"
        split = data.test if data.validation is None else data.validation
        if side == "position":
            self.split, split = "train", data.train
        self.device, self.seed = device, seed
        count = len(split)
        if count > GLANCE and not whole:
            generator = torch.Generator().manual_seed(mix(seed, _PURPOSE))
            chosen = torch.randperm(count, generator=generator)[:GLANCE].sort().values
        else:
            chosen = torch.arange(count)
        self._split, self._chosen, self._prepare = split, chosen, prepare
        self.examples = len(chosen)
        self.log_jacobian = known_log_jacobian(data.spec, split, chosen)
        self._side = None if side is None else side_of(split, side)

    def _chunk(self, first: int) -> tuple[Tensor, Tensor | None]:
        """x of examples `first` and on, and what comes beside it: always the same, for the noise
        is seeded by place."""
        chosen = self._chosen[first : first + _ROWS]
        side = None if self._side is None else self._side[chosen].to(self.device)
        stored = self._split.stored(chosen).to(self.device)
        seed_noise(self.device, self.seed, _PURPOSE, first)
        return self._prepare(stored), side

    @torch.no_grad()
    def measure(self, model: nn.Module, phases: Mapping[str, tuple[Phase, dict]]) -> dict:
        """Means of loss and parts over the examples, by name.

        Args:
            model: that is looked at.
            phases: those that are at work with their scheduled numbers, by what stands before the
                names of their parts.
        """
        sums: dict[str, Tensor] = {}
        for first in range(0, self.examples, _ROWS):
            x, side = self._chunk(first)
            context = contexts(model, x, side)
            for prefix, (phase, numbers) in phases.items():
                terms = phase.objective(model, x, *context, **numbers)
                for name, value in {"loss": terms.loss, **terms.parts}.items():
                    total = value.double().mean() * len(x)
                    sums[prefix + name] = sums.get(prefix + name, torch.zeros(())) + total.cpu()
        return {name: float(total) / self.examples for name, total in sums.items()}
