"""Priors p(z), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..errors import LowerboundError
from ..options import Span
from . import autoregressive_priors, conditional_priors, flow_priors, shaped_priors
from .types import Around, Builders

if TYPE_CHECKING:
    from torch.nn import Module


def standard_normal(latent_shape: tuple[int, ...], around: Around) -> Module:
    """Standard normal: nothing to learn, and the rate of a diagonal posterior in closed form.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model.
    """
    from ..distributions import StandardNormal

    return StandardNormal(latent_shape)


def uniform(
    latent_shape: tuple[int, ...], around: Around, *, low: float = -1.0, high: float = 1.0
) -> Module:
    """Uniform on a box; its posterior is squashed-gaussian, as a Gaussian has mass outside.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model.
        low: lower edge of every dimension.
        high: upper edge.
    """
    from ..distributions import UniformPrior

    return UniformPrior(latent_shape, low=low, high=high)


def gaussian_mixture(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    components: Annotated[int, Span(min=1)] = 10,
) -> Module:
    """Mixture of diagonal Gaussians with learned weights, means and scales.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model.
        components: Gaussians in the mixture.

    Reference:
        Dilokthanakul et al. 2016, arXiv 1611.02648
    """
    from ..distributions import GaussianMixturePrior

    return GaussianMixturePrior(latent_shape, components=components)


def vamp(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    components: Annotated[int, Span(min=1, unit="pseudo-inputs")] = 500,
) -> Module:
    """VampPrior: the encoder's own posteriors at learned pseudo-inputs, mixed equally.

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model; its posterior is what is mixed.
        components: pseudo-inputs; each step encodes them beside the batch.

    Reference:
        Tomczak & Welling 2018, VAE with a VampPrior, arXiv 1705.07120
    """
    import torch

    from ..distributions import VampPrior

    data, encode = around.data, around.posterior
    if encode is None or around.condition is not None or data.support == "categories":
        came = "one without" if encode is None else "a condition"
        came = "categories" if data.support == "categories" else came
        raise LowerboundError(
            f"prior vamp: expected a model with an encoder, without a condition, of data that are "
            f"numbers, came {came}; pass prior gaussian-mixture"
        )
    mean, std = (torch.as_tensor(t).expand(data.event_shape) for t in (data.mean, data.std))
    # As varied as the data, so that the components differ from the first step on.
    start = mean + std * torch.randn(components, *data.event_shape)
    kind = "real" if data.support == "real" else "unit"
    return VampPrior(
        encode, data.event_shape, components, start, data=kind, latent_shape=latent_shape
    )


def sphere(latent_shape: tuple[int, ...], around: Around) -> Module:
    """Uniform on the unit sphere; its posterior is von-mises-fisher.

    Args:
        latent_shape: shape of one code: numbers of a unit vector, two or more.
        around: what else there is of the model.

    Reference:
        Davidson et al. 2018, Hyperspherical variational auto-encoders, arXiv 1804.00891
    """
    from ..distributions import SphereUniform

    return SphereUniform(latent_shape)


BUILDERS: Builders = {
    "standard-normal": standard_normal,
    "uniform": uniform,
    "gaussian-mixture": gaussian_mixture,
    "vamp": vamp,
    "sphere": sphere,
    **conditional_priors.BUILDERS,
    **flow_priors.BUILDERS,
    **shaped_priors.BUILDERS,
    **autoregressive_priors.BUILDERS,
}
