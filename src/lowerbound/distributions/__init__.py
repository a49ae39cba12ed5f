"""Conditional distributions: families, heads, the standard prior, and KL between them.

Every distribution here has the datum's whole shape as its ``event_shape``; every ``log_prob``
is in nats with all constants kept.
"""

from .base import Conditional, EventDistribution, sample_with_log_prob
from .bernoulli import IndependentBernoulli, IndependentContinuousBernoulli
from .bounded import IndependentUniform, SquashedGaussian, SquashedNormal, UniformPrior
from .categorical import IndependentCategorical
from .delta import PointMass
from .discretized import MixtureOfLogistics
from .families import Delta, DiagonalGaussian, Family, UnitDelta
from .full_normal import FullGaussian, FullNormal
from .gaussian import Gaussian, OptimalNormal
from .heads import Head, Reducible, set_precision
from .kl import has_closed_form, kl
from .likelihoods import Bernoulli, Categorical, ContinuousBernoulli, DiscretizedLogisticMixture
from .mixture import GaussianMixtureDistribution, GaussianMixturePrior, MixtureOfGaussians
from .normal import DiagonalNormal, StandardNormal, UnitNormal
from .pairing import refuse_mismatch
from .sphere import SphereUniform, UniformOnSphere, VonMisesFisher, VonMisesFisherDistribution
from .vamp import EqualMixture, VampPrior

__all__ = [
    "Bernoulli",
    "Categorical",
    "Conditional",
    "ContinuousBernoulli",
    "Delta",
    "DiagonalGaussian",
    "DiagonalNormal",
    "DiscretizedLogisticMixture",
    "EqualMixture",
    "EventDistribution",
    "Family",
    "FullGaussian",
    "FullNormal",
    "Gaussian",
    "GaussianMixtureDistribution",
    "GaussianMixturePrior",
    "Head",
    "IndependentBernoulli",
    "IndependentCategorical",
    "IndependentContinuousBernoulli",
    "IndependentUniform",
    "MixtureOfGaussians",
    "MixtureOfLogistics",
    "OptimalNormal",
    "PointMass",
    "Reducible",
    "SphereUniform",
    "SquashedGaussian",
    "SquashedNormal",
    "StandardNormal",
    "UniformOnSphere",
    "UniformPrior",
    "UnitDelta",
    "UnitNormal",
    "VampPrior",
    "VonMisesFisher",
    "VonMisesFisherDistribution",
    "has_closed_form",
    "kl",
    "refuse_mismatch",
    "sample_with_log_prob",
    "set_precision",
]
