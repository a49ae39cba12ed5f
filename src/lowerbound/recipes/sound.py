"""Parts of models of sound: what encodes windows, and the WaveNet that decodes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LowerboundError
from .parts import likelihood_of, networks_of

if TYPE_CHECKING:
    from ..data.spec import DataSpec
    from ..slots import SlotValue


def parts_of_sound(
    data: DataSpec, coder: Any, likelihood: SlotValue, network: SlotValue, condition: Any
) -> tuple[Any, Any, tuple[int, ...]]:
    """Encoder, likelihood and positions of a model of sound with codes along time.

    Args:
        data: of sound.
        coder: the quantizer, between the encoder's vectors and the decoder's.
        likelihood: p(x|z); auto is wavenet.
        network: of the encoder and before the decoder; auto is wave.
        condition: what the decoder is conditioned on; None for nothing.

    Raises:
        LowerboundError: options that do not fit sound.
    """
    from ..autoregressive.likelihood import WaveNetLikelihood
    from ..distributions import Head
    from ..slots import resolve

    family, _ = likelihood_of(data, resolve(likelihood, "wavenet"))
    pair = networks_of(data, network, None, None)
    if pair.positions is None:
        raise LowerboundError(
            f"network: expected wave, whose codes lie along time, for sound ({data.name}); leave "
            "--network out"
        )
    spatial = (pair.positions,)
    encoder = pair.encoder((pair.positions, coder.inputs))
    ranks, embed, width = (), [], 0
    if condition is not None:
        ranks, embed, width = condition.event_ranks, condition.embeddings(), condition.width
    if isinstance(family, WaveNetLikelihood):
        samples = data.event_shape[0]
        upsample = pair.decoder((pair.positions, coder.dim), (samples, family.local))
        return encoder, family.conditional(upsample, ranks, embed, width), spatial
    decoder = pair.decoder((pair.positions, coder.dim), family.raw_shape, context=width)
    return encoder, Head(decoder, family, (2, *ranks), [None, *embed]), spatial
