"""The generative adversarial network: a prior, a generator, and a discriminator that is no part of
what is shipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .base import drawn_from, one_for_each
from .discriminator import Discriminator, Verdict

NO_LIKELIHOOD = (
    "a generator's samples lie on a surface, on which a density of the data is not defined; "
    "declare an observation noise, or measure its samples"
)


class GAN(nn.Module):
    """z ~ p(z), x = G(z, c), and D(x, c), which learns to tell x from data.

    Args:
        prior: p(z), ``prior(*context) -> Distribution``.
        generator: ``generator(z, *context)``, a point for each code.
        discriminator: its word on each example.
        event_shape: shape of one example.
        latent_shape: shape of one code.
        augment: changes what the discriminator sees, data and samples alike, differentiably.
        condition: makes the contexts from the data, where there are.

    Reference:
        Goodfellow et al. 2014, Generative adversarial nets, arXiv 1406.2661; Mirza & Osindero 2014,
        Conditional generative adversarial nets, arXiv 1411.1784
    """

    def __init__(
        self,
        prior: nn.Module,
        generator: nn.Module,
        discriminator: Discriminator,
        *,
        event_shape: tuple[int, ...],
        latent_shape: tuple[int, ...],
        augment: nn.Module | None = None,
        condition: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.prior = prior
        self.generator = generator
        self.discriminator = discriminator
        self.event_shape, self.latent_shape = tuple(event_shape), tuple(latent_shape)
        self.augment = augment
        self.condition = condition
        self.no_likelihood: str | None = NO_LIKELIHOOD

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """G(z, c) as points, batch ``(*S, *B)``, for z ``(*S, *B, *latent_shape)``."""
        return self.generator(z, *context)

    def draw(self, count: int, *context: Tensor) -> Tensor:
        """One code for each of `count` examples, ``(count, *latent_shape)``."""
        return one_for_each(self.prior(*context), count)

    def judge(self, x: Tensor, *context: Tensor) -> Verdict:
        """The discriminator's word on x ``(B, *event_shape)``, which is augmented in training."""
        if self.augment is not None and self.training:
            x = self.augment(x)
        return self.discriminator(x, *context)

    @torch.no_grad()
    def sample_prior(self, n: int, *context: Tensor) -> Tensor:
        """Codes ``(n, *B, *latent_shape)``, B the context's batch dimensions."""
        return drawn_from(self.prior(*context), n, self.condition, context)

    @torch.no_grad()
    def sample(self, n: int, *context: Tensor) -> Tensor:
        """Data ``(n, *B, *event_shape)``."""
        return self.decode(self.sample_prior(n, *context), *context).mean
