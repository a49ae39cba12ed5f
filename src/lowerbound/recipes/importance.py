"""Recipes of several samples per example, and of maximum likelihood without a bound."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Span, takes
from .parts import Built, latent_model

if TYPE_CHECKING:
    from ..data.spec import DataSpec


@takes(latent_model, but=("condition",))
def iwae(
    data: DataSpec,
    *,
    samples: Annotated[int, Span(min=1, unit="samples")] = 5,
    estimator: Literal["plain", "stl", "dreg"] = "plain",
    **parts: Any,
) -> Built:
    """Importance-weighted autoencoder: a bound of K samples, the tighter the more there are.

    Args:
        data: the data's shape, support and statistics.
        samples: K, codes drawn for each example.
        estimator: of the posterior's gradient; plain, of the bound as it stands; dreg, doubly
            reparameterized: the same mean, less noise; stl, sticking the landing: biased but for
            one sample, without noise at the exact posterior.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Reference:
        Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders, arXiv 1509.00519;
        dreg: Tucker et al. 2019, arXiv 1810.04152; stl: Roeder et al. 2017, arXiv 1703.09194
    """
    from ..objectives import importance_weighted
    from ..training.phase import Phase

    model = latent_model(data, **parts)
    objective = partial(importance_weighted, samples=samples, estimator=estimator)
    return Built(model, [Phase("iwae", objective, [model])])


@takes(latent_model, but=("condition",))
def multisample(
    data: DataSpec,
    *,
    estimator: Literal["miwae", "piwae", "ciwae"] = "piwae",
    groups: Annotated[int, Span(min=1, unit="groups")] = 8,
    samples: Annotated[int, Span(min=1, unit="samples")] = 8,
    beta: Annotated[float, Span(min=0, max=1)] = 0.5,
    **parts: Any,
) -> Built:
    """VAE on a bound of many samples that does not starve its encoder.

    Args:
        data: the data's shape, support and statistics.
        estimator: miwae, the mean of several IWAE bounds; piwae, that for the posterior, and the
            IWAE bound of all samples for prior and likelihood; ciwae, ELBO and IWAE mixed.
        groups: M, IWAE bounds of miwae and piwae that are averaged; with ciwae there are none, and
            it draws groups times samples.
        samples: K, codes drawn for each example and group.
        beta: share of the ELBO in ciwae.
        **parts: see `latent_model`.

    Returns:
        The model and its phase; with piwae two: the posterior's, and that of the rest.

    Reference:
        Rainforth et al. 2018, Tighter variational bounds are not necessarily better, arXiv
        1802.04537
    """
    from ..bounds import iwae as whole
    from ..objectives import ciwae, miwae
    from ..training.phase import Phase

    model = latent_model(data, **parts)
    grouped = partial(miwae, groups=groups, samples=samples)
    if estimator == "miwae":
        return Built(model, [Phase("miwae", grouped, [model])])
    if estimator == "ciwae":
        mixed = partial(ciwae, samples=groups * samples, beta=beta)
        return Built(model, [Phase("ciwae", mixed, [model])])
    return Built(
        model,
        [
            Phase("posterior", grouped, [model.posterior]),
            Phase("likelihood", partial(whole, samples=groups * samples), _generative(model)),
        ],
    )


@takes(latent_model, but=("condition",))
def elbo_gradients(
    data: DataSpec,
    *,
    gradient: Literal["pathwise", "stl", "score"] = "stl",
    baseline: Literal["none", "samples", "batch"] = "batch",
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    entropy: Annotated[float, Span(min=0)] = 1.0,
    **parts: Any,
) -> Built:
    """VAE with a choice of its posterior's gradient, or without its entropy: for comparison.

    Args:
        data: the data's shape, support and statistics.
        gradient: pathwise, by reparameterization, of the bound in its entropy form; stl, the path
            derivative alone (sticking the landing); score, score function (REINFORCE), which
            needs no reparameterization.
        baseline: of score: none, the mean of an example's other samples, or that of the other
            examples of the batch.
        samples: codes drawn for each example.
        entropy: weight of the posterior's entropy with pathwise; without it, at 0, the posterior
            shrinks to a point.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: a baseline of other samples where there is one; another weight of the
            entropy than 1 with a gradient that is not pathwise.

    Reference:
        Kingma & Welling 2014, arXiv 1312.6114; stl: Roeder et al. 2017, arXiv 1703.09194; score:
        Williams 1992, Machine Learning 8
    """
    from ..objectives import entropy_form, score_function, sticking_the_landing
    from ..training.phase import Phase

    if gradient == "score" and baseline == "samples" and samples < 2:
        raise LowerboundError(
            f"samples: expected at least 2 for a baseline of other samples, came {samples}; pass "
            f"--samples 2, or --baseline batch"
        )
    if gradient != "pathwise" and entropy != 1.0:
        raise LowerboundError(
            f"entropy: expected 1 with gradient {gradient}, came {entropy:g}; pass --gradient "
            f"pathwise"
        )
    objective = {
        "pathwise": partial(entropy_form, samples=samples, entropy=entropy),
        "stl": partial(sticking_the_landing, samples=samples),
        "score": partial(score_function, samples=samples, baseline=baseline),
    }[gradient]
    model = latent_model(data, **parts)
    return Built(model, [Phase("elbo", objective, [model])])


@takes(latent_model, but=("condition",))
def monte_carlo_em(
    data: DataSpec,
    *,
    proposal: Literal["posterior", "prior"] = "posterior",
    samples: Annotated[int, Span(min=1, unit="samples")] = 10,
    fit: Literal["wake", "sleep"] = "wake",
    **parts: Any,
) -> Built:
    """Monte Carlo EM: guess the codes of each example, and take the guess for the truth.

    Prior and likelihood learn from weighted guesses. The posterior learns by a forward KL, and is
    what proposes, or, with guesses from the prior, only what evaluation needs.

    Args:
        data: the data's shape, support and statistics.
        proposal: where guesses come from: the posterior, or the prior, of whose draws hardly one
            fits once codes have a few dimensions.
        samples: K, guesses for each example.
        fit: how the posterior learns: wake, from weighted guesses for the data (reweighted
            wake-sleep); sleep, from codes and data that the model dreams.
        **parts: see `latent_model`.

    Returns:
        The model and its two phases.

    Reference:
        Wei & Tanner 1990, A Monte Carlo implementation of the EM algorithm, JASA 85; Bornschein &
        Bengio 2015, Reweighted wake-sleep, arXiv 1406.2751; Hinton et al. 1995, Science 268
    """
    from ..objectives import monte_carlo_em as expectation
    from ..objectives import sleep, wake
    from ..training.phase import Phase

    model = latent_model(data, **parts)
    fitted = partial(wake, samples=samples) if fit == "wake" else sleep
    return Built(
        model,
        [
            Phase(
                "likelihood",
                partial(expectation, samples=samples, proposal=proposal),
                _generative(model),
            ),
            Phase("posterior", fitted, [model.posterior]),
        ],
    )


@takes(latent_model, but=("condition",))
def naive(
    data: DataSpec,
    *,
    samples: Annotated[int, Span(min=1, unit="samples")] = 100,
    **parts: Any,
) -> Built:
    """Maximum likelihood by codes drawn from the prior: why a bound and a posterior are needed.

    The posterior is fitted beside it, by a forward KL and without a say in the rest: it is what
    evaluation needs.

    Args:
        data: the data's shape, support and statistics.
        samples: K, codes drawn for each example; effective_samples tells how many of them count.
        **parts: see `latent_model`.

    Returns:
        The model and its two phases.

    Reference:
        Kingma & Welling 2014, Auto-encoding variational Bayes, arXiv 1312.6114, section 2
    """
    from ..objectives import naive as objective
    from ..objectives import wake
    from ..training.phase import Phase

    model = latent_model(data, **parts)
    return Built(
        model,
        [
            Phase("likelihood", partial(objective, samples=samples), _generative(model)),
            Phase("posterior", partial(wake, samples=10), [model.posterior]),
        ],
    )


def _generative(model: Any) -> list[Any]:
    """Prior and likelihood: what explains codes and data."""
    return [model.prior, model.likelihood]


RECIPES = {
    "iwae": iwae,
    "multisample": multisample,
    "elbo-gradients": elbo_gradients,
    "monte-carlo-em": monte_carlo_em,
    "naive": naive,
}
