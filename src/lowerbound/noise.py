"""Random numbers that a CPU draws fast, in eager code and within a compiled step.

Torch draws one number after the other on a CPU, also within a compiled step, where that was a
quarter of the time that a small model needs. Here two keys come from torch's generator, and the
number at each place is a hash of its index and the keys: integer arithmetic that is vectorized,
shared between threads, and fused with what uses it. Other devices draw in parallel as they are.

A compiled step is given the keys of all its draws at once (`step_keys`, `keyed`): a call of the
generator from within compiled code is 2 % of a small model's step.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator

import torch
from torch import Tensor

_STEP = 64  # keys of a step: 32 uniform or 16 normal draws; those of further ones follow from them
_ODD = 0x9E3779B9 - 2**32  # so that a key of 0 is followed by another
_BLOCK = 1 << 16  # numbers whose bits stay in the processor's cache: 3 x as fast as all at once


class _Given:
    """Keys that were given for the draws to come, and how many of them are used."""

    keys: Tensor | None = None
    used: int = 0


_GIVEN = _Given()


def step_keys(device: torch.device) -> Tensor | None:
    """The keys of a compiled step's draws, int32 (64,), from torch's generator; None where the
    device draws by itself."""
    return _fresh(_STEP) if device.type == "cpu" else None


@contextlib.contextmanager
def keyed(keys: Tensor | None) -> Generator[None]:
    """Draw with these keys, in their order, for as long as they last.

    >>> keys = step_keys(torch.device("cpu"))
    >>> with keyed(keys):
    ...     u = uniform((3,), torch.device("cpu"))
    >>> with keyed(keys):
    ...     bool((u == uniform((3,), torch.device("cpu"))).all())
    True
    """
    _GIVEN.keys, _GIVEN.used = keys, 0
    try:
        yield
    finally:
        _GIVEN.keys, _GIVEN.used = None, 0


def uniform(
    shape: torch.Size | tuple[int, ...],
    device: torch.device,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Uniform draws in [0, 1) with 24 bits, float32 (*shape).

    >>> u = uniform((1000,), torch.device("cpu"), torch.Generator().manual_seed(0))
    >>> bool((0 <= u).all() and (u < 1).all()), round(float(u.mean()), 1)
    (True, 0.5)
    """
    if device.type != "cpu":
        return torch.rand(shape, device=device, generator=generator)
    keys = _next(2) if generator is None else _fresh(2, generator)
    return _unit(math.prod(shape), keys).view(shape)


def normal(shape: torch.Size | tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Standard normal draws (*shape).

    Eager code leaves it to torch, whose generator is vectorized there; within a compiled step for a
    CPU it is the transform of Box & Muller 1958 of two uniform draws.
    """
    if device.type != "cpu" or dtype != torch.float32 or not torch.compiler.is_compiling():
        return torch.randn(shape, dtype=dtype, device=device)
    keys = _next(4)
    count = math.prod(shape)
    radius = (-2.0 * torch.log1p(-_unit(count, keys[:2]))).sqrt()
    angle = (2.0 * math.pi) * _unit(count, keys[2:])
    return (radius * torch.cos(angle)).view(shape)


def _next(count: int) -> Tensor:
    """Keys of the next draw, int32 (count,): of those that were given while there are any."""
    if _GIVEN.keys is None:
        return _fresh(count)
    if _GIVEN.used + count > len(_GIVEN.keys):
        # Compiled code that called the generator would ask Python for it.
        _GIVEN.keys, _GIVEN.used = _scramble(_GIVEN.keys + _ODD), 0
    start = _GIVEN.used
    _GIVEN.used = start + count
    return _GIVEN.keys[start : start + count]


def _fresh(count: int, generator: torch.Generator | None = None) -> Tensor:
    """New keys, int32 (count,)."""
    # Named, the generator is torch's own; else the compiler puts its own into every loop.
    return torch.randint(-(2**31), 2**31 - 1, (count,), dtype=torch.int32, generator=generator)


def _unit(count: int, keys: Tensor) -> Tensor:
    """`count` numbers in [0, 1), float32, from two int32 keys."""
    if torch.compiler.is_compiling() or count <= _BLOCK:
        return _part(0, count, keys)
    found = torch.empty(count)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        found[start:stop] = _part(start, stop, keys)
    return found


def _part(start: int, stop: int, keys: Tensor) -> Tensor:
    bits = _scramble(torch.arange(start, stop, dtype=torch.int32).bitwise_xor_(keys[0]))
    bits = _scramble(bits.add_(keys[1]))
    return (bits >> 8).bitwise_and_(0xFFFFFF).float().mul_(2.0**-24)


def _scramble(bits: Tensor) -> Tensor:
    """A bijection of 32-bit integers in which every bit of the input moves half of the output's
    (the "lowbias32" finalizer, C. Wellons, Prospecting for hash functions, 2018). In place."""
    bits.bitwise_xor_((bits >> 16).bitwise_and_(0xFFFF)).mul_(0x7FEB352D)
    bits.bitwise_xor_((bits >> 15).bitwise_and_(0x1FFFF)).mul_(0x846CA68B - 2**32)
    return bits.bitwise_xor_((bits >> 16).bitwise_and_(0xFFFF))
