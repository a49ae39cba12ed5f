"""Every score of codes against a table of factors, at once, and what chance alone scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .grouped import beta_vae_score, factor_vae_score, irs
from .information import BINS, factor_entropies, information_matrix, mig_of, modularity_of, paired
from .predicted import dci, sap

Array = NDArray[Any]

#: Names of the scores, in the order of the table.
SCORES = (
    "MIG",
    "DCI disentanglement",
    "DCI completeness",
    "DCI informativeness",
    "SAP",
    "FactorVAE score",
    "β-VAE score",
    "modularity",
    "IRS",
)


def disentanglement(
    means: Array,
    factors: Any,
    *,
    draws: Array | None = None,
    bins: int = BINS,
    seed: int = 0,
    told: Callable[[str], None] | None = None,
) -> dict[str, float]:
    """The scores by their names (`SCORES`), each 1 at best.

    Args:
        means: posterior means, ``(N, D)``: of these all but MIG and modularity.
        factors: what `Factors.of` takes, N rows.
        draws: one z ~ q(z|x) of each, ``(N, D)``: of these MIG and modularity, which are about
            I(z; v). None: the means, as of a code without noise.
        bins: intervals of quantities.
        seed: of halves, trees and groups.
        told: what is being done, in a word.
    """
    means, known = paired(means, factors)
    tell = told or (lambda text: None)
    tell("MIG")
    information = information_matrix(means if draws is None else draws, known, bins)
    found = {"MIG": mig_of(information, factor_entropies(known, bins))}
    tell("DCI")
    parts = dci(means, known, seed=seed)
    found["DCI disentanglement"] = parts.disentanglement
    found["DCI completeness"] = parts.completeness
    found["DCI informativeness"] = float(parts.informativeness)
    tell("SAP")
    found["SAP"] = sap(means, known, seed=seed)
    tell("FactorVAE score")
    found["FactorVAE score"] = factor_vae_score(means, known, bins=bins, seed=seed)
    found["β-VAE score"] = beta_vae_score(means, known, bins=bins, seed=seed)
    found["modularity"] = modularity_of(information)
    found["IRS"] = irs(means, known, bins=bins)
    return found


def by_chance(
    means: Array,
    factors: Any,
    *,
    draws: Array | None = None,
    bins: int = BINS,
    seed: int = 0,
    told: Callable[[str], None] | None = None,
) -> dict[str, float]:
    """What the same codes score against factors of other examples: codes shuffled once.

    Args: as `disentanglement`.
    """
    order = np.random.default_rng([seed, 0xC4A]).permutation(len(means))
    shuffled = None if draws is None else draws[order]
    return disentanglement(means[order], factors, draws=shuffled, bins=bins, seed=seed, told=told)
