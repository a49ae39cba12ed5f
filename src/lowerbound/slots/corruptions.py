"""Corruptions that a model learns to undo, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from ..options import Span
from .types import Builders

if TYPE_CHECKING:
    from ..networks.corruption import Corruption


def masking(
    event_shape: tuple[int, ...],
    *,
    rate: Annotated[float, Span(min=0, max=1)] = 0.25,
    fill: Literal["zero", "mean"] = "zero",
) -> Corruption:
    """Masking: numbers hidden, each independently.

    Args:
        event_shape: shape of one example.
        rate: probability of each number to be hidden.
        fill: what stands in its place: zero, or its mean over the data.

    Reference:
        Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders
    """
    from ..networks.corruption import Masking

    _refuse_all("masking", rate)
    return Masking(event_shape, rate, fill)


def gaussian(
    event_shape: tuple[int, ...],
    *,
    sigma: Annotated[float, Span(min=0)] = 0.5,
) -> Corruption:
    """Gaussian noise added to every number.

    Args:
        event_shape: shape of one example.
        sigma: standard deviation of the noise, in units of x (the data in [0, 1] or standardized).

    Reference:
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11
    """
    from ..networks.corruption import GaussianNoise

    return GaussianNoise(event_shape, sigma)


def salt_and_pepper(
    event_shape: tuple[int, ...],
    *,
    rate: Annotated[float, Span(min=0, max=1)] = 0.25,
) -> Corruption:
    """Salt and pepper: numbers set to their least or greatest value.

    Args:
        event_shape: shape of one example.
        rate: probability of each number to be set.

    Reference:
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11
    """
    from ..networks.corruption import SaltAndPepper

    _refuse_all("salt-and-pepper", rate)
    return SaltAndPepper(event_shape, rate)


def patches(
    event_shape: tuple[int, ...],
    *,
    size: Annotated[int, Span(min=1, unit="places")] = 4,
    rate: Annotated[float, Span(min=0, max=1)] = 0.75,
    fill: Literal["zero", "mean"] = "zero",
) -> Corruption:
    """Whole patches hidden: squares of an image, runs of a vector.

    Args:
        event_shape: shape of one example.
        size: edge of a patch.
        rate: share of the patches that is hidden.
        fill: what stands in their place: zero, or the mean over the data.

    Reference:
        He et al. 2022, Masked autoencoders are scalable vision learners, arXiv 2111.06377
    """
    from ..networks.corruption import Patches

    _refuse_all("patches", rate)
    return Patches(event_shape, size, rate, fill)


def _refuse_all(name: str, rate: float) -> None:
    from ..errors import LowerboundError

    if rate >= 1.0:
        raise LowerboundError(
            f"corruption {name}: expected a rate below 1, came {rate:g}, which hides all there is "
            f"to learn from; pass --corruption.rate 0.5"
        )


BUILDERS: Builders = {
    "masking": masking,
    "gaussian": gaussian,
    "salt-and-pepper": salt_and_pepper,
    "patches": patches,
}
