"""What an exported model is given beside a code or a datum: the condition, under plain names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import DataSpec, Prepare
from ..errors import LowerboundError

_FAR = 1e4  # from where on float32 is too coarse, as for data (`Prepare`)


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
        mean: of these; std: likewise. They broadcast to the shape.
        std: see above.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    meaning: str
    low: int = 0
    high: int | None = None
    mean: Any = 0.0
    std: Any = 1.0

    def example(self, n: int, generator: torch.Generator) -> Tensor:
        """Some values that fit, ``(n, *shape)``."""
        if self.high is not None:
            shape = (n, *self.shape)
            drawn = torch.randint(
                self.low, max(self.high, self.low + 1), shape, generator=generator
            )
            return drawn.to(self.dtype)
        mean, std = (torch.as_tensor(each, dtype=self.dtype) for each in (self.mean, self.std))
        return mean + std * torch.randn(n, *self.shape, generator=generator, dtype=self.dtype)


def units(spec: DataSpec) -> torch.dtype:
    """Of the data in their own units: float64 where they lie too far from zero for float32."""
    if spec.support == "categories":
        return torch.float32  # waves; tokens are no quantities
    return Prepare(spec).expected(torch.zeros(spec.event_shape)).dtype


def typical(spec: DataSpec) -> tuple[Any, Any]:
    """Mean and standard deviation that examples to try are drawn with, in the data's units."""
    if spec.support == "categories":
        return 0.0, 1.0
    shape = spec.feature_shape
    shift, scale = (
        np.reshape(each, shape) if isinstance(each, list) else each
        for each in (spec.shift, spec.scale)
    )
    return shift, scale


def numbers(values: Any) -> NDArray[Any]:
    """Float32, or float64 where that would lose digits of what is far from zero."""
    exact = np.asarray(values, np.float64)
    return exact if bool((np.abs(exact) > _FAR).any()) else exact.astype(np.float32)


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
        event, meaning = tuple(spec.event_shape), "the datum; hidden places are not looked at"
        return (
            Input("observed", event, units(spec), meaning, 0, None, *typical(spec)),
            Input("mask", event, torch.float32, "1 where the datum is observed, else 0", 0, 2),
        )
    if side == "attributes":
        named = ", ".join(condition.names)
        mean, std = condition.typical
        kind = torch.float64 if numbers(mean).dtype == np.float64 else torch.float32
        return (Input("attributes", (condition.width,), kind, named, 0, None, mean, std),)
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
