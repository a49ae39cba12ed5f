"""Copies of the weights in the precision of their products, kept by a compiled step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Mirrors:
    """The rounded weights that products read, beside the weights that the optimizer moves.

    Autocast would round each weight anew in each step; a compiled step that has the new weight at
    hand writes both (`lowerbound.training.compiled`). Others may change a weight between two steps:
    another phase, a resumed run, who reads the events. Each change in place counts up the tensor's
    version, and what is not as the last step left it is rounded again.

    Args:
        weights: of float32.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self.weights = list(weights)
        #: As many as weights, or none.
        self.copies: list[Tensor] = []
        self._versions: list[int] = []

    def keep(self, precision: torch.dtype | None) -> None:
        """Keep copies in this precision; for None, and on other devices than a CPU, no more."""
        keep = precision is not None and all(w.device.type == "cpu" for w in self.weights)
        self.copies = [w.detach().to(precision) for w in self.weights] if keep else []
        self.doubt()

    def doubt(self) -> None:
        """Round anew before the next step: somebody may have written through `.data`, which no
        version tells of."""
        self._versions = []

    def refresh(self) -> None:
        """Before a step: copies of the weights as they are."""
        if self.copies and self._versions != [w._version for w in self.weights]:
            torch._foreach_copy_(self.copies, [w.detach() for w in self.weights])

    def written(self) -> None:
        """After a step that wrote the copies with the weights."""
        if self.copies:
            self._versions = [w._version for w in self.weights]
