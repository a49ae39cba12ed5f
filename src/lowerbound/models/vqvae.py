"""Latent-variable models whose codes are indices into a codebook."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import PointMass
from ..distributions.categorical import IndependentCategorical
from ..errors import LowerboundError
from ..quantize import Quantized, Quantizer, UniformCodes
from ..quantize.base import use
from .vae import LatentModel


class VQVAE(LatentModel):
    """A VAE whose posterior is certain of the indices of a quantizer.

    By counting measure that posterior has no entropy, so that the rate of a code is −log p(z):
    under the uniform prior positions · log K exactly, and under a fitted one what it is. Nothing
    about the bound is new: :func:`lowerbound.bounds.elbo` gives it, unchanged, and it is a lower
    bound on log p(x). (With a `GumbelQuantizer` the posterior is a categorical one, and the rate
    its KL.)

    Args:
        encoder: x ``(N, *event_shape)`` to vectors ``(N, P, inputs)`` of the quantizer, or to a
            distribution with that mean (a head of a point mass).
        quantizer: between them and the indices.
        likelihood: p(x | vectors, c): ``likelihood(vectors, *context)``, vectors
            ``(*lead, P, dim)``.
        spatial: how the P positions lie, ``(h, w)``, ``(T,)``, ….
        prior: p(z | c) over codes; None: uniform.
        event_shape: of one example; by default the likelihood's.
        no_likelihood: why log p(x) must not be reported, where it must not.
        condition: makes the contexts of prior and likelihood from the data, where there are.

    Attributes:
        latent_shape: of one code, ``spatial``, or ``(heads, *spatial)`` of several.
        grid: the same.
        levels: K, values of each index.
        heads: whether the first axis of a code is one of heads.
        uniform_rate: −log p(z) under the uniform prior, nats: positions · heads · log K.

    References:
        van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning, arXiv
        1711.00937

    >>> import torch
    >>> from lowerbound.distributions import DiagonalGaussian, Head
    >>> from lowerbound.quantize import VectorQuantizer
    >>> head = Head(nn.Sequential(nn.Flatten(), nn.Linear(8, 12)), DiagonalGaussian(6), (2,))
    >>> encoder = nn.Sequential(nn.Linear(6, 8), nn.Unflatten(1, (2, 4)))
    >>> model = VQVAE(encoder, VectorQuantizer(16, 4), head, (2,))
    >>> model.encode(torch.randn(3, 6)).point.shape, round(model.uniform_rate / math.log(16))
    (torch.Size([3, 2]), 2)
    """

    posterior: CodePosterior
    likelihood: CodeLikelihood

    def __init__(
        self,
        encoder: nn.Module,
        quantizer: Quantizer,
        likelihood: nn.Module,
        spatial: tuple[int, ...],
        prior: nn.Module | None = None,
        *,
        event_shape: tuple[int, ...] | None = None,
        no_likelihood: str | None = None,
        condition: nn.Module | None = None,
    ) -> None:
        grid = (quantizer.heads, *spatial) if quantizer.heads > 1 else tuple(spatial)
        posterior = CodePosterior(encoder, quantizer, grid)
        super().__init__(
            UniformCodes(grid, quantizer.levels) if prior is None else prior,
            CodeLikelihood(likelihood, posterior),
            posterior,
            event_shape=event_shape or tuple(likelihood.event_shape),  # ty: ignore
            latent_shape=grid,
            no_likelihood=no_likelihood,
            condition=condition,
        )
        self.grid, self.levels, self.heads = grid, quantizer.levels, quantizer.heads > 1
        self.uniform_rate = math.prod(grid) * math.log(quantizer.levels)

    @property
    def quantizer(self) -> Quantizer:
        """Between vectors and indices."""
        return self.posterior.quantizer

    def quantize(self, x: Tensor, temperature: Tensor | float = 1.0) -> Quantized:
        """x ``(B, *event_shape)`` to the decoder's vectors, with gradients.

        Args:
            x: ``(B, *event_shape)``.
            temperature: of a relaxed quantizer.
        """
        return self.posterior.quantizer(self.posterior.vectors(x), temperature)

    def decode_vectors(self, vectors: Tensor, *context: Tensor) -> Distribution:
        """p(x | vectors, c): vectors ``(*lead, P, dim)``."""
        return self.likelihood.head(vectors, *context)

    def code_use(self, codes: Tensor) -> dict[str, float]:
        """Of codes ``(N, *grid)``, the share of entries that any of them is, and the perplexity.

        Returns:
            ``levels``, K; ``usage`` and ``perplexity``, see :func:`lowerbound.quantize.base.use`,
            means over codebooks.
        """
        found = use(self.code_counts(codes))
        return {"levels": self.levels, **{name: float(value) for name, value in found.items()}}

    def code_counts(self, codes: Tensor) -> Tensor:
        """How often each entry of each codebook is one of codes ``(N, *grid)``: ``(books, K)``."""
        return self.quantizer.counts(self.posterior.in_rows(codes))

    def upkeep(self, x: Tensor, *context: Tensor, step: int) -> None:
        """Start the codebook on a batch at step 0, and its dead entries anew later on."""
        self.posterior.quantizer.upkeep(self.posterior.vectors(x), step)


class CodePosterior(nn.Module):
    """q(z|x): certain of the indices of a quantizer, or categorical.

    Args:
        encoder: see `VQVAE`.
        quantizer: between vectors and indices.
        grid: shape of one code.
    """

    def __init__(self, encoder: nn.Module, quantizer: Quantizer, grid: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.grid = encoder, quantizer, tuple(grid)

    def vectors(self, x: Tensor) -> Tensor:
        """``(B, *event_shape)`` to ``(B, P, inputs)``."""
        found: Any = self.encoder(x)
        return found.mean if isinstance(found, Distribution) else found

    def forward(self, x: Tensor, *context: Tensor) -> PointMass | IndependentCategorical:
        """Batch shape ``(B,)``, event shape ``grid``; contexts say nothing of a code."""
        v = self.vectors(x)
        logits = self.quantizer.logits(v)
        rank = len(self.grid)
        if logits is None:
            return PointMass(self.on_grid(self.quantizer.codes(v)), rank)
        # (B, P, heads, K) -> (B, K, heads, P)
        return IndependentCategorical(logits.permute(0, 3, 2, 1).unflatten(3, self._spatial)
                                      .reshape(v.shape[0], -1, *self.grid), rank)  # fmt: skip

    def on_grid(self, indices: Tensor) -> Tensor:
        """``(B, P, heads)`` to ``(B, *grid)``."""
        return indices.mT.reshape(indices.shape[0], *self.grid)

    def in_rows(self, codes: Tensor) -> Tensor:
        """``(*lead, *grid)`` to ``(*lead, P, heads)``."""
        lead = codes.shape[: codes.dim() - len(self.grid)]
        return codes.reshape(*lead, self.quantizer.heads, -1).mT

    @property
    def _spatial(self) -> tuple[int, ...]:
        return self.grid[1:] if self.quantizer.heads > 1 else self.grid


class CodeLikelihood(nn.Module):
    """p(x|z) of indices z: their entries, then the head.

    Args:
        head: p(x | vectors, c).
        posterior: whose quantizer it is; shared, and not registered, so that its weights have one
            name.
    """

    def __init__(self, head: nn.Module, posterior: CodePosterior) -> None:
        super().__init__()
        self.head = head
        self._shared = (posterior,)

    @property
    def family(self) -> Any:
        """Of the head, where it has one."""
        return getattr(self.head, "family", None)

    def forward(self, codes: Tensor, *context: Tensor) -> Distribution:
        """codes, int64 ``(*S, B, *grid)`` -> batch shape ``(*S, B)``.

        Raises:
            LowerboundError: what is no code of the quantizer.
        """
        (posterior,) = self._shared
        grid = posterior.grid
        if codes.dim() < len(grid) or tuple(codes.shape[codes.dim() - len(grid) :]) != grid:
            raise LowerboundError(
                f"expected codes of shape (…, {', '.join(map(str, grid))}), came "
                f"{tuple(codes.shape)}; pass what encode returns"
            )
        return self.head(posterior.quantizer.lookup(posterior.in_rows(codes)), *context)
