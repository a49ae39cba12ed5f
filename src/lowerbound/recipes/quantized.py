"""Recipes of models whose codes are indices into a codebook."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import LowerboundError
from ..options import Slot, Span
from ..slots import Around, SlotValue, build, resolve
from .given import condition_of
from .parts import Built, likelihood_of
from .sound import parts_of_sound

if TYPE_CHECKING:
    from ..data.spec import DataSpec

_HIDDEN = (512, 512)


def vq_vae(
    data: DataSpec,
    *,
    quantizer: Annotated[SlotValue, Slot("quantizer")] = "vq",
    prior: Annotated[SlotValue, Slot("prior")] = "uniform",
    given: str = "none",
    network: Annotated[SlotValue, Slot("network")] = "auto",
    grids: Annotated[int, Span(min=1, max=2)] = 1,
    downsampling: Annotated[int, Span(min=1)] = 4,
    channels: Annotated[int, Span(min=1, unit="channels")] = 128,
    blocks: Annotated[int, Span(min=0)] = 2,
    hidden: Annotated[tuple[int, ...] | None, Span(min=1, unit="units")] = None,
    positions: Annotated[int | None, Span(min=1, unit="positions")] = None,
    likelihood: Annotated[SlotValue, Slot("likelihood")] = "auto",
    commitment: Annotated[float, Span(min=0)] = 0.25,
    beta: Annotated[float, Span(min=0)] = 1.0,
    temperature: Annotated[float, Span(min=0, open=True)] = 0.5,
    codes_share: Annotated[float, Span(min=0, max=1, open=True)] = 0.5,
) -> Built:
    """VQ-VAE: codes are indices into a codebook, and a prior is fitted to them afterwards.

    The prior is uniform, or fitted in the second part of the same run; its rate is then what codes
    really cost, and samples come from it.

    Args:
        data: the data's shape, support and statistics.
        quantizer: between encoder and decoder.
        prior: p(z): uniform, or pixelcnn, transformer, wavenet, which are fitted to the codes when
            these are learned.
        given: what decoder and prior are conditioned on: labels, attributes, or one of several
            labels of the data by its name (speaker); none.
        network: of sound: wave, encoder and upsampling, with options of its own.
        grids: of images: of codes, 1, or 2, of which the second is twice as fine as the first and
            is told what it holds (vq-vae-2).
        downsampling: of images: how many times coarser the grid of codes is, the finest one, a
            power of two.
        channels: of images: feature maps of encoder and decoder.
        blocks: of images: residual blocks of each.
        hidden: of fully connected networks, which other data have, and images if this or positions
            is given: widths of the hidden layers from the data to the codes, which the decoder
            mirrors; by default 512,512.
        positions: of these: how many codes an example has; by default 16, or half its numbers.
        likelihood: p(x|z); auto takes what fits the data's support, of sound wavenet.
        commitment: weight of the encoder's distance from its entries, nats per squared unit.
        beta: weight of the rate, of a gumbel quantizer.
        temperature: of a gumbel quantizer at the end of its training, which begins at 1.
        codes_share: share of the run in which the codes are learned; the prior has the rest.

    Returns:
        The model; the phase of the codes and, unless the prior is uniform, that of the prior.

    Raises:
        LowerboundError: options that do not fit the data or each other.

    Reference:
        van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning, arXiv
        1711.00937
    """
    from ..models.vqvae import VQVAE

    coder = build("quantizer", quantizer)
    condition: Any = condition_of("vq-vae", data, given)
    sound, reason = data.kind == "audio", None
    if not sound:
        family, reason = likelihood_of(data, likelihood)
    elif hidden is not None or positions is not None:
        raise LowerboundError(
            "vq-vae: expected no hidden or positions of sound, whose codes lie along time; pass "
            "--network.channels, --network.blocks and --network.stride"
        )
    build_prior = partial(_prior, data, prior)
    if grids == 2:
        from .two_grids import two_grids

        if sound or len(data.event_shape) != 3 or hidden is not None or positions is not None:
            raise LowerboundError(
                "vq-vae with two grids: expected images and convolutional networks, came data of "
                f"shape {data.event_shape}; leave out --grids, --hidden and --positions"
            )
        sizes = {"downsampling": downsampling, "channels": channels, "blocks": blocks}
        second = build("quantizer", quantizer)
        encode, decode, coder, build_prior = two_grids(
            data, (coder, second), family, condition, prior, **sizes
        )
        spatial = (sum(encode.network.positions),)
    elif sound:
        encode, decode, spatial = parts_of_sound(data, coder, likelihood, network, condition)
    elif len(data.event_shape) in (3, 4) and hidden is None and positions is None:
        encode, decode, spatial = _on_grid(
            data, coder, family, condition, downsampling, channels, blocks
        )
    else:
        encode, decode, spatial = _in_a_row(data, coder, family, condition, hidden, positions)
    grid = (coder.heads, *spatial) if coder.heads > 1 else spatial
    fitted = build_prior(grid, coder, condition)
    model = VQVAE(
        encode,
        coder,
        decode,
        spatial,
        fitted,
        event_shape=data.event_shape,
        no_likelihood=reason,
        condition=condition,
    )
    return Built(model, phases_of(model, commitment, beta, temperature, codes_share))


def phases_of(
    model: Any, commitment: float, beta: float, temperature: float, codes_share: float
) -> list[Any]:
    """The codes, and after them their prior, where it has something to fit."""
    from ..objectives.quantized import code_rate, quantized
    from ..quantize import GumbelQuantizer
    from ..training.phase import Phase
    from ..training.schedules import ramp

    fits = any(parameter.requires_grad for parameter in model.prior.parameters())
    every = model.quantizer.upkeep_every
    scheduled = {}
    if isinstance(model.quantizer, GumbelQuantizer):
        scheduled["temperature"] = ramp(1.0, temperature, share=0.8)
    codes = Phase(
        "codes",
        partial(quantized, commitment=commitment, beta=beta),
        [model.posterior, model.likelihood],
        scheduled=scheduled,
        window=(0.0, codes_share) if fits else (0.0, 1.0),
        upkeep=(every, _upkeep) if every else None,
    )
    if not fits:
        return [codes]
    return [codes, Phase("prior", code_rate, [model.prior], window=(codes_share, 1.0))]


def _upkeep(model: Any, x: Any, *context: Any, step: int) -> None:
    model.upkeep(x, *context, step=step)


def _beside(condition: Any) -> tuple[tuple[int, ...], list[Any], int]:
    if condition is None:
        return (), [], 0
    return condition.event_ranks, condition.embeddings(), condition.width


def _on_grid(
    data: DataSpec,
    coder: Any,
    family: Any,
    condition: Any,
    downsampling: int,
    channels: int,
    blocks: int,
) -> tuple[Any, Any, tuple[int, ...]]:
    """Encoder, decoder and the grid of images."""
    from ..networks.grid import GridDecoder, GridEncoder

    shared = {"downsampling": downsampling, "channels": channels, "blocks": blocks}
    _, _, width = _beside(condition)
    encoder = GridEncoder(data.event_shape, coder.inputs, **shared)
    if len(data.event_shape) == 4:
        from ..networks.video import ClipDecoder

        frames = data.event_shape[0]
        decoder = ClipDecoder(coder.dim, frames, family.raw_shape, **shared, context=width)
    else:
        decoder = GridDecoder(coder.dim, family.raw_shape, **shared, context=width)
    return *heads_of(data, coder, encoder, decoder, family, condition, encoder.grid), encoder.grid


def _in_a_row(
    data: DataSpec,
    coder: Any,
    family: Any,
    condition: Any,
    hidden: tuple[int, ...] | None,
    positions: int | None,
) -> tuple[Any, Any, tuple[int, ...]]:
    """Encoder, decoder and the positions of what is no image."""
    from ..networks import mlp_pair

    hidden = _HIDDEN if hidden is None else hidden
    positions = positions or max(1, min(16, data.dimensions // 2))
    levels = data.levels if data.support == "categories" else None
    pair = mlp_pair(data.event_shape, hidden, levels=levels)
    _, _, width = _beside(condition)
    encoder = pair.encoder((positions, coder.inputs))
    decoder = pair.decoder((positions, coder.dim), family.raw_shape, context=width)
    return *heads_of(data, coder, encoder, decoder, family, condition, (positions,)), (positions,)


def heads_of(
    data: DataSpec,
    coder: Any,
    encoder: Any,
    decoder: Any,
    family: Any,
    condition: Any,
    spatial: tuple[int, ...],
) -> tuple[Any, Any]:
    """Heads, which know of precision and of leading dimensions; the decoder at the data's mean."""
    import math

    import torch

    from ..distributions import Delta, Head
    from ..networks import start

    ranks, embed, width = _beside(condition)
    positions = math.prod(spatial)
    raw = family.start(torch.as_tensor(data.mean), torch.as_tensor(data.std))
    half = torch.randn(32, positions, coder.dim)
    codes = torch.cat((half, -half))
    start(decoder, raw, codes, *([torch.zeros(64, width)] if width else []))
    encode = Head(encoder, Delta((positions, coder.inputs)), (len(data.event_shape),))
    return encode, Head(decoder, family, (2, *ranks), [None, *embed])


