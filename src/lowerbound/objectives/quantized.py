"""Objectives of models whose codes are indices, and of priors that are fitted to such codes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..bounds import Terms, check_event, parts_of
from ..distributions import sample_with_log_prob
from ..quantize.base import batch_use


def quantized(
    model: Any,
    x: Tensor,
    *context: Tensor,
    commitment: float | Tensor = 0.25,
    beta: float | Tensor = 1.0,
    temperature: float | Tensor = 1.0,
) -> Terms:
    """−log p(x|e) + β·rate + γ·‖v − sg e‖² + what teaches the codebook (paper, equation 3).

    In nats, by the likelihood of the model; the gradient of its first term goes straight through
    the quantizer to the encoder. Squared distances are summed over a datum's positions, as
    log p(x|e) is over its numbers, and averaged over the batch, so that γ means the same at any
    batch size.

    Args:
        model: with ``quantizer``, ``quantize`` and ``decode_vectors``, as
            `lowerbound.models.vqvae.VQVAE`.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each, given to the likelihood.
        commitment: γ (β in the paper), nats per squared unit of the encoder's vectors.
        beta: weight of the rate, which only a posterior that is not certain can change.
        temperature: of a relaxed quantizer.

    Returns:
        loss; parts ``bound``, ``distortion`` and ``rate`` under the uniform prior, nats;
        ``commitment``, ‖v − e‖², unweighted; ``usage``, the share of entries that the batch uses,
        and ``perplexity``, e to the entropy of their frequencies.

    Reference:
        van den Oord, Vinyals & Kavukcuoglu 2017, Neural discrete representation learning,
        https://arxiv.org/abs/1711.00937, equation 3
    """
    check_event(x, model.event_shape)
    found = model.quantize(x, temperature)
    likelihood = model.decode_vectors(found.vectors, *context)
    check_event(x, likelihood.event_shape)
    distortion = -likelihood.log_prob(x)
    loss = distortion + beta * found.rate + commitment * found.commitment + found.codebook
    parts = parts_of(distortion, found.rate)
    parts["commitment"] = found.commitment.detach()
    for name, value in batch_use(model.quantizer.counts(found.indices)).items():
        parts[name] = value.expand(len(x))
    return Terms(loss.mean(), parts)


def code_rate(model: Any, x: Tensor, *context: Tensor) -> Terms:
    """−log p(z|c) of the codes z ~ q(z|x), without a gradient to the encoder: fits the prior.

    Args:
        model: prior and encoder of codes that are indices, and ``uniform_rate``.
        x: ``(B, *event_shape)``.
        context: ``(B, ...)`` each, given to the prior.

    Returns:
        loss; parts ``rate`` = log q(z|x) − log p(z|c), nats, under this prior; ``gain``, by how
        much that is less than under the uniform prior.
    """
    check_event(x, model.event_shape)
    with torch.no_grad():
        z, log_q = sample_with_log_prob(model.encode(x, *context))
    log_p = model.prior(*context).log_prob(z)
    rate = (log_q - log_p).detach()
    return Terms(-log_p.mean(), {"rate": rate, "gain": model.uniform_rate + log_p.detach()})
