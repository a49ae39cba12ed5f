"""Discriminators: what tells data from samples, with a condition joined in one of three ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..distributions import Reducible
from ..networks.start import initialise_

Joins = Literal["concatenation", "projection", "classifier"]


class Verdict(NamedTuple):
    """What a discriminator says.

    Args:
        logit: the higher, the more it takes an example for data, ``(N,)``.
        classes: logits of the class, ``(N, K)``, of an auxiliary classifier; else None.
    """

    logit: Tensor
    classes: Tensor | None = None


class Discriminator(Reducible):
    """Features of x, and a logit of them and of the condition.

    *concatenation* gives the condition to the network beside x (conditional GAN); *projection* adds
    the inner product of the features with an embedding of the condition, the form that the log
    ratio of two densities has where classes share their features; *classifier* does not look at the
    condition, but tells the class besides (AC-GAN).

    Args:
        network: from ``(N, *event)``, with the condition's vectors where it is concatenated, to
            features ``(N, F)``.
        features: F.
        embed: for each context a module from ``(N, *condition)`` to a vector.
        width: numbers in these vectors together.
        joins: how the condition comes in.
        centred: whether x lies in [0, 1] and is moved to [-1, 1] first.

    References:
        Mirza & Osindero 2014, arXiv 1411.1784; Miyato & Koyama 2018, cGANs with projection
        discriminator, arXiv 1802.05637; Odena, Olah & Shlens 2017, arXiv 1610.09585
    """

    def __init__(
        self,
        network: nn.Module,
        features: int,
        *,
        embed: Sequence[nn.Module] = (),
        width: int = 0,
        joins: Joins = "projection",
        centred: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.joins, self.centred = network, joins, centred
        self.embed = nn.ModuleList(embed)
        self.logit = initialise_(nn.Linear(features, 1), "linear")
        self.along: nn.Linear | None = None
        self.classes: nn.Linear | None = None
        if width and joins == "projection":
            self.along = nn.Linear(width, features, bias=False)
        if width and joins == "classifier":
            self.classes = nn.Linear(features, width)

    def features(self, x: Tensor, *context: Tensor) -> Tensor:
        """What the logit is a function of, ``(N, F)``, for x ``(N, *event)``."""
        return self._features(x, self._vectors(x, *context))

    def forward(self, x: Tensor, *context: Tensor) -> Verdict:
        """See the class; x ``(N, *event)``, contexts ``(N, ...)``."""
        vectors = self._vectors(x, *context)
        features = self._features(x, vectors)
        logit = self.logit(features).squeeze(1)
        if self.along is not None:
            logit = logit + (features * self.along(torch.cat(vectors, 1))).sum(1)
        return Verdict(logit, None if self.classes is None else self.classes(features))

    def _vectors(self, x: Tensor, *context: Tensor) -> list[Tensor]:
        return [embed(c).to(x.dtype) for embed, c in zip(self.embed, context, strict=True)]

    def _features(self, x: Tensor, vectors: list[Tensor]) -> Tensor:
        x = 2.0 * x - 1.0 if self.centred else x
        beside = vectors if self.joins == "concatenation" else []
        if self.precision is None:
            return self.network(x, *beside)
        with torch.autocast(x.device.type, self.precision):
            return self.network(x, *beside).float()
