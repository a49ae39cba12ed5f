"""Priors of a fixed shape in the plane: petals and a swiss roll, whose parts can have labels."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from .. import noise
from ..errors import LowerboundError
from .base import EventDistribution
from .normal import HALF_LOG_2PI


class MixtureOfFullNormals(EventDistribution):
    """Σ_k w_k N(μ_k, L_k L_kᵀ), with weights for each element of the batch and shared components.

    Args:
        log_weights: normalised, ``(*batch, K)``; −inf leaves a component out.
        loc: ``(K, D)``.
        tril: L, ``(K, D, D)``, lower triangular.
    """

    has_rsample = False
    arg_constraints: ClassVar[dict[str, Any]] = {"loc": constraints.real}

    def __init__(self, log_weights: Tensor, loc: Tensor, tril: Tensor) -> None:
        lead = log_weights.shape[:-1]
        super().__init__(log_weights.new_zeros(()).expand(*lead, loc.shape[-1]), 1)
        self.log_weights, self.loc, self.tril = log_weights, loc, tril

    @property
    def support(self) -> constraints.Constraint:
        """R^D."""
        return constraints.real_vector

    @property
    def mean(self) -> Tensor:
        """``(*batch, D)``."""
        return self.log_weights.exp() @ self.loc

    @property
    def variance(self) -> Tensor:
        """``(*batch, D)``."""
        second = self.loc.square() + self.tril.square().sum(-1)
        return self.log_weights.exp() @ second - self.mean.square()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """``(*sample_shape, *batch, D)``."""
        with torch.no_grad():
            shape = (*sample_shape, *self.batch_shape)
            below = self.log_weights.exp().cumsum(-1)[..., :-1]
            u = noise.uniform((*shape, 1), self.loc.device).to(self.loc.dtype)
            chosen = (u >= below).sum(-1)
            eps = noise.normal((*shape, self.loc.shape[-1]), self.loc.dtype, self.loc.device)
            return self.loc[chosen] + (self.tril[chosen] @ eps.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, D) -> (*lead,)``."""
        # L⁻¹ of each component once, not a system for each value and component.
        inverse = torch.linalg.inv(self.tril)
        t = torch.einsum("kij,...kj->...ki", inverse, value.unsqueeze(-2) - self.loc)
        scale = self.tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        each = -0.5 * t.square().sum(-1) - scale - t.shape[-1] * HALF_LOG_2PI
        return (self.log_weights + each).logsumexp(-1)


class ShapedPrior(nn.Module):
    """A mixture whose components are fixed, and belong to classes in turn.

    Given a label it is the mixture of that class's components; without, of all. So labels, where a
    model is conditioned on them, place the modes.

    Args:
        loc: ``(K, D)``.
        tril: ``(K, D, D)``.
        classes: how many; the components are theirs in equal runs.

    Raises:
        LowerboundError: components that the classes do not share equally.
    """

    loc: Tensor
    tril: Tensor
    log_weights: Tensor

    def __init__(self, loc: Tensor, tril: Tensor, classes: int = 1) -> None:
        super().__init__()
        components = len(loc)
        if components % classes:
            raise LowerboundError(
                f"expected components that {classes} classes share equally, came {components}; "
                f"pass {classes * max(1, components // classes)}"
            )
        self.event_shape = (loc.shape[-1],)
        own = torch.arange(components) // (components // classes)
        mine = own == torch.arange(classes)[:, None]
        log_weights = torch.full((classes, components), -torch.inf)
        log_weights[mine] = -math.log(components // classes)
        self.register_buffer("loc", loc)
        self.register_buffer("tril", tril)
        self.register_buffer("log_weights", log_weights)

    def forward(self, *context: Tensor) -> MixtureOfFullNormals:
        """p(z | label), batch shape that of the label; without one p(z), batch shape ()."""
        classes, components = self.log_weights.shape
        if context and classes > 1:
            return MixtureOfFullNormals(self.log_weights[context[0]], self.loc, self.tril)
        every = self.loc.new_full((components,), -math.log(components))
        return MixtureOfFullNormals(every, self.loc, self.tril)

    def extra_repr(self) -> str:
        return f"{self.event_shape}, components={len(self.loc)}"


def petals(components: int = 10, length: float = 0.5, width: float = 0.1, classes: int = 1):
    """Gaussians in the plane around the origin, each long outwards.

    Args:
        components: how many.
        length: standard deviation outwards; their middles lie at 3.5 of it.
        width: standard deviation across.
        classes: which share them in turn.

    Returns:
        A `ShapedPrior`.

    Reference:
        Makhzani et al. 2016, Adversarial autoencoders, arXiv 1511.05644, figure 4
    """
    angle = 2.0 * math.pi * torch.arange(components) / components
    out = torch.stack([angle.cos(), angle.sin()], -1)
    across = torch.stack([-angle.sin(), angle.cos()], -1)
    covariance = length**2 * out[:, :, None] * out[:, None] + width**2 * (
        across[:, :, None] * across[:, None]
    )
    return ShapedPrior(3.5 * length * out, torch.linalg.cholesky(covariance), classes)


def swiss_roll(turns: float = 2.0, width: float = 0.06, radius: float = 2.5, classes: int = 1):
    """A spiral of even thickness in the plane, uniform along its length; classes are its parts.

    It is the mixture of many equal Gaussians along the curve, so that its density is exact.

    Args:
        turns: how often it winds.
        width: standard deviation across, and along for each of the Gaussians.
        radius: where it ends.
        classes: which share its length in turn.

    Returns:
        A `ShapedPrior`.

    Reference:
        Makhzani et al. 2016, arXiv 1511.05644, figure 4
    """
    begin, end = 0.5 * math.pi, 2.0 * math.pi * turns + 0.5 * math.pi
    fine = torch.linspace(begin, end, 20_001, dtype=torch.float64)
    curve = (radius / end) * fine[:, None] * torch.stack([fine.cos(), fine.sin()], -1)
    length = torch.cat([torch.zeros(1), (curve[1:] - curve[:-1]).norm(dim=1).cumsum(0)])
    # Half a width apart, where a sum of Gaussians is even to a part in a thousand.
    count = classes * math.ceil(float(length[-1]) / (0.75 * width) / classes)
    wanted = float(length[-1]) * (torch.arange(count) + 0.5) / count
    at = torch.searchsorted(length, wanted.to(length.dtype)).clamp(max=len(fine) - 1)
    tril = (width * torch.eye(2)).expand(count, 2, 2).clone()
    return ShapedPrior(curve[at].float(), tril, classes)
