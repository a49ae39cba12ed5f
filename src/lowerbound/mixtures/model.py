"""The Gaussian mixture as a latent-variable model: the code is the component."""

from __future__ import annotations

import math
from typing import get_args

import torch
from torch import Tensor, nn

from ..distributions import IndependentCategorical
from ..errors import LowerboundError, nearest
from .normals import (
    ComponentNormal,
    ComponentPosterior,
    Covariance,
    NormalComponents,
    NormalMixture,
)


class GaussianMixture(nn.Module):
    """h ~ Categorical(w), x | h ~ N(mean_h, Sigma_h): log p(x) and the posterior are exact.

    The code is the component's index, int64 ``(1,)``. Everything is a buffer, nothing is trained by
    gradients; :func:`lowerbound.mixtures.em` fits it. ``model.double()`` makes it float64.

    Args:
        event_shape: shape of one example, D numbers.
        components: K.
        covariance: ``full``, one for each component; ``tied``, one that all share; ``diagonal``,
            the variances of each; ``spherical``, one variance for each.
        no_likelihood: why log p(x) must not be reported, if so.

    Attributes:
        weights: w, ``(K,)``, sums to one.
        means: ``(K, D)``.
        scale: a square root of the covariances; see :class:`NormalComponents`.
        at_floor: which components have a variance that was held up by the floor, bool ``(K,)``.

    Raises:
        LowerboundError: no component, or an unknown covariance.

    Reference:
        McLachlan & Peel 2000, Finite mixture models; Bishop 2006, Pattern recognition and machine
        learning, chapter 9

    >>> model = GaussianMixture((2,), components=3, covariance="diagonal")
    >>> model.sample(5).shape, model.latent_shape, model.parameters_count
    (torch.Size([5, 2]), (1,), 14)
    """

    weights: Tensor
    means: Tensor
    scale: Tensor
    at_floor: Tensor

    def __init__(
        self,
        event_shape: tuple[int, ...] | int,
        components: int,
        covariance: Covariance = "full",
        *,
        no_likelihood: str | None = None,
    ) -> None:
        super().__init__()
        if components < 1:
            raise LowerboundError(
                f"components: expected at least 1, came {components}; pass components=5"
            )
        if covariance not in get_args(Covariance):
            known = get_args(Covariance)
            hint = nearest(str(covariance), known) or f"; pass one of {', '.join(known)}"
            raise LowerboundError(
                f"covariance: expected one of {', '.join(known)}, came {covariance!r}{hint}"
            )
        shape = (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
        self.event_shape: tuple[int, ...] = shape
        self.latent_shape: tuple[int, ...] = (1,)
        self.no_likelihood = no_likelihood
        self.components = components
        self.covariance: Covariance = covariance
        size = math.prod(shape)
        identity = torch.eye(size)
        scale = {
            "full": lambda: identity.repeat(components, 1, 1),
            "tied": lambda: identity,
            "diagonal": lambda: torch.ones(components, size),
            "spherical": lambda: torch.ones(components),
        }[covariance]()
        self.register_buffer("weights", torch.full((components,), 1.0 / components))
        self.register_buffer("means", torch.zeros(components, size))
        self.register_buffer("scale", scale)
        self.register_buffer("at_floor", torch.zeros(components, dtype=torch.bool))

    # The model's capabilities

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x) = log sum_k w_k N(x; mean_k, Sigma_k), exact.

        Args:
            x: data, ``(*B, *event_shape)``.
            context: ignored.

        Returns:
            ``B``, in nats.
        """
        return self.mixture().log_prob(x)

    def prior(self, *context: Tensor) -> IndependentCategorical:
        """p(h), the weights: batch shape ``()``, event shape ``(1,)``; contexts are ignored."""
        return IndependentCategorical(self.weights.log().unsqueeze(-1))

    def encode(self, x: Tensor, *context: Tensor) -> ComponentPosterior:
        """p(h | x), exact: batch shape ``B``, event shape ``(1,)``, for x ``(*B, *event_shape)``.

        Its ``mean`` is the likeliest component, for indices have no order to average over.
        """
        return ComponentPosterior(self._joint(x).unsqueeze(-1))

    def decode(self, z: Tensor, *context: Tensor) -> ComponentNormal:
        """p(x | h): batch shape ``S``, event shape ``event_shape``, for indices z ``(*S, 1)``."""
        return ComponentNormal(z.squeeze(-1).long(), self.normals())

    def responsibilities(self, x: Tensor) -> Tensor:
        """p(h = k | x): ``(*B, *event_shape) -> (*B, K)``, sums to one."""
        return self._joint(x).softmax(-1)

    @torch.no_grad()
    def sample_prior(self, n: int, *context: Tensor) -> Tensor:
        """``n`` components h ~ p(h), int64 ``(n, 1)``."""
        return self.prior().sample((n,))

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor, mean: bool = False) -> Tensor:
        """Data from the model, ``(n, *event_shape)``.

        Args:
            n: how many.
            context: ignored.
            mean: whether to return the means of the components drawn in place of draws from them.
        """
        found = self.decode(self.sample_prior(n))
        return found.mean if mean else found.sample()

    # The same as distributions

    def normals(self) -> NormalComponents:
        """The K normals."""
        return NormalComponents(self.means, self.scale, self.covariance, self.event_shape)

    def mixture(self) -> NormalMixture:
        """p(x) as a distribution: batch shape ``()``, event shape ``event_shape``."""
        return NormalMixture(self.weights.log(), self.normals())

    def as_prior(self) -> MixturePrior:
        """The mixture as p(z) of codes: fitted to the codes of an autoencoder, their density."""
        return MixturePrior(self)

    @property
    def covariances(self) -> Tensor:
        """full ``(K, D, D)``, tied ``(D, D)``, diagonal ``(K, D)``, spherical ``(K,)``."""
        if self.covariance in ("full", "tied"):
            return self.scale @ self.scale.mT
        return self.scale.square()

    @torch.no_grad()
    def set_(self, weights: Tensor, means: Tensor, covariances: Tensor) -> GaussianMixture:
        """Set all parameters, for example to start :func:`~lowerbound.mixtures.em` from them.

        Args:
            weights: ``(K,)``, positive; they are made to sum to one.
            means: ``(K, D)`` or ``(K, *event_shape)``.
            covariances: in the shape of :attr:`covariances`, positive definite.

        Raises:
            LowerboundError: a covariance is not positive definite, or a shape does not fit.
        """
        if covariances.shape != self.scale.shape:
            raise LowerboundError(
                f"covariances: expected shape {tuple(self.scale.shape)} of {self.covariance} "
                f"covariances, came {tuple(covariances.shape)}"
            )
        covariances = covariances.double()
        if self.covariance in ("full", "tied"):
            scale, info = torch.linalg.cholesky_ex(covariances)
            good = not bool(info.any())
        else:
            scale, good = covariances.sqrt(), bool((covariances > 0).all())
        if not good:
            raise LowerboundError(
                "covariances: expected positive definite ones, came one that is not"
            )
        self.weights.copy_(weights.double() / weights.double().sum())
        self.means.copy_(means.reshape(self.means.shape))
        self.scale.copy_(scale)
        self.at_floor.zero_()
        return self

    # How good it is

    @property
    def parameters_count(self) -> int:
        """Free parameters: weights (K − 1), means (K D) and covariances."""
        count, size = self.means.shape
        free = {
            "full": count * size * (size + 1) // 2,
            "tied": size * (size + 1) // 2,
            "diagonal": count * size,
            "spherical": count,
        }[self.covariance]
        return count - 1 + count * size + free

    @torch.no_grad()
    def bic(self, x: Tensor) -> float:
        """Bayesian information criterion, ``-2 sum log p(x) + parameters_count log N``, nats.

        Lower is better.

        Args:
            x: the data it was fitted to, ``(N, *event_shape)``.

        Reference:
            Schwarz 1978, Estimating the dimension of a model, Annals of Statistics 6(2)
        """
        fit = float(self.log_prob(x).double().sum())
        return self.parameters_count * math.log(len(x)) - 2 * fit

    @torch.no_grad()
    def aic(self, x: Tensor) -> float:
        """Akaike's information criterion, ``-2 sum log p(x) + 2 parameters_count``, nats.

        Lower is better.

        Args:
            x: the data it was fitted to, ``(N, *event_shape)``.

        Reference:
            Akaike 1974, A new look at the statistical model identification, IEEE TAC 19(6)
        """
        return 2 * self.parameters_count - 2 * float(self.log_prob(x).double().sum())

    @property
    def collapsed(self) -> str | None:
        """What there is to say of components whose variance reached the floor, or None."""
        count = int(self.at_floor.sum())
        if count == 0:
            return None
        which = f"{count} of {self.components} components"
        return (
            f"{which}: the variance in some direction reached the floor, which sets the density "
            f"there in place of the data; pass fewer components, another covariance or a larger "
            f"floor"
        )

    def extra_repr(self) -> str:
        return f"{self.event_shape}, components={self.components}, covariance={self.covariance!r}"

    def _joint(self, x: Tensor) -> Tensor:
        """log p(x, h = k), nats, ``(*B, K)``."""
        return self.normals().log_density(x) + self.weights.log()


class MixturePrior(nn.Module):
    """p(z) as a Gaussian mixture, whatever the context: a conditional to decode codes from.

    Args:
        mixture: over codes; it is a part of this module, not copied.

    >>> prior = GaussianMixture((4,), components=3).as_prior()
    >>> z = prior().sample((5,))
    >>> prior().log_prob(z).shape, prior.event_shape
    (torch.Size([5]), (4,))
    """

    def __init__(self, mixture: GaussianMixture) -> None:
        super().__init__()
        self.mixture = mixture
        self.event_shape = mixture.event_shape

    def forward(self, *context: Tensor) -> NormalMixture:
        """The mixture with an empty batch shape; contexts are ignored."""
        return self.mixture.mixture()
