"""A model whose prior is fitted when the rest is finished."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.distributions import Distribution

from .vae import LatentModel

# What others ask of a model whose codes are whole numbers.
_OF_CODES = ("levels", "grid", "heads", "uniform_rate")


class TwoStage(LatentModel):
    """Encoder and decoder of a finished model, frozen, under a prior fitted to their codes.

    A prior that matches the aggregate posterior q(z) = E_x q(z|x) is, of all priors, the one under
    which the mean bound of the data is highest while encoder and decoder stay as they are; and it
    makes an autoencoder, which has none, a model to draw from.

    Args:
        prior: p(z), the only part that is trained.
        likelihood: the decoder, frozen here.
        posterior: the encoder, frozen here.
        base: the finished model that these are of; what it knows of codes that are whole numbers is
            known here, too.
        base_conditions: whether encoder and decoder are given the contexts; else the prior alone.
        prior_conditions: whether the prior is given them.
        **shapes: see `LatentModel`.

    References:
        Tomczak & Welling 2018, VAE with a VampPrior, arXiv 1705.07120 (the optimal prior); Dai &
        Wipf 2019, Diagnosing and enhancing VAE models, arXiv 1903.05789; Ghosh et al. 2020, From
        variational to deterministic autoencoders, arXiv 1903.12436
    """

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        posterior: nn.Module,
        *,
        base: Any = None,
        base_conditions: bool = True,
        prior_conditions: bool = True,
        **shapes: Any,
    ) -> None:
        prior = prior if prior_conditions else Unconditional(prior)
        super().__init__(prior, likelihood, posterior, **shapes)
        self._base_conditions = base_conditions
        for name in _OF_CODES:
            if hasattr(base, name):
                setattr(self, name, getattr(base, name))
        for module in (likelihood, posterior):
            module.requires_grad_(False)
        self.train(self.training)

    @property
    def quantizer(self) -> Any:
        """Of codes that are whole numbers, what makes them."""
        return self.posterior.quantizer

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q(z | x, c); see `LatentModel`."""
        return super().encode(x, *(context if self._base_conditions else ()))

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x | z, c); see `LatentModel`."""
        return super().decode(z, *(context if self._base_conditions else ()))

    def train(self, mode: bool = True) -> TwoStage:
        """As of any module, but that the frozen parts stay in evaluation mode: running statistics
        and estimates must not move."""
        super().train(mode)
        self.likelihood.eval()
        self.posterior.eval()
        return self


class Unconditional(nn.Module):
    """A conditional that leaves its contexts aside.

    Args:
        inner: without any.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *context: Tensor) -> Distribution:
        return self.inner()
