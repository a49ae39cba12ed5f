"""The latent-variable model: a prior, a likelihood and a posterior."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..errors import LowerboundError
from .base import drawn_from


class LatentModel(nn.Module):
    """Three conditionals: what codes look like, how they become data, which explain the data.

    A variational autoencoder is this model trained on :func:`lowerbound.bounds.elbo`. IWAE,
    beta-VAE, flow priors and conditional models are other objectives and other conditionals, not
    other classes.

    Args:
        prior: p(z | c), a module ``prior(*context) -> Distribution``.
        likelihood: p(x | z, c), ``likelihood(z, *context) -> Distribution``: the decoder.
        posterior: q(z | x, c), ``posterior(x, *context) -> Distribution``: the encoder.
        event_shape: shape of one example; by default what the likelihood's ``event_shape`` (or its
            ``family``'s) says.
        latent_shape: shape of one code; by default the prior's ``event_shape``.
        no_likelihood: why log p(x) must not be reported, where it must not: the likelihood is no
            normalised density of such data.
        condition: makes the conditionals' contexts from the data (`Condition`), where there are.

    Raises:
        LowerboundError: a shape is neither given nor known to the conditionals.

    Reference:
        Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv 1312.6114;
        Rezende, Mohamed & Wierstra 2014, Stochastic backpropagation, arXiv 1401.4082

    >>> from lowerbound.models import LinearGaussian
    >>> exact = LinearGaussian((5,), latent_dim=2)
    >>> model = LatentModel(exact.prior, exact.likelihood, exact.posterior)
    >>> model.sample(3).shape, model.event_shape, model.latent_shape
    (torch.Size([3, 5]), (5,), (2,))
    """

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        posterior: nn.Module,
        *,
        event_shape: tuple[int, ...] | None = None,
        latent_shape: tuple[int, ...] | None = None,
        no_likelihood: str | None = None,
        condition: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.prior = prior
        self.likelihood = likelihood
        self.posterior = posterior
        self.event_shape = event_shape or _event_shape(likelihood, "event_shape", "likelihood")
        self.latent_shape = latent_shape or _event_shape(prior, "latent_shape", "prior")
        self.no_likelihood = no_likelihood
        self.condition = condition

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q(z | x, c).

        Args:
            x: data, ``(*B, *event_shape)``.
            context: conditions, each with batch dimensions ``B``.

        Returns:
            A distribution of batch shape ``B`` and event shape ``latent_shape``.
        """
        return self.posterior(x, *context)

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x | z, c).

        Args:
            z: codes, ``(*S, *B, *latent_shape)``.
            context: conditions, each with batch dimensions ``B``.

        Returns:
            A distribution of batch shape ``(*S, *B)`` and event shape ``event_shape``.
        """
        return self.likelihood(z, *context)

    @torch.no_grad()
    def sample_prior(self, n: int, *context: Tensor) -> Tensor:
        """Codes z ~ p(z | c).

        Args:
            n: how many for each condition.
            context: conditions, each with batch dimensions ``B``.

        Returns:
            ``(n, *B, *latent_shape)``.
        """
        return drawn_from(self.prior(*context), n, self.condition, context)

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor, mean: bool = False) -> Tensor:
        """Data from the model: z ~ p(z | c), then x ~ p(x | z, c).

        Args:
            n: how many for each condition.
            context: conditions, each with batch dimensions ``B``.
            mean: whether to return E[x | z] in place of a draw of x.

        Returns:
            ``(n, *B, *event_shape)``.
        """
        likelihood = self.decode(self.sample_prior(n, *context), *context)
        return likelihood.mean if mean else likelihood.sample()


VAE = LatentModel


def _event_shape(conditional: Any, name: str, role: str) -> tuple[int, ...]:
    for owner in (conditional, getattr(conditional, "family", None)):
        shape = getattr(owner, "event_shape", None)
        if shape is not None:
            return tuple(shape)
    raise LowerboundError(
        f"LatentModel: expected a {role} that knows its event_shape, came "
        f"{type(conditional).__name__}; pass {name}="
    )
