"""Figures from results: arrays in, :class:`matplotlib.figure.Figure` out; no model is known here.

Only matplotlib's object interface is used, on its Agg canvas: no global figure, no display, nothing
that a user's own pyplot session would notice.
"""

from .animation import enlarged, gif, movie, strips
from .beside import FEW_COLUMNS, against, traces
from .cells import cells, profiles
from .curves import latent_usage, learning_curves, worth_curves
from .embedding import denoised, side_by_side
from .images import image_array, image_grid, manifold, reconstructions, traversal
from .latent import components, latent_map
from .mixtures import film, mixture
from .places import places
from .rate_distortion import rate_distortion_curve
from .representation import factor_information
from .sound import spectrograms
from .style import save, to_png
from .traversals import traversed
from .vectors import marginals, pairs, token_strips

__all__ = [
    "FEW_COLUMNS",
    "against",
    "cells",
    "components",
    "denoised",
    "enlarged",
    "factor_information",
    "film",
    "gif",
    "image_array",
    "image_grid",
    "latent_map",
    "latent_usage",
    "learning_curves",
    "manifold",
    "marginals",
    "mixture",
    "movie",
    "pairs",
    "places",
    "profiles",
    "rate_distortion_curve",
    "reconstructions",
    "save",
    "side_by_side",
    "spectrograms",
    "strips",
    "to_png",
    "token_strips",
    "traces",
    "traversal",
    "traversed",
    "worth_curves",
]
