"""Gaussian mixtures, solved by expectation maximization.

>>> import torch
>>> x = torch.cat([torch.randn(100, 1) - 4, torch.randn(100, 1) + 4])
>>> model = GaussianMixture((1,), components=2)
>>> values = [step.log_likelihood for step in em(model, lambda: x.split(50))]
>>> bool(model.means.sort(0).values.abs().round().eq(4).all())
True
"""

from .em import Iteration, em
from .model import GaussianMixture, MixturePrior
from .normals import (
    ComponentNormal,
    ComponentPosterior,
    Covariance,
    NormalComponents,
    NormalMixture,
)

__all__ = [
    "ComponentNormal",
    "ComponentPosterior",
    "Covariance",
    "GaussianMixture",
    "Iteration",
    "MixturePrior",
    "NormalComponents",
    "NormalMixture",
    "em",
]
