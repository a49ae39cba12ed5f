"""Recipes of autoencoders: codes without a density."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span, takes
from ..slots import Activation, SlotValue, build
from .parts import Built, decoder_of, encoder_of, latent_dim_of, networks_of, refuse_categories

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..models import Autoencoder


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


@takes(autoencoder)
def denoising_autoencoder(
    data: DataSpec,
    *,
    corruption: Annotated[SlotValue, Slot("corruption")] = "masking",
    error_on: Literal["all", "hidden"] = "all",
    **parts: Any,
) -> Built:
    """Denoising autoencoder: sees corrupted data, answers for the clean ones; `denoise` uses it.

    Args:
        data: the data's shape, support and statistics.
        corruption: what is done to the data in training.
        error_on: which numbers the squared error counts: all, or those that were hidden.
        **parts: see `autoencoder`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders;
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11
    """
    return _denoising(data, "denoising_autoencoder", corruption, error_on, parts)


@takes(autoencoder)
def masked_autoencoder(
    data: DataSpec,
    *,
    corruption: Annotated[SlotValue, Slot("corruption")] = "patches",
    error_on: Literal["all", "hidden"] = "hidden",
    **parts: Any,
) -> Built:
    """Masked autoencoder: fills in hidden patches, and is judged by these alone.

    It is the denoising autoencoder with other defaults: the idea of He et al. with the networks of
    an autoencoder, which see a masked example as a whole, in place of a transformer that sees the
    visible patches only.

    Args:
        data: the data's shape, support and statistics.
        corruption: what is hidden in training.
        error_on: which numbers the squared error counts: all, or those that were hidden.
        **parts: see `autoencoder`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        He et al. 2022, Masked autoencoders are scalable vision learners, arXiv 2111.06377
    """
    return _denoising(data, "masked_autoencoder", corruption, error_on, parts)


@takes(autoencoder)
def regularized_autoencoder(
    data: DataSpec,
    *,
    regularizer: Literal["gradient-penalty", "l2", "spectral-norm", "none"] = "gradient-penalty",
    weight: Annotated[float, Span(min=0)] = 1e-3,
    code_norm: Annotated[float, Span(min=0)] = 1e-2,
    **parts: Any,
) -> Built:
    """Regularized autoencoder: codes near zero and a smooth decoder, for a density fitted later.

    The recipe two-stage fits that density, from which new data are drawn.

    Args:
        data: the data's shape, support and statistics.
        regularizer: what keeps the decoder smooth: a penalty on its Jacobian, on its weights (l2),
            or weights divided by their largest singular value.
        weight: of the penalty on Jacobian or weights.
        code_norm: weight of half the codes' squared norm.
        **parts: see `autoencoder`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data.

    Reference:
        Ghosh et al. 2020, From variational to deterministic autoencoders, arXiv 1903.12436
    """
    from ..networks.spectral import normalize_
    from ..objectives.autoencoder import regularized
    from ..training.phase import Phase

    model = _autoencoder(data, "regularized_autoencoder", parts)
    if regularizer == "spectral-norm":
        normalize_(model.decoder)
    objective = partial(
        regularized,
        code_norm=code_norm,
        gradient=weight if regularizer == "gradient-penalty" else 0.0,
        decay=weight if regularizer == "l2" else 0.0,
    )
    return Built(model, [Phase("regularized", objective, [model])])


def _autoencoder(data: DataSpec, name: str, parts: dict[str, Any]) -> Autoencoder:
    from ..models import Autoencoder

    refuse_categories(data, name, "squared error")
    model = autoencoder(data, **parts).model
    assert isinstance(model, Autoencoder)
    return model


def _denoising(
    data: DataSpec,
    name: str,
    corruption: SlotValue,
    error_on: Literal["all", "hidden"],
    parts: dict[str, Any],
) -> Built:
    import torch

    from ..models.denoising import DenoisingAutoencoder
    from ..objectives.denoising import denoising
    from ..training.phase import Phase

    plain = _autoencoder(data, name, parts)
    noise = build("corruption", corruption, data.event_shape)
    if error_on == "hidden" and not getattr(noise, "hides", True):
        raise LowerboundError(
            f"error_on: expected all with a corruption that hides nothing, came {error_on}; pass "
            f"--error-on all, or --corruption masking"
        )
    mean = torch.as_tensor(data.mean)
    if hasattr(noise, "start"):
        # Real numbers have no range of their own: two standard deviations.
        reach = 2.0 * torch.as_tensor(data.std)
        unbounded = data.support == "real"
        low = mean - reach if unbounded else torch.zeros_like(mean)
        noise.start(mean, low, mean + reach if unbounded else torch.ones_like(mean))
    model = DenoisingAutoencoder(plain.encoder, plain.decoder, noise)
    return Built(model, [Phase("denoising", partial(denoising, on=error_on), [model])])


RECIPES = {
    "autoencoder": autoencoder,
    "denoising-autoencoder": denoising_autoencoder,
    "masked-autoencoder": masked_autoencoder,
    "regularized-autoencoder": regularized_autoencoder,
}

# What the data are prepared for: there is no `likelihood` to choose (session.py asks).
for _recipe in RECIPES.values():
    vars(_recipe)["prepared_for"] = "none"
