"""Conditional models beyond the three slots: a part of a datum, a categorical code, no code at all.

A conditional VAE is `LatentModel` with a condition. Here is what it does not say: a likelihood of
the missing part of a datum alone, a code of one category, which is summed over exactly, and the
baseline, a network that predicts without any code.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import Head, PointMass
from ..distributions.masked import Masked
from ..distributions.onehot import OneHotCategorical
from .vae import LatentModel


class MaskedLikelihood(nn.Module):
    """p(missing part | code, observed part): a head of the whole datum, of which the rest counts.

    Its contexts end with those of `lowerbound.models.conditions.GivenPart`.

    Args:
        head: from the contexts to a distribution of the whole datum, independent over it.

    References:
        Sohn, Lee and Yan, 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    @property
    def family(self) -> Any:
        """The head's."""
        return self.head.family

    def forward(self, *contexts: Tensor) -> Masked:
        """The distribution with the contexts' leading dimensions; see `Head`."""
        return Masked(self.head(*contexts), *contexts[-2:])


class Joined(nn.Module):
    """A network of one vector, given several: ``(N, w_i)`` each, joined.

    Args:
        network: from ``(N, Σ w_i)``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *parts: Tensor) -> Tensor:
        return self.network(torch.cat([part.flatten(1) for part in parts], 1))


class DiscreteLatentModel(LatentModel):
    """p(x|c) = Σ_z p(x|z,c) p(z|c) with z one of K categories, summed exactly (EQUATIONS 6).

    A code is a vector with a single one, ``latent_shape`` is ``(K,)``. The posterior is exact
    without a network: Bayes over K products.

    Args:
        prior: p(z | c), a module ``prior(*context) -> OneHotCategorical``.
        likelihood: p(x | z, c).
        posterior: q(z | x, c) by a network; None for the exact one.
        **parts: see `LatentModel`.
    """

    def __init__(
        self, prior: nn.Module, likelihood: nn.Module, posterior: nn.Module | None, **parts: Any
    ) -> None:
        super().__init__(prior, likelihood, posterior, **parts)  # ty: ignore[invalid-argument-type]

    def enumerated(self, x: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x|z,c) and log p(z|c) of every code.

        Args:
            x: data, ``(*B, *event_shape)``.
            context: conditions, each with batch dimensions ``B``.

        Returns:
            ``(K, *B)`` each, nats.
        """
        lead, count = x.shape[: x.dim() - len(self.event_shape)], self.latent_shape[0]
        prior: OneHotCategorical = self.prior(*context)
        log_prior = prior.log_probs.expand(*lead, count).movedim(-1, 0)
        codes = torch.eye(count, dtype=log_prior.dtype, device=log_prior.device)
        codes = codes.view(count, *[1] * len(lead), count).expand(count, *lead, count)
        return self.decode(codes, *context).log_prob(x), log_prior

    def log_posterior(
        self, x: Tensor, *context: Tensor, enumerated: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """log q(z|x,c) of every code: ``(K, *B)``, nats.

        Args:
            x: data, ``(*B, *event_shape)``.
            context: conditions, each with batch dimensions ``B``.
            enumerated: what the method of that name returned, where it is known already.
        """
        if self.posterior is not None:
            return self.posterior(x, *context).log_probs.movedim(-1, 0)
        fit, log_prior = self.enumerated(x, *context) if enumerated is None else enumerated
        return (fit + log_prior).log_softmax(0)

    def encode(self, x: Tensor, *context: Tensor) -> OneHotCategorical:
        """q(z | x, c): batch shape ``B``, event shape ``(K,)``, for x ``(*B, *event_shape)``."""
        return OneHotCategorical(self.log_posterior(x, *context).movedim(0, -1))

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x|c), exact: ``B``, nats, for x ``(*B, *event_shape)``."""
        fit, log_prior = self.enumerated(x, *context)
        return (fit + log_prior).logsumexp(0)


class DirectModel(nn.Module):
    """p(x|c) by one network, without a code: the baseline of a conditional model.

    Its log-density is exact, and its places are independent given the condition: a completion of an
    image is one blurred mean. Its code has no numbers.

    Args:
        likelihood: p(x | c), ``likelihood(*context) -> Distribution``.
        event_shape: shape of one example.
        condition: makes the contexts from the data.
        no_likelihood: why log p(x|c) must not be reported, if so.

    References:
        Sohn, Lee and Yan, 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS (the baseline NN)
    """

    def __init__(
        self,
        likelihood: nn.Module,
        *,
        event_shape: tuple[int, ...],
        condition: nn.Module,
        no_likelihood: str | None = None,
    ) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.event_shape = tuple(event_shape)
        self.latent_shape: tuple[int, ...] = (0,)
        self.condition = condition
        self.no_likelihood = no_likelihood

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """The code of no numbers, batch shape ``B``, for x ``(*B, *event_shape)``."""
        lead = x.shape[: x.dim() - len(self.event_shape)]
        return PointMass(torch.zeros(*lead, 0, device=x.device))

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x | c), batch shape ``(*S, *B)``, whatever is in z, ``(*S, *B, 0)``."""
        ranks = self.condition.event_ranks
        cut = context[0].dim() - ranks[0]  # ty: ignore[not-subscriptable]
        samples = z.shape[: z.dim() - 1 - cut]
        return self.likelihood(*(c.expand(*samples, *c.shape) for c in context))

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x|c), exact: ``B``, nats, for x ``(*B, *event_shape)``."""
        return self.likelihood(*context).log_prob(x)

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor, mean: bool = False) -> Tensor:
        """``n`` data for each condition, ``(n, *B, *event_shape)``; `mean` returns E[x|c]."""
        likelihood = self.likelihood(*(c.expand(n, *c.shape) for c in context))
        return likelihood.mean if mean else likelihood.sample()
