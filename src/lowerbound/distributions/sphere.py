"""Codes on the unit sphere: the uniform prior and the von Mises-Fisher posterior.

Densities are with respect to the sphere's surface; values are unit vectors ``(d,)`` in R^d.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from ..errors import LowerboundError
from ..noise import normal, uniform
from .angle import angle
from .base import EventDistribution, Sphere
from .bessel import exact, log_area, log_normalizer
from .families import Family

# κ from nearly uniform to within 0.01 of the mean direction; log_normalizer is exact far beyond.
_LOG_CONCENTRATION_RANGE = (math.log(1e-2), math.log(1e4))


class UniformOnSphere(EventDistribution):
    """The uniform on the unit sphere.

    Args:
        zeros: a tensor of zeros, ``(*batch, d)``, which gives shape, device and type.

    >>> p = UniformOnSphere(torch.zeros(3))
    >>> p.log_prob(torch.tensor([0.0, 0.0, 1.0]))  # −log 4π
    tensor(-2.5310)
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {"zeros": constraints.real}
    support = Sphere()

    zeros: Tensor

    def __init__(self, zeros: Tensor) -> None:
        super().__init__(zeros, 1)
        self.zeros = zeros

    @property
    def mean(self) -> Tensor:
        """The sphere's centre, ``(*batch, d)``."""
        return self.zeros

    @property
    def variance(self) -> Tensor:
        """1/d each, ``(*batch, d)``."""
        return self.zeros + 1 / self.zeros.shape[-1]

    def expand(self, batch_shape: Any, _instance: Any = None) -> UniformOnSphere:
        """The same distribution under more leading dimensions."""
        return UniformOnSphere(self.zeros.expand(*batch_shape, *self.event_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Unit vectors ``(*sample_shape, *batch, d)``."""
        return _directions((*sample_shape, *self.zeros.shape), self.zeros)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, of unit vectors: ``(*lead, d) -> (*lead,)``."""
        lead = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        return torch.full(lead, -log_area(value.shape[-1]), dtype=value.dtype, device=value.device)

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        return -self.log_prob(self.zeros)


class SphereUniform(nn.Module):
    """The uniform prior on the unit sphere in R^dim, whatever the context.

    Args:
        dim: numbers of a code, two or more; or ``(dim,)``.

    References:
        Davidson et al., 2018, Hyperspherical variational auto-encoders,
        https://arxiv.org/abs/1804.00891

    >>> SphereUniform(3)().sample((5,)).norm(dim=-1)
    tensor([1., 1., 1., 1., 1.])
    """

    support: Literal["sphere"] = "sphere"
    zeros: Tensor

    def __init__(self, dim: int | tuple[int, ...]) -> None:
        super().__init__()
        self.event_shape = (_dim(dim),)
        self.register_buffer("zeros", torch.zeros(self.event_shape), persistent=False)

    def forward(self, *context: Tensor) -> UniformOnSphere:
        """The uniform with an empty batch shape; contexts are ignored."""
        return UniformOnSphere(self.zeros)

    def extra_repr(self) -> str:
        return str(self.event_shape)


class VonMisesFisherDistribution(EventDistribution):
    """Density in proportion to exp(κ·⟨direction, z⟩) on the unit sphere.

    Reparameterized: the angle from the mean direction by its inverse distribution function, the
    direction around it by a uniform one on the sphere of one dimension less, and a reflection that
    takes the first axis to the mean direction. No draw is rejected.

    Args:
        direction: unit vectors, ``(*batch, d)``.
        concentration: κ ≥ 0, ``(*batch,)``.

    References:
        Davidson et al., 2018, https://arxiv.org/abs/1804.00891 (there with rejection)

    >>> q = VonMisesFisherDistribution(torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([2.0]))
    >>> q.log_prob(torch.tensor([0.0, 0.0, 1.0]))  # 2 + log(2 / (4π sinh 2))
    tensor([-1.1263])
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {
        "direction": constraints.real_vector,
        "concentration": constraints.nonnegative,
    }
    support = Sphere()

    direction: Tensor
    concentration: Tensor

    def __init__(self, direction: Tensor, concentration: Tensor) -> None:
        super().__init__(direction, 1)
        self.direction = direction
        self.concentration = concentration

    @property
    def mean(self) -> Tensor:
        """E z, inside the ball: ``(*batch, d)``."""
        return self._length().unsqueeze(-1) * self.direction

    @property
    def mode(self) -> Tensor:
        """The mean direction, ``(*batch, d)``."""
        return self.direction

    @property
    def variance(self) -> Tensor:
        """Of each number alone, ``(*batch, d)``."""
        along, across = self._along_and_across()
        square = self.direction.square()
        return square * along + (1 - square) * across

    @property
    def covariance_matrix(self) -> Tensor:
        """``(*batch, d, d)``: one variance along the mean direction, one across it."""
        along, across = (t.unsqueeze(-1) for t in self._along_and_across())
        direction = self.direction.unsqueeze(-1)
        identity = torch.eye(
            self.event_shape.numel(), dtype=direction.dtype, device=direction.device
        )
        return across * identity + (along - across) * (direction @ direction.mT)

    def expand(self, batch_shape: Any, _instance: Any = None) -> VonMisesFisherDistribution:
        """The same distribution under more leading dimensions."""
        direction = self.direction.expand(*batch_shape, *self.event_shape)
        return VonMisesFisherDistribution(direction, self.concentration.expand(batch_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Unit vectors ``(*sample_shape, *batch, d)``."""
        return self._place(self._angle(sample_shape))

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draws and log-densities ``(*sample_shape, *batch)``, which the angle alone decides."""
        theta = self._angle(sample_shape)
        return self._place(theta), self._log_density(2 * (0.5 * theta).sin().square())

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, of unit vectors: ``(*lead, d) -> (*lead,)``."""
        # 1 − cosine as half a squared distance keeps its digits where κ is large.
        return self._log_density(0.5 * (value - self.direction).square().sum(-1))

    def entropy(self) -> Tensor:
        """Nats, ``(*batch,)``."""
        return log_area(self.event_shape.numel()) - self.rate()

    def rate(self) -> Tensor:
        """KL from the uniform on the sphere, κ A(κ) − log M(κ): nats, ``(*batch,)``."""
        kappa = self.concentration
        log_m, length = log_normalizer(kappa, self.event_shape.numel())
        return (kappa * length - log_m).to(kappa.dtype)

    def _along_and_across(self) -> tuple[Tensor, Tensor]:
        """Variances, ``(*batch, 1)`` each."""
        # E cos² = 1 − (d − 1) A/κ, and the rest of the square is shared by the other directions.
        length = self._length().unsqueeze(-1)
        across = length / self.concentration.unsqueeze(-1)
        return 1 - (self.event_shape.numel() - 1) * across - length.square(), across

    def _length(self) -> Tensor:
        return log_normalizer(self.concentration, self.event_shape.numel())[1].to(
            self.concentration.dtype
        )

    def _log_density(self, distance: Tensor) -> Tensor:
        """Of 1 − cosine: −κ (1 − cosine) − (log M − κ) − log area."""
        kappa, dim = self.concentration, self.event_shape.numel()
        log_m, _ = log_normalizer(kappa, dim)
        return -kappa * distance - (log_m - kappa).to(kappa.dtype) - log_area(dim)

    def _angle(self, sample_shape: Any) -> Tensor:
        kappa = self.concentration
        u = uniform((*sample_shape, *kappa.shape), kappa.device)
        # From the middle of the 2^24 steps, so that neither end is ever drawn. In float32 the
        # middle of the last step would be 1.
        middle = exact(u) + 2.0**-25
        last = 1 - 0.5 * torch.finfo(middle.dtype).eps
        return angle(kappa, middle.clamp_max(last), self.event_shape.numel())

    def _place(self, theta: Tensor) -> Tensor:
        """Around the first axis, then reflected: ``(*lead,) -> (*lead, d)``.

        A reflection, and not the part of a random vector across the mean direction: that one
        jumps where the two are parallel, and in two dimensions its gradient would be wrong.
        """
        around = _directions((*theta.shape, self.event_shape.numel() - 1), theta)
        z = torch.cat([theta.cos().unsqueeze(-1), theta.sin().unsqueeze(-1) * around], -1)
        # The mirror is that of the two directions ±mean which is farther from the first axis.
        sign = torch.where(self.direction[..., :1] > 0, -1.0, 1.0)
        axis = torch.zeros_like(self.direction)
        axis[..., 0] = 1.0
        normal_vector = axis - sign * self.direction
        normal_vector = normal_vector / normal_vector.square().sum(-1, keepdim=True).sqrt()
        along = (z * normal_vector).sum(-1, keepdim=True)
        return sign * (z - 2 * along * normal_vector)


class VonMisesFisher(Family):
    """A posterior on the unit sphere.

    Raw are a vector, whose direction is the mean direction, and log κ, clamped to κ in
    [0.01, 10000].

    Args:
        event_shape: of one code: d numbers, two or more.

    References:
        Davidson et al., 2018, https://arxiv.org/abs/1804.00891

    >>> VonMisesFisher(3)(torch.ones(5, 4)).sample().norm(dim=-1)
    tensor([1., 1., 1., 1., 1.])
    """

    support: Literal["sphere"] = "sphere"

    def __init__(self, event_shape: int | tuple[int, ...]) -> None:
        super().__init__(_dim(event_shape))
        self.raw_shape = (self.event_shape[0] + 1,)

    def forward(self, raw: Tensor) -> VonMisesFisherDistribution:
        """Raw ``(*lead, d + 1)``."""
        vector, log_concentration = raw[..., :-1], raw[..., -1]
        # A vector of zeros has no direction; the first axis is as good as any.
        square = vector.square().sum(-1, keepdim=True)
        nowhere = square < torch.finfo(raw.dtype).tiny
        axis = torch.zeros_like(vector)
        axis[..., 0] = 1.0
        direction = torch.where(nowhere, axis, vector / square.masked_fill(nowhere, 1.0).sqrt())
        concentration = log_concentration.clamp(*_LOG_CONCENTRATION_RANGE).exp()
        return VonMisesFisherDistribution(direction, concentration)

    def start(self, mean: Tensor, std: Tensor) -> Tensor:
        """The mean's direction, and κ = R(d − R²)/(1 − R²) by its length R (Banerjee et al. 2005,
        Clustering on the unit hypersphere, JMLR 6)."""
        length = mean.square().sum().sqrt().clamp(1e-6, 1 - 1e-6)
        concentration = length * (len(mean) - length**2) / (1 - length**2)
        return torch.cat([mean, concentration.log().clamp(*_LOG_CONCENTRATION_RANGE).view(1)])


def _directions(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Uniform unit vectors in the last dimension."""
    noise = normal(shape, like.dtype, like.device)
    square = noise.square().sum(-1, keepdim=True).clamp_min(torch.finfo(like.dtype).tiny)
    return noise / square.sqrt()


def _dim(shape: int | tuple[int, ...]) -> int:
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if len(sizes) != 1 or sizes[0] < 2:
        raise LowerboundError(
            f"expected codes of two or more numbers, which a sphere needs, came shape {sizes}; "
            f"pass latent_dim of 2 or more"
        )
    return sizes[0]
