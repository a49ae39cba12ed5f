"""K normals side by side, and the distributions that a mixture makes of them."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.distributions import constraints

from ..distributions import EventDistribution, IndependentCategorical

Covariance = Literal["full", "diagonal", "tied", "spherical"]

# Numbers in the largest intermediate tensor: 64 MiB in float32. Rows beyond it take turns.
_MOST_NUMBERS = 2**24


class NormalComponents:
    """N(mean_k, Sigma_k) for k = 1 … K, over data of D numbers; K is a batch dimension throughout.

    Args:
        means: ``(K, D)``.
        scale: a square root of the covariances. full: their lower Cholesky factors ``(K, D, D)``;
            tied: that of the one they share ``(D, D)``; diagonal: standard deviations ``(K, D)``;
            spherical: one for each component ``(K,)``.
        covariance: which of them.
        event_shape: shape of one example, D numbers.
    """

    def __init__(
        self, means: Tensor, scale: Tensor, covariance: Covariance, event_shape: tuple[int, ...]
    ) -> None:
        self.means, self.scale = means, scale
        self.covariance, self.event_shape = covariance, event_shape

    @property
    def rank(self) -> int:
        """Dimensions of an example."""
        return len(self.event_shape)

    def centres(self) -> Tensor:
        """The means, ``(K, *event_shape)``."""
        return self.means.unflatten(-1, self.event_shape) if self.rank else self.means.squeeze(-1)

    def variances(self) -> Tensor:
        """Of each number under each component, ``(K, *event_shape)``."""
        scale = self.scale
        if self.covariance in ("full", "tied"):
            variance = scale.square().sum(-1)
        else:
            variance = scale.square() if self.covariance == "diagonal" else scale[:, None].square()
        variance = variance.expand_as(self.means)
        return variance.unflatten(-1, self.event_shape) if self.rank else variance.squeeze(-1)

    def log_density(self, x: Tensor) -> Tensor:
        """log N(x; mean_k, Sigma_k), nats: ``(*B, *event_shape) -> (*B, K)``."""
        lead = x.shape[: x.dim() - self.rank]
        count, size = self.means.shape
        rows = x.reshape(-1, size)
        most = max(1, _MOST_NUMBERS // (count * size))
        parts = [self._log_density(part) for part in rows.split(most)]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).reshape(*lead, count)

    def _log_density(self, x: Tensor) -> Tensor:
        """``(N, D) -> (N, K)``. Differences first: squares multiplied out would lose digits."""
        count, size = self.means.shape
        scale = self.scale
        away = x.unsqueeze(1) - self.means  # (N, K, D)
        if self.covariance == "full":
            white = torch.linalg.solve_triangular(scale, away.permute(1, 2, 0), upper=False)
            square = white.square().sum(1).mT  # (K, D, N) -> (N, K)
            log_det = scale.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        elif self.covariance == "tied":
            white = torch.linalg.solve_triangular(scale, away.reshape(-1, size).mT, upper=False)
            square = white.square().sum(0).reshape(-1, count)
            log_det = scale.diagonal().log().sum()
        elif self.covariance == "diagonal":
            square = (away / scale).square().sum(-1)
            log_det = scale.log().sum(-1)
        else:
            square = away.square().sum(-1) / scale.square()
            log_det = size * scale.log()
        return -0.5 * square - log_det - 0.5 * size * math.log(2 * math.pi)

    def draw(self, index: Tensor) -> Tensor:
        """One draw from each named component: int64 ``(*S)`` -> ``(*S, *event_shape)``."""
        flat, size = index.reshape(-1), self.means.shape[1]
        noise = torch.randn(len(flat), size, dtype=self.means.dtype, device=self.means.device)
        if self.covariance == "full":
            # a matrix for each draw would be far more than the draws themselves
            most = max(1, _MOST_NUMBERS // size**2)
            turned = [
                torch.linalg.vecdot(self.scale[chosen], part.unsqueeze(1))
                for chosen, part in zip(flat.split(most), noise.split(most), strict=True)
            ]
            noise = torch.cat(turned) if turned else noise
        elif self.covariance == "tied":
            noise = noise @ self.scale.mT
        elif self.covariance == "diagonal":
            noise = noise * self.scale[flat]
        else:
            noise = noise * self.scale[flat].unsqueeze(-1)
        return (self.means[flat] + noise).reshape(*index.shape, *self.event_shape)


class NormalMixture(EventDistribution):
    """sum_k w_k N(x; mean_k, Sigma_k) (EQUATIONS 5).

    Args:
        log_weights: log w_k, ``(K,)``.
        components: the normals.

    Reference:
        Bishop 2006, Pattern recognition and machine learning, equation 9.7
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"log_weights": constraints.real}

    def __init__(self, log_weights: Tensor, components: NormalComponents) -> None:
        super().__init__(components.centres()[0], components.rank)
        self.log_weights, self.components = log_weights, components

    @property
    def support(self) -> constraints.Constraint:
        """All of R^event."""
        return constraints.independent(constraints.real, self.event_rank)

    @property
    def mean(self) -> Tensor:
        """``(*event)``."""
        return self._average(self.components.centres())

    @property
    def variance(self) -> Tensor:
        """``(*event)``."""
        apart = (self.components.centres() - self.mean).square()
        return self._average(self.components.variances() + apart)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *event)``, without a gradient."""
        with torch.no_grad():
            count = torch.Size(sample_shape).numel()
            index = torch.multinomial(self.log_weights.exp(), count, replacement=True)
            return self.components.draw(index.reshape(tuple(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        return (self.components.log_density(value) + self.log_weights).logsumexp(-1)

    def _average(self, values: Tensor) -> Tensor:
        return torch.tensordot(self.log_weights.exp(), values, dims=1)


class ComponentNormal(EventDistribution):
    """p(x | h): the normal of the component that each code names.

    Args:
        index: h, int64 ``(*batch)``.
        components: the normals.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {"index": constraints.nonnegative_integer}

    def __init__(self, index: Tensor, components: NormalComponents) -> None:
        self.index, self.components = index, components
        self._mean = components.centres()[index]
        super().__init__(self._mean, components.rank)

    @property
    def support(self) -> constraints.Constraint:
        """All of R^event."""
        return constraints.independent(constraints.real, self.event_rank)

    @property
    def mean(self) -> Tensor:
        """``(*batch, *event)``."""
        return self._mean

    @property
    def mode(self) -> Tensor:
        """``(*batch, *event)``."""
        return self._mean

    @property
    def variance(self) -> Tensor:
        """``(*batch, *event)``."""
        return self.components.variances()[self.index]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws ``(*sample_shape, *batch, *event)``, without a gradient."""
        with torch.no_grad():
            return self.components.draw(self.index.expand(*sample_shape, *self.index.shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats: ``(*lead, *event) -> (*lead,)``."""
        # Every component once for each datum, however many codes there are of it: the choice
        # is made in the table, so no covariance is copied.
        table = self.components.log_density(value)  # (*value's lead, K)
        lead = torch.broadcast_shapes(table.shape[:-1], self.index.shape)
        index = self.index.expand(lead).unsqueeze(-1)
        return table.expand(*lead, table.shape[-1]).gather(-1, index).squeeze(-1)


class ComponentPosterior(IndependentCategorical):
    """p(h | x), the responsibilities: a categorical over components, one place (event ``(1,)``).

    Components have no order, so an expected index would name none of them. What asks for the mean,
    as the one code that stands for a datum, gets the likeliest component.

    >>> ComponentPosterior(torch.tensor([[0.1], [0.2], [0.7]]).log()).mean
    tensor([2])
    """

    @property
    def mean(self) -> Tensor:
        """The likeliest component, int64 ``(*batch, 1)``: see above."""
        return self.mode
