"""Autoregressive priors p(z) of codes that are whole numbers, by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import LowerboundError
from ..options import Span
from .types import Around, Builders

if TYPE_CHECKING:
    from torch.nn import Module

Drop = Annotated[float, Span(min=0, max=1)]
Width = Annotated[int, Span(min=1, unit="channels")]


def pixelcnn(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    width: Width = 64,
    layers: Annotated[int, Span(min=1)] = 6,
    kernel: Annotated[int, Span(min=3, unit="positions")] = 5,
    drop: Drop = 0.1,
) -> Module:
    """Gated PixelCNN over a grid of codes, row by row.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model; its levels are the codes'.
        width: channels.
        layers: of each of its two stacks.
        kernel: side of its convolutions, odd.
        drop: of a conditional prior, share of training examples whose condition is left out, so
            that samples can be guided.

    Reference:
        van den Oord et al. 2016, Conditional image generation with PixelCNN decoders,
        arXiv 1606.05328
    """
    from ..autoregressive import PixelCNN

    return _prior("pixelcnn", PixelCNN, latent_shape, around, drop, True,
                  width=width, layers=layers, kernel=kernel)  # fmt: skip


def transformer(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    width: Width = 128,
    layers: Annotated[int, Span(min=1)] = 4,
    heads: Annotated[int, Span(min=1)] = 4,
    drop: Drop = 0.1,
) -> Module:
    """Causal transformer over codes, in raster order.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model; its levels are the codes'.
        width: numbers of a position, a multiple of the heads.
        layers: blocks.
        heads: attention heads of each.
        drop: of a conditional prior, share of training examples whose condition is left out, so
            that samples can be guided.

    Reference:
        Vaswani et al. 2017, Attention is all you need, arXiv 1706.03762
    """
    from ..autoregressive import Transformer

    return _prior("transformer", Transformer, latent_shape, around, drop, True,
                  width=width, layers=layers, attention_heads=heads)  # fmt: skip


def wavenet(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    width: Width = 64,
    depth: Annotated[int | None, Span(min=1, unit="layers")] = None,
    stacks: Annotated[int, Span(min=1)] = 2,
    drop: Drop = 0.1,
) -> Module:
    """Dilated causal convolutions over codes, in raster order.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model; its levels are the codes'.
        width: channels.
        depth: layers of a stack, dilated 1, 2, 4, …; by default as many as reach over half a
            sequence, 10 at most.
        stacks: how many there are.
        drop: of a conditional prior, share of training examples whose condition is left out, so
            that samples can be guided.

    Reference:
        van den Oord et al. 2016, WaveNet: a generative model for raw audio, arXiv 1609.03499
    """
    from ..autoregressive import WaveNet

    depth = depth or wavenet_depth(math.prod(latent_shape))
    return _prior("wavenet", WaveNet, latent_shape, around, drop, False,
                  width=width, depth=depth, stacks=stacks)  # fmt: skip


def wavenet_depth(positions: int) -> int:
    """Layers of a stack that reach over half a sequence, 10 at most.

    >>> wavenet_depth(16), wavenet_depth(100_000)
    (3, 10)
    """
    return max(1, min(10, math.ceil(math.log2(max(2, positions))) - 1))


def _prior(
    name: str,
    network: Any,
    latent_shape: tuple[int, ...],
    around: Around,
    drop: float,
    on_grid: bool,
    **options: Any,
) -> Module:
    from ..autoregressive import AutoregressiveConditional
    from ..autoregressive.base import reordered

    if around.levels is None:
        raise LowerboundError(
            f"prior {name}: expected codes that are whole numbers, as of a vq-vae, came codes of "
            f"shape {latent_shape} that are not; pass recipe vq-vae, or another prior"
        )
    heads, grid, _ = reordered(latent_shape, around.heads)
    condition: Any = around.condition
    given: dict[str, Any] = {}
    if condition is not None:
        given = {"event_ranks": condition.event_ranks, "embed": condition.embeddings()}
    if around.local is not None:  # never left out: guidance is of the condition
        rank, module, _ = around.local
        ranks, embed = given.get("event_ranks", ()), given.get("embed", [])
        given["event_ranks"], given["embed"], drop = (*ranks, rank), [*embed, module], 0.0
    built = network(
        around.levels,
        *([grid] if on_grid else []),
        heads=heads,
        context=0 if condition is None else condition.width,
        local=0 if around.local is None else around.local[2],
        **options,
    )
    return AutoregressiveConditional(
        built, latent_shape, heads=around.heads, drop=drop if given else 0.0, **given
    )


BUILDERS: Builders = {"pixelcnn": pixelcnn, "transformer": transformer, "wavenet": wavenet}
