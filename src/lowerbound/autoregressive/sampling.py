"""Token by token: draws from an autoregressive network, sharpened, cut off and guided."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import LowerboundError
from .base import CausalNetwork
from .outputs import Output

_NOISE = 1 << 20  # numbers of noise that are drawn at a time


def check_options(
    temperature: float, top_k: int | None, top_p: float | None, guidance: float
) -> None:
    """Refuse what no distribution can be restricted to.

    Raises:
        LowerboundError: a value out of its range.
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise LowerboundError(f"temperature: expected 0 or more, came {temperature}; pass e.g. 0.9")
    if top_k is not None and (isinstance(top_k, bool) or top_k != int(top_k) or top_k < 1):
        raise LowerboundError(f"top_k: expected 1 or more, came {top_k}; pass e.g. 50")
    if top_p is not None and not 0 < top_p <= 1:
        raise LowerboundError(f"top_p: expected above 0 and at most 1, came {top_p}; pass e.g. 0.9")
    if not (math.isfinite(guidance) and guidance >= 0):
        raise LowerboundError(f"guidance: expected 0 or more, came {guidance}; pass e.g. 2")


def restrict(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Logits of the distribution that is drawn from, in this order:

    divided by the temperature; then the `top_k` likeliest tokens alone (and those that are as
    likely as the last of them); then of these the fewest likeliest that have `top_p` of the mass.

    Args:
        logits: ``(*lead, K)``, up to a constant, nats.
        temperature: above 0; below 1 sharpens.
        top_k: how many.
        top_p: which share, in (0, 1].

    Returns:
        ``(*lead, K)``, −inf where a token is left out.

    Reference:
        Fan et al. 2018, Hierarchical neural story generation, arXiv 1805.04833 (top-k); Holtzman et
        al. 2020, The curious case of neural text degeneration, arXiv 1904.09751 (top-p)

    >>> p = torch.tensor([0.5, 0.3, 0.15, 0.05])
    >>> restrict(p.log(), top_p=0.7).softmax(-1)
    tensor([0.6250, 0.3750, 0.0000, 0.0000])
    """
    if temperature != 1.0:
        logits = logits / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k, -1).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    if top_p is not None and top_p < 1.0:
        ordered, index = logits.sort(-1, descending=True)
        mass = ordered.softmax(-1)
        beyond = mass.cumsum(-1) - mass >= top_p  # what comes before it is enough already
        ordered = ordered.masked_fill(beyond, -torch.inf)
        logits = torch.empty_like(logits).scatter_(-1, index, ordered)
    return logits


def guided(given: Tensor, free: Tensor, guidance: float) -> Tensor:
    """Logits of p(x)^(1 − w) p(x|c)^w, up to a constant: 1 is p(x|c), 0 is p(x), more is stronger.

    Args:
        given: under the condition, ``(*lead, K)``.
        free: without it, the same.
        guidance: w.

    Reference:
        Ho & Salimans 2021, Classifier-free diffusion guidance, arXiv 2207.12598
    """
    return torch.lerp(free, given, guidance)


@torch.no_grad()
def draw(
    network: CausalNetwork,
    output: Output,
    count: int,
    length: int,
    context: Sequence[Tensor] = (),
    free: Sequence[Tensor] | None = None,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    guidance: float = 1.0,
    start: Tensor | None = None,
    cached: bool = True,
) -> Tensor:
    """Sequences, each token drawn given those before it.

    Args:
        network: whose raw numbers are `output`'s.
        output: of a token.
        count: N, how many.
        length: T.
        context: of each, ``(N, C)`` or ``(N, P, C)``.
        free: the context that stands for none, in the same shapes; needed by guidance.
        temperature: 0 takes the likeliest token.
        top_k, top_p: see :func:`restrict`.
        guidance: see :func:`guided`.
        start: tokens that are given, int64 ``(N, t)``; the rest are drawn.
        cached: whether to take a step for each token, or the naive pass over the whole sequence,
            which is slow and draws the same.

    Returns:
        int64 ``(N, T)``.
    """
    check_options(temperature, top_k, top_p, guidance)
    both = guidance != 1.0
    if both and free is None:
        raise LowerboundError(
            f"guidance: expected 1, for the network was not trained without its condition, came "
            f"{guidance:g}; train with a share of conditions dropped"
        )
    if both and free is not None:
        context = [torch.cat(pair) for pair in zip(context, free, strict=True)]
    rows = 2 * count if both else count
    device = next(network.parameters()).device
    tokens = torch.zeros(length, rows, dtype=torch.int64, device=device)
    known = 0 if start is None else min(start.shape[1], length)
    if start is not None:
        tokens[:known] = start[:, :known].T.repeat(1, 2 if both else 1)
    advance = _cached if cached else _naive
    following = advance(network, tokens, rows, context)
    noise, left = torch.empty(0), 0
    kept = 1.0 if temperature == 0 else temperature
    for t in range(length):
        if t < known and not cached:
            continue
        logits = following(t)
        if t < known:
            continue
        logits = output.logits(logits)
        if both:
            logits = guided(logits[:count], logits[count:], guidance)
        logits = restrict(logits, kept, top_k, top_p)
        if temperature > 0:
            # The largest of logits with Gumbel noise is a draw from their softmax.
            if left == 0:
                left = max(1, min(length - t, _NOISE // logits.numel()))
                noise = logits.new_empty(left, *logits.shape).exponential_().log_()
            left -= 1
            logits = logits - noise[left]
        torch.argmax(logits, -1, out=tokens[t, :count])
        if both:
            tokens[t, count:] = tokens[t, :count]
    return tokens[:, :count].T.contiguous()


def _cached(
    network: CausalNetwork, tokens: Tensor, rows: int, context: Sequence[Tensor]
) -> Callable[[int], Tensor]:
    state = network.begin(rows, *context)

    def following(t: int) -> Tensor:
        return network.step(state, tokens[t - 1] if t else None)[0]

    return following


def _naive(
    network: CausalNetwork, tokens: Tensor, rows: int, context: Sequence[Tensor]
) -> Callable[[int], Tensor]:
    def following(t: int) -> Tensor:
        if network.grid is not None:
            return network(tokens.T, *context)[:, t]
        # A network of any length needs no more than what there is.
        positions = t // network.heads + 1
        part = [c[:, :positions] if c.dim() == 3 else c for c in context]
        return network(tokens[: positions * network.heads].T, *part)[:, t]

    return following
