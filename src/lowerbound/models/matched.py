"""Latent-variable models with a discriminator beside them, of codes or of data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..distributions import Head
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
        supervision: makes the labels that training alone is told from what comes beside the data:
            prior and critic know them, encoder and decoder do not.
        **parts: see `LatentModel`.

    Reference:
        Makhzani et al. 2016, Adversarial autoencoders, arXiv 1511.05644
    """

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        posterior: nn.Module,
        critic: nn.Module,
        *,
        supervision: nn.Module | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(prior, likelihood, posterior, **parts)
        self.critic = critic
        self.supervision = supervision

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q(z | x, c); see `LatentModel`."""
        return super().encode(x, *self._given(context))

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x | z, c); see `LatentModel`."""
        return super().decode(z, *self._given(context))

    def _given(self, context: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Contexts but for labels that training alone is told."""
        return context if self.supervision is None else ()

    def judge_codes(self, z: Tensor, *context: Tensor) -> Verdict:
        """The critic's word on codes ``(B, *latent_shape)``."""
        return self.critic(z, *context)

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """Codes of the prior, ``(count, *latent_shape)``."""
        return one_for_each(self.prior(*context), count)


class ClassifyingAutoencoder(AdversarialAutoencoder):
    """An adversarial autoencoder whose code is a class and a style, each matched by its own critic.

    The aggregate posterior of the class is matched to a uniform categorical prior and that of the
    style to a prior of one's own; some examples' labels say which class is which. A code is the
    classes' probabilities, ``classes`` numbers, and then the style.

    Args:
        prior: p(class) p(style), `lowerbound.distributions.beside.ClassAndStyle`.
        likelihood: p(x | class, style).
        posterior: a head with `lowerbound.distributions.beside.ClassAndStylePoint`.
        critic: of styles.
        class_critic: of classes.
        classes: K.
        **parts: see `AdversarialAutoencoder`.

    Reference:
        Makhzani et al. 2016, arXiv 1511.05644, section 5
    """

    posterior: Head

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        posterior: nn.Module,
        critic: Discriminator,
        class_critic: Discriminator,
        classes: int,
        **parts: Any,
    ) -> None:
        super().__init__(prior, likelihood, posterior, critic, **parts)
        self.class_critic = class_critic
        self.classes = classes

    def classify(self, x: Tensor) -> Tensor:
        """Logits of the classes, ``(*B, K)``, of data ``(*B, *event_shape)``."""
        return self.posterior.raw(x)[..., : self.classes]

    def judge_codes(self, z: Tensor, *context: Tensor) -> Verdict:
        """Both critics' word on codes: logits ``(B, 2)``, of the class and of the style."""
        told, style = z[:, : self.classes], z[:, self.classes :]
        logits = self.class_critic(told).logit, self.critic(style).logit
        return Verdict(torch.stack(logits, 1))

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """Codes of the prior, ``(count, *latent_shape)``, whatever the labels."""
        return self.prior().sample((count,))


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
