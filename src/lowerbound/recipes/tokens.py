"""Recipes of models of tokens that are no latent-variable models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from ..errors import LowerboundError
from ..options import Span
from .parts import Built

if TYPE_CHECKING:
    from ..data.spec import DataSpec


def masked_tokens(
    data: DataSpec,
    *,
    rate: Annotated[float, Span(min=0, max=1)] = 0.15,
    masked: Annotated[float, Span(min=0, max=1)] = 0.8,
    random: Annotated[float, Span(min=0, max=1)] = 0.1,
    width: Annotated[int, Span(min=1, unit="numbers")] = 64,
    layers: Annotated[int, Span(min=1)] = 2,
    heads: Annotated[int, Span(min=1)] = 4,
) -> Built:
    """Masked tokens: a bidirectional transformer that predicts hidden tokens from all others.

    Its loss is a pseudo-likelihood, in nats per masked token; the sequence has no likelihood.

    Args:
        data: sequences of whole numbers.
        rate: share of each sequence's places that is to be predicted, at least one and never all.
        masked: share of these that is replaced by a mask.
        random: share of these that is replaced by a token drawn at random; the rest stay.
        width: numbers per place, a multiple of the heads.
        layers: blocks of attention and network.
        heads: attention heads of each block.

    Returns:
        The model and its one phase.

    Raises:
        LowerboundError: data that are no sequences of tokens, a mask that hides all.

    Reference:
        Devlin et al. 2019, BERT: pre-training of deep bidirectional transformers for language
        understanding, arXiv 1810.04805
    """
    from ..models.masked_tokens import MaskedTokens
    from ..networks.corruption import MaskTokens
    from ..networks.sequence import SequenceEncoder
    from ..objectives.denoising import masked_tokens as objective
    from ..training.phase import Phase

    if data.support != "categories" or data.levels is None or len(data.event_shape) != 1:
        raise LowerboundError(
            f"masked_tokens: expected sequences of whole numbers (N, T), came {data.kinds} of "
            f"shape {data.event_shape}; pass recipe masked-autoencoder"
        )
    (length,) = data.event_shape
    if rate >= 1.0 or length < 2:
        came = f"rate {rate:g}" if rate >= 1.0 else "sequences of one token"
        raise LowerboundError(
            f"masked_tokens: expected tokens to predict the hidden ones from, came {came}; pass "
            f"{'--rate 0.15' if rate >= 1.0 else 'longer sequences'}"
        )
    masking = MaskTokens(data.levels, rate, masked, random)
    network = SequenceEncoder(data.levels + 1, length, width, layers, heads)
    model = MaskedTokens(network, masking, data.event_shape, data.levels, width)
    return Built(model, [Phase("masked_tokens", objective, [model])])


# What the data are prepared for: there is no `likelihood` to choose (session.py asks).
masked_tokens.prepared_for = "categorical"  # ty: ignore[missing-attribute]

RECIPES = {"masked-tokens": masked_tokens}
