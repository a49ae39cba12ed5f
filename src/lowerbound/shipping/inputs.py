"""What an exported model is given beside a code or a datum: the condition, under plain names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..data import DataSpec
from ..errors import LowerboundError


@dataclass(frozen=True)
class Input:
    """One input of an exported graph.

    Attributes:
        name: of it.
        shape: of one example's, without the leading N.
        dtype: of it.
        meaning: in words.
        low: numbers that it may have, for examples to try: from here
        high: to below there; None for normal numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    meaning: str
    low: int = 0
    high: int | None = None

    def example(self, n: int, generator: torch.Generator) -> Tensor:
        """Some values that fit, ``(n, *shape)``."""
        if self.high is not None:
            shape = (n, *self.shape)
            drawn = torch.randint(
                self.low, max(self.high, self.low + 1), shape, generator=generator
            )
            return drawn.to(self.dtype)
        return torch.randn(n, *self.shape, generator=generator, dtype=self.dtype)


def inputs_of(model: Any, spec: DataSpec) -> tuple[Input, ...]:
    """What a conditional model is given; nothing of others.

    Raises:
        LowerboundError: a condition that has no plain form.
    """
    condition: Any = getattr(model, "condition", None)
    side = getattr(condition, "side", None)
    if condition is None or side == "position":
        return ()
    if condition.of_x:
        event = tuple(spec.event_shape)
        return (
            Input("observed", event, torch.float32, "the datum; hidden places are not looked at"),
            Input("mask", event, torch.float32, "1 where the datum is observed, else 0", 0, 2),
        )
    if side == "attributes":
        named = ", ".join(condition.names)
        return (Input("attributes", (condition.width,), torch.float32, named),)
    if side == "captions":
        if condition.encoder:
            return (Input("sentence", (condition.width,), torch.float32, condition.encoder),)
        pieces = 256 + len(spec.captions["pieces"]) if spec.captions else 256
        meaning = "numbers of the pieces of a sentence, 0 after its end"
        return (Input("sentence", (condition.length,), torch.int64, meaning, 1, pieces),)
    if getattr(condition, "classes", None):
        name = "label" if side == "labels" else str(side)
        classes = ", ".join(f"{k} {each}" for k, each in enumerate(condition.classes[:50]))
        return (Input(name, (), torch.int64, classes, 0, len(condition.classes)),)
    raise LowerboundError(
        f"export: expected a model conditioned on labels, attributes or a part of its data, came "
        f"one on {condition.describe()}; export one of those"
    )


def contexts(model: Any, prepared: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The model's own contexts from the inputs of :func:`inputs_of`.

    Args:
        model: whose.
        prepared: from values in the units of the data to x.
        given: one of each input, ``(N, ...)``.
    """
    condition: Any = getattr(model, "condition", None)
    if given and condition.of_x:
        observed, mask = given
        return condition.observe(prepared(observed), mask < 0.5)
    return given
