"""Looking at codes: where data lie, what lies between them."""

from .map import LatentMap, latent_map, manifold_codes, posterior_means, traversal_codes
from .traverse import Traversal, traverse

__all__ = [
    "LatentMap",
    "Traversal",
    "latent_map",
    "manifold_codes",
    "posterior_means",
    "traversal_codes",
    "traverse",
]
