"""Recipes whose objective is the ELBO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..options import options_of, takes
from .parts import Built, evidence_bound, latent_model

if TYPE_CHECKING:
    from ..data.spec import DataSpec


@takes(evidence_bound, latent_model, but=("condition",))
def vae(data: DataSpec, **options: Any) -> Built:
    """Variational autoencoder: by default a standard normal prior, a diagonal Gaussian posterior.

    Args:
        data: the data's shape, support and statistics.
        **options: see `evidence_bound` and `latent_model`.

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
    from ..training.phase import Phase

    bounded = {name: options.pop(name) for name in options_of(evidence_bound) if name in options}
    objective = evidence_bound(**bounded)
    model = latent_model(data, **options)
    return Built(model, [Phase(bounded.get("bound", "elbo"), objective, [model])])


RECIPES = {"vae": vae}
