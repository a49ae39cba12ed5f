"""Discrete codes: vectors to indices of a codebook, and back, with gradients.

>>> import torch
>>> quantizer = VectorQuantizer(levels=8, dim=4, heads=2)
>>> found = quantizer(torch.randn(3, 5, 4))
>>> torch.equal(quantizer.lookup(found.indices), found.vectors)
True
"""

from .base import Quantized, Quantizer, as_gradient, histogram, straight_through, use
from .codebook import Codebook
from .finite import FiniteScalarQuantizer
from .gumbel import GumbelQuantizer
from .levels import TwoLevels
from .search import kmeans, nearest
from .uniform import UniformCategorical, UniformCodes
from .vector import ResidualQuantizer, VectorQuantizer

__all__ = [
    "Codebook",
    "FiniteScalarQuantizer",
    "GumbelQuantizer",
    "Quantized",
    "Quantizer",
    "ResidualQuantizer",
    "TwoLevels",
    "UniformCategorical",
    "UniformCodes",
    "VectorQuantizer",
    "as_gradient",
    "histogram",
    "kmeans",
    "nearest",
    "straight_through",
    "use",
]
