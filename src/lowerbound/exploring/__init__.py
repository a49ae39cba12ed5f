"""The latent space of a run: the tools of :mod:`lowerbound.latent`, on runs and files.

>>> import lowerbound as lb
>>> lb.edit("runs/faces", "me.png", add="smile").save("me-smiling.png")  # doctest: +SKIP
>>> lb.vary("runs/faces", "me.png", 16).decoded.shape  # doctest: +SKIP
"""

from .codes import MapOfRun, interpolate, map_codes, plane, traverse, vary
from .editing import Edited, analogy, attributes, edit
from .examples import Example, take
from .found import Found, search
from .ways import codes_of, decode_codes
from .writing import write_cells

__all__ = [
    "Edited",
    "Example",
    "Found",
    "MapOfRun",
    "analogy",
    "attributes",
    "codes_of",
    "decode_codes",
    "edit",
    "interpolate",
    "map_codes",
    "plane",
    "search",
    "take",
    "traverse",
    "vary",
    "write_cells",
]
