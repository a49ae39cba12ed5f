"""Recipes that differ in how codes are inferred: example by example, or refined."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import LowerboundError
from ..options import Span, takes
from .parts import Built, latent_model

if TYPE_CHECKING:
    from ..data.spec import DataSpec


@takes(latent_model, but=("condition", "posterior", "encoder"))
def per_datapoint(
    data: DataSpec,
    *,
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """Variational inference without an encoder: a normal of its own for each training example.

    Its parameters are |θ| + (|μ| + |σ|) N, which is shown when training starts. Held-out examples
    have no normal of their own: theirs is fitted when they are measured.

    Args:
        data: the data's shape, support and statistics, and how many training examples there are.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase, which moves likelihood and all normals.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Hoffman, Blei, Wang & Paisley 2013, Stochastic variational inference, arXiv 1206.7051
    """
    from .. import bounds
    from ..models.per_datapoint import PerDatapoint
    from ..training.phase import Phase

    whole = latent_model(data, **parts)
    codes = {id(parameter) for parameter in whole.posterior.parameters()}
    if any(id(parameter) in codes for parameter in whole.prior.parameters()):
        raise LowerboundError(
            f"prior: expected one that needs no encoder, came {parts['prior']!r}; pass "
            "standard-normal, or recipe vae"
        )
    model = PerDatapoint(
        whole.prior,
        whole.likelihood,
        data.train,
        event_shape=whole.event_shape,
        latent_shape=whole.latent_shape,
        no_likelihood=whole.no_likelihood,
    )
    return Built(model, [Phase("elbo", partial(bounds.elbo, samples=samples), [model])])


@takes(latent_model, but=("condition", "posterior"))
def semi_amortized(
    data: DataSpec,
    *,
    refinements: Annotated[int, Span(min=1, unit="steps")] = 5,
    step_size: Annotated[float, Span(min=0, max=1, open=True)] = 0.3,
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """Semi-amortized VAE: the encoder proposes, a few gradient steps refine, the decoder learns.

    The decoder is trained under the refined posterior and the encoder on its own ELBO: no gradient
    is taken through the refinement (as in Krishnan et al.; Kim et al. take it).

    Args:
        data: the data's shape, support and statistics.
        refinements: steps of natural-gradient ascent on each example's own ELBO.
        step_size: their size; 1 is a leap to the optimum of independent dimensions.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its two phases.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Kim, Wiseman, Miller, Sontag & Rush 2018, Semi-amortized variational autoencoders, arXiv
        1802.02550; Krishnan, Liang & Hoffman 2018, On the challenges of learning with inference
        networks, arXiv 1710.06085
    """
    from .. import bounds, inference
    from ..training.phase import Phase

    model = latent_model(data, **parts)
    refined = partial(
        inference.refined_elbo, steps=refinements, learning_rate=step_size, samples=samples
    )
    encoder = partial(bounds.elbo, samples=samples)
    return Built(
        model,
        [
            Phase("likelihood", refined, [model.likelihood, model.prior]),
            Phase("posterior", encoder, [model.posterior]),
        ],
    )


RECIPES = {"per-datapoint": per_datapoint, "semi-amortized": semi_amortized}
