"""What all models of sequences share: steps that are there, exact answers, particles, jumps."""

from .jumps import Jumps
from .kalman import Filtered, LinearDynamics, Smoothed
from .layered import Layered, together
from .packed import Packed, pack, unpack
from .particles import Particles, particle_filter, smoothed_draws
from .times import TimeStep

__all__ = [
    "Filtered",
    "Jumps",
    "Layered",
    "LinearDynamics",
    "Packed",
    "Particles",
    "Smoothed",
    "TimeStep",
    "pack",
    "particle_filter",
    "smoothed_draws",
    "together",
    "unpack",
]
