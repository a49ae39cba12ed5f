"""Step sizes for each datum and temperature, found on chains that are thrown away.

A step that follows a chain's own acceptances would bend its path and bias its weight: the moves
that count have steps fixed beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .hmc import transition
from .path import Path

#: Acceptance at which Hamiltonian moves are about most efficient (Beskos et al. 2013, arXiv
#: 1001.4460), and Wu et al.'s.
ACCEPTANCE = 0.65
CHAINS = 4
_FIRST = 0.5  # in units of z, for which priors are about one wide
_WARM, _LEAST, _PART = 30, 40, 4
_GAIN = 0.4  # log step for each unit of acceptance too much
_LIMITS = (1e-6, 1e2)

#: ``(number of the move, size)`` to momenta ``(M, B, *latent)``, uniforms and jitters ``(M, B)``.
Noise = Callable[[int], tuple[Tensor, Tensor, Tensor]]


def adapted(
    path: Path, betas: Sequence[float], leaps: int, z: Tensor, noise: Noise, target: float
) -> Tensor:
    """Step sizes ``(len(betas), B)`` that accept the target's share of moves at each temperature.

    Some chains are annealed in a quarter of the steps and back again, each datum's step following
    the mean acceptance of its chains: log ε += gain · (acceptance − target). It follows with a lag,
    which the means of both ways are without. They are smoothed.

    Args:
        path: from p_0 to p(z) p(x|z).
        betas: temperatures from 0 to 1.
        leaps: of a move.
        z: codes of p_0, ``(M, B, *latent)``.
        noise: of each move.
        target: acceptance.
    """
    steps = len(betas) - 1
    visited = min(steps, max(_LEAST, steps // _PART))
    places = [round(1 + (steps - 1) * v / max(visited - 1, 1)) for v in range(visited)]
    point = path(z)
    log_step = torch.full_like(point.terms[0, 0], math.log(_FIRST))
    found = []
    # Before anything is noted, the first temperature's own step is sought, in ever smaller moves.
    plan = [(places[0], 4 * _GAIN / (1 + 0.3 * k)) for k in range(_WARM)]
    plan += [(place, _GAIN) for place in [*places, *reversed(places)]]
    for number, (place, gain) in enumerate(plan):
        momentum, uniform, jitter = noise(number)
        point, chance = transition(
            path,
            point,
            (1.0, betas[place]),
            log_step.exp() * jitter,
            momentum=momentum,
            uniform=uniform,
            leaps=leaps,
        )
        log_step = log_step + gain * (chance.mean(0) - target)
        log_step = log_step.clamp(math.log(_LIMITS[0]), math.log(_LIMITS[1]))
        if number >= _WARM:
            found.append(log_step)
    there, back = torch.stack(found).chunk(2)
    noted = _smooth(0.5 * (there + back.flip(0)), max(1, visited // 20))
    return _between(noted, places, steps).exp()


def _smooth(values: Tensor, reach: int) -> Tensor:
    """Means over ``2 reach + 1`` neighbours along the first dimension, fewer at the ends."""
    total = torch.cat([torch.zeros_like(values[:1]), values]).cumsum(0)
    rows = torch.arange(len(values))
    low, high = (rows - reach).clamp(min=0), (rows + reach + 1).clamp(max=len(values))
    counts = (high - low).to(values).reshape(-1, *[1] * (values.dim() - 1))
    return (total[high] - total[low]) / counts


def _between(values: Tensor, places: Sequence[int], steps: int) -> Tensor:
    """Values at ``places`` as ``steps + 1`` of them, linear in between."""
    at = torch.tensor(places, dtype=torch.float64)
    wanted = torch.arange(steps + 1, dtype=torch.float64).clamp(at[0], at[-1])
    right = torch.searchsorted(at, wanted).clamp(1 if len(places) > 1 else 0, len(places) - 1)
    left = (right - 1).clamp(min=0)
    width = (at[right] - at[left]).clamp(min=1e-9)
    share = ((wanted - at[left]) / width).to(values).unsqueeze(-1)
    return values[left] + share * (values[right] - values[left])
