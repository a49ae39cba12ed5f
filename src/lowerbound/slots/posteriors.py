"""Families of posteriors q(z|x), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..options import Span
from . import flow_posteriors
from .types import Builders

if TYPE_CHECKING:
    from ..distributions import Family


def diagonal(latent_shape: tuple[int, ...]) -> Family:
    """Gaussian with independent dimensions, the usual one.

    Args:
        latent_shape: shape of one code.
    """
    from ..distributions import DiagonalGaussian

    return DiagonalGaussian(latent_shape)


def full(latent_shape: tuple[int, ...]) -> Family:
    """Gaussian with correlated dimensions: a covariance of its own for each example.

    Args:
        latent_shape: shape of one code, D numbers; the encoder gives D(D + 3)/2.

    Reference:
        Kingma & Welling 2019, An introduction to variational autoencoders, 2.5.1, arXiv 1906.02691
    """
    from ..distributions import FullGaussian

    return FullGaussian(latent_shape)


def mixture(
    latent_shape: tuple[int, ...], *, components: Annotated[int, Span(min=1)] = 5
) -> Family:
    """Mixture of diagonal Gaussians, for codes with several explanations of an example.

    Args:
        latent_shape: shape of one code.
        components: Gaussians in the mixture.

    Reference:
        Figurnov, Mohamed & Mnih 2018, Implicit reparameterization gradients, arXiv 1805.08498
    """
    from ..distributions import MixtureOfGaussians

    return MixtureOfGaussians(latent_shape, components=components)


def squashed_gaussian(
    latent_shape: tuple[int, ...], *, low: float = -1.0, high: float = 1.0
) -> Family:
    """Diagonal Gaussian through a sigmoid onto a box: the one for the uniform prior.

    Args:
        latent_shape: shape of one code.
        low: lower edge of every dimension, that of the prior.
        high: upper edge.
    """
    from ..distributions import SquashedGaussian

    return SquashedGaussian(latent_shape, low=low, high=high)


def von_mises_fisher(latent_shape: tuple[int, ...]) -> Family:
    """Von Mises-Fisher on the unit sphere: the one for the sphere prior.

    Args:
        latent_shape: shape of one code: numbers of a unit vector.

    Reference:
        Davidson et al. 2018, Hyperspherical variational auto-encoders, arXiv 1804.00891
    """
    from ..distributions import VonMisesFisher

    return VonMisesFisher(latent_shape)


BUILDERS: Builders = {
    "diagonal": diagonal,
    "full": full,
    "mixture": mixture,
    "squashed-gaussian": squashed_gaussian,
    "von-mises-fisher": von_mises_fisher,
    **flow_posteriors.BUILDERS,
}
