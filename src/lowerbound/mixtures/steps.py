"""The two steps of EM, as matrix products over rows and components at once.

A mixture of normals is linear in features of x: log p(x, k) is an inner product of
``(1, u, q(u))`` with the k-th component's natural parameters, and what the M step needs of the data
are the same features, summed with the responsibilities as weights. q(u) are the squares that the
covariance knows of: all products u_i u_j (full), u_i^2 (diagonal) or |u|^2 (spherical). With
a tied covariance they cannot tell components apart.

All is float64, in the units of :class:`lowerbound.mixtures.units.Units`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import LowerboundError
from .normals import Covariance

# Up to so many numbers, and with more than twice as many components, the products u u' of a row,
# written once, save more than they cost.
_MOST_PRODUCTS = 32
# Numbers in the largest intermediate tensor: about what a core's cache holds, and what a GPU needs
# to be busy.
_CHUNK = {"cpu": 2**18, "other": 2**26}
# Below it (of the data's variance) a variance is rounding: what a floor of 0 comes to.
ROUNDING = 1e-12
# A component that explains less than this of one example is empty.
_EMPTY = 1e-2


@dataclass(frozen=True)
class Mixture:
    """Parameters in the units of the fit.

    Attributes:
        covariance: which kind.
        weights: ``(K,)``.
        means: ``(K, D)``.
        covariances: full ``(K, D, D)``, tied ``(1, D, D)``, diagonal ``(K, D)``, spherical
            ``(K, 1)``.
        at_floor: components whose variance the floor held up, bool ``(K,)``.
        empty: components that explain no example any more, bool ``(K,)``.
    """

    covariance: Covariance
    weights: Tensor
    means: Tensor
    covariances: Tensor
    at_floor: Tensor
    empty: Tensor


@dataclass
class Sums:
    """What one pass leaves: sums over examples, weighted with the responsibilities.

    Attributes:
        log_likelihood: of all examples together, nats, 0-d.
        count: examples of each component, ``(K,)``.
        first: of u, ``(K, D)``.
        second: of q(u), ``(K, D, D)``, ``(K, D)`` or ``(K, 1)``; unused where tied.
    """

    log_likelihood: Tensor
    count: Tensor
    first: Tensor
    second: Tensor


def e_step(mixture: Mixture, parts: Iterable[Tensor]) -> Sums:
    """One pass with the posterior p(k | u) of each row as weights (EQUATIONS 10).

    Args:
        mixture: K components.
        parts: rows u ``(n, D)`` each, of any number.
    """
    score = _Score(mixture)
    sums = _zeros(mixture)
    for part in parts:
        for u in part.split(score.rows):
            q = score.squares(u)
            joint = score(u, q)
            log_p = joint.logsumexp(1, keepdim=True)
            sums.log_likelihood += log_p.sum()
            _add(sums, mixture.covariance, u, q, joint.sub_(log_p).exp_())
    return sums


def sums_of(parts: Iterable[tuple[Tensor, Tensor]], like: Mixture) -> Sums:
    """The sums where somebody else gives the responsibilities: rows ``(n, D)`` and ``(n, K)``."""
    score, sums = _Score(like), _zeros(like)
    for part, weights in parts:
        for u, r in zip(part.split(score.rows), weights.split(score.rows), strict=True):
            _add(sums, like.covariance, u, score.squares(u), r)
    return sums


def log_density(mixture: Mixture, parts: Iterable[Tensor]) -> Iterable[tuple[Tensor, Tensor]]:
    """Rows u ``(n, D)`` and their log p(u) ``(n,)``, a chunk at a time."""
    score = _Score(mixture)
    for part in parts:
        for u in part.split(score.rows):
            yield u, score(u, score.squares(u)).logsumexp(1)


def m_step(
    mixture: Mixture, sums: Sums, floor: float, total: Tensor | None, prior: float = 0.0
) -> Mixture:
    """The maximum of the expected complete log-likelihood under variances of at least `floor`.

    Of all covariances whose eigenvalues are at least the floor the likeliest has the eigenvalues of
    the unconstrained one, raised to the floor where they are below it: so the floor biases nothing
    that is above it, and every step raises the likelihood. A component that explains no
    example keeps its place and its shape.

    Args:
        mixture: the present one.
        sums: of :func:`e_step`.
        floor: least variance, as a part of the data's.
        total: covariance of u, ``(D, D)``, for tied covariances.
        prior: so many examples' worth of the components' average covariance are mixed into each:
            for a start from few examples.

    Raises:
        LowerboundError: without a floor, a component has no variance left in some direction.
    """
    kind, examples = mixture.covariance, sums.count.sum()
    empty = sums.count < _EMPTY
    count = sums.count.clamp_min(_EMPTY).unsqueeze(1)
    means = torch.where(empty.unsqueeze(1), mixture.means, sums.first / count)
    if kind == "tied":
        assert total is not None
        spread = (means * sums.count.unsqueeze(1)).mT @ means / examples
        # about the mean of these rows, which in a sample is not that of all data
        covariances = (total - spread).unsqueeze(0)
        gone = torch.zeros(1, dtype=torch.bool, device=means.device)
    else:
        product = _squares(means, kind)
        covariances = sums.second / count - product
        if kind == "spherical":
            covariances = covariances / means.shape[1]
        if prior:
            average = (covariances * sums.count.unsqueeze(1)).sum(0) / examples
            covariances = (covariances * count + prior * average) / (count + prior)
        covariances = (
            covariances.unflatten(1, (means.shape[1], -1)) if kind == "full" else covariances
        )
        shape = (-1, *[1] * (covariances.dim() - 1))
        covariances = torch.where(empty.view(shape), mixture.covariances, covariances)
        gone = empty
    covariances, held = _raise_to(covariances, max(floor, ROUNDING), kind)
    held = (held & ~gone).expand(len(means))
    if floor == 0 and bool(held.any()):
        which = int(held.nonzero()[0])
        name = f"component {which} of {len(means)}, of {float(sums.count[which]):.3g} examples,"
        raise LowerboundError(
            f"expected variance in every direction, came none: "
            f"{'the tied covariance' if kind == 'tied' else name} collapsed, and the likelihood "
            f"has no maximum; pass floor=1e-6, fewer components or another covariance"
        )
    weights = (sums.count / examples).clamp_min(1e-30)
    return replace(
        mixture,
        weights=weights / weights.sum(),
        means=means,
        covariances=covariances,
        at_floor=held,
        empty=empty,
    )


def reseed(mixture: Mixture, parts: Iterable[Tensor], examples: int) -> tuple[Mixture, bool]:
    """Put an empty component where the mixture explains the data worst.

    It goes to the example of least log p(u), with the average covariance and the weight of one
    example, if that raises the likelihood; else it stays empty. One at a time, for two at one place
    would never part.

    Returns:
        the mixture, and whether the component was moved.
    """
    worst, place = None, mixture.means[0]
    for u, log_p in log_density(mixture, parts):
        least, index = log_p.min(0)
        if worst is None or least < worst:
            worst, place = least, u[index]
    assert worst is not None
    if mixture.covariance == "tied":
        average = mixture.covariances[0]
    else:
        shape = (-1, *[1] * (mixture.covariances.dim() - 1))
        average = (mixture.covariances * mixture.weights.view(shape)).sum(0)
    peak = _Score(replace(mixture, covariances=average.unsqueeze(0))).log_peak[0]
    # All others lose the weight of an example: one nat in all, which the gain must exceed.
    if peak - worst <= math.log(2.0 * examples):
        return mixture, False
    which = int(mixture.empty.nonzero()[0])
    weights, means = mixture.weights.clone(), mixture.means.clone()
    covariances, empty = mixture.covariances.clone(), mixture.empty.clone()
    weights[which], means[which], empty[which] = 1.0 / examples, place, False
    if mixture.covariance != "tied":
        covariances[which] = average
    weights /= weights.sum()
    moved = replace(mixture, weights=weights, means=means, covariances=covariances, empty=empty)
    return moved, True


class _Score:
    """log p(u, k) as an inner product of features; its constants, computed once for a pass."""

    def __init__(self, mixture: Mixture) -> None:
        kind, means = mixture.covariance, mixture.means
        count, size = means.shape
        self.kind = kind
        if kind in ("full", "tied"):
            factor = torch.linalg.cholesky(mixture.covariances)  # (K or 1, D, D)
            log_det = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            identity = torch.eye(size, dtype=means.dtype, device=means.device)
            self.white = torch.linalg.solve_triangular(factor, identity, upper=False)
            precision = self.white.mT @ self.white
            linear = (precision @ means.unsqueeze(-1)).squeeze(-1)
            quadratic = precision.flatten(1) if kind == "full" else means.new_ones(count, 1)
        else:
            precision = 1 / mixture.covariances
            log_det = -0.5 * (precision.log() * (1 if kind == "diagonal" else size)).sum(-1)
            linear, quadratic = precision * means, precision
        self.log_peak = -log_det - 0.5 * size * math.log(2 * math.pi)
        self.linear, self.quadratic = linear.mT, -0.5 * quadratic.mT
        self.constant = mixture.weights.log() + self.log_peak - 0.5 * (linear * means).sum(1)
        self.products = kind == "full" and size <= _MOST_PRODUCTS and count >= 2 * size
        if kind == "full" and not self.products:
            self.shift = (self.white @ means.unsqueeze(-1)).flatten()
            self.peaks = mixture.weights.log() + self.log_peak
        wide = count * size if kind == "full" and not self.products else len(self.quadratic)
        most = _CHUNK["cpu" if means.device.type == "cpu" else "other"]
        self.rows = max(64, most // max(wide, count, size))

    def squares(self, u: Tensor) -> Tensor:
        """q(u), ``(n, D)`` -> ``(n, F)``."""
        if self.kind == "tied":
            return (u @ self.white[0].mT).square().sum(1, keepdim=True)
        if self.kind == "full" and not self.products:
            return u  # not formed
        return _squares(u, self.kind)

    def __call__(self, u: Tensor, q: Tensor) -> Tensor:
        """log p(u, k), nats, ``(n, K)``."""
        if self.kind == "full" and not self.products:
            count, size = self.linear.shape[1], u.shape[1]
            white = torch.addmm(self.shift, u, self.white.flatten(0, 1).mT, beta=-1)
            norm = torch.linalg.vector_norm(white.view(len(u), count, size), dim=2)
            return self.peaks - 0.5 * norm.square()
        return torch.addmm(self.constant, u, self.linear).addmm_(q, self.quadratic)


def _squares(u: Tensor, kind: Covariance) -> Tensor:
    if kind == "full":
        return (u.unsqueeze(2) * u.unsqueeze(1)).flatten(1)
    return u.square() if kind == "diagonal" else u.square().sum(1, keepdim=True)


def _zeros(mixture: Mixture) -> Sums:
    count, size = mixture.means.shape
    zeros = mixture.means.new_zeros
    wide = {"full": size * size, "diagonal": size}.get(mixture.covariance, 1)
    return Sums(zeros(()), zeros(count), zeros(count, size), zeros(count, wide))


def _add(sums: Sums, kind: Covariance, u: Tensor, q: Tensor, r: Tensor) -> None:
    """Add rows with their responsibilities, in place."""
    sums.count += r.sum(0)
    sums.first.addmm_(r.mT, u)
    if kind == "tied":
        return
    if kind == "full" and q is u:
        weighted = (r.unsqueeze(2) * u.unsqueeze(1)).flatten(1)  # (n, K D)
        sums.second.view(-1, u.shape[1]).addmm_(weighted.mT, u)
    else:
        sums.second.addmm_(r.mT, q)


def _raise_to(covariances: Tensor, floor: float, kind: Covariance) -> tuple[Tensor, Tensor]:
    """Eigenvalues below the floor raised to it, and which covariances had one."""
    if kind in ("diagonal", "spherical"):
        return covariances.clamp_min(floor), (covariances < floor).any(1)
    covariances = 0.5 * (covariances + covariances.mT)
    identity = torch.eye(covariances.shape[-1], dtype=covariances.dtype, device=covariances.device)
    # A factorization tells it for a fraction of what the eigenvalues cost.
    held = torch.linalg.cholesky_ex(covariances - floor * identity).info != 0
    if bool(held.any()):
        values, vectors = torch.linalg.eigh(covariances[held])
        raised = (vectors * values.clamp_min(floor).unsqueeze(-2)) @ vectors.mT
        covariances = covariances.clone()
        covariances[held] = 0.5 * (raised + raised.mT)
    return covariances, held
