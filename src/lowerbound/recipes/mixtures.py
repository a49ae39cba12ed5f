"""Recipes of finite mixtures, solved by expectation maximization."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from ..options import Span
from .parts import Built, likelihood_of, refuse_categories

if TYPE_CHECKING:
    from ..data.spec import DataSpec


def gaussian_mixture(
    data: DataSpec,
    *,
    components: Annotated[int, Span(min=1, unit="components")] = 10,
    covariance: Literal["full", "diagonal", "tied", "spherical"] = "full",
    start: Literal["k-means++", "random"] = "k-means++",
    restarts: Annotated[int, Span(min=1, unit="starts")] = 5,
    floor: Annotated[float, Span(min=0, max=0.5)] = 1e-6,
    tolerance: Annotated[float, Span(min=0, unit="nats per example")] = 1e-4,
    iterations: Annotated[int, Span(min=0, unit="M steps")] = 200,
) -> Built:
    """Gaussian mixture: p(x) = sum_h p(h) p(x|h) by EM, with exact likelihoods and posterior.

    Args:
        data: the data's shape and support.
        components: normals; not more than there are examples.
        covariance: full, one for each component; tied, one that all share; diagonal, the variances
            of each; spherical, one variance for each.
        start: centres by k-means++ and a little k-means, or random examples.
        restarts: starts to choose from, by their likelihood on a sample after ten steps.
        floor: least variance in any direction, as a part of the data's; 0 for none, which makes
            a component that collapses an error.
        tolerance: it has converged when a step raises the log-likelihood by less.
        iterations: steps, at most.

    Returns:
        The model and its solution.

    Raises:
        LowerboundError: data that are categories.

    Reference:
        Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via the EM algorithm,
        JRSS B 39(1)
    """
    from ..mixtures import GaussianMixture, em
    from ..training.phase import ClosedForm

    refuse_categories(data, "gaussian-mixture", "a covariance")
    _, reason = likelihood_of(data, "gaussian")
    model = GaussianMixture(data.event_shape, components, covariance, no_likelihood=reason)
    solve = partial(
        em,
        start=start,
        restarts=restarts,
        floor=floor,
        tolerance=tolerance,
        max_iterations=iterations,
    )
    return Built(model, [ClosedForm("em", solve)])


# What the data are prepared for: there is no `likelihood` to choose (session.py asks).
gaussian_mixture.prepared_for = "gaussian"  # ty: ignore[missing-attribute]

RECIPES = {"gaussian-mixture": gaussian_mixture}
