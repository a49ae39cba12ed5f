"""Train, measure, explore and ship deep latent-variable models.

Names are imported when they are first used: ``import lowerbound`` loads torch at most, and the
command line not even that.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PLACES = {
    "lowerbound.api": (
        "train",
        "resume",
        "evaluate",
        "sample",
        "complete",
        "reconstruct",
        "inspect",
        "open_run",
    ),
    "lowerbound.embedding": ("embed",),
    "lowerbound.exploring": (
        "analogy",
        "attributes",
        "edit",
        "interpolate",
        "map_codes",
        "plane",
        "search",
        "traverse",
        "vary",
    ),
    "lowerbound.diagnosis": ("diagnose", "Diagnosis"),
    "lowerbound.comparison": ("compare",),
    "lowerbound.sweeps": ("sweep",),
    "lowerbound.denoising": ("denoise",),
    "lowerbound.codec": ("encode", "decode"),
    "lowerbound.converting": ("convert",),
    "lowerbound.forecasting": ("forecast", "belief"),
    "lowerbound.shipping": ("export",),
    "lowerbound.studio.serve": ("serve",),
    "lowerbound.runs": ("Run",),
    "lowerbound.recipes": ("RECIPES", "Built", "recipe"),
    "lowerbound.data": ("Data", "DataSpec", "Prepare", "load"),
    "lowerbound.models": ("VAE", "Autoencoder", "LatentModel", "LinearGaussian"),
    "lowerbound.distributions": (
        "Bernoulli",
        "Categorical",
        "Conditional",
        "ContinuousBernoulli",
        "Delta",
        "DiagonalGaussian",
        "DiscretizedLogisticMixture",
        "Family",
        "Gaussian",
        "Head",
        "StandardNormal",
        "kl",
    ),
    "lowerbound.bounds": ("Terms", "elbo", "iwae", "log_weights", "squared_error"),
    "lowerbound.training.phase": ("ClosedForm", "Phase"),
    "lowerbound.training.fit": ("fit",),
    "lowerbound.evaluation": ("Evaluation", "estimate_log_likelihood"),
    "lowerbound.errors": ("LowerboundError",),
}
_WHERE = {name: module for module, names in _PLACES.items() for name in names}

__all__ = ["__version__", *_WHERE]

if TYPE_CHECKING:
    from .api import complete, evaluate, inspect, open_run, reconstruct, resume, sample, train
    from .bounds import Terms, elbo, iwae, log_weights, squared_error
    from .codec import decode, encode
    from .comparison import compare
    from .converting import convert
    from .data import Data, DataSpec, Prepare, load
    from .denoising import denoise
    from .diagnosis import Diagnosis, diagnose
    from .distributions import (
        Bernoulli,
        Categorical,
        Conditional,
        ContinuousBernoulli,
        Delta,
        DiagonalGaussian,
        DiscretizedLogisticMixture,
        Family,
        Gaussian,
        Head,
        StandardNormal,
        kl,
    )
    from .embedding import embed
    from .errors import LowerboundError
    from .evaluation import Evaluation, estimate_log_likelihood
    from .exploring import (
        analogy,
        attributes,
        edit,
        interpolate,
        map_codes,
        plane,
        search,
        traverse,
        vary,
    )
    from .forecasting import belief, forecast
    from .models import VAE, Autoencoder, LatentModel, LinearGaussian
    from .recipes import RECIPES, Built, recipe
    from .runs import Run
    from .shipping import export
    from .studio.serve import serve
    from .sweeps import sweep
    from .training.fit import fit
    from .training.phase import ClosedForm, Phase


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(_WHERE[name]), name)
        globals()[name] = value
        return value
    from .errors import nearest

    raise AttributeError(f"module 'lowerbound' has no attribute '{name}'{nearest(name, _WHERE)}")


def __dir__() -> list[str]:
    return sorted(__all__)
