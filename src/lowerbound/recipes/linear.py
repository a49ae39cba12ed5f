"""Recipes of linear models, solved in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..options import Span
from .parts import Built, latent_dim_of, likelihood_of, refuse_categories

if TYPE_CHECKING:
    from ..data.spec import DataSpec


def pca(
    data: DataSpec,
    *,
    latent_dim: Annotated[int | None, Span(min=1, unit="dimensions")] = None,
) -> Built:
    """Probabilistic PCA: the linear-Gaussian model, solved exactly and with exact likelihoods.

    Args:
        data: the data's shape and support.
        latent_dim: principal components, fewer than the numbers in an example; by default 16, or
            half those of a small example.

    Returns:
        The model and its closed form.

    Raises:
        LowerboundError: as many components as numbers, or data that are categories.

    Reference:
        Tipping & Bishop 1999, Probabilistic principal component analysis, JRSS B 61(3)
    """
    from ..models import LinearGaussian
    from ..training.phase import ClosedForm

    refuse_categories(data, "pca", "a covariance")
    _, reason = likelihood_of(data, "gaussian")
    latent_dim = latent_dim or latent_dim_of(data)
    model = LinearGaussian(data.event_shape, latent_dim, no_likelihood=reason)
    return Built(model, [ClosedForm("pca", lambda model, sweep: iter([model.fit_(sweep())]))])


# What the data are prepared for: there is no `likelihood` to choose (session.py asks).
pca.prepared_for = "gaussian"  # ty: ignore[missing-attribute]

RECIPES = {"pca": pca}
