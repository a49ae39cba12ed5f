"""Figures from results: arrays in, :class:`matplotlib.figure.Figure` out; no model is known here.

Only matplotlib's object interface is used, on its Agg canvas: no global figure, no display, nothing
that a user's own pyplot session would notice.
"""

from .beside import FEW_COLUMNS, against, traces
from .curves import latent_usage, learning_curves, worth_curves
from .embedding import denoised, side_by_side
from .images import image_array, image_grid, manifold, reconstructions, traversal
from .latent import components, latent_map
from .mixtures import film, mixture
from .style import save, to_png
from .vectors import marginals, pairs, token_strips

__all__ = [
    "FEW_COLUMNS",
    "against",
    "components",
    "denoised",
    "film",
    "image_array",
    "image_grid",
    "latent_map",
    "latent_usage",
    "learning_curves",
    "manifold",
    "marginals",
    "mixture",
    "pairs",
    "reconstructions",
    "save",
    "side_by_side",
    "to_png",
    "token_strips",
    "traces",
    "traversal",
    "worth_curves",
]
