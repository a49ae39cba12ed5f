"""log p(x) of any decoder by annealing: from below, and on simulated data from both sides."""

from .ais import Anneal, Annealed, anneal
from .bdmc import Sandwich, sandwich, simulated
from .hmc import Point, leapfrog, transition
from .observation import Noisy, RoundedNormal
from .path import Path, refuse, temperatures
from .store import Store

__all__ = [
    "Anneal",
    "Annealed",
    "Noisy",
    "Path",
    "Point",
    "RoundedNormal",
    "Sandwich",
    "Store",
    "anneal",
    "leapfrog",
    "refuse",
    "sandwich",
    "simulated",
    "temperatures",
    "transition",
]
