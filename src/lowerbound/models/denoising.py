"""The denoising autoencoder: sees corrupted data, answers for the clean ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .autoencoder import Autoencoder

if TYPE_CHECKING:
    from ..distributions import Head
    from ..networks.corruption import Corruption


class DenoisingAutoencoder(Autoencoder):
    """f(g(x~)), trained to return the clean x from a corrupted x~ ~ M(x~ | x) (EQUATIONS 4).

    It encodes and decodes as an autoencoder does; only training corrupts. Under squared error the
    best of all denoisers is the posterior mean E[x | x~].

    Args:
        encoder: a head with a ``Delta`` over codes.
        decoder: a head with a ``Delta`` over data.
        corruption: M, ``corruption(x) -> (corrupted, hidden)``.

    References:
        Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders;
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11
    """

    def __init__(self, encoder: Head, decoder: Head, corruption: Corruption) -> None:
        super().__init__(encoder, decoder)
        self.corruption = corruption

    @torch.no_grad()
    def corrupt(self, x: Tensor) -> Tensor:
        """A draw from M(x~ | x), ``(*B, *event_shape)`` as x."""
        return self.corruption(x)[0]

    @torch.no_grad()
    def denoise(self, x: Tensor) -> Tensor:
        """The clean data that are expected behind corrupted x, ``(*B, *event_shape)`` each."""
        return self.decode(self.encode(x).mean).mean
