"""Finite scalar quantization: rounding, without a codebook to learn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .base import Quantized, Quantizer, refuse_size, straight_through

_EDGE = 1e-3


class FiniteScalarQuantizer(Quantizer):
    """Each number is bounded and rounded to one of a few levels; an index counts all combinations.

    Nothing is learned in it, and no entry can die: which are used is the encoder's doing.

    Args:
        levels: L_i of each number; there are Π L_i entries.

    Reference:
        Mentzer et al. 2023, Finite scalar quantization: VQ-VAE made simple, arXiv 2309.15505,
        section 3 and appendix A.1

    >>> quantizer = FiniteScalarQuantizer((3, 3))
    >>> quantizer.levels, quantizer.lookup(torch.tensor([[[0], [4], [8]]]))[0].tolist()
    (9, [[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]])
    """

    sizes: Tensor
    basis: Tensor

    def __init__(self, levels: Sequence[int] = (8, 8, 8)) -> None:
        refuse_size("levels: how many numbers", len(levels), 1)
        refuse_size("levels", min(levels), 2)
        super().__init__(len(levels), len(levels), 1, math.prod(levels))
        sizes = torch.tensor(levels)
        self.register_buffer("sizes", sizes, persistent=False)
        basis = torch.cat([torch.ones(1, dtype=torch.int64), sizes[:-1]]).cumprod(0)
        self.register_buffer("basis", basis, persistent=False)

    def bound(self, v: Tensor) -> Tensor:
        """v into (−L/2, L/2), of which rounding leaves exactly L whole numbers."""
        half = (self.sizes - 1) * (1 + _EDGE) / 2
        offset = torch.where(self.sizes % 2 == 0, 0.5, 0.0).to(v.dtype)
        return torch.tanh(v + torch.atanh(offset / half)) * half - offset

    def forward(self, v: Tensor, temperature: Tensor | float = 1.0) -> Quantized:
        """See :meth:`Quantizer.forward`; no commitment, no codebook."""
        bounded = self.bound(v)
        width = self.sizes // 2
        rounded = bounded.round()
        zero = v.new_zeros(len(v))
        return Quantized(
            straight_through(bounded, rounded) / width,
            self._index(rounded),
            zero,
            zero,
            self.certain_rate(v),
        )

    def codes(self, v: Tensor) -> Tensor:
        """See :meth:`Quantizer.codes`."""
        return self._index(self.bound(v).round())

    def lookup(self, indices: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`."""
        digits = self.check(indices) // self.basis % self.sizes
        width = self.sizes // 2
        return (digits - width).to(torch.get_default_dtype()) / width

    def _index(self, rounded: Tensor) -> Tensor:
        digits = rounded.detach().long() + self.sizes // 2
        return (digits * self.basis).sum(-1, keepdim=True)
