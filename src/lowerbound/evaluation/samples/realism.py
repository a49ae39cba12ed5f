"""How real single samples look, and how many look less real than nearly all real examples do."""

from __future__ import annotations

import numpy as np

from ...errors import LowerboundError
from .arrays import Array, Features, blocks, limit, mean_and_error, paired
from .coverage import Share, radii

_QUANTILE = 0.01


def realism(real: Features, samples: Features, *, neighbours: int = 3) -> Array:
    """The realism score of each sample: above 1 within a ball of the real examples.

    A ball reaches from a real example to its k-th nearest neighbour; the score is the largest ratio
    of a ball's radius to the sample's distance from its middle. The larger half of the balls is
    left out, as in the paper: those of stray examples reach anywhere.

    Args:
        real: ``(N, F)``, N > k.
        samples: ``(M, F)``.
        neighbours: k.

    Returns:
        ``(M,)``, infinite for a copy.

    Reference:
        Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing generative
        models, arXiv 1904.06991, section 5

    >>> real = np.array([[0.0], [1.0], [2.0], [10.0]])
    >>> realism(real, np.array([[0.5], [4.0]]), neighbours=1).tolist()
    [2.0, 0.5]
    """
    real, samples = paired(real, samples, least=neighbours + 1)
    radius = radii(real, neighbours)
    kept = radius <= np.median(radius)
    real, radius = real[kept], radius[kept]
    found = np.empty(len(samples))
    with np.errstate(divide="ignore", invalid="ignore"):
        for rows, distances in blocks(samples, real):
            found[rows] = np.nan_to_num(radius / distances, nan=np.inf, posinf=np.inf).max(1)
    return found


def artifacts(
    real: Features,
    samples: Features,
    others: Features,
    *,
    quantile: float = _QUANTILE,
    neighbours: int = 3,
) -> Share:
    """The share of samples that look less real than all but 1 % of other real examples.

    Of samples of the data's own distribution it is the quantile, in expectation.

    Args:
        real: that realism is held against, ``(N, F)``.
        samples: ``(M, F)``.
        others: real examples that are not among these, ``(L, F)``, at least 1 / quantile.
        quantile: of their realism.
        neighbours: k of :func:`realism`.

    Raises:
        LowerboundError: too few others for the quantile.
    """
    if len(others) < 1.0 / quantile:
        raise LowerboundError(
            f"expected at least {1.0 / quantile:.0f} other real examples for a quantile of "
            f"{quantile:g}, came {len(others)}; pass more"
        )
    least = limit(realism(real, others, neighbours=neighbours), quantile)
    return Share(*mean_and_error(realism(real, samples, neighbours=neighbours) < least))
