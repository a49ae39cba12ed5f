"""What a conditional model is conditioned on: from an example and what comes beside it, contexts.

A model with a ``condition`` is given, wherever it meets data, the contexts that the condition makes
of them; nothing else in training or evaluation knows of conditions.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import LowerboundError


class Condition(nn.Module):
    """Contexts of a model's conditionals.

    Abstract: a subclass sets the attributes and implements :meth:`forward` and :meth:`embeddings`.

    Attributes:
        side: what it needs of an example beside x: its ``labels``, ``attributes``, or its
            ``position`` among the training examples; None if x is enough.
        event_ranks: of each context, how many trailing dimensions are one condition.
        width: numbers in all embedded contexts of one example together.
    """

    side: Literal["labels", "attributes", "position"] | None = None
    event_ranks: tuple[int, ...] = ()
    width: int = 0

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        """The contexts.

        Args:
            x: prepared data, ``(B, *event_shape)``.
            side: what comes beside each, ``(B, ...)``; None where nothing does.
        """
        raise NotImplementedError

    def embeddings(self) -> list[nn.Module]:
        """For a head, per context a module from ``(N, *condition)`` to vectors ``(N, w)``."""
        raise NotImplementedError


class GivenLabel(Condition):
    """One class of each example.

    Args:
        classes: names of the classes.

    >>> condition = GivenLabel(("cat", "dog"))
    >>> condition.embeddings()[0](torch.tensor([1, 0]))
    tensor([[0., 1.],
            [1., 0.]])
    """

    side = "labels"
    event_ranks = (0,)

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.width = len(self.classes)

    def forward(self, x: Tensor, side: Tensor | None) -> tuple[Tensor, ...]:
        if side is None:
            raise LowerboundError(
                "expected data with labels, which the model is conditioned on, came none"
            )
        return (side,)

    def embeddings(self) -> list[nn.Module]:
        return [OneHot(len(self.classes))]


class OneHot(nn.Module):
    """Classes ``(N,)`` to vectors ``(N, classes)``, float32."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.eye(classes), persistent=False)

    def forward(self, labels: Tensor) -> Tensor:
        return self.codes.index_select(0, labels.reshape(-1))  # ty: ignore[not-callable]
