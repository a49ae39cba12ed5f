"""Like this one, but different: decodes of draws from the posterior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..distributions.base import where_codes_live
from ..errors import LowerboundError
from ..evaluation.codes import posterior_mean
from ..evaluation.decoding import batch, evaluating, home
from .space import Array, Centre, mean, space_of
from .support import support_of


@dataclass(frozen=True)
class Variations:
    """What :func:`vary` returns.

    Attributes:
        codes: draws of q(z|x), ``(N, n, latent)``; int64 of indices.
        decoded: the likelihood's mean at each, ``(N, n, *event)``.
        reconstructed: the same at E_q[z], ``(N, *event)``; of indices at the likeliest ones.
        spread: standard deviation of the draws of each dimension, ``(N, latent)``.
    """

    codes: Array
    decoded: Array
    reconstructed: Array
    spread: Array


def vary(
    model: Any,
    x: Tensor,
    *context: Tensor,
    n: int = 16,
    spread: float = 1.0,
    seed: int = 0,
    centre: Centre = mean,
) -> Variations:
    """Decode draws from q(z|x): what the model cannot tell from x.

    Args:
        model: has ``encode(x, *c)`` and ``decode(z, *c)``.
        x: prepared data, ``(N, *event)``.
        context: ``(N, ...)`` each.
        n: draws for each example.
        spread: draws are moved away from the posterior's mean by this factor; above 1 they are no
            longer draws of q, but differ more. Where the prior has edges, or lies on a sphere,
            they are brought back to it (:func:`~lowerbound.latent.support.support_of`).
        seed: of the draws.
        centre: what is taken of p(x|z).

    Raises:
        LowerboundError: no encoder or decoder, or a posterior that is certain of its code, of which
            all draws are alike.
    """
    if n < 1:
        raise LowerboundError(f"vary: expected n of at least 1, came {n}")
    if not hasattr(model, "uniform_rate"):
        space_of(model, "vary")  # refuses
    device, _ = home(model, x)
    devices = [device] if device.type == "cuda" else []
    here, *c = batch(model, slice(None), x, *context)
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        q = model.encode(here, *c)
        if getattr(q, "certain", False):
            kind = where_codes_live(q)
            raise LowerboundError(
                f"vary: expected a posterior with a spread, came that of a {type(model).__name__} "
                f"({kind}), of which every draw is the same; train a vae"
            )
        draws = q.sample((n,))  # (n, N, *latent)
        real = draws.is_floating_point()
        middle = posterior_mean(q) if real else q.mode
        if spread != 1.0:
            if not real:
                raise LowerboundError(
                    "vary: expected a spread of 1, for codes are indices, came "
                    f"{spread:g}; leave it out"
                )
            draws = middle + spread * (draws - middle)
            rows = draws.flatten(2).double().cpu().numpy()
            back = torch.from_numpy(support_of(model, *c)(rows))
            draws = back.reshape(draws.shape).to(draws)
        decoded = _decoded(model, draws, c, centre)
        again = _decoded(model, middle[None], c, centre)[:, 0]
    codes = draws.flatten(2).transpose(0, 1).cpu()
    found = codes.double().std(1) if n > 1 else torch.zeros(codes.shape[0], codes.shape[2])
    return Variations(codes.numpy(), decoded, again, found.numpy())


def _decoded(model: Any, codes: Tensor, context: list[Tensor], centre: Centre) -> Array:
    """Of codes ``(n, N, *latent)``: ``(N, n, *event)``."""
    parts = [centre(model.decode(z, *context)).cpu() for z in codes]
    return np.stack([part.numpy() for part in parts], 1)
