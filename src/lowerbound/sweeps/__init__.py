"""Sweeps over the options of a recipe: chosen on validation data, repeated with several seeds."""

from .plan import Plan, plan, unit_of
from .result import Seeded, Sweep, Tried
from .space import Choices, Range, read
from .study import sweep

__all__ = [
    "Choices",
    "Plan",
    "Range",
    "Seeded",
    "Sweep",
    "Tried",
    "plan",
    "read",
    "sweep",
    "unit_of",
]
