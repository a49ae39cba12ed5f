"""Importance-weighted estimate of log p(x)."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..allocator import keep_freed_memory
from ..distributions import sample_with_log_prob
from ..errors import LowerboundError
from .decoding import Decoder, batch, evaluating, home
from .streaming import WeightSums
from .tiles import cut


@dataclass(frozen=True)
class LogLikelihood:
    """What :func:`estimate_log_likelihood` returns. Tensors are on the CPU, ``(N,)``.

    Attributes:
        values: estimate of log p(x) for each datum, nats.
        ess: effective sample size of its importance weights, between 1 and ``samples``.
        distortion: mean over the samples of -log p(x|z), nats.
        rate: mean over the samples of log q(z|x) - log p(z), nats. ``-(distortion + rate)`` is the
            evidence lower bound, estimated from the same samples.
        samples: importance samples for each datum.
        seed: where the noise started.
        rows: rows decoded at once.
        compiled: whether the decoder ran compiled.
        note: why it did not although it was to be, else ``""``.
    """

    values: Tensor
    ess: Tensor
    distortion: Tensor
    rate: Tensor
    samples: int
    seed: int
    rows: int
    compiled: bool
    note: str = ""


def estimate_log_likelihood(
    model: Any,
    x: Tensor,
    *context: Tensor,
    samples: int = 1000,
    rows: int | None = None,
    precision: torch.dtype | None = None,
    compile: bool | Literal["auto"] = "auto",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LogLikelihood:
    """Estimate log p(x|c) by importance sampling from the posterior.

    ``log 1/K sum_k p(x|z_k,c) p(z_k|c) / q(z_k|x,c)`` with ``z_k ~ q(z|x,c)``: in expectation a
    lower bound on log p(x|c), tighter as K grows, exact where q is the posterior.

    Each datum is encoded once. The noise depends on ``seed``, ``samples`` and the datum's place in
    ``x`` alone: neither ``rows`` nor ``compile`` nor the data that follow change it, so that two
    settings give the same numbers to the rounding of their matrix products. The caller's random
    states are left as they were. All is done in the model's own dtype, whatever the precision it
    was trained in; only the products of the likelihood's networks may be asked for in another.

    Args:
        model: has ``encode(x, *c)``, ``decode(z, *c)`` and ``prior(*c)``. In evaluation mode
            meanwhile.
        x: prepared data, ``(N, *event)``, on any device.
        context: what the model is conditioned on, ``(N, ...)`` each.
        samples: importance samples for each datum, K.
        rows: rows decoded at once; ``None``: as many as give about 4 MiB of output, which the cache
            holds (128 MiB on a GPU).
        precision: ``torch.bfloat16`` for the matrix products of the likelihood.
        compile: whether to ``torch.compile`` the decoder and its log-density; ``"auto"``: where it
            pays back within this call, judged from the floating-point operations.
        seed: where the noise starts.
        progress: called with (examples done, examples in all).

    Raises:
        LowerboundError: ``x`` has not the model's shape, or a log weight is not a number.

    References:
        Burda, Grosse, Salakhutdinov: Importance weighted autoencoders. arXiv 1509.00519, eq. 8.
    """
    _check(model, x, context, samples, rows)
    device, dtype = home(model, x)
    event, code = math.prod(model.event_shape), math.prod(model.latent_shape)
    sizes = cut(samples, code, event, rows, device.type)
    decode = Decoder(model, sizes, compile, len(x) * samples, dtype)
    pieces: list[Tensor] = []
    if device.type == "cpu":
        keep_freed_memory()
    with evaluating(model, precision), torch.no_grad(), own_noise(device):
        for block, start in enumerate(range(0, len(x), sizes.block_data)):
            stop = min(start + sizes.block_data, len(x))
            # The last block is filled up with its last datum: one shape, one compilation.
            index = torch.arange(start, start + sizes.block_data).clamp_(max=stop - 1)
            here, *c = batch(model, index, x, *context)
            q = model.encode(here, *c)
            zeros = torch.zeros(sizes.block_data, dtype=dtype, device=device)
            sums = WeightSums(sizes.block_data, zeros)
            distortion, rate = zeros, zeros
            for first in range(0, samples, sizes.block_samples):
                torch.manual_seed(mixed(seed, block, first))
                z, log_q = sample_with_log_prob(q, (sizes.block_samples,))
                log_likelihood, log_prior = decode(z, here, *c, valid=stop - start)
                wanted = slice(samples - first)  # the last block of samples may be too long
                log_likelihood, log_rate = log_likelihood[wanted], (log_q - log_prior)[wanted]
                sums.add(log_likelihood - log_rate)
                distortion = distortion - log_likelihood.sum(0)
                rate = rate + log_rate.sum(0)
            piece = torch.stack(
                [
                    sums.log_mean(),
                    sums.effective_sample_size(),
                    distortion / samples,
                    rate / samples,
                ]
            )[:, : stop - start].cpu()
            refuse_nan(piece[0], start)
            pieces.append(piece)
            if progress is not None:
                progress(stop, len(x))
    values, ess, distortion, rate = torch.cat(pieces, dim=1)
    return LogLikelihood(
        values, ess, distortion, rate, samples, seed, sizes.rows, decode.compiled, decode.note
    )


def _check(
    model: Any, x: Tensor, context: Sequence[Tensor], samples: int, rows: int | None
) -> None:
    event_shape = tuple(model.event_shape)
    if samples < 1:
        raise LowerboundError(f"expected samples of at least 1, got {samples}")
    if rows is not None and rows < 1:
        raise LowerboundError(f"expected rows of at least 1, got {rows}")
    if x.shape[1:] != event_shape or len(x) == 0:
        expected = ", ".join(["N", *map(str, event_shape)])
        raise LowerboundError(f"expected x of shape ({expected}), got {tuple(x.shape)}")
    for c in context:
        if len(c) != len(x):
            raise LowerboundError(f"expected a context of {len(x)} entries, got {len(c)}")


def moved(t: Tensor, index: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Rows of ``t`` where the model is; numbers in its dtype, tokens and labels as they are."""
    rows = t[index.to(t.device)].to(device)
    return rows.to(dtype) if rows.is_floating_point() else rows


def mixed(*numbers: int) -> int:
    """A seed in which every one of the numbers counts."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


@contextmanager
def own_noise(device: torch.device) -> Generator[None]:
    """Leave torch's generators as they are found."""
    kind = device.type if device.type != "cpu" else "cuda"
    count = getattr(torch, kind).device_count() if device.type != "cpu" else 0
    with torch.random.fork_rng(devices=range(count), device_type=kind):
        yield


def refuse_nan(values: Tensor, start: int) -> None:
    bad = torch.isnan(values).nonzero()
    if len(bad):
        raise LowerboundError(
            f"log p(x) of example {start + int(bad[0])} is not a number: "
            "expected finite outputs of encoder and decoder; look at the data and the weights"
        )
