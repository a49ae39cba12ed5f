"""Normalizing flows: as priors, as posteriors, and as models of data.

Flows over vectors are made of zuko's networks and univariate maps (``adapter``), the one over
images is this library's own (``image``). zuko is imported when a flow is built.
"""

from .adapter import KINDS, FlowKind, import_zuko, vector_chain
from .base import (
    Affine,
    Chain,
    FlowDistribution,
    Inverse,
    Layer,
    Logistic,
    Logit,
    StandardLogistic,
)
from .conditionals import FlowConditional, FlowPrior, adapt
from .families import AutoregressivePosterior, PlanarPosterior, SplinePosterior
from .image import ActNorm, MultiScale

__all__ = [
    "KINDS",
    "ActNorm",
    "Affine",
    "AutoregressivePosterior",
    "Chain",
    "FlowConditional",
    "FlowDistribution",
    "FlowKind",
    "FlowPrior",
    "Inverse",
    "Layer",
    "Logistic",
    "Logit",
    "MultiScale",
    "PlanarPosterior",
    "SplinePosterior",
    "StandardLogistic",
    "adapt",
    "import_zuko",
    "vector_chain",
]
