"""Divergences between samples, and what fits one density to another: pure functions, in nats.

>>> a, b = torch.randn(500, 2), torch.randn(500, 2) + 3.0
>>> bool(mmd(a, b) > 0.1)
True
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution

from .distributions import DiagonalNormal, sample_with_log_prob
from .errors import LowerboundError
from .noise import uniform

Kernel = Callable[[Tensor, Tensor], Tensor]

#: Factors on the width of :func:`inverse_multiquadratic` (Tolstikhin et al. 2018, in its code).
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def gaussian_kernel(a: Tensor, b: Tensor, width: float | None = None) -> Tensor:
    """exp(−‖a − b‖² / 2w²), the radial basis function.

    Args:
        a: ``(N, D)``.
        b: ``(M, D)``.
        width: w; by default √D, the scale of distances between codes of unit variance.

    Returns:
        ``(N, M)`` in (0, 1].
    """
    square = a.shape[1] if width is None else width**2
    return (_squared_distances(a, b) / (-2 * square)).exp()


def inverse_multiquadratic(a: Tensor, b: Tensor, width: float | None = None) -> Tensor:
    """Mean over scales s of sC / (sC + ‖a − b‖²): heavier tails than :func:`gaussian_kernel`.

    Args:
        a: ``(N, D)``.
        b: ``(M, D)``.
        width: √C at scale 1; by default √(2D), the expected distance of two draws of N(0, I).

    Returns:
        ``(N, M)`` in (0, 1].

    References:
        Tolstikhin et al., 2018, Wasserstein auto-encoders, https://arxiv.org/abs/1711.01558
    """
    square = 2 * a.shape[1] if width is None else width**2
    distances = _squared_distances(a, b)
    total = torch.zeros_like(distances)
    for scale in SCALES:
        total = total + scale * square / (scale * square + distances)
    return total / len(SCALES)


KERNELS: dict[str, Kernel] = {"rbf": gaussian_kernel, "imq": inverse_multiquadratic}


def mmd(a: Tensor, b: Tensor, kernel: str | Kernel = "rbf") -> Tensor:
    """Squared maximum mean discrepancy between two samples, unbiased.

    The U-statistic: no pair of a point with itself, so that its expectation is zero where both
    come from one distribution, and single values may be negative.

    Args:
        a: ``(N, *event)``, N at least 2.
        b: ``(M, *event)``, M at least 2.
        kernel: ``"rbf"``, ``"imq"``, or a function ``(N, D), (M, D) -> (N, M)``.

    Returns:
        ``()``, no unit.

    References:
        Gretton et al., 2012, A kernel two-sample test, JMLR 13, lemma 6
    """
    if min(len(a), len(b)) < 2 or a.shape[1:] != b.shape[1:]:
        raise LowerboundError(
            f"expected two samples of two or more points of one shape, came {tuple(a.shape)} and "
            f"{tuple(b.shape)}; pass a larger batch"
        )
    if isinstance(kernel, str) and kernel not in KERNELS:
        raise LowerboundError(
            f"expected kernel {' or '.join(map(repr, KERNELS))}, came {kernel!r}; pass one of them"
        )
    k = KERNELS[kernel] if isinstance(kernel, str) else kernel
    a, b = a.flatten(1), b.flatten(1)
    within = [
        (gram.sum() - gram.diagonal().sum()) / (len(gram) * (len(gram) - 1))
        for gram in (k(a, a), k(b, b))
    ]
    return within[0] + within[1] - 2 * k(a, b).mean()


def permute_dimensions(z: Tensor) -> Tensor:
    """Each dimension shuffled over the batch on its own: draws of the product of the marginals.

    Args:
        z: ``(B, *event)``.

    Returns:
        ``(B, *event)``: of each dimension the same numbers.

    References:
        Kim and Mnih, 2018, algorithm 1, https://arxiv.org/abs/1802.05983
    """
    flat = z.flatten(1)
    order = uniform(flat.shape, z.device).argsort(0)
    return flat.gather(0, order).view_as(z)


def density_ratio_loss(joint: Tensor, product: Tensor) -> Tensor:
    """Logistic loss of a classifier whose logit becomes log(joint/product) at its least.

    Args:
        joint: logits of draws of the one density, any shape.
        product: logits of draws of the other.

    Returns:
        ``()``, nats: log 2 for a classifier that cannot tell, 0 for one that always can.
    """
    return 0.5 * (F.softplus(-joint).mean() + F.softplus(product).mean())


def log_marginals(
    log_densities: Tensor, own: Tensor, examples: int, sampling: Literal["weighted", "stratified"]
) -> tuple[Tensor, Tensor]:
    """log q(z) and Σ_d log q(z_d) of the aggregate posterior 1/N Σ_n q(z|x_n), from a minibatch.

    ``weighted`` is minibatch-weighted sampling, Σ_j q(z|x_j) / (N·B) over the B examples j of the
    batch: a lower bound in expectation, the code's own example weighing as much as it would if the
    batch were drawn for it. ``stratified`` gives the own example its true weight 1/N and the
    others the rest in equal parts: the average of minibatch-stratified sampling over which of the
    others takes the odd weight, unbiased in q like it, with less variance; with the whole data as
    the batch it is exact.

    Args:
        log_densities: log q(z_id | x_jd), ``(*S, I, B, D)``: codes, examples, dimensions.
        own: which example each code was drawn for, ``(I,)`` int64 in [0, B).
        examples: N, in the training data.
        sampling: see above.

    Returns:
        Two of ``(*S, I)``, nats.

    References:
        Chen et al., 2018, section 4.1 and appendix C, https://arxiv.org/abs/1802.04942
    """
    batch = log_densities.shape[-2]
    if examples < batch:
        raise LowerboundError(
            f"expected examples to count the training data, at least the batch of {batch}, came "
            f"{examples}; pass examples=data.train"
        )
    if sampling == "weighted":
        weights = -math.log(examples) - math.log(batch)
        joint = log_densities.sum(-1).logsumexp(-1) + weights
        return joint, (log_densities.logsumexp(-2) + weights).sum(-1)
    if sampling != "stratified":
        raise LowerboundError(
            f"expected sampling 'weighted' or 'stratified', came {sampling!r}; pass one of them"
        )
    others = (1 - 1 / examples) / (batch - 1) if batch > 1 else 0.0
    is_own = own[:, None] == torch.arange(batch, device=own.device)  # (I, B)
    first = torch.full((), -math.log(examples if batch > 1 else 1), dtype=log_densities.dtype)
    rest = torch.full((), math.log(others) if others else -math.inf, dtype=log_densities.dtype)
    weights = torch.where(is_own, first.to(own.device), rest.to(own.device))
    joint = (log_densities.sum(-1) + weights).logsumexp(-1)
    return joint, (log_densities + weights[..., None]).logsumexp(-2).sum(-1)


def pairwise_log_prob(q: DiagonalNormal, z: Tensor) -> Tensor:
    """log q(z_id | x_jd) of every code under every example's posterior, dimension by dimension.

    Args:
        q: batch shape ``(B,)``.
        z: ``(*S, I, *event)``.

    Returns:
        ``(*S, I, B, D)``, nats.
    """
    loc = q.loc.flatten(1)
    log_scale = q.log_scale.expand_as(q.loc).flatten(1)
    codes = z.flatten(z.dim() - q.event_rank).unsqueeze(-2)  # (*S, I, 1, D)
    return DiagonalNormal(loc, log_scale, 0).log_prob(codes)


def covariance(points: Tensor) -> Tensor:
    """Σ = 1/B Σ (x − x̄)(x − x̄)ᵀ.

    Args:
        points: ``(B, D)``.

    Returns:
        ``(D, D)``.
    """
    centred = points - points.mean(0)
    return centred.mT @ centred / len(points)


def forward_kl(q: Distribution, points: Tensor, log_p: Tensor | None = None) -> Tensor:
    """KL(p‖q) from draws of p: least where q covers all that p does; fits moments.

    Args:
        q: batch shape ``()``.
        points: draws of p, ``(N, *event)``.
        log_p: log p of them, ``(N,)``, normalised; without it the entropy of p is missing, which
            no q can change: the cross-entropy −E_p log q.

    Returns:
        ``()``, nats.
    """
    log_q = q.log_prob(points)
    return -log_q.mean() if log_p is None else (log_p - log_q).mean()


def reverse_kl(q: Distribution, log_p: Callable[[Tensor], Tensor], samples: int = 100) -> Tensor:
    """KL(q‖p) by reparameterized draws of q: least where q stays inside p; picks a mode.

    Args:
        q: batch shape ``()``, reparameterizable.
        log_p: ``(N, *event) -> (N,)``, nats; unnormalised, the value is off by log of its integral.
        samples: N.

    Returns:
        ``()``, nats.
    """
    z, log_q = sample_with_log_prob(q, (samples,))
    return (log_q - log_p(z)).mean()


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """``(N, D), (M, D) -> (N, M)``. Differences first: no cancellation between near points, and
    a gradient of zero, not NaN, where they coincide."""
    return (a[:, None] - b[None]).square().sum(-1)
