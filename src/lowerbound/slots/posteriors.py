"""Families of posteriors q(z|x), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


BUILDERS: Builders = {"diagonal": diagonal}
