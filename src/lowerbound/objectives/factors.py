"""Distributions over codes, dimension by dimension."""

from __future__ import annotations

from torch.distributions import Distribution, Independent, Normal

from ..distributions import DiagonalNormal, UnitNormal
from ..errors import LowerboundError


def factors(d: Distribution) -> DiagonalNormal:
    """A product of normals as a batch of normals: ``event_shape`` becomes ``()``.

    Args:
        d: a diagonal normal, the library's or torch's, batch shape ``(*batch)``.

    Returns:
        batch shape ``(*batch, *event)``; its ``log_prob`` and :func:`~lowerbound.distributions.kl`
        are those of each dimension.

    Raises:
        LowerboundError: d does not factorise, or not into normals.

    >>> from lowerbound.distributions import StandardNormal
    >>> factors(StandardNormal(2)()).batch_shape
    torch.Size([2])
    """
    if isinstance(d, UnitNormal):
        return UnitNormal(d.loc, 0)
    if isinstance(d, DiagonalNormal):
        return DiagonalNormal(d.loc, d.log_scale.expand_as(d.loc), 0)
    base = d
    while isinstance(base, Independent):
        base = base.base_dist
    if isinstance(base, Normal):
        return DiagonalNormal(base.loc, base.scale.log(), 0)
    raise LowerboundError(
        f"expected a diagonal normal, whose dimensions have densities of their own, came "
        f"{type(d).__name__}; pass a DiagonalGaussian posterior and a StandardNormal prior"
    )
