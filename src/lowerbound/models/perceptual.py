"""A VAE whose reconstructions are compared by the features of a network."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..distributions.gaussian import RunningVariance
from .vae import LatentModel

_LEAST = 1e-8


class Perceiver(Protocol):
    """A network that sees images by its hidden layers."""

    def features(self, x: Tensor) -> list[Tensor]:
        """Of each layer, ``(N, *layer)``, of x ``(N, *event_shape)``."""
        ...


class PerceptualVAE(LatentModel):
    """Prior, posterior and a decoder of points, and the network that compares by features.

    Args:
        prior: p(z).
        likelihood: the decoder, a point for each code.
        posterior: q(z | x).
        perceiver: has ``features`` (`Perceiver`).
        layers: how many these are.
        supervision: makes what the perceiver learns to tell from what comes beside the data, where
            it learns of that; encoder and decoder are not told.
        calibrated: whether how much each layer's features may be off follows from how much they are
            (`lowerbound.objectives.perceptual.perceptual_bound`).
        **parts: see `LatentModel`.

    Attributes:
        units: of each layer's features, ``(layers,)``: the standard deviation that they have over
            data, whatever their channel (:meth:`measure_units`).
        variances: of each layer how much its features are off, in these units, squared, if
            calibrated; else empty.

    Reference:
        Hou, Shen, Sun & Qiu 2017, Deep feature consistent variational autoencoder, arXiv 1610.00291
    """

    units: Tensor

    def __init__(
        self,
        prior: nn.Module,
        likelihood: nn.Module,
        posterior: nn.Module,
        perceiver: nn.Module,
        layers: int,
        *,
        supervision: nn.Module | None = None,
        calibrated: bool = False,
        **parts: Any,
    ) -> None:
        super().__init__(prior, likelihood, posterior, **parts)
        self.perceiver = perceiver
        self.supervision = supervision
        self.told: Any = nn.ModuleList([] if supervision is None else supervision.embeddings())  # ty: ignore[not-callable]
        self.register_buffer("units", torch.ones(layers))
        kept = layers if calibrated else 0
        self.variances = nn.ModuleList(RunningVariance(1.0) for _ in range(kept))

    @torch.no_grad()
    def measure_units(self, x: Tensor) -> None:
        """Set the units to those of some data, ``(N, *event_shape)``, N at least 2."""
        for number, found in enumerate(self.features(x)):
            variance = found.var((0, *range(2, found.dim()))).mean()
            self.units[number] = variance.clamp(min=_LEAST).sqrt()

    def standardized(self, attributes: Tensor) -> Tensor:
        """Attributes ``(B, A)`` as the perceiver learns to tell them, float32."""
        return self.told[0](attributes)

    def features(self, x: Tensor) -> list[Tensor]:
        """The perceiver's features of x ``(N, *event_shape)``, layer by layer."""
        found: Any = self.perceiver
        return found.features(x)
