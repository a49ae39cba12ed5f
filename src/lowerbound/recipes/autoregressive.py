"""Recipes of autoregressive models of data: exact log p(x), without codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Span, takes
from ..slots.autoregressive_priors import Drop, Width, wavenet_depth
from .given import condition_of
from .parts import Built

if TYPE_CHECKING:
    from ..data.spec import DataSpec

_MANY_LEVELS = 1024


def conditioned(
    *,
    given: Literal["none", "labels", "attributes"] = "none",
    drop: Drop = 0.1,
    output: Literal["categorical", "logistic"] = "categorical",
    components: Annotated[int, Span(min=1)] = 10,
) -> dict[str, Any]:
    """What the conditionals are.

    Args:
        given: what the model is conditioned on.
        drop: of a conditional model, share of training examples whose condition is left out, so
            that samples can be guided.
        output: p(a number | those before it): any distribution over its levels, or a mixture of
            logistics, which knows that levels are ordered.
        components: of the mixture of logistics.
    """
    return {"given": given, "drop": drop, "output": output, "components": components}


@takes(conditioned)
def pixelcnn(
    data: DataSpec,
    *,
    width: Width = 64,
    layers: Annotated[int, Span(min=1)] = 6,
    kernel: Annotated[int, Span(min=3, unit="pixels")] = 5,
    **conditionals: Any,
) -> Built:
    """Gated PixelCNN: images pixel by pixel, each colour given those before it.

    Args:
        data: images of levels, or binary ones.
        width: channels.
        layers: of each of its two stacks.
        kernel: side of its convolutions, odd.
        **conditionals: see `conditioned`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data that are no images of levels; options that do not fit.

    Reference:
        van den Oord et al. 2016, Conditional image generation with PixelCNN decoders,
        arXiv 1606.05328
    """
    from ..autoregressive import PixelCNN

    if len(data.event_shape) != 3:
        raise LowerboundError(
            f"pixelcnn: expected images, came {data.kind} of shape {data.event_shape}; pass recipe "
            "transformer or wavenet"
        )

    def network(levels: int, grid: tuple[int, ...], **shared: Any) -> Any:
        return PixelCNN(levels, grid, width=width, layers=layers, kernel=kernel, **shared)

    return _built("pixelcnn", data, network, **conditioned(**conditionals))


@takes(conditioned)
def transformer(
    data: DataSpec,
    *,
    width: Width = 128,
    layers: Annotated[int, Span(min=1)] = 4,
    heads: Annotated[int, Span(min=1)] = 4,
    **conditionals: Any,
) -> Built:
    """Causal transformer: tokens, levels or pixels, each given those before it.

    Args:
        data: whole numbers, levels or binary.
        width: numbers of a position, a multiple of the heads.
        layers: blocks of attention and network.
        heads: attention heads of each block.
        **conditionals: see `conditioned`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data of continuous values; options that do not fit.

    Reference:
        Vaswani et al. 2017, Attention is all you need, arXiv 1706.03762; Chen et al. 2020,
        Generative pretraining from pixels, ICML
    """
    from ..autoregressive import Transformer

    def network(levels: int, grid: tuple[int, ...], **shared: Any) -> Any:
        return Transformer(
            levels, grid, width=width, layers=layers, attention_heads=heads, **shared
        )

    return _built("transformer", data, network, **conditioned(**conditionals))


@takes(conditioned)
def wavenet(
    data: DataSpec,
    *,
    width: Width = 64,
    depth: Annotated[int | None, Span(min=1, unit="layers")] = None,
    stacks: Annotated[int, Span(min=1)] = 2,
    **conditionals: Any,
) -> Built:
    """WaveNet: long sequences by dilated causal convolutions.

    Args:
        data: whole numbers, levels or binary, in the order in which they stand.
        width: channels.
        depth: layers of a stack, dilated 1, 2, 4, …; by default as many as reach over half a
            sequence, 10 at most.
        stacks: how many there are.
        **conditionals: see `conditioned`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data of continuous values; options that do not fit.

    Reference:
        van den Oord et al. 2016, WaveNet: a generative model for raw audio, arXiv 1609.03499
    """
    from ..autoregressive import WaveNet

    def network(levels: int, grid: tuple[int, ...], **shared: Any) -> Any:
        import math

        layers = depth or wavenet_depth(math.prod(grid))
        return WaveNet(levels, width=width, depth=layers, stacks=stacks, **shared)

    return _built("wavenet", data, network, **conditioned(**conditionals))


def _built(
    name: str,
    data: DataSpec,
    network: Callable[..., Any],
    *,
    given: str,
    drop: float,
    output: Any,
    components: int,
) -> Built:
    from ..autoregressive import AutoregressiveConditional
    from ..autoregressive import output as output_of
    from ..autoregressive.base import reordered
    from ..models.autoregressive import AutoregressiveModel
    from ..models.flow import negative_log_likelihood
    from ..training.phase import Phase

    levels, scale = _levels(name, data)
    if output == "logistic" and (data.support != "levels" or levels < 3):
        raise LowerboundError(
            f"{name}: expected levels, which are ordered, for output logistic, came "
            f"{data.support}; pass --output categorical"
        )
    if output == "categorical" and levels > _MANY_LEVELS:
        raise LowerboundError(
            f"{name}: expected at most {_MANY_LEVELS} levels for output categorical, came "
            f"{levels}; pass --output logistic, or data of fewer levels"
        )
    condition: Any = condition_of(name, data, given)
    channels = len(data.event_shape) > 1
    heads, grid, _ = reordered(data.event_shape, channels)
    family = output_of(output, levels, components)
    context: dict[str, Any] = {}
    if condition is not None:
        context = {"event_ranks": condition.event_ranks, "embed": condition.embeddings()}
    built = network(
        levels,
        grid,
        heads=heads,
        outputs=family.raw,
        context=0 if condition is None else condition.width,
    )
    likelihood = AutoregressiveConditional(
        built,
        data.event_shape,
        output=family,
        heads=channels,
        scale=scale,
        drop=drop if context else 0.0,
        **context,
    )
    model = AutoregressiveModel(likelihood, condition)
    return Built(model, [Phase("likelihood", negative_log_likelihood, [likelihood])])


def _levels(name: str, data: DataSpec) -> tuple[int, int | None]:
    """How many levels there are, and what tokens are divided by to be data."""
    if data.support == "binary":
        return 2, 1
    if data.support == "levels" and data.levels:
        return data.levels, data.levels - 1
    if data.support == "categories" and data.levels:
        return data.levels, None
    steps = data.step if isinstance(data.step, list) else [data.step]
    if data.low < 0 and all(step == 1 for step in steps):  # whole numbers, not taken as levels
        raise LowerboundError(
            f"{name}: expected whole numbers from 0, levels or binary values, came whole numbers "
            f"from {data.low:g}; number them from 0, or pass recipe vae"
        )
    raise LowerboundError(
        f"{name}: expected whole numbers, levels or binary values, came {data.support} ones with "
        f"likelihood {data.likelihood}; save them as whole numbers, or pass recipe vae"
    )


RECIPES = {"pixelcnn": pixelcnn, "transformer": transformer, "wavenet": wavenet}
