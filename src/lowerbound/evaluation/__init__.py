"""Measuring trained models: log-likelihood with its kind and error, rate, distortion, codes."""

from .amortization import amortization_gap
from .annealing import Anneal, Annealed, Store, anneal, sandwich
from .annealing.measure import Ask
from .arithmetic import baseline_bits_per_dim, bits_per_dim, mean_and_error
from .chosen import choose_examples, shuffled
from .codes import Codes, encode_all, posterior_mean
from .conditional import held_out_contexts, prior_monte_carlo
from .evaluate import evaluate
from .likelihood import LogLikelihood, estimate_log_likelihood
from .result import Bound, Evaluation, Gap, Likelihood
from .rows import Row
from .sections import Annealing, Bracket, Section, Told

__all__ = [
    "Anneal",
    "Annealed",
    "Annealing",
    "Ask",
    "Bound",
    "Bracket",
    "Codes",
    "Evaluation",
    "Gap",
    "Likelihood",
    "LogLikelihood",
    "Row",
    "Section",
    "Store",
    "Told",
    "amortization_gap",
    "anneal",
    "baseline_bits_per_dim",
    "bits_per_dim",
    "choose_examples",
    "encode_all",
    "estimate_log_likelihood",
    "evaluate",
    "held_out_contexts",
    "mean_and_error",
    "posterior_mean",
    "prior_monte_carlo",
    "sandwich",
    "shuffled",
]
