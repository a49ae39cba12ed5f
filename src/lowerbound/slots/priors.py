"""Priors p(z), by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


BUILDERS: Builders = {"standard-normal": standard_normal}
