"""What a run's numbers are about: which x, in which units, given what."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ..data import DataSpec

_WORDS = {"labels": "the label", "attributes": "the attributes"}


@dataclass(frozen=True)
class Target:
    """That of which log p is told. Numbers of two runs compare where their targets are equal.

    Attributes:
        name: what the data are called; two names of the same data are no difference.
        event_shape: of an example.
        values: "256 levels", "2 levels", "continuous values", "10 categories".
        given: what the model is given, in words; "" of p(x).
        binarize: of the data.
        dequantize: of the data.
        examples: that were measured.
        points: a digest of their stored values, and of what they are conditioned on.
    """

    name: str
    event_shape: tuple[int, ...]
    values: str
    given: str
    binarize: str
    dequantize: str
    examples: int
    points: str

    def apart(self, other: Target) -> str | None:
        """Why numbers about the two cannot be compared; None where they can."""
        reasons = []
        if self.given != other.given:
            reasons.append(f"p(x{_bar(self.given)}) against p(x{_bar(other.given)})")
        if self.event_shape != other.event_shape:
            reasons.append(f"examples of {_size(self)} against {_size(other)}")
        if self.values != other.values:
            reasons.append(f"{self.values} against {other.values}")
        if self.binarize != other.binarize:
            reasons.append(f"binarization {self.binarize} against {other.binarize}")
        if self.dequantize != other.dequantize:
            text = f"dequantization {self.dequantize} against {other.dequantize}"
            if "uniform" in (self.dequantize, other.dequantize):
                text += " (a density bounds the probability of a level from below only)"
            reasons.append(text)
        if not reasons and (self.examples, self.points) != (other.examples, other.points):
            same = self.examples == other.examples
            count = "" if same else f", {self.examples:,} against {other.examples:,}"
            reasons.append(f"other test examples ({self.name} and {other.name}{count})")
        return "; ".join(reasons) or None

    def title(self) -> str:
        """In a line."""
        parts = [f"{self.name}: {self.examples:,} test examples of {_size(self)}, {self.values}"]
        if self.binarize != "none":
            parts.append(f"binarized ({self.binarize})")
        if self.dequantize != "none":
            parts.append(f"dequantized ({self.dequantize})")
        if self.given:
            parts.append(f"p(x{_bar(self.given)})")
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """JSON's types."""
        return {**vars(self), "event_shape": list(self.event_shape)}


def target_of(model: Any, spec: DataSpec, stored: Tensor, context: Sequence[Tensor] = ()) -> Target:
    """The target of a model on some examples.

    Args:
        model: trained.
        spec: of its data.
        stored: the examples as stored, ``(N, *event)``.
        context: what it is conditioned on, ``(N, ...)`` each.
    """
    condition = getattr(model, "condition", None)
    given = ""
    if condition is not None and condition.side != "position":
        given = "the rest" if getattr(condition, "of_x", False) else "its condition"
        given = _WORDS.get(condition.side, given)
    found = hashlib.sha256()
    found.update(str(tuple(stored.shape)).encode())
    for some in stored.split(1000):  # by value: bytes of uint8 and float32 differ, levels do not
        found.update(some.to(torch.float64).contiguous().numpy().tobytes())
    for each in context if given else ():
        found.update(each.detach().cpu().to(torch.float64).contiguous().numpy().tobytes())
    categories = spec.support == "categories"
    levels = f"{spec.levels} {'categories' if categories else 'levels'}"
    return Target(
        spec.name,
        tuple(spec.event_shape),
        levels if spec.levels else "continuous values",
        given,
        spec.binarize,
        spec.dequantize,
        len(stored),
        found.hexdigest()[:32],
    )


def _bar(given: str) -> str:
    return f" | {given}" if given else ""


def _size(target: Target) -> str:
    return " x ".join(map(str, target.event_shape))
