"""Recipes of models with several layers of codes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Slot, Span
from ..slots import Activation, SlotValue, check_slot, resolve
from ..training.schedules import WeightSchedule
from .parts import Built, likelihood_of

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..networks.ladder import Ladder


def hierarchical_vae(
    data: DataSpec,
    *,
    layers: Annotated[tuple[int, ...] | None, Span(min=1, unit="numbers or channels")] = None,
    inference: Literal["top-down", "bottom-up"] = "top-down",
    path: Literal["auto", "codes", "residual"] = "auto",
    likelihood: Annotated[SlotValue, Slot("likelihood")] = "auto",
    network: Annotated[SlotValue, Slot("network")] = "auto",
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    activation: Activation | None = None,
    bound: Literal["elbo", "iwae"] = "elbo",
    samples: Annotated[int | None, Span(min=1, unit="samples")] = None,
    beta: Annotated[float, Span(min=0)] = 1.0,
    free_bits: Annotated[float, Span(min=0, unit="nats per layer")] = 0.0,
    beta_schedule: WeightSchedule = "constant",
    beta_share: Annotated[float, Span(min=1e-6, max=1)] = 0.2,
    start_at_marginal: bool = True,
) -> Built:
    """Hierarchical VAE: several layers of codes, each with a prior that the layers above give.

    With MNIST, ``inference bottom-up`` and ``bound iwae`` it is the two-layer model of the IWAE
    paper; top-down inference is that of ladder VAEs; with network conv it is a small NVAE.

    Args:
        data: the data's shape, support and statistics.
        layers: numbers in each layer's code from the bottom up, with conv channels of its map; by
            default 100 and 50 (fewer for small examples), with conv 4, 8 and 16.
        inference: top-down, each layer's posterior given the data and the layers above, relative to
            its prior; or bottom-up, each given the layer below.
        path: what a layer and the data depend on: codes, the next code above alone; residual, a
            state that all codes above were added to. auto takes codes with mlp, residual with conv.
        likelihood: p(x|z); auto takes what fits the data's support.
        network: mlp or conv; auto takes mlp up to 1024 numbers per example and for what is no
            image, else conv.
        hidden: with mlp, widths of the hidden layers between data and lowest code; each higher
            layer has half of them. By default 200 and 200.
        activation: nonlinearity; by default tanh with mlp, silu with conv.
        bound: what is maximised: the ELBO, or the importance-weighted bound of IWAE.
        samples: codes drawn for each example; by default 1 for elbo, 5 for iwae.
        beta: weight of the rate in the objective of elbo; reported bounds are always at beta 1.
        free_bits: rate that costs a layer nothing in the objective of elbo.
        beta_schedule: how the weight of the rate comes to beta: constant, it is there at once;
            warmup, risen to from 0; cyclical, in four cycles.
        beta_share: share of the run (of each cycle) in which it rises.
        start_at_marginal: start the decoder so that codes decode to the data's mean.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        Sønderby, Raiko, Maaløe, Sønderby & Winther 2016, Ladder variational autoencoders, arXiv
        1602.02282 (top-down inference, warm-up); Burda, Grosse & Salakhutdinov 2016, Importance
        weighted autoencoders, arXiv 1509.00519 (bottom-up); Kingma et al. 2016, arXiv 1606.04934
        (free bits); Vahdat & Kautz 2020, NVAE, arXiv 2007.03898 (residual state, relative
        posterior)
    """
    import torch

    from .. import bounds
    from ..distributions import Head
    from ..models.hierarchical import HierarchicalVAE, ladder_elbo
    from ..networks import start
    from ..training.phase import Phase
    from ..training.schedules import weight

    if bound == "iwae":
        for name, value, plain in (
            ("beta", beta, 1.0),
            ("free_bits", free_bits, 0.0),
            ("beta_schedule", beta_schedule, "constant"),
        ):
            if value != plain:
                raise LowerboundError(
                    f"{name}: expected {plain} with bound iwae, which is no sum of distortion and "
                    f"rates, came {value}; pass bound elbo"
                )
    family, reason = likelihood_of(data, likelihood)
    ladder = _ladder(data, network, layers, hidden, activation, path, inference == "bottom-up")
    head = Head(ladder.output(family.raw_shape), family, (len(ladder.rungs[0].state_shape),))
    model = HierarchicalVAE(ladder.rungs, head, inference=inference, no_likelihood=reason)
    raw = family.start(torch.as_tensor(data.mean), torch.as_tensor(data.std))
    if start_at_marginal:
        half = torch.randn(128, *model.latent_shape)
        with torch.no_grad():
            states = model.prior.descend(torch.cat((half, -half)))[1]
        start(head.network, raw, states)
    if bound == "iwae":
        return Built(model, [Phase(bound, partial(bounds.iwae, samples=samples or 5), [model])])
    objective = partial(ladder_elbo, samples=samples or 1, free_bits=free_bits)
    if beta_schedule == "constant":
        return Built(model, [Phase(bound, partial(objective, beta=beta), [model])])
    scheduled = {"beta": weight(beta_schedule, beta, share=beta_share)}
    return Built(model, [Phase(bound, objective, [model], scheduled=scheduled)])


def _ladder(
    data: DataSpec,
    network: SlotValue,
    layers: tuple[int, ...] | None,
    hidden: tuple[int, ...] | None,
    activation: str | None,
    path: str,
    bottom_up: bool,
) -> Ladder:
    """The networks; options that they do not have are refused."""
    from ..networks.ladder import conv_ladder, mlp_ladder

    given = resolve(network, data.network, hidden=hidden, activation=activation)
    if not isinstance(given, dict) or given["name"] not in ("mlp", "conv"):
        came = given["name"] if isinstance(given, dict) else type(given).__name__
        raise LowerboundError(
            f"network: expected mlp or conv, which are built for each layer, came {came}; pass one "
            f"of them"
        )
    check_slot(Slot("network"), "network", given)
    options: dict[str, Any] = {k: v for k, v in given.items() if k != "name"}
    if given["name"] == "conv":
        if "hidden" in options or path == "codes":
            name = "hidden" if "hidden" in options else "path codes"
            raise LowerboundError(
                f"{name}: expected networks without, for maps that are added to a residual state, "
                f"came {name} with network conv; pass network mlp, or leave it out"
            )
        layers = (4, 8, 16) if layers is None else layers
        return conv_ladder(data.event_shape, layers, bottom_up=bottom_up, **options)
    options.setdefault("levels", data.levels if data.support == "categories" else None)
    if layers is None:
        layers = tuple(
            max(1, min(most, data.dimensions // part)) for most, part in ((100, 2), (50, 4))
        )
    residual = path == "residual"
    return mlp_ladder(data.event_shape, layers, bottom_up=bottom_up, residual=residual, **options)


RECIPES = {"hierarchical-vae": hierarchical_vae}
