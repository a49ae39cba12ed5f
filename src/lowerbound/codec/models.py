"""What of a model is coded: its codes, or the data themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lowerbound.autoregressive import Autoregressive, AutoregressiveConditional
from lowerbound.codec import priors
from lowerbound.errors import LowerboundError
from lowerbound.runs import Run


class Coded:
    """A model of codes that are whole numbers, with a prior of them.

    Args:
        run: of the model.
    """

    lossless = False

    def __init__(self, run: Run) -> None:
        self.run = run
        self.model: Any = run.model

    def context(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        """What the model's conditionals are given of examples x ``(n, ...)``."""
        condition = getattr(self.model, "condition", None)
        return () if condition is None else condition(x, side)

    def codes(self, x: Tensor, *context: Tensor) -> Tensor:
        """The codes of x, what the prior is a distribution of."""
        with torch.no_grad():
            return self.model.encode(x, *context).mode

    def prior(self, model: Any, count: int, side: Tensor | None) -> Any:
        """p(codes | side) by a copy of the model, for `count` of them."""
        return model.prior(*self._beside(model, count, side))

    def decoded(self, codes: Tensor, side: Tensor | None) -> Tensor:
        """The mean of x given codes ``(n, ...)``; of categories the likeliest, and a draw where
        they depend on one another."""
        found = self.model.decode(codes, *self._beside(self.model, len(codes), side))
        if isinstance(found, Autoregressive):
            return found.sample()
        return found.mode if self.run.spec.support == "categories" else found.mean

    def indices(self, codes: Tensor) -> np.ndarray:
        """Codes as whole numbers, int64 ``(N, *shape)``."""
        return codes.long().numpy()

    def value(self, indices: Tensor) -> Tensor:
        """The way back."""
        return indices

    def refuse_outside(self, array: np.ndarray) -> None:
        """Refuse what are no codes of the model.

        Raises:
            LowerboundError: they are of another shape, no whole numbers, or outside the codebook.
        """
        shape = self.shape
        if array.dtype.kind not in "iu" or array.shape[1:] != shape or not len(array):
            raise LowerboundError(
                f"expected codes as whole numbers (N, {', '.join(map(str, shape))}), came "
                f"{array.dtype} of shape {array.shape}"
            )
        priors.refuse_outside(array, self.levels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the codes of one example."""
        return tuple(self.model.latent_shape)

    @property
    def levels(self) -> int:
        """How many values a code may have."""
        return int(self.model.levels)

    def _beside(self, model: Any, count: int, side: Tensor | None) -> tuple[Tensor, ...]:
        condition = getattr(model, "condition", None)
        if condition is None:
            return ()
        assert side is not None
        # Of labels and attributes no context is made of x.
        return condition(torch.zeros(count, *self.model.event_shape), side)


class CodedData(Coded):
    """A model of data that are whole numbers in a sequence: the data themselves are the codes."""

    lossless = True

    @property
    def _scale(self) -> int | None:
        """Data are whole numbers divided by this; None where they are whole numbers."""
        return self.model.likelihood.scale

    def codes(self, x: Tensor, *context: Tensor) -> Tensor:
        return x

    def indices(self, codes: Tensor) -> np.ndarray:
        return (codes if self._scale is None else (codes * self._scale).round()).long().numpy()

    def value(self, indices: Tensor) -> Tensor:
        return indices if self._scale is None else indices.float() / self._scale

    def prior(self, model: Any, count: int, side: Tensor | None) -> Any:
        return model.likelihood(*self._beside(model, count, side))

    def decoded(self, codes: Tensor, side: Tensor | None) -> Tensor:
        return codes

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.model.event_shape)

    @property
    def levels(self) -> int:
        return self.model.likelihood.network.levels


def coded(run: Run) -> Coded:
    """What `encode` and `decode` need of a run.

    Raises:
        LowerboundError: the model has no codes that are whole numbers.
    """
    model: Any = run.model
    if isinstance(getattr(model, "likelihood", None), AutoregressiveConditional):
        return CodedData(run)
    if getattr(model, "levels", None) is not None and hasattr(model, "decode"):
        return Coded(run)
    raise LowerboundError(
        f"expected a run whose codes are whole numbers, came {run.path} ({run.name}): train one "
        "with recipe vq-vae, or an autoregressive model of the data (recipe pixelcnn)"
    )
