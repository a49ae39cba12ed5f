"""Priors p(z|c) of conditional models, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..errors import LowerboundError
from ..options import Span
from .types import Activation, Around, Builders

if TYPE_CHECKING:
    from torch.nn import Module


def network(
    latent_shape: tuple[int, ...],
    around: Around,
    *,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (512, 512),
    activation: Activation = "relu",
) -> Module:
    """Gaussian whose means and scales a network makes of the condition: p(z|c).

    Args:
        latent_shape: shape of one code.
        around: what else there is of the model; its condition is what the network is given.
        hidden: widths of the hidden layers from the condition to the code.
        activation: nonlinearity of the hidden layers.

    Reference:
        Sohn, Lee & Yan 2015, Learning structured output representation using deep conditional
        generative models, NeurIPS
    """
    from ..distributions import DiagonalGaussian, Head
    from ..networks import MLP

    condition = around.condition
    if condition is None:
        raise LowerboundError(
            "prior network: expected a model with a condition, which it is a function of, came one "
            "without; pass recipe cvae or completion, or another prior"
        )

    family = DiagonalGaussian(latent_shape)
    embeddings = condition.embeddings()  # ty: ignore[not-callable]
    mlp = MLP(
        (condition.width,),  # ty: ignore[invalid-argument-type]
        family.raw_shape,
        hidden=hidden,
        activation=activation,
    )
    return Head(mlp, family, condition.event_ranks, embeddings)  # ty: ignore[invalid-argument-type]


BUILDERS: Builders = {"network": network}
