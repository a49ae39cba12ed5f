"""Codes as rows of real numbers: what every tool here asks of a model.

A tool wants ``encode(x, *context)`` and ``decode(z, *context)``, never a class. Codes that are
indices into a codebook (a VQ-VAE's) have nothing between them; their place is taken by the
vectors that the decoder sees, where a tool can do with those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import LowerboundError
from ..evaluation.codes import posterior_mean
from ..evaluation.decoding import batch, evaluating, home

Array = NDArray[Any]
#: What is looked at of p(x|z): a tensor of a distribution.
Centre = Callable[[Any], Tensor]

_BATCH = 256


def mean(found: Any) -> Tensor:
    """The likelihood's mean; of what has none (categories) the likeliest."""
    try:
        return found.mean
    except (NotImplementedError, AttributeError):
        return found.mode


@dataclass(frozen=True)
class Space:
    """Where codes of a model live, and the two ways between them and data.

    Attributes:
        model: has ``encode`` and ``decode``.
        shape: of one code as the decoder takes it.
        vectors: whether these are the vectors behind indices, not codes of the model's prior.
        centre: what is taken of p(x|z).
    """

    model: Any
    shape: tuple[int, ...]
    vectors: bool = False
    centre: Centre = mean

    @property
    def width(self) -> int:
        """Numbers in a code."""
        return int(np.prod(self.shape, dtype=np.int64))

    def encode(self, x: Tensor, *context: Tensor) -> Array:
        """E_q[z] of x ``(N, *event)`` as rows ``(N, width)``, float64."""
        device, _ = home(self.model, x)
        parts = []
        devices = [device] if device.type == "cuda" else []
        with evaluating(self.model), torch.no_grad(), torch.random.fork_rng(devices):
            torch.manual_seed(0)  # for posteriors that know no mean but by sampling
            for here, *c in _batches(self.model, x, *context):
                if self.vectors:
                    rows = self.model.posterior.in_rows(self.model.encode(here, *c).mode)
                    z = self.model.quantizer.lookup(rows)
                else:
                    z = posterior_mean(self.model.encode(here, *c))
                parts.append(z.flatten(1).double().cpu())
        return torch.cat(parts).numpy()

    def decode(self, codes: Array, *context: Tensor) -> Array:
        """The likelihood's centre at each of codes ``(M, width)``: ``(M, *event)``.

        Args:
            codes: as of :meth:`encode`.
            context: ``(M, ...)`` each, or ``(1, ...)`` for all of them.
        """
        codes = np.asarray(codes, np.float64)
        rows = torch.from_numpy(np.ascontiguousarray(codes)).reshape(len(codes), *self.shape)
        beside = [c.expand(len(codes), *c.shape[1:]) for c in context]
        parts = []
        with evaluating(self.model), torch.no_grad():
            for z, *c in _batches(self.model, rows, *beside):
                parts.append(self.centre(self.likelihood(z, *c)).cpu())
        return torch.cat(parts).numpy()

    def likelihood(self, z: Tensor, *context: Tensor) -> Any:
        """p(x|z) at z ``(M, *shape)``, with gradients."""
        if self.vectors:
            return self.model.decode_vectors(z, *context)
        return self.model.decode(z, *context)


def space_of(
    model: Any, tool: str, *, vectors: bool = False, encoder: bool = True, centre: Centre = mean
) -> Space:
    """The space of a model's codes.

    Args:
        model: see :class:`Space`.
        tool: who asks, for the error.
        vectors: whether the vectors behind indices will do.
        encoder: whether data are to be encoded.
        centre: see :class:`Space`.

    Raises:
        LowerboundError: the model lacks what the tool needs.
    """
    named = type(model).__name__
    if not hasattr(model, "decode") or (encoder and not hasattr(model, "encode")):
        needed = "encodes and decodes" if encoder else "decodes"
        raise LowerboundError(
            f"{tool}: expected a model that {needed}, came {named}; train a vae or an autoencoder"
        )
    if not int(np.prod(model.latent_shape, dtype=np.int64)):
        raise LowerboundError(f"{tool}: expected a model with codes, came {named}, which has none")
    if hasattr(model, "uniform_rate"):  # indices
        if not vectors or not hasattr(model, "decode_vectors"):
            raise LowerboundError(
                f"{tool}: expected codes of real numbers, came the indices of a {named}, between "
                "which there is nothing; train a vae or an autoencoder"
            )
        positions = int(np.prod(model.latent_shape, dtype=np.int64))
        positions //= model.latent_shape[0] if model.heads else 1
        empty = torch.zeros(1, *model.latent_shape, dtype=torch.int64)
        device, _ = home(model, empty)
        looked = model.quantizer.lookup(model.posterior.in_rows(empty.to(device)))
        return Space(model, tuple(looked.shape[1:]), True, centre)
    return Space(model, tuple(model.latent_shape), False, centre)


def check_codes(codes: Any, space: Space, tool: str) -> Array:
    """Codes as rows ``(M, width)``, float64.

    Raises:
        LowerboundError: they are of another width, or no finite numbers.
    """
    rows = np.asarray(codes.detach().cpu() if isinstance(codes, Tensor) else codes, np.float64)
    rows = rows.reshape(-1, space.width) if rows.shape == space.shape else rows
    if rows.ndim > 2 and rows.shape[1:] == space.shape:
        rows = rows.reshape(len(rows), -1)
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim != 2 or rows.shape[1] != space.width or not np.isfinite(rows).all():
        raise LowerboundError(
            f"{tool}: expected codes of {space.width} finite numbers, came {rows.shape}; pass what "
            "the model encodes"
        )
    return rows


def _batches(model: Any, x: Tensor, *context: Tensor) -> Iterator[list[Tensor]]:
    for start in range(0, len(x), _BATCH):
        yield batch(model, slice(start, start + _BATCH), x, *context)
