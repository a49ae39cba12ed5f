"""StackGAN: images of sentences, in two stages."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span, trains
from ..slots import SlotValue
from .parts import Built, game_networks_of

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..models.captioned import GivenCaptions
    from ..models.stackgan import Stage

_FEATURES = 256  # numbers that a discriminator's logit is a linear function of
_LEAST, _SMALLEST_STRIDED = 4, 6


@trains(learning_rate=1e-3, beta1=0.5, ema=0.995, batch_size=64)
def stack_gan(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    condition_dim: Annotated[int, Span(min=1, unit="dimensions")] = 32,
    augmentation: bool = True,
    augmentation_weight: Annotated[float, Span(min=0)] = 0.02,
    text_features: Annotated[int, Span(min=1, unit="numbers")] = 64,
    text_width: Annotated[int, Span(min=8, unit="numbers")] = 64,
    text_layers: Annotated[int, Span(min=0, unit="layers")] = 2,
    text_until: Annotated[float, Span(min=0, max=1, open=True)] = 0.15,
    stage_until: Annotated[float, Span(min=0, max=1, open=True)] = 0.6,
    loss: Literal["non-saturating", "least-squares", "hinge"] = "non-saturating",
    mismatched: bool = True,
    joins: Literal["projection", "concatenation"] = "projection",
    alone: bool = True,
    penalty_weight: Annotated[float, Span(min=0)] = 0.02,
    penalty_share: Annotated[float, Span(min=0, max=1, open="min")] = 0.25,
    discriminator_rate: Annotated[float, Span(min=0, open=True)] = 1.0,
    network: Annotated[SlotValue, Slot("network")] = "auto",
    channels: Annotated[int, Span(min=1, unit="channels")] = 32,
    refiner_channels: Annotated[int, Span(min=1, unit="channels")] = 16,
    refiner_blocks: Annotated[int, Span(min=0, unit="blocks")] = 2,
) -> Built:
    """StackGAN: a sentence to a small image, and to a larger one that is put right.

    Three parts of one run: sentences are learned from their images (which goes with which), then
    the first stage at half the data's sides, then the second at all of them. It has no likelihood.

    Args:
        data: the data's shape, support and captions.
        latent_dim: numbers in the code of an image, beside those of the conditions; by default 64.
        condition_dim: numbers of a sentence that a generator is given.
        augmentation: draw these about what is read (conditioning augmentation), or take it itself.
        augmentation_weight: of their rate, nats, in the generators' losses.
        text_features: numbers that a sentence becomes.
        text_width: of the text encoder, a multiple of 8.
        text_layers: of the text encoder.
        text_until: share of the run after which sentences are learned.
        stage_until: share of the run after which the first stage is.
        loss: of the players.
        mismatched: also tell data from data with another's sentence.
        joins: how a discriminator is told the sentence: by an inner product with what it sees, or
            beside it (the paper's).
        alone: also tell data from samples without their sentence, which a discriminator can that is
            told sentences by projection.
        penalty_weight: of the squared slope of a discriminator at data (r1, γ/2); 0 for none.
        penalty_share: of each batch at which it is punished.
        discriminator_rate: the discriminators' learning rate, as a multiple of the run's.
        network: of the first stage and of both discriminators; auto takes dcgan for sides of 12 and
            more, else mlp.
        channels: of dcgan, next to the image.
        refiner_channels: of the second stage's generator, next to the image.
        refiner_blocks: residual blocks of the second stage's generator.

    Returns:
        The model and its five phases (four, where sentences come as vectors).

    Raises:
        LowerboundError: data that are no images, or without captions; shares that are in no order.

    Reference:
        Zhang et al. 2017, StackGAN, arXiv 1612.03242; mismatched: Reed et al. 2016, arXiv
        1605.05396; alone: Zhang et al. 2018, arXiv 1710.10916; text encoder: Radford et al. 2021,
        arXiv 2103.00020
    """
    import numpy as np

    from ..distributions import Delta, StandardNormal, UnitDelta
    from ..models.stackgan import Augmentation, Generator, Judge, Look, StackGAN
    from ..networks.refine import Refiner
    from ..networks.text import Given, TextEncoder
    from ..objectives import stacked
    from ..training.phase import Phase

    _check(data, text_until, stage_until)
    alone = alone and joins == "projection"
    latent_dim = latent_dim or 64
    assert data.captions is not None
    depth, height, width = data.event_shape
    low = (depth, (height + 1) // 2, (width + 1) // 2)
    nothing = np.empty(0, np.float32)  # no statistics: what stands for them is made anew
    small = replace(data, event_shape=low, mean=nothing, std=nothing)
    own = data.captions.get("encoder")
    condition = _sentences(data.captions)
    features = int(data.captions["width"]) if own else text_features
    read, look = Given(features), None
    unit = data.support != "real"

    def coder(spec: DataSpec) -> Any:
        strided = min(spec.event_shape[1:]) >= _SMALLEST_STRIDED
        value: SlotValue = network
        if network == "auto":
            value = {"name": "dcgan", "channels": channels} if strided else "mlp"
        return game_networks_of(spec, value)

    def augmented() -> Augmentation:
        return Augmentation(features, condition_dim, augmentation)

    def judge(spec: DataSpec) -> Judge:
        beside = condition_dim if joins == "concatenation" else 0
        return Judge(
            coder(spec).encoder((_FEATURES,), context=beside),
            _FEATURES,
            embed=[_embedding(features, condition_dim)],
            width=condition_dim,
            joins=joins,
            centred=unit,
        )

    point = UnitDelta if unit else Delta
    first = coder(small).decoder((latent_dim,), low, context=condition_dim)
    options = {"channels": refiner_channels, "blocks": refiner_blocks, "unit": unit}
    second = Refiner(low, data.event_shape, condition_dim, **options)
    if condition.vocabulary is not None:
        read = TextEncoder(len(condition.vocabulary), features, text_width, text_layers)
        look = Look(coder(small).encoder((features,)), unit)
    model = StackGAN(
        StandardNormal((latent_dim + 2 * condition_dim,)),
        condition,
        read,
        look,
        (
            Generator(first, point(low), augmented()),
            Generator(second, point(data.event_shape), augmented()),
        ),
        (judge(small), judge(data)),
        low=low,
        high=data.event_shape,
        noise=latent_dim,
    )
    begin = 0.0 if look is None else text_until
    phases: list[Any] = []
    if look is not None:
        moves: list[Any] = [read, look]
        window = (0.0, begin)
        phases.append(Phase("text", stacked.contrastive, moves, window=window))
    stages: list[tuple[Stage, str, tuple[float, float]]] = [
        (0, "small", (begin, stage_until)),
        (1, "large", (stage_until, 1.0)),
    ]
    for stage, name, window in stages:
        tell = partial(
            stacked.discriminator,
            stage=stage,
            loss=loss,
            weight=penalty_weight,
            mismatched=mismatched,
            alone=alone,
            share=penalty_share,
        )
        make = partial(
            stacked.generator, stage=stage, loss=loss, weight=augmentation_weight, alone=alone
        )
        phases += [
            Phase(
                f"{name}-discriminator",
                tell,
                [model.judges[stage]],
                learning_rate=discriminator_rate,
                window=window,
                player=True,
            ),
            Phase(f"{name}-generator", make, [model.generators[stage]], window=window, player=True),
        ]
    return Built(model, phases)


def _check(data: DataSpec, text_until: float, stage_until: float) -> None:
    """Refuse data and shares of the run that do not fit."""
    if data.kind != "image" or data.support == "categories":
        raise LowerboundError(
            f"stack-gan: expected images, came {data.kind} data {tuple(data.event_shape)}; pass a "
            "folder of images with captions.csv"
        )
    if min(data.event_shape[1:]) < _LEAST:
        raise LowerboundError(
            f"stack-gan: expected sides of at least {_LEAST}, which the first stage halves, came "
            f"{tuple(data.event_shape[1:])}; pass --size {_LEAST} or more"
        )
    if data.captions is None:
        raise LowerboundError(
            f"stack-gan: expected images with captions, came {data.name} without; put captions.csv "
            "with columns file and caption beside the images, pass --captions captions.csv, or "
            "lb.load(..., captions='auto')"
        )
    if not text_until < stage_until < 1.0:
        raise LowerboundError(
            "stack-gan: expected text-until below stage-until below 1, came "
            f"{text_until:g} and {stage_until:g}; pass e.g. 0.15 and 0.6"
        )


def _sentences(told: dict[str, Any]) -> GivenCaptions:
    from ..data.captions_encoder import embedded
    from ..models.captioned import GivenCaptions

    encoder = told.get("encoder")
    return GivenCaptions(told, None if encoder is None else partial(embedded, encoder))


def _embedding(features: int, width: int) -> Any:
    """What a discriminator makes of a sentence's vector, which has length 1."""
    from torch import nn

    from ..networks.start import initialise_

    layer = initialise_(nn.Linear(features, width), "linear")
    layer.weight.data.mul_(features**0.5)
    return layer


def prepared(arguments: dict[str, Any]) -> dict[str, Any]:
    """What the recipe wants of its data: no likelihood, and captions where they bring some."""
    return {"likelihood": "none", "captions": "auto"}


RECIPES = {"stack-gan": stack_gan}
vars(stack_gan)["prepared_for"] = prepared
