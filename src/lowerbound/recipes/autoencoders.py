"""Recipes of autoencoders: codes without a density."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..options import Slot, Span
from ..slots import Activation, SlotValue
from .parts import Built, decoder_of, encoder_of, latent_dim_of, networks_of, refuse_categories

if TYPE_CHECKING:
    from ..data.spec import DataSpec


def autoencoder(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
    start_at_marginal: bool = True,
    encoder: Annotated[SlotValue, Slot()] = None,
    decoder: Annotated[SlotValue, Slot()] = None,
) -> Built:
    """Autoencoder: a bottleneck trained on squared error; no density, hence no likelihood.

    Args:
        data: the data's shape, support and statistics.
        latent_dim: numbers in the bottleneck; by default 16, or half those of a small example.
        network: encoder and decoder; auto takes mlp up to 1024 numbers per example and for what is
            no image, else conv.
        hidden: widths of the hidden layers from the data to the code, which the decoder mirrors;
            by default the network's own. None at all (an empty list) is one linear map each, with
            mlp the subspace of PCA.
        activation: nonlinearity; by default the network's own. Code and output are linear.
        start_at_marginal: start the decoder so that every code decodes to the data's mean.
        encoder: one's own network, (N, *event_shape) to (N, latent_dim).
        decoder: one's own network, (N, latent_dim) to (N, *event_shape).

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data.

    Reference:
        Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks,
        Science 313
    """
    from .. import bounds
    from ..distributions import Delta
    from ..models import Autoencoder
    from ..training.phase import Phase

    refuse_categories(data, "autoencoder", "squared error")
    latent_dim = latent_dim or latent_dim_of(data)
    coder = networks_of(data, network, hidden, activation)
    model = Autoencoder(
        encoder_of(data, coder, encoder, Delta((latent_dim,))),
        decoder_of(data, coder, decoder, latent_dim, Delta(data.event_shape), start_at_marginal),
    )
    return Built(model, [Phase("squared_error", bounds.squared_error, [model])])


# What the data are prepared for: there is no `likelihood` to choose (session.py asks).
autoencoder.prepared_for = "none"  # ty: ignore[missing-attribute]

RECIPES = {"autoencoder": autoencoder}
