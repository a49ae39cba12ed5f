"""The angle between a von Mises-Fisher draw and its mean direction, reparameterized.

Its density on [0, π] is in proportion to exp(κ cos θ) sin(θ)^(d−2), smooth for every d; that of
the cosine is not. It is tabulated once for each κ, and every draw inverts the table.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .bessel import exact

# Cells in a table that reaches ten standard deviations to either side of the mode: what lies
# beyond is below 1e-13, and cubics in a cell are wrong in the distribution function by 4e-7.
_CELLS, _REACH = 160, 10.0
# From the straight line across a cell Newton's method has converged to rounding by then.
_NEWTON = 4
# Nearer to 0 and 1 the distribution function is not inverted: half of what a draw comes to.
_END = 2.0**-26


def angle(concentration: Tensor, u: Tensor, dim: int) -> Tensor:
    """The angle θ whose distribution function is u, with dθ/dκ.

    The derivative is the implicit one, −(∂F/∂κ)/p (Figurnov et al., 2018,
    https://arxiv.org/abs/1805.08498), of first order only. Where the device has float64, the work
    is done in it.

    Args:
        concentration: κ ≥ 0, ``(*batch,)``.
        u: in [0, 1], ``(*sample, *batch)``; held 2^-26 away from both ends.
        dim: d, two or more.

    Returns:
        Radians, in the shape of u.
    """
    kappa = exact(concentration.detach())
    theta, slope = _inverse(kappa, u.detach().to(kappa.dtype), dim)
    slope = slope.to(concentration.dtype)
    # Its value is θ, its derivative the slope.
    return theta.to(concentration.dtype) + slope * (concentration - concentration.detach())


# One operator to torch's compiler, which would take long over it and gain little.
@torch.library.custom_op(
    "lowerbound::sphere_angle",
    mutates_args=(),
    schema="(Tensor kappa, Tensor u, int dim) -> (Tensor, Tensor)",
)
def _inverse(kappa: Tensor, u: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """θ and dθ/dκ, in the shape of u."""
    return _invert(_tabulate(kappa.reshape(-1, 1), dim), u)


@_inverse.register_fake
def _(kappa: Tensor, u: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    return u.new_empty(u.shape), u.new_empty(u.shape)


class _Table(NamedTuple):
    """Of each κ: ``(N, 1)`` each, and ``(N, cells + 1)`` at the cells' ends."""

    start: Tensor
    width: Tensor
    density: Tensor  # p
    below: Tensor  # F, its integral
    moment: Tensor  # (cos θ − A) p
    change: Tensor  # ∂F/∂κ, its integral


def _tabulate(kappa: Tensor, dim: int) -> _Table:
    """κ is ``(N, 1)``."""
    start, stop = _window(kappa, dim)
    width = (stop - start) / _CELLS
    steps = torch.arange(2 * _CELLS + 1, dtype=kappa.dtype, device=kappa.device) / 2
    theta = start + width * steps  # ends and middles of the cells
    cosine = theta.cos()
    log_p = kappa * cosine
    if dim > 2:
        log_p = log_p + (dim - 2) * theta.sin().clamp_min(torch.finfo(kappa.dtype).tiny).log()
    p = (log_p - log_p.amax(-1, keepdim=True)).exp()
    mass = _integral(p, width)
    p, mass = p / mass[:, -1:], mass / mass[:, -1:]
    # The mean cosine as the table has it, so that ∂F/∂κ returns to 0 at the far end.
    length = _integral(cosine * p, width)[:, -1:]
    moment = (cosine - length) * p
    return _Table(start, width, p[:, ::2], mass, moment[:, ::2], _integral(moment, width))


def _window(kappa: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Ten standard deviations to either side of the mode, or what there is of [0, π]."""
    if dim == 2:
        mode, curvature = torch.zeros_like(kappa), kappa
    else:
        power = dim - 2
        half = power + torch.hypot(torch.full_like(kappa, power), 2 * kappa)
        cosine, sine2 = 2 * kappa / half, 2 * power / half  # κ sin² = (d − 2) cos at the mode
        mode = torch.atan2(sine2.sqrt(), cosine)
        curvature = kappa * cosine + power / sine2
    reach = _REACH * curvature.clamp_min(1e-6).rsqrt()
    return (mode - reach).clamp_min(0.0), (mode + reach).clamp_max(math.pi)


def _integral(values: Tensor, width: Tensor) -> Tensor:
    """Running integral to each cell's end, by Simpson's rule: ``(N, 2·cells + 1)`` to
    ``(N, cells + 1)``."""
    ends, middles = values[:, ::2], values[:, 1::2]
    cells = (ends[:, :-1] + 4 * middles + ends[:, 1:]) * (width / 6)
    return torch.nn.functional.pad(cells.cumsum(-1), (1, 0))


def _invert(table: _Table, u: Tensor) -> tuple[Tensor, Tensor]:
    """θ and −(∂F/∂κ)/p, in the shape of u."""
    shape, count = u.shape, len(table.start)
    u = u.reshape(-1, count).mT.contiguous()  # (N, samples)
    # At the ends of the window the density is nothing but rounding, and so is what is divided by.
    last = max(_END, 0.5 * torch.finfo(u.dtype).eps)
    u = u.clamp(last, 1 - last)
    cell = torch.searchsorted(table.below, u, right=True).clamp(1, _CELLS) - 1
    low, high = table.below.gather(-1, cell), table.below.gather(-1, cell + 1)
    left, right = (table.density.gather(-1, k) * table.width for k in (cell, cell + 1))
    tiny = torch.finfo(u.dtype).tiny
    t = ((u - low) / (high - low).clamp_min(tiny)).clamp(0.0, 1.0)
    for _ in range(_NEWTON):
        slope = _hermite_slope(t, low, high, left, right)
        error = _hermite(t, low, high, left, right) - u
        t = (t - error / slope.clamp_min(tiny)).clamp(0.0, 1.0)
    change = _hermite(
        t,
        table.change.gather(-1, cell),
        table.change.gather(-1, cell + 1),
        table.moment.gather(-1, cell) * table.width,
        table.moment.gather(-1, cell + 1) * table.width,
    )
    density = _hermite_slope(t, low, high, left, right) / table.width
    theta = table.start + table.width * (cell + t)
    derivative = -change / density.clamp_min(tiny)
    # The operator's results have the strides that its description says: contiguous ones.
    return theta.mT.contiguous().view(shape), derivative.mT.contiguous().view(shape)


def _hermite(t: Tensor, low: Tensor, high: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The cubic with values low, high and slopes left, right at t = 0, 1."""
    rise, both = high - low, left + right
    return low + t * (left + t * (3.0 * rise - left - both + t * (both - 2.0 * rise)))


def _hermite_slope(t: Tensor, low: Tensor, high: Tensor, left: Tensor, right: Tensor) -> Tensor:
    rise, both = high - low, left + right
    return left + t * (6.0 * rise - 2.0 * (left + both) + t * (3.0 * both - 6.0 * rise))
