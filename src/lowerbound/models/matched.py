"""Latent-variable models with a discriminator beside them, of codes or of data."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .base import one_for_each
from .discriminator import Discriminator, Verdict
from .vae import LatentModel


class AdversarialAutoencoder(LatentModel):
    """A latent-variable model whose aggregate posterior a critic matches to the prior.

    The prior needs no density for that, only draws. With a posterior that has one, log p(x) is
    measured as of any model of this kind.

    Args:
        prior: p(z | c), of which nothing is learned.
        likelihood: p(x | z, c).
        posterior: q(z | x, c), or a point.
        critic: tells codes of the prior from those of the posterior.
        **parts: see `LatentModel`.

    Reference:
        Makhzani et al. 2016, Adversarial autoencoders, arXiv 1511.05644
    """

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        posterior: nn.Module,
        critic: Discriminator,
        **parts: Any,
    ) -> None:
        super().__init__(prior, likelihood, posterior, **parts)
        self.critic = critic

    def judge_codes(self, z: Tensor, *context: Tensor) -> Verdict:
        """The critic's word on codes ``(B, *latent_shape)``."""
        return self.critic(z, *context)

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """Codes of the prior, ``(count, *latent_shape)``."""
        return one_for_each(self.prior(*context), count)


class FeatureVAE(LatentModel):
    """A VAE whose decoder is judged by a discriminator and by that discriminator's features.

    Args:
        prior: p(z | c).
        likelihood: the decoder, a point for each code.
        posterior: q(z | x, c).
        discriminator: tells data from what the decoder makes.
        **parts: see `LatentModel`.

    Reference:
        Larsen et al. 2016, arXiv 1512.09300
    """

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        posterior: nn.Module,
        discriminator: Discriminator,
        **parts: Any,
    ) -> None:
        super().__init__(prior, likelihood, posterior, **parts)
        self.discriminator = discriminator

    def judge(self, x: Tensor, *context: Tensor) -> Verdict:
        """The discriminator's word on data ``(B, *event_shape)``."""
        return self.discriminator(x, *context)

    def features(self, x: Tensor, *context: Tensor) -> Tensor:
        """The discriminator's features of data, ``(B, F)``."""
        return self.discriminator.features(x, *context)

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """Codes of the prior, ``(count, *latent_shape)``."""
        return one_for_each(self.prior(*context), count)
