"""How far a model jumps in time while it is trained: a distribution that a user writes down."""

from __future__ import annotations

import re
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import LowerboundError
from ..noise import uniform

_PART = re.compile(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?(?::\s*(\d*\.?\d+)\s*)?$")
_FORM = "such as 1, 1-10 or 1-10:0.8,1-120:0.2"


class Jumps(NamedTuple):
    """A mixture of uniform distributions over whole numbers of steps.

    Attributes:
        low: the least jump of each part. high: the greatest.
        weight: of each part; they sum to 1.

    >>> Jumps.parse("1-10:0.8,1-120:0.2")
    Jumps(low=(1, 1), high=(10, 120), weight=(0.8, 0.2))
    """

    low: tuple[int, ...]
    high: tuple[int, ...]
    weight: tuple[float, ...]

    @property
    def longest(self) -> int:
        """The greatest jump."""
        return max(self.high)

    @property
    def usual(self) -> int:
        """The mean jump of the part that is drawn most often, a whole number."""
        return (self.low[self._often] + self.reach) // 2

    @property
    def reach(self) -> int:
        """The greatest jump of the same part."""
        return self.high[self._often]

    @property
    def _often(self) -> int:
        return self.weight.index(max(self.weight))

    @classmethod
    def parse(cls, text: str) -> Jumps:
        """``LOW-HIGH``, or several of them with their weights: ``1-10:0.8,1-120:0.2``.

        Raises:
            LowerboundError: it is none.
        """
        parts = [_PART.match(part) for part in str(text).split(",")]
        low = [int(part[1]) for part in parts if part]
        high = [int(part[2] or part[1]) for part in parts if part]
        weight = [float(part[3] or 1.0) for part in parts if part]
        fine = all(parts) and all(1 <= a <= b for a, b in zip(low, high, strict=True))
        if not fine or sum(weight) <= 0.0:
            raise LowerboundError(
                f"jump: expected steps of at least 1, {_FORM}, came '{text}'; pass e.g. --jump 1-10"
            )
        total = sum(weight)
        return cls(tuple(low), tuple(high), tuple(each / total for each in weight))

    def refuse_beyond(self, steps: int) -> None:
        """Refuse jumps that no sequence has room for.

        Raises:
            LowerboundError: one is longer than the longest sequence.
        """
        if self.longest > steps:
            raise LowerboundError(
                f"jump: expected jumps of at most {steps} steps, which the longest sequence has, "
                f"came {self.longest}; pass e.g. --jump 1-{min(10, steps)}"
            )

    def pairs(self, lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Draws (t1, t2) with t2 = t1 + jump, of beliefs 0 (nothing seen) to n (all steps seen).

        A jump for which a sequence is too short becomes its longest one; where there is room, t1 is
        uniform.

        Args:
            lengths: steps n of each sequence, at least 1, ``(B,)``.
            count: pairs for each.

        Returns:
            int64 ``(B, count)`` each.
        """
        u = uniform((3, len(lengths), count), lengths.device)
        edges = torch.tensor(self.weight, device=u.device).cumsum(0)[:-1]
        part = (u[0, ..., None] >= edges).sum(-1)
        low = torch.tensor(self.low, device=u.device)[part]
        high = torch.tensor(self.high, device=u.device)[part]
        room = lengths[:, None]
        jump = torch.minimum(low + (u[1] * (high - low + 1)).long(), room)
        first = (u[2] * (room - jump + 1)).long()
        return first, first + jump
