"""What a model can do: tools ask for a capability, never for a class.

Shapes: ``B`` stands for any leading batch dimensions, ``S`` for sample dimensions, which lead.
``*context`` are whatever the model is conditioned on (labels, images, vectors), with the same
batch dimensions as the datum.

>>> from lowerbound.models import LinearGaussian
>>> model = LinearGaussian((5,), latent_dim=2)
>>> isinstance(model, CanEncode), isinstance(model, HasLogProb)
(True, True)
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.distributions import Distribution


@runtime_checkable
class Model(Protocol):
    """What every model says of itself.

    Attributes:
        event_shape: shape of one example.
        latent_shape: shape of one code.
        no_likelihood: None, or why log p(x) under this model must not be reported.
    """

    event_shape: tuple[int, ...]
    latent_shape: tuple[int, ...]
    no_likelihood: str | None


@runtime_checkable
class CanEncode(Protocol):
    """Has a posterior over codes."""

    def encode(self, x: Tensor, *context: Tensor) -> Distribution:
        """q(z | x, c): batch shape ``B``, event shape ``latent_shape``, for x ``(*B, *event)``."""
        ...


@runtime_checkable
class CanDecode(Protocol):
    """Turns codes into distributions over data."""

    def decode(self, z: Tensor, *context: Tensor) -> Distribution:
        """p(x | z, c): batch shape ``(*S, *B)``, event shape ``event_shape``, for z
        ``(*S, *B, *latent)``."""
        ...


@runtime_checkable
class CanSample(Protocol):
    """Has a prior to draw codes from."""

    def sample_prior(self, n: int, *context: Tensor) -> Tensor:
        """``n`` codes z ~ p(z | c): ``(n, *B, *latent)``, B the context's batch dimensions."""
        ...


@runtime_checkable
class HasLogProb(Protocol):
    """Has an exact density."""

    def log_prob(self, x: Tensor, *context: Tensor) -> Tensor:
        """log p(x | c) in nats, exact: ``B``, for x ``(*B, *event)``."""
        ...


def drawn_from(prior: Distribution, n: int, condition: Any, context: tuple[Tensor, ...]) -> Tensor:
    """Codes for each condition, also of a prior that is the same for all.

    Args:
        prior: p(z | c), of batch shape ``B``, or of none.
        n: how many for each.
        condition: that made the contexts; None where there are none.
        context: with batch dimensions ``B``.

    Returns:
        ``(n, *B, *latent)``.
    """
    lead: tuple[int, ...] = ()
    if context and condition is not None:
        lead = tuple(context[0].shape[: context[0].dim() - condition.event_ranks[0]])
    return prior.sample((n,) if tuple(prior.batch_shape) == lead else (n, *lead))


def one_for_each(prior: Distribution, count: int) -> Tensor:
    """One code for each of `count` examples, ``(count, *latent)``.

    Args:
        prior: p(z | c), of batch shape ``(count,)``, or of none.
        count: how many.
    """
    return prior.sample(() if len(prior.batch_shape) else (count,))
