"""Codes against labels, factors, the data and each other: functions of arrays, and of a run.

>>> import numpy as np
>>> grid = np.stack(np.meshgrid(range(4), range(5), range(6)), -1).reshape(-1, 3)
>>> perfect = np.repeat(grid[:, [2, 0, 1]] * [1.0, -3.0, 0.1], 20, axis=0)
>>> found = disentanglement(perfect, np.repeat(grid, 20, axis=0))
>>> [name for name, value in found.items() if round(value, 6) < 1]
[]
"""

from .clustering import Clustering, adjusted_rand_index, cluster, normalized_mutual_information
from .correlation import RateParts, decompose_rate, gaussian_total_correlation
from .disentanglement import SCORES, by_chance, disentanglement
from .encoded import Encoded, encode_examples
from .factors import Factors, read_factors
from .grouped import beta_vae_score, factor_vae_score, irs, irs_matrix
from .information import (
    discretize,
    entropy,
    factor_entropies,
    information_matrix,
    mig,
    modularity,
    mutual_information,
)
from .measure import measure
from .predicted import DCI, dci, predictability, sap
from .result import Representation

__all__ = [
    "DCI",
    "SCORES",
    "Clustering",
    "Encoded",
    "Factors",
    "RateParts",
    "Representation",
    "adjusted_rand_index",
    "beta_vae_score",
    "by_chance",
    "cluster",
    "dci",
    "decompose_rate",
    "discretize",
    "disentanglement",
    "encode_examples",
    "entropy",
    "factor_entropies",
    "factor_vae_score",
    "gaussian_total_correlation",
    "information_matrix",
    "irs",
    "irs_matrix",
    "measure",
    "mig",
    "modularity",
    "mutual_information",
    "normalized_mutual_information",
    "predictability",
    "read_factors",
    "sap",
]
