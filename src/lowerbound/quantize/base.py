"""What every quantizer offers: vectors to the entries of a codebook, and back."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..collectives import mean_over_processes
from ..errors import LowerboundError


class Quantized(NamedTuple):
    """What a quantizer makes of vectors ``(N, P, inputs)``, with its gradients.

    Attributes:
        vectors: what the decoder is given, ``(N, P, dim)``; its gradient goes straight through to
            the encoder.
        indices: of the entries, int64 ``(N, P, heads)``.
        commitment: ‖v − sg e‖², summed over positions, ``(N,)``, squared units of v: its gradient
            is the encoder's. Not weighted.
        codebook: whose gradient is the codebook's, ``(N,)``: ‖sg v − e‖² where it descends, zero
            where it averages.
        rate: KL from the uniform prior over all entries, ``(N,)``, nats: positions · heads ·
            log levels where the choice is certain.
    """

    vectors: Tensor
    indices: Tensor
    commitment: Tensor
    codebook: Tensor
    rate: Tensor


class Quantizer(nn.Module):
    """Vectors at P positions to one of ``levels`` entries for each of some heads.

    Abstract: a subclass implements :meth:`forward`, :meth:`codes` and :meth:`lookup`.

    Args:
        inputs: numbers that the encoder gives for each position.
        dim: numbers that the decoder is given for each position.
        heads: indices at each position.
        levels: K, entries that each index chooses from.

    Attributes:
        upkeep_every: steps between two calls of :meth:`upkeep`; 0 where there is nothing to do.
        relaxed: whether the choice of an entry is drawn, and certain only at temperature 0.
    """

    upkeep_every = 0
    relaxed = False

    def __init__(self, inputs: int, dim: int, heads: int, levels: int) -> None:
        super().__init__()
        self.inputs, self.dim, self.heads, self.levels = inputs, dim, heads, levels

    def forward(self, v: Tensor, temperature: Tensor | float = 1.0) -> Quantized:
        """Quantize with gradients.

        Args:
            v: ``(N, P, inputs)``.
            temperature: of a relaxation; others do not look at it.
        """
        raise NotImplementedError

    def codes(self, v: Tensor) -> Tensor:
        """The (likeliest) indices alone: ``(N, P, inputs)`` to int64 ``(N, P, heads)``."""
        raise NotImplementedError

    def logits(self, v: Tensor) -> Tensor | None:
        """Of the posterior over indices, ``(N, P, heads, levels)``; None where it is certain."""
        return None

    def lookup(self, indices: Tensor) -> Tensor:
        """int64 ``(N, P, heads)`` to vectors ``(N, P, dim)``.

        Raises:
            LowerboundError: an index that is no entry's (in eager code).
        """
        raise NotImplementedError

    def upkeep(self, v: Tensor, step: int) -> None:
        """Start the codebook on v ``(N, P, inputs)`` at step 0, and dead entries anew later on."""

    def counts(self, indices: Tensor) -> Tensor:
        """How often each was chosen, ``(codebooks, levels)``, of indices ``(N, P, heads)``."""
        return histogram(indices.reshape(-1, self.heads), self.levels)

    def check(self, indices: Tensor) -> Tensor:
        """Indices as int64, refused where they are none of the codebook's."""
        if indices.shape[-1] != self.heads or indices.is_floating_point():
            raise LowerboundError(
                f"expected codes of {self.heads} whole number(s) at each position, came shape "
                f"{tuple(indices.shape)} of {indices.dtype}; pass what encode returns"
            )
        indices = indices.long()
        if not torch.compiler.is_compiling() and indices.numel():
            low, high = (int(i) for i in torch.aminmax(indices))
            if low < 0 or high >= self.levels:
                raise LowerboundError(
                    f"expected codes from 0 to {self.levels - 1}, the entries of the codebook, "
                    f"came {low if low < 0 else high}; pass codes of this model"
                )
        return indices

    def certain_rate(self, v: Tensor) -> Tensor:
        """positions · heads · log levels for each of v ``(N, P, inputs)``: nats, ``(N,)``."""
        return v.new_full((len(v),), v.shape[1] * self.heads * math.log(self.levels))

    def extra_repr(self) -> str:
        return f"{self.heads} x {self.levels} entries of {self.dim} numbers"


def histogram(indices: Tensor, levels: int) -> Tensor:
    """How often each entry was chosen: int64 ``(..., heads)`` to ``(heads, levels)``, float32."""
    flat = indices.reshape(-1, indices.shape[-1]).T
    counts = torch.zeros(len(flat), levels, device=indices.device)
    # Whole numbers: exact in whatever order they are added.
    return counts.scatter_add(1, flat, torch.ones_like(flat, dtype=counts.dtype))


def use(counts: Tensor) -> dict[str, Tensor]:
    """How much of a codebook is used, 0-d each, averaged over codebooks.

    Args:
        counts: how often each entry was chosen, ``(codebooks, levels)``.

    Returns:
        ``usage``, the share of entries that were chosen at all; ``perplexity``, e to the entropy
        of their frequencies: as many equally frequent entries would tell as much.

    >>> use(torch.tensor([[5.0, 5.0, 0.0, 0.0]]))
    {'usage': tensor(0.5000), 'perplexity': tensor(2.)}
    """
    shares = counts / counts.sum(1, keepdim=True)
    entropy = torch.special.entr(shares).sum(1)
    return {"usage": (counts > 0).float().mean(), "perplexity": entropy.exp().mean()}


def batch_use(counts: Tensor) -> dict[str, Tensor]:
    """:func:`use` of the batch's counts ``(codebooks, levels)``, of all processes together."""
    return use(mean_over_processes(counts))


def as_gradient(parameter: Tensor, statistic: Tensor) -> Tensor:
    """Zero, 0-d, whose gradient with respect to the parameter is the statistic, of its shape.

    A parameter that a module names in ``averages`` becomes the running mean of what comes as its
    gradient (`lowerbound.training.phase.Phase`).
    """
    surrogate = (parameter * statistic.detach()).sum()
    return surrogate - surrogate.detach()


def straight_through(v: Tensor, e: Tensor) -> Tensor:
    """e, with the gradient of v (Bengio, Léonard & Courville 2013, arXiv 1308.3432)."""
    return e.detach() + (v - v.detach())  # exactly e, to the last bit


def refuse_uneven(dim: int, heads: int) -> None:
    """Refuse a vector that heads cannot share evenly."""
    if dim % heads:
        raise LowerboundError(
            f"expected a dim that {heads} heads share, came {dim}; pass dim {heads * 16} "
            f"(--quantizer.dim {heads * 16})"
        )


def refuse_size(name: str, value: Any, least: int) -> None:
    """Refuse a size below its least."""
    if value < least:
        raise LowerboundError(f"{name}: expected at least {least}, came {value}")
