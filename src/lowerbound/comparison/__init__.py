"""Runs beside one another, on the same examples, with paired errors."""

from .compare import Comparison, Group, compare
from .measure import Measured, Quantity, measure
from .paired import Paired, paired
from .target import Target, target_of
from .write import markdown, write

__all__ = [
    "Comparison",
    "Group",
    "Measured",
    "Paired",
    "Quantity",
    "Target",
    "compare",
    "markdown",
    "measure",
    "paired",
    "target_of",
    "write",
]
