"""Measuring trained models: log-likelihood with its kind and error, rate, distortion, codes."""

from .amortization import amortization_gap
from .codes import Codes, encode_all, posterior_mean
from .conditional import held_out_contexts, prior_monte_carlo
from .evaluate import (
    baseline_bits_per_dim,
    bits_per_dim,
    evaluate,
    mean_and_error,
)
from .likelihood import LogLikelihood, estimate_log_likelihood
from .result import Bound, Evaluation, Gap, Likelihood, Row

__all__ = [
    "Bound",
    "Codes",
    "Evaluation",
    "Gap",
    "Likelihood",
    "LogLikelihood",
    "Row",
    "amortization_gap",
    "baseline_bits_per_dim",
    "bits_per_dim",
    "encode_all",
    "estimate_log_likelihood",
    "evaluate",
    "held_out_contexts",
    "mean_and_error",
    "posterior_mean",
    "prior_monte_carlo",
]
