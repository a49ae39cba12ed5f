"""The one expensive step of an evaluation: log p(x|z) and log p(z) of many codes for each datum."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..distributions import Reducible
from .tiles import Cut

# Floating-point operations above which compiling saves more time than its ten seconds or so. On two
# cores it takes a 512-784 decoder from 6.4 to 5.4 ms per 1,000 rows (0.8e9 operations) in float32,
# from 2.5 to 1.9 with bfloat16 products.
_PAYS_BACK = {"cpu": 2.5e13, "cpu-reduced": 1.5e13, "other": 5e14}


def log_densities(model: Any, z: Tensor, x: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
    """log p(x|z,c) and log p(z|c).

    Args:
        z: codes, ``(S, B, *latent)``.
        x: data, ``(B, *event)``, broadcast over the samples and never expanded.
        context: ``(B, ...)`` each.

    Returns:
        ``(S, B)`` each, nats.
    """
    # A prior without context has no batch dimension, one with context has (B,).
    return model.decode(z, *context).log_prob(x), model.prior(*context).log_prob(z)


class Decoder:
    """Runs :func:`log_densities` over a block, a tile at a time, compiled where that pays.

    Args:
        model: has ``decode`` and ``prior``.
        sizes: the tiles.
        compile: yes, no, or ``"auto"``.
        rows_in_all: rows that will be decoded altogether, for ``"auto"``.
        dtype: of the log-densities.

    Attributes:
        compiled: what it came to.
        note: why compiling failed, else ``""``; the work then goes on without.
    """

    def __init__(
        self,
        model: Any,
        sizes: Cut,
        compile: bool | Literal["auto"],
        rows_in_all: int,
        dtype: torch.dtype,
    ) -> None:
        self.compiled = compile is True
        self.note = ""
        self._model, self._sizes, self._rows_in_all = model, sizes, rows_in_all
        self._dtype = dtype
        self._decided = compile != "auto"

    def __call__(self, z: Tensor, x: Tensor, *context: Tensor, valid: int) -> tuple[Tensor, Tensor]:
        """log p(x|z) and log p(z) of a block.

        Args:
            z: ``(S, B, *latent)``.
            x: ``(B, *event)``.
            context: ``(B, ...)`` each.
            valid: data to compute, the first ones; the rest is filling and gets zeros.

        Returns:
            ``(S, B)`` each, nats.
        """
        results = torch.zeros(2, *z.shape[:2], dtype=self._dtype, device=z.device)
        for data in self._sizes.data_tiles(valid):
            fixed = [t[data].contiguous() for t in (x, *context)]
            for some in self._sizes.sample_tiles():
                # Contiguous: compiled code is specialised on strides.
                tile = z[some, data].contiguous()
                results[0, some, data], results[1, some, data] = self._run(tile, *fixed)
        return results[0], results[1]

    def _run(self, z: Tensor, x: Tensor, *context: Tensor) -> tuple[Tensor, Tensor]:
        if not self._decided:
            self._decided = True
            self.compiled = self._pays_back(z, x, *context)
        if self.compiled:
            try:
                return _compiled()(self._model, z, x, *context)
            except Exception as error:  # whatever the compiler raises, the eager way is right
                self.compiled = False
                self.note = f"not compiled: {type(error).__name__}: {error}".splitlines()[0][:300]
        return log_densities(self._model, z, x, *context)

    def _pays_back(self, z: Tensor, x: Tensor, *context: Tensor) -> bool:
        """Judge by operations, not by a clock: the same call must take the same way each time."""
        counter = FlopCounterMode(display=False)
        with counter:
            log_densities(self._model, z, x, *context)
        reduced = any(head.precision is not None for head in heads(self._model))
        kind = ("cpu-reduced" if reduced else "cpu") if z.device.type == "cpu" else "other"
        return counter.get_total_flops() * self._rows_in_all / self._sizes.rows > _PAYS_BACK[kind]


@functools.cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    # One function for all models: a second of the same structure finds the code of the first.
    return torch.compile(log_densities, fullgraph=True, dynamic=False)


def heads(module: Any) -> list[Reducible]:
    """The heads in a module, which alone know about reduced precision."""
    return [m for m in module.modules() if isinstance(m, Reducible)]


@contextmanager
def evaluating(model: nn.Module, precision: torch.dtype | None = None) -> Generator[None]:
    """Evaluation mode and full precision for a while, then all as it was.

    Args:
        model: any module.
        precision: of the matrix products in the heads of ``model.likelihood`` (of all heads where
            the model has no such part). The encoder is always run in full: it costs 1/K.
    """
    was = [(m, m.training) for m in model.modules()]
    precisions = [(head, head.precision) for head in heads(model)]
    try:
        model.eval()
        for head, _ in precisions:
            head.precision = None
        for head in heads(getattr(model, "likelihood", model)):
            head.precision = precision
        yield
    finally:
        for module, training in was:
            module.training = training
        for head, value in precisions:
            head.precision = value


def home(model: nn.Module, x: Tensor) -> tuple[torch.device, torch.dtype]:
    """Where a model lives and the dtype it computes in; those of ``x`` where it has no tensors."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return x.device, x.dtype if x.is_floating_point() else torch.get_default_dtype()


def batch(model: nn.Module, rows: slice | Tensor, x: Tensor, *context: Tensor) -> list[Tensor]:
    """Some rows of data and of what goes with them, where the model is and in its dtype.

    Tokens and labels stay as they are, and so do contexts in float64 of a model that standardizes
    them: time stamps are far from zero, and lose their digits in float32.

    Args:
        model: any.
        rows: which ones.
        x: data, ``(N, *event)``.
        context: ``(N, ...)`` each.
    """
    device, dtype = home(model, x)
    exact = device.type != "mps" and any(getattr(m, "takes_float64", 0) for m in model.modules())
    found = []
    for tensor in (x, *context):
        some = tensor[rows if isinstance(rows, slice) else rows.to(tensor.device)]
        whole = not some.is_floating_point()
        kept = whole or (exact and tensor is not x and some.dtype == torch.float64)
        found.append(some.to(device, None if kept else dtype))
    return found
