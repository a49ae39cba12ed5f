"""Generative adversarial networks: two players, a phase each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span, takes, trains
from ..slots import Activation, Around, SlotValue, build
from .given import condition_of
from .parts import Built, decoder_of, game_networks_of, refuse_categories

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..models.conditions import Condition
    from ..models.discriminator import Joins

_FEATURES = 256  # numbers that a discriminator's logit is a linear function of
_CODES = 64
# Little momentum, a generator that is averaged: what the papers of each remedy use. The rate is
# five times DCGAN's and falls to zero: players that circle around each other come to rest then.
_TRAINING = {"learning_rate": 1e-3, "beta1": 0.5, "ema": 0.999}
# By default: of images, and of vectors. R1 at 0.5 holds a discriminator of 64 x 64 pixels so flat
# that it takes ringing for eyes (tried on avatars). A few numbers want a slope that need not be
# flat (the papers' weight of wgan-gp is for thousands), and a generator of some depth, whose slopes
# between narrow modes are steep (tried on a ring and a grid of Gaussians).
_WEIGHTS = {"none": (0.0, 0.0), "r1": (0.02, 0.05), "wgan-gp": (10.0, 0.1)}
_SHARE = (0.25, 1.0)
_HIDDEN = (128, 128, 128)


@trains(**_TRAINING)
def gan(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    prior: Annotated[SlotValue, Slot("prior")] = "standard-normal",
    loss: Literal["non-saturating", "least-squares", "hinge", "wasserstein"] = "non-saturating",
    penalty: Literal["auto", "none", "r1", "wgan-gp"] = "auto",
    penalty_weight: Annotated[float | None, Span(min=0)] = None,
    penalty_share: Annotated[float | None, Span(min=0, max=1, open="min")] = None,
    spectral_norm: bool = False,
    augment: Literal["none", "colour", "translation", "cutout", "all"] = "none",
    discriminator_steps: Annotated[int, Span(min=1, unit="steps")] = 1,
    discriminator_rate: Annotated[float, Span(min=0, open=True)] = 1.0,
    generator_rate: Annotated[float, Span(min=0, open=True)] = 1.0,
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
    generator: Annotated[SlotValue, Slot()] = None,
    discriminator: Annotated[SlotValue, Slot()] = None,
) -> Built:
    """Generative adversarial network: a generator learns to be taken for data.

    It has no likelihood: measure its samples (evaluate --metrics samples), or declare an
    observation noise.

    Args:
        data: the data's shape, support and statistics.
        latent_dim: numbers in a code; by default 64, or as many as an example has.
        prior: what codes are drawn from: standard-normal, uniform, …; nothing of it is learned.
        loss: of both players.
        penalty: on the discriminator's slope: r1 at the data, or wgan-gp between data and samples;
            auto is wgan-gp for the wasserstein loss, else r1.
        penalty_weight: by default 0.02 for r1 (γ/2) and 10 for wgan-gp; of data that are no images
            0.05 and 0.1.
        penalty_share: of each batch at which the slope is punished; by default a quarter, and all
            of data that are no images.
        spectral_norm: divide the discriminator's weights by their largest singular values.
        augment: what is changed, differentiably, in all that the discriminator sees.
        discriminator_steps: updates of the discriminator for each of the generator.
        discriminator_rate: the discriminator's learning rate, as a multiple of the run's.
        generator_rate: the generator's, likewise.
        network: generator and discriminator; auto takes dcgan for images of 12 pixels and more on
            each side, its generator normalised over the batch (Radford et al. have norm batch in
            both), where no hidden layers are asked for; else what other recipes take.
        hidden: widths of hidden layers from the data to the features, which the generator mirrors;
            by default the network's own, and three of 128 for data that are no images.
        activation: nonlinearity; by default the network's own.
        generator: one's own network, (N, latent_dim) to (N, *event_shape), of pixels their logits.
        discriminator: one's own network, (N, *event_shape) to 256 features.

    Returns:
        The model and the two players' phases.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Goodfellow et al. 2014, arXiv 1406.2661; r1: Mescheder et al. 2018, arXiv 1801.04406;
        wgan-gp: Gulrajani et al. 2017, arXiv 1704.00028; spectral_norm: Miyato et al. 2018, arXiv
        1802.05957; augment: Zhao et al. 2020, arXiv 2006.10738; dcgan: Radford et al. 2016, arXiv
        1511.06434; two rates: Heusel et al. 2017, arXiv 1706.08500
    """
    return _game("gan", **locals())


@trains(**_TRAINING)
@takes(gan)
def conditional_gan(
    data: DataSpec,
    *,
    given: str = "labels",
    joins: Literal["projection", "concatenation", "classifier"] = "projection",
    class_weight: Annotated[float, Span(min=0)] = 1.0,
    **parts: Any,
) -> Built:
    """Conditional GAN: samples of a label, or with attributes.

    Args:
        data: the data's shape, support and statistics, their classes and attributes.
        given: what it is conditioned on: labels, attributes, or one of several labels by its name.
        joins: how the discriminator is told: by an inner product of its features with the
            condition (projection), beside x (concatenation), or not at all, but it has to tell the
            class, too (classifier, AC-GAN).
        class_weight: of the auxiliary classifier's cross-entropy.
        **parts: see `gan`.

    Returns:
        The model and the two players' phases.

    Raises:
        LowerboundError: data without it, of one class only; options that do not fit.

    Reference:
        Mirza & Osindero 2014, arXiv 1411.1784 (concatenation); Miyato & Koyama 2018, arXiv
        1802.05637 (projection); Odena, Olah & Shlens 2017, arXiv 1610.09585 (classifier)
    """
    condition = condition_of("conditional-gan", data, given)
    if condition is None:
        raise LowerboundError(
            "conditional-gan: expected something given, came none; pass recipe gan"
        )
    if given == "labels" and len(data.classes or ()) < 2:
        raise LowerboundError(
            f"conditional-gan: expected two classes or more, came {len(data.classes or ())}; pass "
            "recipe gan"
        )
    if joins == "classifier" and given == "attributes":
        raise LowerboundError(
            "joins classifier: expected labels, came attributes; pass --joins projection"
        )
    own = {"condition": condition, "joins": joins, "class_weight": class_weight}
    return _game("conditional-gan", data=data, **parts, **own)


def _game(
    name: str,
    data: DataSpec,
    *,
    latent_dim: int | None = None,
    prior: SlotValue = "standard-normal",
    loss: Any = "non-saturating",
    penalty: Any = "auto",
    penalty_weight: float | None = None,
    penalty_share: float | None = None,
    spectral_norm: bool = False,
    augment: str = "none",
    discriminator_steps: int = 1,
    discriminator_rate: float = 1.0,
    generator_rate: float = 1.0,
    network: SlotValue = "auto",
    hidden: tuple[int, ...] | None = None,
    activation: str | None = None,
    generator: Any = None,
    discriminator: Any = None,
    condition: Condition | None = None,
    joins: Joins = "projection",
    class_weight: float = 1.0,
) -> Built:
    from ..distributions import Delta, UnitDelta
    from ..models.discriminator import Discriminator
    from ..models.gan import GAN
    from ..networks.augment import CHANGES, Augment
    from ..networks.spectral import normalize_
    from ..objectives import players
    from ..training.phase import Phase

    refuse_categories(data, name, "a slope")
    if penalty == "auto":
        penalty = "wgan-gp" if loss == "wasserstein" else "r1"
    image = len(data.event_shape) == 3
    weight = _WEIGHTS[penalty][not image] if penalty_weight is None else penalty_weight
    share = _SHARE[not image] if penalty_share is None else penalty_share
    if augment != "none" and not image:
        raise LowerboundError(
            f"augment: expected none with data that are no images, came {augment}"
        )
    pixels = data.support != "real"
    latent_dim = latent_dim or min(_CODES, data.dimensions)
    if hidden is None and network == "auto" and data.network == "mlp" and not image:
        hidden = _HIDDEN
    coder = game_networks_of(data, network, hidden, activation)
    family = (UnitDelta if pixels else Delta)(data.event_shape)
    makes = decoder_of(data, coder, generator, latent_dim, family, True, condition)
    width = 0 if condition is None else condition.width
    judges = discriminator
    if judges is None:
        judges = coder.encoder((_FEATURES,), context=width if joins == "concatenation" else 0)
    tells = Discriminator(
        judges,
        _FEATURES,
        embed=[] if condition is None else condition.embeddings(),
        width=width,
        joins=joins,
        centred=pixels,
    )
    if spectral_norm:
        normalize_(tells)
    codes = build("prior", prior, (latent_dim,), Around(data, None, condition))
    codes.requires_grad_(False)
    model = GAN(
        codes,
        makes,
        tells,
        event_shape=data.event_shape,
        latent_shape=(latent_dim,),
        augment=None
        if augment == "none"
        else Augment(CHANGES if augment == "all" else (augment,), unit=pixels),  # ty: ignore[invalid-argument-type]
        condition=condition,
    )
    first = partial(
        players.discriminator,
        loss=loss,
        penalty=penalty if weight else "none",
        weight=weight,
        class_weight=class_weight,
        share=share,
    )
    second = partial(players.generator, loss=loss, class_weight=class_weight)
    return Built(
        model,
        [
            Phase("discriminator", first, [tells], learning_rate=discriminator_rate, player=True),
            Phase(
                "generator",
                second,
                [makes],
                every=discriminator_steps,
                learning_rate=generator_rate,
                player=True,
            ),
        ],
    )


RECIPES = {"gan": gan, "conditional-gan": conditional_gan}

# There is no likelihood to prepare the data for.
for _recipe in RECIPES.values():
    vars(_recipe)["prepared_for"] = "none"
