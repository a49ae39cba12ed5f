"""Objectives of models whose log p(x) is a finite sum, or no sum at all."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from ..bounds import Terms, check_event, parts_of


class DiscreteModel(Protocol):
    """What :func:`enumerated` asks of a model (`lowerbound.models.conditional`)."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one datum."""
        ...

    def enumerated(self, x: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x|z,c) and log p(z|c) of all K codes, ``(K, B)`` each."""
        ...

    def log_posterior(
        self, x: Tensor, *context: Tensor, enumerated: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """log q(z|x,c) of all K codes, ``(K, B)``."""
        ...


class ExactModel(Protocol):
    """What :func:`likelihood` asks of a model."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Of one datum."""
        ...

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x|c), exact, ``(B,)``."""
        ...


def enumerated(
    model: DiscreteModel, x: Tensor, *context: Tensor, beta: float | Tensor = 1.0
) -> Terms:
    """The ELBO with a code of K categories, its expectation a sum over all of them.

    Under the exact posterior it is log p(x|c) itself, and its gradient that of the likelihood.

    Args:
        model: enumerates its codes.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        beta: weight of the rate in the loss; pass a 0-d tensor if it changes.

    Returns:
        loss, the mean of distortion + beta·rate; parts ``bound``, ``distortion`` and ``rate``, of
        which none is sampled.
    """
    check_event(x, model.event_shape)
    fit, log_prior = found = model.enumerated(x, *context)
    log_q = model.log_posterior(x, *context, enumerated=found)
    q = log_q.exp()
    distortion = -(q * fit).sum(0)
    rate = (q * (log_q - log_prior)).sum(0)
    return Terms((distortion + beta * rate).mean(), parts_of(distortion, rate))


def likelihood(model: ExactModel, x: Tensor, *context: Tensor) -> Terms:
    """−log p(x|c) of a model that knows it: maximum likelihood, nothing bounded.

    Args:
        model: its ``log_prob`` is used.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each.

    Returns:
        loss, the mean of −log p(x|c); part ``log_likelihood``, nats.
    """
    check_event(x, model.event_shape)
    value = model.log_prob(x, *context)
    return Terms(-value.mean(), {"log_likelihood": value.detach()})
