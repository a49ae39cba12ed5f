"""The perceptual VAE: reconstructions that look alike, by the features of a network."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span
from ..slots import Activation, Around, SlotValue, build
from .given import condition_of
from .parts import Built, decoder_of, encoder_of, latent_dim_of, networks_of

if TYPE_CHECKING:
    from ..data.spec import DataSpec

_NO_LIKELIHOOD = (
    "an error of features is no density of the data: images that are not alike may have the same; "
    "recipe vae has one"
)
_ONCE = 2**62  # an upkeep that is done before the first update alone


def dfc_vae(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    prior: Annotated[SlotValue, Slot("prior")] = "standard-normal",
    posterior: Annotated[SlotValue, Slot("posterior")] = "diagonal",
    features: Literal["auto", "attributes", "labels", "rotation", "vgg19"] = "auto",
    feature_weight: Annotated[float, Span(min=0, open=True)] = 1.0,
    feature_variance: Literal["optimal", "fixed"] = "optimal",
    feature_channels: Annotated[int, Span(min=1, unit="channels")] = 16,
    feature_share: Annotated[float, Span(min=0, max=1, open=True)] = 0.2,
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
) -> Built:
    """Perceptual VAE (DFC-VAE): the squared error of features in place of pixels.

    The features are those of a small network that is trained on the same data in the first part of
    the run and frozen then, or of VGG-19 where its weights are on disk. There is no likelihood.

    Args:
        data: images.
        latent_dim: numbers in a code; by default 16, or half the numbers of a small example.
        prior: p(z), what codes look like.
        posterior: q(z|x), the family whose parameters the encoder gives.
        features: what the feature network learns to tell: the data's attributes, their labels, or
            by how much an image was turned (rotation), which needs neither but images that have an
            up and a down; auto is the first that there is. Or vgg19, trained on ImageNet.
        feature_weight: of the feature error beside the rate; the larger, the sharper.
        feature_variance: how much a feature may be off. optimal, by layer what is best for it, so
            that weight 1 fits any data; fixed, as much as they spread over data, as in the paper,
            where the weight is to be found by trial.
        feature_channels: of the feature network's first layer, doubled with each halving.
        feature_share: of the run, in which the feature network is trained.
        network: encoder and decoder.
        hidden: widths of the hidden layers from the data to the code, which the decoder mirrors.
        activation: nonlinearity; by default the network's own.

    Returns:
        The model and its phases, that of the features (at work before the other) the second.

    Raises:
        LowerboundError: data that are no images; no labels, attributes or weights that were asked
            for.

    Reference:
        Hou, Shen, Sun & Qiu 2017, Deep feature consistent variational autoencoder, arXiv
        1610.00291; rotation: Gidaris, Singh & Komodakis 2018, arXiv 1803.07728
    """
    from ..distributions import UnitDelta
    from ..distributions.pairing import refuse_mismatch
    from ..models.perceptual import PerceptualVAE
    from ..networks.perceptual import FeatureNetwork, VGG19Features
    from ..objectives import perceptual
    from ..training.phase import Phase

    if data.kind != "image" or data.support in ("real", "categories"):
        raise LowerboundError(
            f"dfc-vae: expected images, of which features are seen, came {data.name} "
            f"({data.kind}, {data.support}); pass recipe vae"
        )
    kind = _chosen(data, features)
    told, objective, targets = None, perceptual.tell_turns, perceptual.turns(data.event_shape)
    if kind in ("attributes", "labels"):
        told = condition_of("dfc-vae", data, kind)
        assert told is not None
        targets = told.width
        labels = kind == "labels"
        objective = perceptual.tell_labels if labels else perceptual.tell_attributes
    if kind == "vgg19":
        sees: Any = VGG19Features()
        if (path := _weights()) is not None:  # else the run that is being opened has them
            sees.load_(path)
        layers = 3
    else:
        sees = FeatureNetwork(data.event_shape, targets, channels=feature_channels)
        layers = len(sees.layers)
    size = latent_dim or latent_dim_of(data)
    coder = networks_of(data, network, hidden, activation)
    codes = build("posterior", posterior, (size,))
    decode = decoder_of(data, coder, None, size, UnitDelta(data.event_shape), True)
    encode = encoder_of(data, coder, None, codes)
    of_codes = build("prior", prior, (size,), Around(data, encode, None))
    refuse_mismatch(of_codes, codes)
    model = PerceptualVAE(
        of_codes,
        decode,
        encode,
        sees,
        layers,
        supervision=told,
        calibrated=feature_variance == "optimal",
        event_shape=data.event_shape,
        latent_shape=(size,),
        no_likelihood=_NO_LIKELIHOOD,
    )

    def measure(model: Any, x: Any, *context: Any, step: int) -> None:
        model.measure_units(x)

    own = kind != "vgg19"
    vae = Phase(
        "vae",
        partial(perceptual.perceptual_bound, weight=feature_weight),
        [of_codes, encode, decode],
        window=(feature_share if own else 0.0, 1.0),
        upkeep=(_ONCE, measure),
    )
    before = [Phase("features", objective, [sees], window=(0.0, feature_share))] if own else []
    return Built(model, [vae, *before])  # what is told of held-out data is of the first


def _chosen(data: DataSpec, features: str) -> str:
    """What the feature network learns, by name."""
    if features == "labels" and data.classes is not None and len(data.classes) < 2:
        raise LowerboundError(
            f"features labels: expected two classes or more to tell, came {len(data.classes)}; "
            "pass --features rotation"
        )
    if features == "vgg19" and data.event_shape[0] not in (1, 3):
        raise LowerboundError(
            f"features vgg19: expected grey or RGB images, came {data.event_shape[0]} channels; "
            "pass --features rotation"
        )
    if features == "vgg19" and min(data.event_shape[1:]) < 4:
        raise LowerboundError(
            f"features vgg19: expected images of 4 x 4 pixels or more, came {data.event_shape}; "
            "pass --features rotation"
        )
    if features != "auto":
        return features
    if data.attributes:
        return "attributes"
    return "labels" if len(data.classes or ()) > 1 else "rotation"


def _places() -> list[Path]:
    """Folders in which the weights of VGG-19 may lie; nothing is fetched."""
    import os

    import torch

    from ..data.named import DATA_DIR

    own = os.environ.get(DATA_DIR)
    return [
        *([Path(own).expanduser()] if own else []),
        Path(torch.hub.get_dir()) / "checkpoints",
    ]


def _weights() -> Path | None:
    """Where the weights of VGG-19 lie, if they do."""
    from ..networks.perceptual import VGG19_WEIGHTS

    files = [place / VGG19_WEIGHTS for place in _places()]
    return next((file for file in files if file.is_file()), None)


def settled(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a run that begins.

    Raises:
        LowerboundError: VGG-19 is asked for, and its weights are nowhere.
    """
    if arguments["features"] == "vgg19" and _weights() is None:
        from ..networks.perceptual import VGG19_WEIGHTS

        where = " or ".join(map(str, _places()))
        raise LowerboundError(
            f"features vgg19: expected torchvision's weights, {VGG19_WEIGHTS}, in {where}, came "
            "none; put them there, or leave features out for a network trained on the data"
        )
    return dict(arguments)


RECIPES = {"dfc-vae": dfc_vae}

# There is no likelihood to prepare the data for; the weights are looked for when a run begins.
vars(dfc_vae).update(prepared_for="none", settled=settled)
