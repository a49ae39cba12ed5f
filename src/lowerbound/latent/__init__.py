"""Looking at codes and changing data by them: what a model learned, in one's hands.

Functions take a model (for what it can do: encode, decode, prior), tensors and arrays, and return
small dataclasses of arrays. Drawing is in :mod:`lowerbound.plots`, runs and files in
:mod:`lowerbound.exploring`.
"""

from .directions import Directions, Strength, exclusive, fit_directions
from .edit import Analogy, Edit, Line, along, analogy, edit
from .geodesic import geodesic, path_length
from .interpolate import Interpolation, interpolate, spherical
from .map import (
    LatentMap,
    density,
    latent_map,
    manifold_codes,
    posterior_means,
    spread_out,
    traversal_codes,
)
from .plane import Plane, manifold, plane
from .search import (
    Neighbours,
    Ranking,
    anomalies,
    bounds_of,
    nearest_rows,
    reconstruction_errors,
)
from .space import Space, space_of
from .support import support_of
from .traverse import Ranges, Traversal, ranges, traverse
from .vary import Variations, vary

__all__ = [
    "Analogy",
    "Directions",
    "Edit",
    "Interpolation",
    "LatentMap",
    "Line",
    "Neighbours",
    "Plane",
    "Ranges",
    "Ranking",
    "Space",
    "Strength",
    "Traversal",
    "Variations",
    "along",
    "analogy",
    "anomalies",
    "bounds_of",
    "density",
    "edit",
    "exclusive",
    "fit_directions",
    "geodesic",
    "interpolate",
    "latent_map",
    "manifold",
    "manifold_codes",
    "nearest_rows",
    "path_length",
    "plane",
    "posterior_means",
    "ranges",
    "reconstruction_errors",
    "space_of",
    "spherical",
    "spread_out",
    "support_of",
    "traversal_codes",
    "traverse",
    "vary",
]
