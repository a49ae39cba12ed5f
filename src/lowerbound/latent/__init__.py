"""Looking at codes: where data lie, what lies between them."""

from .map import LatentMap, latent_map, manifold_codes, posterior_means, traversal_codes

__all__ = [
    "LatentMap",
    "latent_map",
    "manifold_codes",
    "posterior_means",
    "traversal_codes",
]
