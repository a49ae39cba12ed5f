"""Recipes of normalizing flows as models of data: exact log-likelihoods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import LowerboundError
from ..options import Span, takes
from ..slots import Activation
from .parts import Built, likelihood_of, refuse_categories

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..models.flow import FlowModel

Transforms = Annotated[int, Span(min=1)]


def coupling_networks(
    *,
    hidden: Annotated[tuple[int, ...], Span(min=1, unit="units")] = (256, 256),
    activation: Activation = "relu",
) -> dict[str, Any]:
    """The networks within a flow of vectors.

    Args:
        hidden: widths of the network of a coupling or layer.
        activation: its nonlinearity.
    """
    return dict(locals())


@takes(coupling_networks)
def nice(data: DataSpec, *, transforms: Transforms = 4, **networks: Any) -> Built:
    """NICE: additive couplings, one learned scale for each number, logistic prior.

    Args:
        data: the data's shape, support and statistics.
        transforms: couplings; each keeps what the last one moved.
        **networks: see `coupling_networks`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data without a density.

    Reference:
        Dinh, Krueger & Bengio 2015, NICE: non-linear independent components estimation,
        arXiv 1410.8516
    """
    return _vectors(data, "nice", transforms=transforms, **coupling_networks(**networks))


@takes(coupling_networks)
def realnvp(data: DataSpec, *, transforms: Transforms = 6, **networks: Any) -> Built:
    """RealNVP: affine couplings, on vectors and flattened images.

    Args:
        data: the data's shape, support and statistics.
        transforms: couplings; each keeps what the last one moved.
        **networks: see `coupling_networks`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data without a density.

    Reference:
        Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP, arXiv 1605.08803
    """
    return _vectors(data, "realnvp", transforms=transforms, **coupling_networks(**networks))


@takes(coupling_networks)
def maf(data: DataSpec, *, transforms: Transforms = 5, **networks: Any) -> Built:
    """Masked autoregressive flow: every number given those before it, scored in one pass.

    Args:
        data: the data's shape, support and statistics.
        transforms: layers; each reverses the order of the last.
        **networks: see `coupling_networks`.

    Returns:
        The model and its one phase. A sample takes as many passes as there are numbers in a datum.

    Raises:
        LowerboundError: data without a density.

    Reference:
        Papamakarios, Pavlakou & Murray 2017, Masked autoregressive flow for density estimation,
        arXiv 1705.07057
    """
    return _vectors(data, "maf", transforms=transforms, **coupling_networks(**networks))


@takes(coupling_networks)
def neural_spline(
    data: DataSpec,
    *,
    layers: Literal["coupling", "autoregressive"] = "coupling",
    transforms: Transforms = 6,
    bins: Annotated[int, Span(min=2)] = 8,
    **networks: Any,
) -> Built:
    """Neural spline flow: monotonic rational-quadratic splines in place of affine maps.

    Args:
        data: the data's shape, support and statistics.
        layers: coupling, fast both ways; or autoregressive, which samples a number at a time.
        transforms: how many layers.
        bins: of a spline.
        **networks: see `coupling_networks`.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data without a density.

    Reference:
        Durkan et al. 2019, Neural spline flows, arXiv 1906.04032
    """
    kind = "neural-spline" if layers == "coupling" else "autoregressive-neural-spline"
    return _vectors(data, kind, transforms=transforms, bins=bins, **coupling_networks(**networks))


def image_flow(
    data: DataSpec,
    *,
    coupling: Literal["glow", "realnvp"] = "glow",
    scales: Annotated[int | None, Span(min=1)] = None,
    depth: Annotated[int, Span(min=1)] = 4,
    channels: Annotated[int, Span(min=1, unit="channels")] = 64,
    blocks: Annotated[int, Span(min=0)] = 1,
    activation: Activation = "relu",
) -> Built:
    """Multi-scale coupling flow over images, as RealNVP or Glow.

    Args:
        data: the data's shape, support and statistics.
        coupling: glow (1 x 1 convolutions and couplings of channels), or realnvp (couplings by
            checkerboards, then of channels).
        scales: resolutions, at each of which half of the numbers leave; by default as many as the
            sides can be halved, up to 3.
        depth: couplings of each sort at each scale.
        channels: channels of a coupling's network.
        blocks: its residual blocks.
        activation: its nonlinearity.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data that are no images, or without a density.

    Reference:
        Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP, arXiv 1605.08803;
        Kingma & Dhariwal 2018, Glow: generative flow with invertible 1x1 convolutions,
        arXiv 1807.03039
    """
    from ..models import flow as flows

    if data.kind != "image":
        raise LowerboundError(
            f"image-flow: expected images (channels, height, width), came {data.kinds} of shape "
            f"{data.event_shape}; pass recipe realnvp"
        )
    model = flows.image_flow(
        data.event_shape,
        coupling,
        scales=scales,
        steps=depth,
        width=channels,
        blocks=blocks,
        activation=activation,
        **_known(data, "image-flow"),
    )
    return _built(model)


def _vectors(data: DataSpec, kind: Any, **options: Any) -> Built:
    from ..models import flow as flows

    return _built(flows.vector_flow(data.event_shape, kind, **_known(data, kind), **options))


def _known(data: DataSpec, name: str) -> dict[str, Any]:
    """What every flow takes of the data: on the unit interval or the line, where they lie, and why
    log p(x) must not be reported, if so."""
    import torch

    refuse_categories(data, name, "a density")
    _, reason = likelihood_of(data, "gaussian")
    return {
        "unit": data.support == "unit",
        "mean": torch.as_tensor(data.mean),
        "std": torch.as_tensor(data.std),
        "no_likelihood": reason,
    }


def _built(model: FlowModel) -> Built:
    from ..models.flow import negative_log_likelihood
    from ..training.phase import Phase

    return Built(model, [Phase("likelihood", negative_log_likelihood, [model])])


RECIPES = {
    "nice": nice,
    "realnvp": realnvp,
    "maf": maf,
    "neural-spline": neural_spline,
    "image-flow": image_flow,
}

# Densities of values, levels spread over their cells: there is no `likelihood` to choose.
for _recipe in RECIPES.values():
    _recipe.prepared_for = "gaussian"  # ty: ignore[invalid-assignment]
