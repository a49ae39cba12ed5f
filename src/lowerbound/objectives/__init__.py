"""Objectives: what else a latent-variable model is trained on than the bounds themselves.

Each is a pure function ``(model, x, *context, **options) -> Terms`` of one idea and its paper.
``loss`` is what is minimised. The parts always hold the unmodified ``bound``, ``distortion`` and
``rate`` of :func:`lowerbound.bounds.elbo`, so that models trained on different objectives can be
compared, and what the objective adds.

Options that change over a run (β, C, γ) may be 0-d tensors: a changing Python number would compile
anew. Losses that couple examples see the rows of all processes
(:func:`lowerbound.collectives.gather`).

>>> import torch
>>> from lowerbound.models import LinearGaussian
>>> model = LinearGaussian((3,), 2, weight=torch.eye(3, 2))
>>> capacity(model, torch.zeros(4, 3), gamma=10.0, capacity=0.5).parts.keys()
dict_keys(['bound', 'distortion', 'rate'])
"""

from ..bounds import elbo, iwae, squared_error
from .aggregate import dip, info
from .autoencoder import regularized
from .entropy import entropy_form
from .expectation import monte_carlo_em, naive, sleep, wake
from .gradients import ESTIMATORS, detached, importance_weighted, sticking_the_landing
from .multisample import ciwae, miwae
from .rate import capacity, free_bits
from .score import score_function
from .total_correlation import beta_tc, factor, factor_discriminator

__all__ = [
    "ESTIMATORS",
    "beta_tc",
    "capacity",
    "ciwae",
    "detached",
    "dip",
    "elbo",
    "entropy_form",
    "factor",
    "factor_discriminator",
    "free_bits",
    "importance_weighted",
    "info",
    "iwae",
    "miwae",
    "monte_carlo_em",
    "naive",
    "regularized",
    "score_function",
    "sleep",
    "squared_error",
    "sticking_the_landing",
    "wake",
]
