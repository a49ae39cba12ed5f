"""Draws that can be scored again: by another distribution of the same kind, or without a path."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import SquashedNormal, sample_with_log_prob


class Drawn(NamedTuple):
    """Codes, and what they were made of.

    Attributes:
        inner: what q draws, ``(K, B, *latent_shape)``: the codes themselves, but of a squashed
            normal the u before the sigmoid. Near an edge a code has lost the digits of its u, and
            its log-density would be that of another.
        q: whose draws they are.
    """

    inner: Tensor
    q: Distribution

    @classmethod
    def of(cls, q: Distribution, samples: int, *, moved: bool = True) -> Drawn:
        """K draws for each example; moved: whether they carry the gradient of their path."""
        if isinstance(q, SquashedNormal):
            inner = q.rsample_inside((samples,))
            return cls(inner if moved else inner.detach(), q)
        if moved:
            return cls(sample_with_log_prob(q, (samples,))[0], q)
        with torch.no_grad():
            return cls(q.sample((samples,)), q)

    @property
    def z(self) -> Tensor:
        """Codes, ``(K, B, *latent_shape)``."""
        return self.q.squash(self.inner) if isinstance(self.q, SquashedNormal) else self.inner

    def score(self, q: Distribution) -> Tensor:
        """log q of the codes, q of the same kind as their own: ``(K, B)``, nats."""
        if isinstance(q, SquashedNormal):
            return q.log_prob_inside(self.inner)
        return q.log_prob(self.inner)
