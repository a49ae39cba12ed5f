"""Vector quantization: the nearest entry, for one or several heads, at once or by residuals."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .base import Quantized, Quantizer, refuse_size, refuse_uneven, straight_through
from .codebook import Codebook, Start, Update

_UPKEEP = 20


class VectorQuantizer(Quantizer):
    """Each vector, or each of its parts, becomes the nearest entry of a codebook.

    Args:
        levels: K, entries of each codebook.
        dim: numbers of a vector, a multiple of the heads.
        heads: parts of a vector, each with a codebook of its own.
        update, decay, start, restart: see :class:`~lowerbound.quantize.codebook.Codebook`.

    Reference:
        van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning, arXiv
        1711.00937, equations 1 to 3

    >>> found = VectorQuantizer(8, 4)(torch.randn(2, 5, 4))
    >>> found.vectors.shape, found.indices.shape, found.commitment.shape
    (torch.Size([2, 5, 4]), torch.Size([2, 5, 1]), torch.Size([2]))
    """

    upkeep_every = _UPKEEP

    def __init__(
        self,
        levels: int = 512,
        dim: int = 64,
        heads: int = 1,
        *,
        update: Update = "ema",
        decay: float = 0.99,
        start: Start = "kmeans",
        restart: float = 0.05,
    ) -> None:
        refuse_size("heads", heads, 1)
        super().__init__(dim, dim, heads, levels)
        refuse_uneven(dim, heads)
        self.codebook = Codebook(
            heads, levels, dim // heads, update=update, decay=decay, start=start, restart=restart
        )

    def _parts(self, v: Tensor) -> Tensor:
        """``(N, P, dim)`` to ``(N·P, heads, dim / heads)``."""
        return v.reshape(-1, self.heads, self.dim // self.heads)

    def forward(self, v: Tensor, temperature: Tensor | float = 1.0) -> Quantized:
        """See :meth:`Quantizer.forward`."""
        parts = self._parts(v)
        indices = self.codebook.nearest(parts)
        e = self.codebook.lookup(indices).reshape(v.shape)
        gap = (v - e).square().sum((1, 2))
        learned = self.codebook.learn(parts, indices, len(v))
        own = gap.detach() if self.codebook.update == "gradient" else torch.zeros_like(gap)
        return Quantized(
            straight_through(v, e),
            indices.reshape(*v.shape[:2], self.heads),
            gap,
            own + learned,
            self.certain_rate(v),
        )

    def codes(self, v: Tensor) -> Tensor:
        """See :meth:`Quantizer.codes`."""
        return self.codebook.nearest(self._parts(v)).reshape(*v.shape[:2], self.heads)

    def lookup(self, indices: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`."""
        indices = self.check(indices)
        found = self.codebook.lookup(indices.reshape(-1, self.heads))
        return found.reshape(*indices.shape[:-1], self.dim)

    def upkeep(self, v: Tensor, step: int) -> None:
        """See :meth:`Quantizer.upkeep`."""
        if step == 0:
            self.codebook.start_(self._parts(v))
        elif self.codebook.restart:
            self.codebook.restart_(self._parts(v))


class ResidualQuantizer(Quantizer):
    """A vector as a sum of entries: each codebook quantizes what the ones before it left over.

    Args:
        levels: K, entries of each codebook.
        dim: numbers of a vector.
        depth: codebooks, and indices at each position.
        update, decay, start, restart: see :class:`~lowerbound.quantize.codebook.Codebook`.

    References:
        Zeghidour et al. 2021, SoundStream, arXiv 2107.03312; Lee et al. 2022, Autoregressive image
        generation using residual quantization, arXiv 2203.01941, equations 4 to 8
    """

    upkeep_every = _UPKEEP

    def __init__(
        self,
        levels: int = 512,
        dim: int = 64,
        depth: int = 4,
        *,
        update: Update = "ema",
        decay: float = 0.99,
        start: Start = "kmeans",
        restart: float = 0.05,
    ) -> None:
        refuse_size("depth", depth, 1)
        super().__init__(dim, dim, depth, levels)
        self.codebooks = nn.ModuleList(
            Codebook(1, levels, dim, update=update, decay=decay, start=start, restart=restart)
            for _ in range(depth)
        )

    def forward(self, v: Tensor, temperature: Tensor | float = 1.0) -> Quantized:
        """See :meth:`Quantizer.forward`; the commitment is to each partial sum."""
        n, positions, dim = v.shape
        total, chosen = torch.zeros_like(v), []
        commitment, own, learned = v.new_zeros(n), v.new_zeros(n), v.new_zeros(())
        for book in self._books():
            left = (v.detach() - total).reshape(-1, 1, dim)
            indices = book.nearest(left)
            total = total + book.lookup(indices).reshape(v.shape)
            gap = (v - total).square().sum((1, 2))
            commitment = commitment + gap
            learned = learned + book.learn(left, indices, n)
            own = own + gap.detach() if book.update == "gradient" else own
            chosen.append(indices.reshape(n, positions))
        return Quantized(
            straight_through(v, total),
            torch.stack(chosen, -1),
            commitment,
            own + learned,
            self.certain_rate(v),
        )

    def codes(self, v: Tensor) -> Tensor:
        """See :meth:`Quantizer.codes`."""
        left, chosen = v.detach().reshape(-1, 1, self.dim), []
        for book in self._books():
            indices = book.nearest(left)
            left = left - book.lookup(indices)
            chosen.append(indices.reshape(v.shape[:2]))
        return torch.stack(chosen, -1)

    def lookup(self, indices: Tensor) -> Tensor:
        """See :meth:`Quantizer.lookup`; the sum of the entries."""
        indices = self.check(indices)
        rows = indices.reshape(-1, self.heads).unbind(1)
        found = [
            book.lookup(row[:, None])[:, 0] for book, row in zip(self._books(), rows, strict=True)
        ]
        return torch.stack(found).sum(0).reshape(*indices.shape[:-1], self.dim)

    def upkeep(self, v: Tensor, step: int) -> None:
        """See :meth:`Quantizer.upkeep`; each codebook on what is left for it."""
        left = v.detach().reshape(-1, 1, self.dim)
        for book in self._books():
            if step == 0:
                book.start_(left)
            elif book.restart:
                book.restart_(left)
            left = left - book.lookup(book.nearest(left))

    def _books(self) -> list[Codebook]:
        return [book for book in self.codebooks if isinstance(book, Codebook)]
