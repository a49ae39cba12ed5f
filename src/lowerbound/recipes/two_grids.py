"""VQ-VAE-2: two grids of codes, the fine one told the coarse one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..options import takes
from ..slots import Around, build
from .parts import Built
from .quantized import fitted_prior, heads_of, vq_vae

if TYPE_CHECKING:
    from ..data.spec import DataSpec

_TOLD = 64  # numbers that the prior of a fine position is told of the coarse codes


@takes(vq_vae, but=("grids", "network", "hidden", "positions", "beta", "temperature"))
def vq_vae_2(data: DataSpec, **options: Any) -> Built:
    """VQ-VAE-2: a coarse grid of codes for the whole, a fine one for detail, and priors of both.

    The prior of the fine codes is given the coarse ones; both are fitted in the second part of the
    run.

    Args:
        data: the data's shape, support and statistics.
        **options: of vq-vae.

    Returns:
        The model; the phase of the codes and, unless the prior is uniform, that of the prior.

    Raises:
        LowerboundError: data that are no images; options that do not fit them or each other.

    Reference:
        Razavi, van den Oord & Vinyals 2019, Generating diverse high-fidelity images with VQ-VAE-2,
        arXiv 1906.00446
    """
    return vq_vae(data, grids=2, **options)


def two_grids(
    data: DataSpec,
    coders: tuple[Any, Any],
    family: Any,
    condition: Any,
    prior: Any,
    *,
    downsampling: int,
    channels: int,
    blocks: int,
) -> tuple[Any, Any, Any, Callable[..., Any]]:
    """Encoder, decoder, quantizer of both grids, and what builds the prior."""
    from ..networks.two_grids import Between, TwoGridsDecoder, TwoGridsEncoder
    from ..quantize import TwoLevels

    sizes: dict[str, Any] = {"channels": channels, "blocks": blocks}
    first, second = coders
    width = 0 if condition is None else condition.width
    encoder = TwoGridsEncoder(data.event_shape, second.inputs, downsampling=downsampling, **sizes)
    decoder = TwoGridsDecoder(
        second.dim, family.raw_shape, downsampling=downsampling, **sizes, context=width
    )
    between = Between(second.dim, second.inputs, encoder.grids[1], **sizes)
    coder = TwoLevels(first, second, encoder.positions[0], between)
    spatial = (sum(encoder.positions),)
    heads = heads_of(data, coder, encoder, decoder, family, condition, spatial)
    return *heads, coder, partial(_prior, data, prior, encoder.grids)


def _prior(
    data: DataSpec,
    value: Any,
    grids: tuple[tuple[int, ...], tuple[int, ...]],
    grid: tuple[int, ...],
    coder: Any,
    condition: Any,
) -> Any:
    """p(coarse) p(fine | coarse), each of the kind that is asked for; None where it is uniform."""
    resolved = fitted_prior(value)
    if resolved is None:
        return None
    from ..autoregressive import TwoLevelPrior
    from ..autoregressive.levels import CoarseCodes

    several = coder.heads > 1
    coarse, fine = ((coder.heads, *each) if several else each for each in grids)
    around = Around(data, None, condition, levels=coder.levels, heads=several)
    told = CoarseCodes(coder.levels, *grids, _TOLD, coder.heads)
    beside = around._replace(local=(len(coarse), told, _TOLD))
    return TwoLevelPrior(
        build("prior", resolved, coarse, around), build("prior", resolved, fine, beside)
    )


RECIPES = {"vq-vae-2": vq_vae_2}
