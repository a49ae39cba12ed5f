"""Learning to undo a corruption: of numbers by squared error, of tokens by cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from torch import Tensor

from ..bounds import CodingModel, Terms, check_event


class DenoisingModel(CodingModel, Protocol):
    """A coding model with a corruption."""

    @property
    def corruption(self) -> Callable[[Tensor], tuple[Tensor, Tensor | None]]:
        """``x -> (corrupted, hidden)``, both ``(B, *event_shape)``; hidden None: nowhere."""
        ...


class TokenModel(Protocol):
    """What :func:`masked_tokens` asks of a model."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """``(T,)``."""
        ...

    @property
    def masking(self) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """``tokens -> (tokens with masks, chosen)``, both ``(B, T)``."""
        ...

    def predict(self, tokens: Tensor) -> Tensor:
        """Log-probabilities of each place's token, ``(B, T) -> (B, T, levels)``."""
        ...


def denoising(
    model: DenoisingModel, x: Tensor, *context: Tensor, on: Literal["all", "hidden"] = "all"
) -> Terms:
    """‖x − f(g(x~))‖², x~ ~ M(x~|x) (EQUATIONS 4): no likelihood, no nats.

    Without noise it is :func:`lowerbound.bounds.squared_error`.

    Args:
        model: encode, decode and corruption; the means of the first two are used.
        x: clean data, ``(B, *event_shape)``.
        context: ``(B, ...)`` each.
        on: which numbers of x count: all, or those that the corruption hid.

    Returns:
        loss, the mean over examples; parts ``squared_error``, summed over the datum, and, of a
        corruption that hides, ``hidden_error``, summed over the hidden numbers; in squared units
        of x.

    References:
        Vincent et al. 2008, Extracting and composing robust features with denoising autoencoders;
        hidden: He et al. 2022, https://arxiv.org/abs/2111.06377
    """
    check_event(x, model.event_shape)
    corrupted, hidden = model.corruption(x)
    decoded = model.decode(model.encode(corrupted, *context).mean, *context).mean
    check_event(x, decoded.shape[1:])
    squares = (x - decoded).square().flatten(1)
    error = squares.sum(1)
    parts = {"squared_error": error.detach()}
    if hidden is not None:
        there = (squares * hidden.flatten(1)).sum(1)
        parts["hidden_error"] = there.detach()
        if on == "hidden":
            error = there
    return Terms(error.mean(), parts)


def masked_tokens(model: TokenModel, x: Tensor, *context: Tensor) -> Terms:
    """−log p(x_t | the other tokens) at the places that were chosen: a pseudo-likelihood.

    The sum of such terms over all places would be Besag's pseudo-likelihood; it is no likelihood
    of the sequence, and the terms of one sequence must not be added up as if it were one.

    Args:
        model: predict and masking.
        x: tokens, int64 ``(B, T)``.
        context: ignored.

    Returns:
        loss, the mean over examples; part ``masked_token``, the mean over the chosen places, nats
        per token.

    References:
        Devlin et al. 2019, BERT, https://arxiv.org/abs/1810.04805; Besag 1975, Statistical analysis
        of non-lattice data
    """
    check_event(x, model.event_shape)
    tokens, chosen = model.masking(x)
    found = model.predict(tokens).gather(-1, x.unsqueeze(-1)).squeeze(-1)  # (B, T)
    weight = chosen.to(found.dtype)
    nats = -(found * weight).sum(1) / weight.sum(1)
    return Terms(nats.mean(), {"masked_token": nats.detach()})
