"""Conditional distributions: families, heads, the standard prior, and KL between them.

Every distribution here has the datum's whole shape as its ``event_shape``; every ``log_prob``
is in nats with all constants kept.
"""

from .base import Conditional, EventDistribution, sample_with_log_prob
from .bernoulli import IndependentBernoulli, IndependentContinuousBernoulli
from .categorical import IndependentCategorical
from .delta import PointMass
from .discretized import MixtureOfLogistics
from .families import Delta, DiagonalGaussian, Family
from .gaussian import Gaussian, OptimalNormal
from .heads import Head, set_precision
from .kl import has_closed_form, kl
from .likelihoods import Bernoulli, Categorical, ContinuousBernoulli, DiscretizedLogisticMixture
from .normal import DiagonalNormal, StandardNormal, UnitNormal

__all__ = [
    "Bernoulli",
    "Categorical",
    "Conditional",
    "ContinuousBernoulli",
    "Delta",
    "DiagonalGaussian",
    "DiagonalNormal",
    "DiscretizedLogisticMixture",
    "EventDistribution",
    "Family",
    "Gaussian",
    "Head",
    "IndependentBernoulli",
    "IndependentCategorical",
    "IndependentContinuousBernoulli",
    "MixtureOfLogistics",
    "OptimalNormal",
    "PointMass",
    "StandardNormal",
    "UnitNormal",
    "has_closed_form",
    "kl",
    "sample_with_log_prob",
    "set_precision",
]
