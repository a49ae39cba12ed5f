"""Recipes whose objective is the ELBO."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Span, takes
from .parts import Built, latent_model

if TYPE_CHECKING:
    from ..data.spec import DataSpec


@takes(latent_model, but=("condition",))
def vae(
    data: DataSpec,
    *,
    bound: Literal["elbo", "iwae"] = "elbo",
    samples: Annotated[int | None, Span(min=1, unit="samples")] = None,
    beta: Annotated[float, Span(min=0)] = 1.0,
    kl: Literal["analytic", "sampled"] = "analytic",
    **parts: Any,
) -> Built:
    """Variational autoencoder: by default a standard normal prior, a diagonal Gaussian posterior.

    Args:
        data: the data's shape, support and statistics.
        bound: what is maximised: the ELBO, or the importance-weighted bound of IWAE.
        samples: codes drawn for each example; by default 1 for elbo, 5 for iwae.
        beta: weight of the rate in the objective of elbo; reported bounds are always at beta 1.
        kl: the rate of elbo in closed form, where prior and posterior have one, or sampled.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv 1312.6114; Rezende, Mohamed
        & Wierstra 2014, Stochastic backpropagation, arXiv 1401.4082; iwae: Burda, Grosse &
        Salakhutdinov 2016, Importance weighted autoencoders, arXiv 1509.00519; beta: Higgins et al.
        2017, beta-VAE
    """
    from .. import bounds
    from ..training.phase import Phase

    if bound == "iwae" and beta != 1.0:
        raise LowerboundError(
            f"beta: expected 1 with bound iwae, which is no sum of distortion and rate, "
            f"came {beta:g}; pass bound elbo"
        )
    model = latent_model(data, **parts)
    if bound == "iwae":
        objective = partial(bounds.iwae, samples=samples or 5)
    else:
        objective = partial(bounds.elbo, samples=samples or 1, beta=beta, kl=kl)
    return Built(model, [Phase(bound, objective, [model])])


RECIPES = {"vae": vae}
