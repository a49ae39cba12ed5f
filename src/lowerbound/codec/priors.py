"""How codes are written one after the other: distributions as a sequence of tables.

A `Sequence` gives the probabilities of the t-th symbol of several data at once, from the symbols
before it. Encoder and decoder walk through it alike, step by step and in the same batches, so that
both compute each table by the same operations.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lowerbound.autoregressive import Autoregressive, TwoLevelCodes
from lowerbound.codec import fixed
from lowerbound.codec.stream import Decoder, Encoder
from lowerbound.distributions import IndependentCategorical
from lowerbound.errors import LowerboundError


class Sequence(Protocol):
    """A distribution of int64 sequences ``(N, T)``, one symbol after the other.

    Attributes:
        length: T.
    """

    length: int

    def tables(self, count: int) -> Walk:
        """Begin `count` sequences.

        Returns:
            a generator: it yields logits ``(N, K_t)``, float64, nats, and is sent the symbols int64
            ``(N,)``.
        """
        ...

    def tokens(self, value: Tensor) -> Tensor:
        """Data as sequences: ``(N, *event) -> int64 (N, T)``."""
        ...

    def value(self, tokens: Tensor) -> Tensor:
        """Sequences as data, the way back."""
        ...


Walk = Any  # Generator[Tensor, Tensor, None], which Protocols do not spell


class Independent:
    """Each symbol by a table of its own, as under a uniform prior.

    Args:
        p: of batch shape ``()``, or ``(N,)`` for N given conditions.
    """

    def __init__(self, p: IndependentCategorical) -> None:
        rank = len(p.event_shape)
        # (*batch, K, *event) -> (*batch, T, K)
        self.logits = p.logits.double().flatten(-rank).mT
        self.event_shape = tuple(p.event_shape)
        self.length = math.prod(self.event_shape)

    def tables(self, count: int) -> Walk:
        for t in range(self.length):
            logits = self.logits[..., t, :]
            yield logits.expand(count, logits.shape[-1])

    def tokens(self, value: Tensor) -> Tensor:
        return value.long().flatten(1)

    def value(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(-1, *self.event_shape)


class Steps:
    """Each symbol by a step of an autoregressive network.

    Args:
        p: of batch shape ``()``, or ``(N,)`` for N given conditions.
    """

    def __init__(self, p: Autoregressive) -> None:
        self.p = p
        self.length = p.heads * math.prod(p.grid)

    def tables(self, count: int) -> Walk:
        state = self.p.network.begin(count, *self.p.context)
        token: Tensor | None = None
        for _ in range(self.length):
            raw, state = self.p.network.step(state, token)
            token = yield self.p.output.logits(raw)

    def tokens(self, value: Tensor) -> Tensor:
        return self.p.tokens(value)

    def value(self, tokens: Tensor) -> Tensor:
        return self.p.value(tokens)


class Levels:
    """The coarse codes first, and after them the fine ones, whose tables they change.

    Args:
        p: of batch shape ``()``, or ``(N,)`` for N given conditions.
    """

    def __init__(self, p: TwoLevelCodes) -> None:
        self.p, self.first = p, Steps(p.coarse)
        self.length = math.prod(p.event_shape)

    def tables(self, count: int) -> Walk:
        walk, symbols = self.first.tables(count), []
        table = next(walk)
        while len(symbols) < self.first.length:
            symbols.append((yield table))
            if len(symbols) < self.first.length:
                table = walk.send(symbols[-1])
        coarse = self.first.value(torch.stack(symbols, 1))
        yield from Steps(self.p.fine(coarse)).tables(count)

    def tokens(self, value: Tensor) -> Tensor:
        first, rest = self.p.apart(value)
        return torch.cat((self.p.coarse.tokens(first), self.p.fine(first).tokens(rest)), 1)

    def value(self, tokens: Tensor) -> Tensor:
        first, rest = tokens.split((self.first.length, self.length - self.first.length), 1)
        coarse = self.p.coarse.value(first)
        return self.p.together(coarse, self.p.fine(coarse).value(rest))


def sequence(p: Any) -> Sequence:
    """A distribution as a sequence of tables.

    Raises:
        LowerboundError: it is none of whole numbers that come one after the other.
    """
    if isinstance(p, Autoregressive):
        return Steps(p)
    if isinstance(p, TwoLevelCodes):
        return Levels(p)
    if isinstance(p, IndependentCategorical):
        return Independent(p)
    if hasattr(p, "tables"):
        return p
    raise LowerboundError(
        f"expected a prior of whole numbers to code by, uniform or autoregressive, came "
        f"{type(p).__name__}: train a vq-vae, or fit a prior to its codes (recipe two-stage)"
    )


@contextmanager
def exactly(model: torch.nn.Module, threads: int | None = None) -> Generator[Any]:
    """A copy of a model that computes in float64 on the CPU, without gradients.

    Args:
        model: is left as it is.
        threads: that operations take; None: as many as there are.

    In float32 the last digits of a sum depend on the machine and on its number of threads.
    """
    precise = copy.deepcopy(model).to("cpu").double().eval()
    default, before = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(threads or before)
    try:
        with torch.no_grad():
            yield precise
    finally:
        torch.set_default_dtype(default)
        torch.set_num_threads(before)


def write(encoder: Encoder, p: Any, value: Tensor) -> tuple[np.ndarray, float]:
    """Code data by a distribution.

    Args:
        encoder: is written to.
        p: the distribution, see `sequence`.
        value: ``(N, *event)``.

    Returns:
        −log2 p of each, float64 ``(N,)``: what is written comes to their sum; and log2 of how many
        values a datum could have.

    Raises:
        LowerboundError: a symbol that the distribution does not know.
    """
    found = sequence(p)
    tokens = found.tokens(value)
    total, uniform = np.zeros(len(tokens)), 0.0
    at = 0

    def told(logits: Tensor) -> Tensor:
        nonlocal at, uniform
        symbols = tokens[:, at].numpy()
        levels = logits.shape[-1]
        refuse_outside(symbols, levels)
        encoder.put(symbols, fixed.weights(logits))
        total[:] += fixed.bits(logits, symbols)
        uniform += math.log2(levels)
        at += 1
        return tokens[:, at - 1]

    _walk(found, len(tokens), told)
    return total, uniform


def read(decoder: Decoder, p: Any, count: int) -> Tensor:
    """The next `count` data ``(N, *event)`` that were coded by a distribution."""
    found = sequence(p)
    tokens: list[Tensor] = []

    def told(logits: Tensor) -> Tensor:
        tokens.append(torch.from_numpy(decoder.take(fixed.weights(logits))))
        return tokens[-1]

    _walk(found, count, told)
    return found.value(torch.stack(tokens, 1))


def refuse_outside(symbols: np.ndarray, levels: int) -> None:
    """Refuse what is no code.

    Raises:
        LowerboundError: one is below 0, or no less than the number of codes.
    """
    bad = (symbols < 0) | (symbols >= levels)
    if bad.any():
        raise LowerboundError(
            f"expected codes of the model's codebook, from 0 to {levels - 1}, came "
            f"{symbols[bad].flat[0]}: they are of another model, or were changed"
        )


def _walk(found: Sequence, count: int, told: Callable[[Tensor], Tensor]) -> None:
    tables = found.tables(count)
    logits = next(tables)
    while True:
        symbols = told(logits)
        try:
            logits = tables.send(symbols)
        except StopIteration:
            return
