"""Noise as a function of (seed, step, …) instead of a state.

Before anything random, torch's generator is seeded with a mix of what names the place. So a resumed
run needs no random state, and a microbatch draws the same noise on whichever process it falls.
"""

from __future__ import annotations

import torch

_MASK = (1 << 64) - 1


def mix(*key: int) -> int:
    """A 63-bit hash of integers (the finalizer of SplitMix64, Steele et al. 2014).

    >>> mix(0, 1) != mix(1, 0)
    True
    """
    state = 0
    for part in key:
        state = (state + 0x9E3779B97F4A7C15 + part) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state >> 1


def seed_noise(device: torch.device, *key: int) -> None:
    """Seed the default generator of `device`, and of the CPU, with ``mix(*key)``.

    `torch.manual_seed` does as much for every backend, at several times the cost, each step.
    """
    value = mix(*key)
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(value)
    elif device.type == "mps":
        torch.mps.manual_seed(value)
