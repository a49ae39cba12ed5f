"""A model whose prior is fitted when the rest is finished."""

from __future__ import annotations

from typing import Any

from torch import nn

from .vae import LatentModel


class TwoStage(LatentModel):
    """Encoder and decoder of a finished model, frozen, under a prior fitted to their codes.

    A prior that matches the aggregate posterior q(z) = E_x q(z|x) is, of all priors, the one under
    which the mean bound of the data is highest while encoder and decoder stay as they are; and it
    makes an autoencoder, which has none, a model to draw from.

    Args:
        prior: p(z), the only part that is trained.
        likelihood: the decoder, frozen here.
        posterior: the encoder, frozen here.
        **shapes: see `LatentModel`.

    References:
        Tomczak & Welling 2018, VAE with a VampPrior, arXiv 1705.07120 (the optimal prior); Dai &
        Wipf 2019, Diagnosing and enhancing VAE models, arXiv 1903.05789; Ghosh et al. 2020, From
        variational to deterministic autoencoders, arXiv 1903.12436
    """

    def __init__(
        self, prior: nn.Module, likelihood: nn.Module, posterior: nn.Module, **shapes: Any
    ) -> None:
        super().__init__(prior, likelihood, posterior, **shapes)
        for module in (likelihood, posterior):
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> TwoStage:
        """As of any module, but that the frozen parts stay in evaluation mode: running statistics
        and estimates must not move."""
        super().train(mode)
        self.likelihood.eval()
        self.posterior.eval()
        return self
