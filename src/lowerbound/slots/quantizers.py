"""Quantizers of discrete codes, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from ..options import Span
from .types import Builders

if TYPE_CHECKING:
    from ..quantize import Quantizer

Levels = Annotated[int, Span(min=2, unit="entries")]
Numbers = Annotated[int, Span(min=1, unit="numbers")]
Decay = Annotated[float, Span(min=0, max=1)]
Share = Annotated[float, Span(min=0, max=1)]


def vq(
    *,
    levels: Levels = 512,
    dim: Numbers = 64,
    heads: Annotated[int, Span(min=1)] = 1,
    update: Literal["ema", "gradient"] = "ema",
    decay: Decay = 0.99,
    start: Literal["kmeans", "uniform"] = "kmeans",
    restart: Share = 0.05,
) -> Quantizer:
    """Vector quantization: the nearest entry of a codebook.

    Args:
        levels: K, entries of the codebook.
        dim: numbers of each entry.
        heads: parts of a vector, each with a codebook and an index of its own.
        update: entries as running means of the vectors that choose them, or by gradient.
        decay: of the running means, a step.
        start: entries at first: k-means on the first batch, or uniform in ±1/K.
        restart: an entry chosen less than this share of 1/K of the time is put on a vector of the
            batch; 0 never.

    Reference:
        van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning, arXiv
        1711.00937
    """
    from ..quantize import VectorQuantizer

    return VectorQuantizer(
        levels, dim, heads, update=update, decay=decay, start=start, restart=restart
    )


def rq(
    *,
    levels: Levels = 512,
    dim: Numbers = 64,
    depth: Annotated[int, Span(min=1, unit="codebooks")] = 4,
    update: Literal["ema", "gradient"] = "ema",
    decay: Decay = 0.99,
    start: Literal["kmeans", "uniform"] = "kmeans",
    restart: Share = 0.05,
) -> Quantizer:
    """Residual quantization: a sum of entries, each of what the ones before it left over.

    Args:
        levels: K, entries of each codebook.
        dim: numbers of each entry.
        depth: codebooks, and indices at each position.
        update: entries as running means of the vectors that choose them, or by gradient.
        decay: of the running means, a step.
        start: entries at first: k-means on the first batch, or uniform in ±1/K.
        restart: an entry chosen less than this share of 1/K of the time is put on a vector of the
            batch; 0 never.

    Reference:
        Zeghidour et al. 2021, SoundStream, arXiv 2107.03312; Lee et al. 2022, arXiv 2203.01941
    """
    from ..quantize import ResidualQuantizer

    return ResidualQuantizer(
        levels, dim, depth, update=update, decay=decay, start=start, restart=restart
    )


def fsq(*, levels: Annotated[tuple[int, ...], Span(min=2, unit="levels")] = (8, 8, 8)) -> Quantizer:
    """Finite scalar quantization: each of a few numbers rounded; no codebook.

    Args:
        levels: of each number; the entries are all their combinations, 8,8,8 has 512.

    Reference:
        Mentzer et al. 2023, Finite scalar quantization: VQ-VAE made simple, arXiv 2309.15505
    """
    from ..quantize import FiniteScalarQuantizer

    return FiniteScalarQuantizer(levels)


def gumbel(
    *,
    levels: Levels = 512,
    dim: Numbers = 64,
    heads: Annotated[int, Span(min=1)] = 1,
) -> Quantizer:
    """Gumbel-softmax: a categorical posterior over entries, relaxed for its gradient.

    Args:
        levels: K, entries of the codebook.
        dim: numbers of each entry.
        heads: indices at each position.

    Reference:
        Jang, Gu & Poole 2017, arXiv 1611.01144; Maddison, Mnih & Teh 2017, arXiv 1611.00712
    """
    from ..quantize import GumbelQuantizer

    return GumbelQuantizer(levels, dim, heads)


BUILDERS: Builders = {"vq": vq, "rq": rq, "fsq": fsq, "gumbel": gumbel}
