"""The autoencoder: a deterministic code and a squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.distributions import Distribution

if TYPE_CHECKING:
    from ..distributions import Head

NO_LIKELIHOOD = (
    "squared error has no variance: an autoencoder gives a distance, no density of the data; "
    "recipe vae with likelihood gaussian has both"
)


class Autoencoder(nn.Module):
    """An encoder g and a decoder f, trained on ``||x - f(g(x))||^2``.

    Both return a point, as a ``Delta`` distribution, so that the tools for encoding and decoding
    need not know the difference. There is no prior, hence nothing to sample and no likelihood.

    Args:
        encoder: a head with a ``Delta`` over codes.
        decoder: a head with a ``Delta`` over data.

    Reference:
        Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks,
        Science 313
    """

    def __init__(self, encoder: Head, decoder: Head) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.event_shape: tuple[int, ...] = tuple(decoder.family.event_shape)
        self.latent_shape: tuple[int, ...] = tuple(encoder.family.event_shape)
        self.no_likelihood: str | None = NO_LIKELIHOOD

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """The code g(x), ``(*B, *latent_shape)``, as a Delta; x ``(*B, *event_shape)``."""
        return self.encoder(x, *context)

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """Reconstruction f(z), ``(*B, *event_shape)``, as a Delta; z ``(*B, *latent_shape)``."""
        return self.decoder(z, *context)
