"""Flows as priors p(z), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..options import Span
from .types import Activation, Around, Builders

if TYPE_CHECKING:
    from torch.nn import Module


def flow(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    kind: Literal[
        "nice", "realnvp", "maf", "neural-spline", "autoregressive-neural-spline"
    ] = "realnvp",
    transforms: Annotated[int, Span(min=1)] = 4,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (128, 128),
    bins: Annotated[int, Span(min=2)] = 8,
    activation: Activation = "relu",
) -> Module:
    """Normalizing flow: learned with the model, as far from a Gaussian as the codes want it.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model; its condition is the flow's context.
        kind: nice (additive couplings), realnvp (affine couplings), maf (affine, autoregressive),
            or splines in couplings or autoregressive.
        transforms: layers.
        hidden: widths of each layer's network.
        bins: of a spline.
        activation: nonlinearity of the networks.

    Reference:
        Dinh, Sohl-Dickstein & Bengio 2017, arXiv 1605.08803; Chen et al. 2017, Variational lossy
        autoencoder, arXiv 1611.02731 (as the prior of a VAE)
    """
    from ..flows import FlowPrior

    given: dict[str, Any] = {}
    if around.condition is not None:
        condition: Any = around.condition
        given = {
            "context": condition.width,
            "event_ranks": condition.event_ranks,
            "embed": condition.embeddings(),
        }
    return FlowPrior(
        latent_shape,
        kind=kind,
        transforms=transforms,
        hidden=hidden,
        bins=bins,
        activation=activation,
        **given,
    )


BUILDERS: Builders = {"flow": flow}
