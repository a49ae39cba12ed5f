"""Recipes of VAEs whose rate is steered, taken apart, or replaced."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Span, takes
from .parts import Built, latent_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..data.spec import DataSpec


@takes(latent_model, but=("condition",))
def beta_vae(
    data: DataSpec,
    *,
    beta: Annotated[float, Span(min=0)] = 4.0,
    beta_schedule: Literal["constant", "warmup", "cyclical"] = "constant",
    rise: Annotated[float, Span(min=1e-3, max=1, unit="share of the run, or of each cycle")] = 0.5,
    cycles: Annotated[int, Span(min=1, unit="cycles")] = 4,
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """β-VAE: the rate weighs β in the objective, at once, after a warm-up, or in cycles.

    Args:
        data: the data's shape, support and statistics.
        beta: weight of the rate; above 1 for factors that are apart, below 1 for detail. Reported
            bounds are always at beta 1.
        beta_schedule: constant; warmup, a line from 0 to beta; cyclical, such a line again and
            again, each time followed by beta.
        rise: share of the run (warmup) or of each cycle (cyclical) that the line takes.
        cycles: of cyclical, in the run.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Higgins et al. 2017, beta-VAE, openreview Sy2fzU9gl; warmup: Bowman et al. 2016, arXiv
        1511.06349, and Sønderby et al. 2016, arXiv 1602.02282; cyclical: Fu et al. 2019, arXiv
        1903.10145
    """
    from ..bounds import elbo
    from ..training.schedules import weight

    schedule = weight(beta_schedule, beta, share=rise, cycles=cycles)
    return _built(data, parts, "elbo", partial(elbo, samples=samples), beta=schedule)


@takes(latent_model, but=("condition",))
def capacity_vae(
    data: DataSpec,
    *,
    capacity: Annotated[float, Span(min=0, unit="nats")] = 25.0,
    gamma: Annotated[float, Span(min=0)] = 1000.0,
    rise: Annotated[float, Span(min=1e-3, max=1, unit="share of the run")] = 0.5,
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """β-VAE with a capacity: the rate is held at C nats, which rise from 0 over the run.

    Args:
        data: the data's shape, support and statistics.
        capacity: C at the end of its rise.
        gamma: how firmly the rate is held there.
        rise: share of the run that C takes to rise.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Reference:
        Burgess et al. 2018, Understanding disentangling in beta-VAE, arXiv 1804.03599
    """
    from ..objectives import capacity as objective
    from ..training.schedules import ramp

    held = partial(objective, gamma=gamma, samples=samples)
    return _built(data, parts, "capacity", held, capacity=ramp(0.0, capacity, share=rise))


@takes(latent_model, but=("condition",))
def free_bits_vae(
    data: DataSpec,
    *,
    floor: Annotated[float, Span(min=0, unit="nats per group")] = 0.25,
    groups: Literal["dimension", "code"] = "dimension",
    average: bool = True,
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """VAE with free bits: no dimension gains from a rate below a floor, so none is given up early.

    Args:
        data: the data's shape, support and statistics.
        floor: the rate that is free, in each dimension or of the whole code; 0 is the plain VAE.
        groups: what the floor is for: each dimension of the code, or the code as a whole.
        average: hold the floor against the mean rate of a batch, or against each example's own.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: prior and posterior have no KL of their own in each dimension.

    Reference:
        Kingma et al. 2016, Improving variational inference with inverse autoregressive flow, arXiv
        1606.04934
    """
    from ..objectives import free_bits

    objective = partial(free_bits, floor=floor, groups=groups, average=average, samples=samples)
    return _built(data, parts, "free_bits", objective)


@takes(latent_model, but=("condition",))
def factor_vae(
    data: DataSpec,
    *,
    gamma: Annotated[float, Span(min=0)] = 10.0,
    discriminator_hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (256, 256, 256),
    discriminator_rate: Annotated[float, Span(min=0, open=True)] = 1.0,
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """FactorVAE: a discriminator finds the total correlation of the codes, which is punished.

    Args:
        data: the data's shape, support and statistics.
        gamma: weight of the total correlation.
        discriminator_hidden: widths of the discriminator's hidden layers (the paper's are six of
            1000), with leaky ReLUs between them.
        discriminator_rate: the discriminator's learning rate, as a multiple of the run's.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its two phases: the model's own, and the discriminator's.

    Reference:
        Kim & Mnih 2018, Disentangling by factorising, arXiv 1802.05983
    """
    from ..networks import MLP
    from ..objectives import factor, factor_discriminator
    from ..training.phase import Phase

    model: Any = latent_model(data, **parts)
    model.discriminator = MLP(
        model.latent_shape, (1,), hidden=discriminator_hidden, activation="leaky-relu"
    )
    own = [model.prior, model.likelihood, model.posterior]
    return Built(
        model,
        [
            Phase("elbo", partial(factor, gamma=gamma, samples=samples), own),
            Phase(
                "discriminator",
                factor_discriminator,
                [model.discriminator],
                learning_rate=discriminator_rate,
                player=True,
            ),
        ],
    )


@takes(latent_model, but=("condition", "posterior"))
def beta_tcvae(
    data: DataSpec,
    *,
    beta: Annotated[float, Span(min=0)] = 6.0,
    alpha: Annotated[float, Span(min=0)] = 1.0,
    gamma: Annotated[float, Span(min=0)] = 1.0,
    sampling: Literal["stratified", "weighted"] = "stratified",
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """β-TCVAE: the rate in three terms, of which the total correlation weighs β.

    Args:
        data: the data's shape, support and statistics.
        beta: weight of the total correlation of the codes.
        alpha: weight of the mutual information of data and codes.
        gamma: weight of the dimension-wise KL from the prior.
        sampling: how the aggregate posterior is estimated from a batch: stratified (exact where
            the batch is the data) or weighted.
        samples: codes drawn for each example.
        **parts: see `latent_model`; the posterior is diagonal.

    Returns:
        The model and its one phase.

    Reference:
        Chen et al. 2018, Isolating sources of disentanglement in VAEs, arXiv 1802.04942
    """
    from ..objectives import beta_tc

    objective = partial(
        beta_tc,
        examples=data.train,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        sampling=sampling,
        samples=samples,
    )
    return _built(data, parts, "beta_tc", objective)


@takes(latent_model, but=("condition",))
def dip_vae(
    data: DataSpec,
    *,
    variant: Literal["i", "ii"] = "i",
    off_diagonal: Annotated[float, Span(min=0)] = 10.0,
    diagonal: Annotated[float | None, Span(min=0)] = None,
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """DIP-VAE: the covariance of the codes is pulled towards the identity.

    Args:
        data: the data's shape, support and statistics.
        variant: i, of the posteriors' means; ii, of the codes drawn.
        off_diagonal: weight of the squared covariances.
        diagonal: weight of the variances' squared distances from 1; by default 10 times
            off_diagonal for i and as much for ii, as in the paper.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Reference:
        Kumar, Sattigeri & Balakrishnan 2018, Variational inference of disentangled latent concepts
        from unlabeled observations, arXiv 1711.00848
    """
    from ..objectives import dip

    own = (10.0 if variant == "i" else 1.0) * off_diagonal if diagonal is None else diagonal
    objective = partial(dip, kind=variant, off_diagonal=off_diagonal, diagonal=own, samples=samples)
    return _built(data, parts, "dip", objective)


@takes(latent_model, but=("condition",))
def info_vae(
    data: DataSpec,
    *,
    alpha: Annotated[float, Span(max=1)] = 0.0,
    weight: Annotated[float, Span(min=0)] = 1000.0,
    kernel: Literal["rbf", "imq"] = "rbf",
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """InfoVAE: less of the rate, and the codes' distance from the prior in its place.

    Args:
        data: the data's shape, support and statistics.
        alpha: the rate weighs 1 - alpha.
        weight: lambda; the squared maximum mean discrepancy between codes and prior weighs
            alpha + lambda - 1, so that alpha 0, lambda 1 is the plain VAE.
        kernel: of the discrepancy: rbf, Gaussian; imq, inverse multiquadratic.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: alpha + lambda below 1, which would reward codes far from the prior.

    Reference:
        Zhao, Song & Ermon 2017, InfoVAE, arXiv 1706.02262
    """
    from ..objectives import info

    if alpha + weight < 1:
        raise LowerboundError(
            f"weight: expected at least {1 - alpha:g}, 1 - alpha, or codes far from the prior are "
            f"rewarded, came {weight:g}; pass --weight 1000"
        )
    objective = partial(info, alpha=alpha, weight=weight, kernel=kernel, samples=samples)
    return _built(data, parts, "info", objective)


@takes(latent_model, but=("condition",))
def wae_mmd(
    data: DataSpec,
    *,
    weight: Annotated[float, Span(min=0)] = 100.0,
    kernel: Literal["imq", "rbf"] = "imq",
    samples: Annotated[int, Span(min=1, unit="samples")] = 1,
    **parts: Any,
) -> Built:
    """Wasserstein autoencoder: no rate; codes as a whole are held to the prior by their MMD.

    Args:
        data: the data's shape, support and statistics.
        weight: lambda, of the squared maximum mean discrepancy between codes and prior.
        kernel: of the discrepancy: imq, inverse multiquadratic; rbf, Gaussian.
        samples: codes drawn for each example.
        **parts: see `latent_model`.

    Returns:
        The model and its one phase.

    Reference:
        Tolstikhin et al. 2018, Wasserstein auto-encoders, arXiv 1711.01558
    """
    from ..objectives import info

    objective = partial(info, alpha=1.0, weight=weight, kernel=kernel, samples=samples)
    return _built(data, parts, "wae", objective)


def _built(
    data: DataSpec,
    parts: dict[str, Any],
    name: str,
    objective: Callable[..., Any],
    **scheduled: Any,
) -> Built:
    """One model, one phase that moves all of it."""
    from ..training.phase import Phase

    model = latent_model(data, **parts)
    return Built(model, [Phase(name, objective, [model], scheduled=scheduled)])


RECIPES = {
    "beta-vae": beta_vae,
    "capacity-vae": capacity_vae,
    "free-bits-vae": free_bits_vae,
    "factor-vae": factor_vae,
    "beta-tcvae": beta_tcvae,
    "dip-vae": dip_vae,
    "info-vae": info_vae,
    "wae-mmd": wae_mmd,
}
