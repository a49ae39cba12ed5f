"""Autoencoders with a game beside them: on codes (AAE), or on data and their features (VAE-GAN)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span, trains
from ..slots import Activation, Around, SlotValue, build
from .given import condition_of
from .parts import (
    Built,
    decoder_of,
    encoder_of,
    latent_dim_of,
    likelihood_of,
    networks_of,
    refuse_categories,
)

if TYPE_CHECKING:
    from torch import nn

    from ..data.spec import DataSpec
    from ..distributions import Family
    from ..models.conditions import Condition
    from ..models.discriminator import Discriminator

_POINT = (
    "the encoder gives a point, of which no posterior density is known; pass --posterior diagonal "
    "to have one"
)
_FEATURES = (
    "features that a discriminator has learned are no density of the data; recipe vae has one"
)


@trains(beta1=0.5)
def adversarial_autoencoder(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    prior: Annotated[SlotValue, Slot("prior")] = "standard-normal",
    posterior: Literal["point", "diagonal"] = "point",
    given: str = "none",
    supervision: Literal["none", "modes", "classes"] = "none",
    labelled: Annotated[int | None, Span(min=1, unit="examples")] = None,
    labelled_seed: Annotated[int, Span(min=0)] = 0,
    critic_hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (256, 256),
    critic_rate: Annotated[float, Span(min=0, open=True)] = 1.0,
    likelihood: Annotated[SlotValue, Slot("likelihood")] = "auto",
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
) -> Built:
    """Adversarial autoencoder: a critic matches the aggregate posterior to the prior.

    The prior may be any that can be drawn from; with codes of two numbers also petals and
    swiss-roll. A model given labels has the class as a condition: its code is the style alone, and
    with petals or swiss-roll a place for each class. Otherwise labels may help in training alone.

    Args:
        data: the data's shape, support and statistics.
        latent_dim: numbers in a code; by default 16, 2 for petals and swiss-roll. With
            supervision classes, in its style.
        prior: p(z), of which nothing is learned.
        posterior: a point for each example, as in the paper; or a diagonal Gaussian, with which
            log p(x) can be measured.
        given: labels, on which encoder, decoder, prior and critic are conditioned; or none.
        supervision: what labels are for in training alone: modes tells them to the critic, so that
            each class finds modes of the prior of its own; classes makes a part of the code the
            class, matched to equal shares, of which some examples say which is which
            (semi-supervised classification).
        labelled: with supervision classes, how many examples have one, as many of each class; by
            default all.
        labelled_seed: of their choice.
        critic_hidden: widths of the critics' hidden layers.
        critic_rate: the critics' learning rate, as a multiple of the run's.
        likelihood: p(x|z); auto takes what fits the data's support.
        network: encoder and decoder.
        hidden: widths of the hidden layers from the data to the code, which the decoder mirrors.
        activation: nonlinearity; by default the network's own.

    Returns:
        The model and its phases.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Makhzani et al. 2016, Adversarial autoencoders, arXiv 1511.05644
    """
    from ..distributions import Delta, DiagonalGaussian
    from ..distributions.beside import ClassAndStyle, ClassAndStylePoint
    from ..models.discriminator import Discriminator
    from ..models.matched import AdversarialAutoencoder, ClassifyingAutoencoder
    from ..networks import MLP
    from ..objectives import matched
    from ..training.phase import Phase

    condition = condition_of("adversarial-autoencoder", data, given)
    told = _told(data, supervision, given, posterior, prior, labelled)
    classes = len(told.classes) if supervision == "classes" else 0
    if latent_dim is None:
        latent_dim = 2 if _name(prior) in ("petals", "swiss-roll") else latent_dim_of(data)
    size = classes + latent_dim
    family, reason = likelihood_of(data, likelihood)
    coder = networks_of(data, network, hidden, activation)
    if classes:
        codes: Family = ClassAndStylePoint(classes, latent_dim)
    else:
        codes = (Delta if posterior == "point" else DiagonalGaussian)((latent_dim,))
    decode = decoder_of(data, coder, None, size, family, True, condition)
    encode = encoder_of(data, coder, None, codes, condition)
    placed = told if supervision == "modes" else condition
    of_codes = build("prior", prior, (latent_dim,), Around(data, encode, placed))
    if _name(prior) == "vamp":
        raise LowerboundError(
            "prior vamp: expected one of which nothing is learned, came the encoder's own; pass "
            "standard-normal, uniform, petals or swiss-roll"
        )
    of_codes.requires_grad_(False)

    def tells(numbers: int, context: Condition | None) -> Discriminator:
        width = 0 if context is None else context.width
        layers: dict[str, Any] = {"hidden": critic_hidden, "activation": "leaky-relu"}
        return Discriminator(
            MLP((numbers,), (critic_hidden[-1],), context=width, **layers),
            critic_hidden[-1],
            embed=[] if context is None else context.embeddings(),
            width=width,
            joins="concatenation",
        )

    critic = tells(latent_dim, placed)
    critics: list[nn.Module] = [critic]
    parts: dict[str, Any] = {
        "event_shape": data.event_shape,
        "latent_shape": (size,),
        "no_likelihood": reason or (_POINT if posterior == "point" else None),
        "condition": condition,
        "supervision": told,
    }
    if not classes:
        model = AdversarialAutoencoder(of_codes, decode, encode, critic, **parts)
    else:
        of_classes = tells(classes, None)
        whole = ClassAndStyle(classes, of_codes, latent_dim)
        critics.append(of_classes)
        model = ClassifyingAutoencoder(
            whole, decode, encode, critic, class_critic=of_classes, classes=classes, **parts
        )
    phases = [
        Phase("reconstruction", matched.reconstruction, [encode, decode]),
        Phase("critic", matched.critic, critics, learning_rate=critic_rate, player=True),
        Phase("matching", matched.matching, [encode], player=True),
    ]
    if classes:
        few = None if labelled is None else _few(labelled, labelled_seed)
        phases.append(Phase("supervised", matched.classification, [encode], among=few))
    return Built(model, phases)


def _told(
    data: DataSpec,
    supervision: str,
    given: str,
    posterior: str,
    prior: SlotValue,
    labelled: int | None,
) -> Any:
    """What training alone is told of labels; None where it is nothing."""
    if supervision != "classes" and labelled is not None:
        raise LowerboundError(
            f"labelled: expected none with supervision {supervision}, came {labelled}; "
            "pass --supervision classes"
        )
    if supervision == "none":
        return None
    if given != "none":
        raise LowerboundError(
            f"supervision {supervision}: expected nothing given, for a model that is given its "
            f"labels is told them already, came {given}; leave out one of the two"
        )
    told = condition_of("adversarial-autoencoder", data, "labels")
    assert told is not None
    count = len(data.classes or ())
    if count < 2:
        raise LowerboundError(
            f"supervision {supervision}: expected two classes or more, came {count}; leave it out"
        )
    if supervision == "modes":
        if _name(prior) not in ("petals", "swiss-roll", None):
            raise LowerboundError(
                f"supervision modes: expected a prior with places for classes, came "
                f"{_name(prior)}; pass --prior petals or swiss-roll"
            )
        return told
    if posterior != "point":
        raise LowerboundError(
            f"supervision classes: expected posterior point, came {posterior}; leave posterior out"
        )
    if labelled is not None and not count <= labelled <= (data.train or labelled):
        raise LowerboundError(
            f"labelled: expected from {count} (one of each class) to {data.train:,} examples "
            f"(all), came {labelled:,}"
        )
    return told


def _few(count: int, seed: int) -> Callable[[Any], Any]:
    """Which training examples have a label."""

    def among(split: Any) -> Any:
        from ..data.few import balanced

        return balanced(split.labels, count, seed)

    return among


@trains(learning_rate=3e-4, beta1=0.5, ema=0.999)
def vae_gan(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    prior: Annotated[SlotValue, Slot("prior")] = "standard-normal",
    posterior: Annotated[SlotValue, Slot("posterior")] = "diagonal",
    feature_weight: Annotated[float, Span(min=0)] = 1e-2,
    discriminator_rate: Annotated[float, Span(min=0, open=True)] = 1.0,
    features: Annotated[int, Span(min=1)] = 256,
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
) -> Built:
    """VAE-GAN: a VAE whose squared error is one of a discriminator's features.

    Each of its three phases moves its own part alone: the discriminator never gets the gradient of
    the feature error, which it could make small by features that are all alike.

    Args:
        data: the data's shape, support and statistics.
        latent_dim: numbers in a code; by default 16, or half the numbers of a small example.
        prior: p(z), what codes look like.
        posterior: q(z|x), the family whose parameters the encoder gives.
        feature_weight: of the feature error in what moves the decoder, beside the game.
        discriminator_rate: the discriminator's learning rate, as a multiple of the run's.
        features: numbers that the discriminator's logit is a linear function of.
        network: encoder, decoder and discriminator.
        hidden: widths of the hidden layers from the data to the code, which the decoder mirrors.
        activation: nonlinearity; by default the network's own.

    Returns:
        The model and its three phases.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Larsen et al. 2016, Autoencoding beyond pixels using a learned similarity metric,
        arXiv 1512.09300
    """
    from ..distributions import Delta, UnitDelta
    from ..distributions.pairing import refuse_mismatch
    from ..models.discriminator import Discriminator
    from ..models.matched import FeatureVAE
    from ..objectives import matched
    from ..training.phase import Phase

    refuse_categories(data, "vae-gan", "a slope")
    pixels = data.support != "real"
    size = latent_dim or latent_dim_of(data)
    family = (UnitDelta if pixels else Delta)(data.event_shape)
    coder = networks_of(data, network, hidden, activation)
    codes = build("posterior", posterior, (size,))
    decode = decoder_of(data, coder, None, size, family, True)
    encode = encoder_of(data, coder, None, codes)
    of_codes = build("prior", prior, (size,), Around(data, encode, None))
    refuse_mismatch(of_codes, codes)
    tells = Discriminator(coder.encoder((features,)), features, centred=pixels)
    model = FeatureVAE(
        of_codes,
        decode,
        encode,
        tells,
        event_shape=data.event_shape,
        latent_shape=(size,),
        no_likelihood=_FEATURES,
    )
    return Built(
        model,
        [
            Phase(
                "discriminator",
                matched.feature_discriminator,
                [tells],
                learning_rate=discriminator_rate,
                player=True,
            ),
            Phase("encoder", matched.feature_bound, [of_codes, encode], player=True),
            Phase(
                "decoder",
                partial(matched.feature_generator, weight=feature_weight),
                [decode],
                player=True,
            ),
        ],
    )


def _name(prior: Any) -> str | None:
    return prior.get("name") if isinstance(prior, dict) else prior


RECIPES = {"adversarial-autoencoder": adversarial_autoencoder, "vae-gan": vae_gan}

# There is no likelihood to prepare the data for.
vars(vae_gan)["prepared_for"] = "none"
