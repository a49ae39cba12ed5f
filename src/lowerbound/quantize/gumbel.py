"""A categorical posterior over entries, drawn by Gumbel's trick and relaxed for its gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..noise import uniform
from .base import Quantized, Quantizer, refuse_size, refuse_uneven


class GumbelQuantizer(Quantizer):
    """q(z|x) over K entries at each position: a draw forward, its softmax relaxation backward.

    What goes forward is a draw of q, so that the distortion and KL(q‖p) are those of the bound;
    the gradient is that of the relaxation at the temperature, and biased.

    Args:
        levels: K, entries of each codebook.
        dim: numbers that the decoder is given, a multiple of the heads.
        heads: indices at each position.

    References:
        Jang, Gu & Poole 2017, Categorical reparameterization with Gumbel-softmax, arXiv
        1611.01144, section 2.2 (straight-through); Maddison, Mnih & Teh 2017, arXiv 1611.00712;
        Ramesh et al. 2021, Zero-shot text-to-image generation, arXiv 2102.12092 (as a dVAE)
    """

    relaxed = True

    def __init__(self, levels: int = 512, dim: int = 64, heads: int = 1) -> None:
        refuse_size("heads", heads, 1)
        refuse_size("levels", levels, 2)
        super().__init__(heads * levels, dim, heads, levels)
        refuse_uneven(dim, heads)
        self.table = nn.Parameter(torch.randn(heads, levels, dim // heads))

    def logits(self, v: Tensor) -> Tensor:
        """See :meth:`Quantizer.logits`."""
        return v.reshape(*v.shape[:2], self.heads, self.levels)

    def forward(self, v: Tensor, temperature: Tensor | float = 1.0) -> Quantized:
        """See :meth:`Quantizer.forward`; the temperature is that of the relaxation."""
        logits = self.logits(v)
        noise = uniform(logits.shape, logits.device).clamp(min=1e-9, max=1.0 - 1e-7)
        perturbed = logits - torch.log(-torch.log(noise))
        soft = (perturbed / temperature).softmax(-1)
        indices = perturbed.argmax(-1)
        hard = functional.one_hot(indices, self.levels).to(v.dtype)
        chosen = hard + (soft - soft.detach())
        vectors = torch.einsum("nphk,hkd->nphd", chosen, self.table).flatten(2)
        log_q = logits.log_softmax(-1)
        information = (log_q.exp() * log_q).sum((1, 2, 3))  # −H(q)
        zero = v.new_zeros(len(v))
        rate = self.certain_rate(v) + information
        return Quantized(vectors, indices, zero, zero, rate)

    def codes(self, v: Tensor) -> Tensor:
        """See :meth:`Quantizer.codes`; the likeliest."""
        return self.logits(v).argmax(-1)

    def lookup(self, indices: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`."""
        indices = self.check(indices)
        shift = torch.arange(self.heads, device=indices.device) * self.levels
        return functional.embedding(indices + shift, self.table.flatten(0, 1)).flatten(-2)
