"""Flows as families of posteriors q(z|x), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..options import Span
from .types import Activation, Builders

if TYPE_CHECKING:
    from ..distributions import Family


def planar(latent_shape: tuple[int, ...], *, transforms: Annotated[int, Span(min=1)] = 8) -> Family:
    """Planar flow: a Gaussian bent along a line by each map, all parameters from the encoder.

    Args:
        latent_shape: shape of one code.
        transforms: maps; each takes 2 * latent_dim + 1 numbers of the encoder's output.

    Reference:
        Rezende & Mohamed 2015, Variational inference with normalizing flows, arXiv 1505.05770
    """
    from ..flows import PlanarPosterior

    return PlanarPosterior(latent_shape, transforms=transforms)


def iaf(
    latent_shape: tuple[int, ...],
    *,
    transforms: Annotated[int, Span(min=1)] = 4,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (128, 128),
    context: Annotated[int, Span(min=0, unit="numbers")] = 64,
    activation: Activation = "elu",
) -> Family:
    """Inverse autoregressive flow: a Gaussian, then gated steps by masked networks.

    Args:
        latent_shape: shape of one code.
        transforms: steps; each reverses the order of the last.
        hidden: widths of a step's masked network, shared by all data.
        context: numbers that the encoder gives to every step beside means and scales.
        activation: nonlinearity.

    Reference:
        Kingma et al. 2016, Improving variational inference with inverse autoregressive flow,
        arXiv 1606.04934
    """
    from ..flows import AutoregressivePosterior

    return AutoregressivePosterior(
        latent_shape, transforms=transforms, hidden=hidden, context=context, activation=activation
    )


def neural_spline(
    latent_shape: tuple[int, ...],
    *,
    transforms: Annotated[int, Span(min=1)] = 4,
    bins: Annotated[int, Span(min=2)] = 8,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (128, 128),
    context: Annotated[int, Span(min=0, unit="numbers")] = 64,
    activation: Activation = "relu",
) -> Family:
    """Neural spline flow: noise bent by rational-quadratic splines in couplings, then placed.

    Args:
        latent_shape: shape of one code.
        transforms: couplings.
        bins: of a spline.
        hidden: widths of a coupling's network, shared by all data.
        context: numbers that the encoder gives to every coupling beside means and scales.
        activation: nonlinearity.

    Reference:
        Durkan et al. 2019, Neural spline flows, arXiv 1906.04032
    """
    from ..flows import SplinePosterior

    return SplinePosterior(
        latent_shape,
        transforms=transforms,
        bins=bins,
        hidden=hidden,
        context=context,
        activation=activation,
    )


BUILDERS: Builders = {"planar": planar, "iaf": iaf, "neural-spline": neural_spline}
