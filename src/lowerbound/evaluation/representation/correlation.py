"""What codes share with the data and with each other: I(x; z), total correlation, and the rest."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution

from ...distributions import DiagonalNormal
from ...divergences import log_marginals, pairwise_log_prob
from ...errors import LowerboundError

Array = NDArray[Any]

# Numbers of the densities of some codes under all posteriors, at once.
_NUMBERS = 2**22


def gaussian_total_correlation(codes: Array) -> float:
    """Total correlation of a normal with the codes' covariance, nats: ½ (Σ log Σ_dd − log |Σ|).

    Below the codes' own where their marginals are normal. Dimensions that do not vary are left
    out; infinite where one is a linear function of others.

    Args:
        codes: ``(N, D)``.

    References:
        Watanabe 1960, Information theoretical analysis of multivariate correlation
    """
    codes = np.asarray(codes, np.float64)
    codes = codes[:, codes.std(0) > 0]
    if codes.shape[1] < 2:
        return 0.0
    sign, log_det = np.linalg.slogdet(np.corrcoef(codes.T))
    return float(max(0.0, -0.5 * log_det)) if sign > 0 else math.inf


class RateParts(NamedTuple):
    """What :func:`decompose_rate` returns: means over the codes, nats; they sum to the rate.

    Attributes:
        mutual_information: I(x; z) = KL(q(z|x)‖q(z)) of a datum's place and its code.
        total_correlation: KL(q(z)‖Π_d q(z_d)).
        dimension_kl: Σ_d KL(q(z_d)‖p(z_d)); 0 where every marginal is the prior's.
        errors: standard errors of the three, over the codes.
        codes: how many were drawn.
        examples: whose posteriors make q(z).
    """

    mutual_information: float
    total_correlation: float
    dimension_kl: float
    errors: tuple[float, float, float]
    codes: int
    examples: int


def decompose_rate(
    q: Distribution,
    prior: Distribution,
    *,
    codes: int = 1000,
    examples: int | None = None,
    sampling: Literal["weighted", "stratified"] = "stratified",
    seed: int = 0,
) -> RateParts:
    """The rate in three parts, by draws z ~ q(z|x_n) and the aggregate posterior of a table.

    The aggregate posterior is 1/N Σ_n q(z|x_n) over the N examples of `q`, exact as a mixture
    (``stratified`` with all of them); where `examples` says that they are a minibatch of more, it
    is estimated as :func:`lowerbound.divergences.log_marginals` says: ``weighted`` is below
    log q(z) in expectation, ``stratified`` is unbiased for q(z). As the prior's part is the rest
    of the rate, Σ_d log q(z_d) − log p(z) also holds what a prior that does not factorise adds.

    I(x; z) cannot be told apart from log N where it is larger: it is of the N examples' places.

    Args:
        q: posteriors, batch shape ``(N,)``, diagonal normals.
        prior: batch shape ``()``, event shape that of q or of as many numbers.
        codes: examples whose codes are drawn, one each: the first ones of a shuffle.
        examples: in all the data that q's are a minibatch of; None: q's are all.
        sampling: see above.
        seed: of the shuffle and the draws.

    Raises:
        LowerboundError: q is no diagonal normal.

    References:
        Hoffman & Johnson 2016, ELBO surgery; Chen et al. 2018, arXiv 1802.04942, equation 2
    """
    if not isinstance(q, DiagonalNormal):
        raise LowerboundError(
            f"expected posteriors that are diagonal normals, came {type(q).__name__}; the parts of "
            "the rate need densities in each dimension"
        )
    count = len(q.loc)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(count, generator=generator)[:codes]
    log_scale = q.log_scale.expand_as(q.loc)
    noise = torch.randn(q.loc[chosen].shape, generator=generator, dtype=q.loc.dtype)
    z = q.loc[chosen] + log_scale[chosen].exp() * noise
    own = DiagonalNormal(q.loc[chosen], log_scale[chosen], q.loc.dim() - 1).log_prob(z)
    rows = max(1, _NUMBERS // q.loc.numel())
    whole = DiagonalNormal(q.loc, log_scale, q.loc.dim() - 1)
    found = [
        log_marginals(pairwise_log_prob(whole, z[part]), chosen[part], examples or count, sampling)
        for part in torch.arange(len(z)).split(rows)
    ]
    joint, product = (torch.cat(parts) for parts in zip(*found, strict=True))
    shaped = z.reshape(len(z), *prior.event_shape)  # as posteriors come flat from codes on a grid
    parts = (own - joint, joint - product, product - prior.log_prob(shaped))
    means = [float(part.double().mean()) for part in parts]
    errors = [_error(part) for part in parts]
    return RateParts(*means, (errors[0], errors[1], errors[2]), len(z), examples or count)


def _error(values: Tensor) -> float:
    return float(values.double().std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
