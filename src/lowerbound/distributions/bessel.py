"""The normalizer of e^(κ·cosine) on a sphere: Bessel functions of the first kind, modified.

Over the uniform distribution of unit vectors in d dimensions, with v = d/2 − 1,

    M(κ) = E exp(κ·cosine) = Γ(v + 1) (2/κ)^v I_v(κ),    (log M)' = I_{v+1}/I_v = A.

M is 1 at κ = 0 for every d, so that log M loses no digits where log I_v would lose them all.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

# From order 12 on, ten terms of the expansion in 1/order are exact to rounding.
_ORDER, _TERMS = 12, 10


def log_normalizer(concentration: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """log M(κ) and its derivative A(κ), the length of the mean, each in ``concentration``'s shape.

    A uniform expansion at a high order (Debye; DLMF 10.41.3), then down to order v by
    I_{v+1}/I_v = 1/(I_{v+2}/I_{v+1} + 2(v+1)/κ) (DLMF 10.29.1), written for M so that every term
    is positive: stable for all κ ≥ 0. Elementwise, without iterations that depend on κ.

    Args:
        concentration: κ ≥ 0; work and results are in float64 where the device has it.
        dim: d, numbers of a vector, two or more.

    >>> log_m, a = log_normalizer(torch.tensor([2.0], dtype=torch.float64), 3)
    >>> torch.isclose(log_m, torch.tensor([2.0]).double().sinh().div(2).log())
    tensor([True])
    >>> torch.isclose(a, 1 / torch.tensor([2.0]).double().tanh() - 0.5)
    tensor([True])
    """
    log_m, length, _ = _moments(exact(concentration), dim)
    return log_m, length


def exact(value: Tensor) -> Tensor:
    """In float64, but for the one kind of device that has none."""
    return value if value.device.type == "mps" else value.double()


# One operator to torch's compiler: traced, the recursion takes it minutes, and gains nothing.
@torch.library.custom_op(
    "lowerbound::sphere_moments",
    mutates_args=(),
    schema="(Tensor kappa, int dim) -> (Tensor, Tensor, Tensor)",
)
def _moments(kappa: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    """log M, A, and A·d/κ, which is 1 at κ = 0."""
    order = dim / 2 - 1
    steps = max(0, int(_ORDER - order))
    high = order + steps
    root, rest = _uniform_expansion(kappa, high)
    above, rest_above = _uniform_expansion(kappa, high + 1)
    # log M = (root − order) + rest: neither this difference nor that of two orders is taken of
    # numbers as large as κ.
    log_m = kappa.square() / (root + high) + rest
    ratio = ((2 * high + 1) / (above + root) - 1 + rest_above - rest).exp()  # M_{o+1}/M_o
    for k in reversed(range(steps)):
        below = order + k
        growth = ratio * kappa.square() / (4 * (below + 1) * (below + 2))
        log_m = log_m + growth.log1p()
        ratio = 1 / (1 + growth)
    return log_m, kappa * ratio / dim, ratio


@_moments.register_fake
def _(kappa: Tensor, dim: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(kappa), torch.empty_like(kappa), torch.empty_like(kappa)


def _remember(ctx: Any, inputs: tuple[Tensor, int], output: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*output[1:])
    ctx.dim = inputs[1]
    ctx.mark_non_differentiable(output[2])


def _backward(ctx: Any, log_m: Tensor, length: Tensor, ratio: Tensor) -> tuple[Tensor, None]:
    """(log M)' = A and A' = 1 − A² − (d − 1) A/κ."""
    a, of_kappa = ctx.saved_tensors
    slope = 1 - a.square() - (ctx.dim - 1) / ctx.dim * of_kappa
    return log_m * a + length * slope, None


_moments.register_autograd(_backward, setup_context=_remember)


def log_area(dim: int) -> float:
    """log of the surface of the unit sphere in ``dim`` dimensions, 2 π^(d/2) / Γ(d/2).

    >>> round(log_area(3), 4)  # log 4π
    2.531
    """
    return math.log(2) + dim / 2 * math.log(math.pi) - math.lgamma(dim / 2)


def _uniform_expansion(kappa: Tensor, order: float) -> tuple[Tensor, Tensor]:
    """root = √(order² + κ²), and log M − (root − order), both of a high order.

    Every summand of the second vanishes at κ = 0 by itself.
    """
    root = torch.hypot(kappa, torch.full_like(kappa, order))
    excess = kappa.square() / (root + order)  # root − order
    curve = -order * torch.log1p(excess / (2 * order)) - 0.5 * torch.log1p(excess / order)
    # Σ_k U_k(p)/order^k at p = order/root, as powers of 1/root times polynomials in p².
    k = torch.arange(_TERMS + 1, dtype=kappa.dtype, device=kappa.device)
    coefficients = torch.tensor(_POLYNOMIALS, dtype=kappa.dtype, device=kappa.device)
    inverse = 1 / root.unsqueeze(-1)
    polynomials = ((order * inverse).square() ** k) @ coefficients.mT
    series = (polynomials * inverse**k)[..., 1:].sum(-1)
    return root, curve + torch.log1p(series) - math.log1p(_series_at_zero(order))


def _series_at_zero(order: float) -> float:
    return sum(sum(row) / order**k for k, row in enumerate(_POLYNOMIALS[1:], 1))


def _coefficients(terms: int) -> list[list[float]]:
    """Of U_k(p)/p^k in powers of p² (DLMF 10.41.9), a row for each k, from the exact recursion

    U_{k+1} = ½ p²(1 − p²) U_k' + ⅛ ∫_0^p (1 − 5t²) U_k dt.
    """
    rows = [[Fraction(1)]]
    for k in range(terms):
        following = [Fraction(0)] * (k + 2)
        for j, c in enumerate(rows[k]):
            power = k + 2 * j
            following[j] += c * (Fraction(power, 2) + Fraction(1, 8 * (power + 1)))
            following[j + 1] -= c * (Fraction(power, 2) + Fraction(5, 8 * (power + 3)))
        rows.append(following)
    return [[float(c) for c in row] + [0.0] * (terms + 1 - len(row)) for row in rows]


_POLYNOMIALS = _coefficients(_TERMS)
