"""Measuring trained models: log-likelihood with its kind and error, rate, distortion, codes."""

from .codes import Codes, encode_all, posterior_mean
from .evaluate import (
    baseline_bits_per_dim,
    bits_per_dim,
    evaluate,
    mean_and_error,
)
from .likelihood import LogLikelihood, estimate_log_likelihood
from .result import Bound, Evaluation, Likelihood, Row

__all__ = [
    "Bound",
    "Codes",
    "Evaluation",
    "Likelihood",
    "LogLikelihood",
    "Row",
    "baseline_bits_per_dim",
    "bits_per_dim",
    "encode_all",
    "estimate_log_likelihood",
    "evaluate",
    "mean_and_error",
    "posterior_mean",
]
