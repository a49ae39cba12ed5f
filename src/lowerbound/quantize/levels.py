"""Two grids of codes for one datum: a coarse one, and a fine one that is told the coarse one."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import LowerboundError
from .base import Quantized, Quantizer


class TwoLevels(Quantizer):
    """A coarse grid is quantized first, and what its entries tell is added to the fine one.

    To model, likelihood and prior it is one quantizer of P = P_coarse + P_fine positions, the
    coarse ones first: the fine vectors that come in are not yet what is quantized, but lack what
    `between` makes of the coarse entries.

    Args:
        coarse: of the first positions.
        fine: of the others; with as many levels, heads and numbers.
        positions: P_coarse, how many there are of the coarse ones.
        between: entries ``(N, P_coarse, dim)`` to ``(N, P_fine, inputs)``.

    Raises:
        LowerboundError: quantizers that do not match, or are not certain of their choice.

    Reference:
        Razavi, van den Oord & Vinyals 2019, Generating diverse high-fidelity images with VQ-VAE-2,
        arXiv 1906.00446, section 3.1

    >>> from lowerbound.quantize import VectorQuantizer
    >>> between = nn.Sequential(nn.Flatten(), nn.Linear(4, 16), nn.Unflatten(1, (4, 4)))
    >>> two = TwoLevels(VectorQuantizer(8, 4), VectorQuantizer(8, 4), 1, between)
    >>> two(torch.randn(3, 5, 4)).indices.shape
    torch.Size([3, 5, 1])
    """

    def __init__(
        self, coarse: Quantizer, fine: Quantizer, positions: int, between: nn.Module
    ) -> None:
        super().__init__(fine.inputs, fine.dim, fine.heads, fine.levels)
        for name in ("inputs", "dim", "heads", "levels"):
            if getattr(coarse, name) != getattr(fine, name):
                raise LowerboundError(
                    f"expected two quantizers of the same {name}, came {getattr(coarse, name)} and "
                    f"{getattr(fine, name)}; build both with the same options"
                )
        if coarse.relaxed or fine.relaxed:
            raise LowerboundError(
                "expected a quantizer that is certain of its choice, as what the fine codes are "
                "depends on it, came a relaxed one; pass quantizer vq, rq or fsq"
            )
        self.coarse, self.fine, self.between = coarse, fine, between
        self.positions = positions
        self.upkeep_every = fine.upkeep_every

    def _parts(self, v: Tensor) -> tuple[Tensor, Tensor]:
        return v[:, : self.positions], v[:, self.positions :]

    def forward(self, v: Tensor, temperature: Tensor | float = 1.0) -> Quantized:
        """See :meth:`Quantizer.forward`."""
        first, rest = self._parts(v)
        a = self.coarse(first)
        b = self.fine(rest + self.between(a.vectors))
        return Quantized(
            torch.cat((a.vectors, b.vectors), 1),
            torch.cat((a.indices, b.indices), 1),
            a.commitment + b.commitment,
            a.codebook + b.codebook,
            a.rate + b.rate,
        )

    def codes(self, v: Tensor) -> Tensor:
        """See :meth:`Quantizer.codes`."""
        first, rest = self._parts(v)
        a = self.coarse.codes(first)
        b = self.fine.codes(rest + self.between(self.coarse.lookup(a)))
        return torch.cat((a, b), 1)

    def lookup(self, indices: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`; leading dimensions may be more than one."""
        first, rest = indices.split((self.positions, indices.shape[-2] - self.positions), -2)
        return torch.cat((self.coarse.lookup(first), self.fine.lookup(rest)), -2)

    def counts(self, indices: Tensor) -> Tensor:
        """See :meth:`Quantizer.counts`; the coarse codebooks first."""
        first, rest = self._parts(indices)
        return torch.cat((self.coarse.counts(first), self.fine.counts(rest)))

    def upkeep(self, v: Tensor, step: int) -> None:
        """See :meth:`Quantizer.upkeep`; the fine one after the coarse one."""
        first, rest = self._parts(v)
        self.coarse.upkeep(first, step)
        told = self.between(self.coarse.lookup(self.coarse.codes(first)))
        self.fine.upkeep(rest + told, step)
