"""The density of codes, for a prior that is fitted to them."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..bounds import Terms, check_event
from ..distributions import Conditional


class PriorModel(Protocol):
    """What :func:`code_density` asks of a model."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one datum."""
        ...

    @property
    def prior(self) -> Conditional:
        """p(z), a function of the contexts."""
        ...

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q(z|x): ``(B, *event_shape)`` -> batch shape ``(B,)``."""
        ...


def code_density(model: PriorModel, x: Tensor, *context: Tensor) -> Terms:
    """−E_q log p(z), codes z ~ q(z|x) without a gradient to the encoder.

    Its minimum over p is the aggregate posterior q(z) = E_x q(z|x), for it is KL(q(z)‖p(z)) plus
    the entropy of q(z), which p does not move.

    Args:
        model: prior and encoder.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, the mean over examples; part ``code_log_density`` = log p(z), nats.

    Reference:
        Tomczak & Welling 2018, VAE with a VampPrior, https://arxiv.org/abs/1705.07120
    """
    check_event(x, model.event_shape)
    with torch.no_grad():
        z = model.encode(x, *context).rsample()
    found = model.prior(*context).log_prob(z)
    return Terms(-found.mean(), {"code_log_density": found.detach()})