def _prior(data: DataSpec, value: Any, grid: tuple[int, ...], coder: Any, condition: Any) -> Any:
    """The prior of codes; None where it is uniform."""
    resolved = fitted_prior(value)
    if resolved is None:
        return None
    around = Around(data, None, condition, levels=coder.levels, heads=coder.heads > 1)
    return build("prior", resolved, grid, around)


def fitted_prior(value: Any) -> Any:
    """The prior that is asked for, resolved; None of the uniform one.

    Raises:
        LowerboundError: one that is not of whole numbers.
    """
    resolved = resolve(value, "uniform")
    name = resolved["name"] if isinstance(resolved, dict) else None
    if name == "uniform":
        given = [key for key in resolved if key != "name"]
        if given:
            raise LowerboundError(
                f"prior uniform: expected no options over codes that are whole numbers, came "
                f"{given[0]}; leave it out, or name a prior that is fitted (--prior pixelcnn)"
            )
        return None
    known = ("pixelcnn", "transformer", "wavenet")
    if name is not None and name not in known:
        raise LowerboundError(
            f"prior: expected uniform, {', '.join(known)} for codes that are whole numbers, came "
            f"{name}; pass --prior pixelcnn"
        )
    return resolved


# Its own by the kind of data, until one is named.
vars(vq_vae)["decides"] = ("network",)

RECIPES = {"vq-vae": vq_vae}
