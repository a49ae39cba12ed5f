"""dSprites, drawn anew: 737,280 binary images of 64 x 64 as a function of their index.

The grid is the published one: 3 shapes x 6 scales x 40 orientations x 32 x 32 positions, in the
order of its file (position y runs fastest), with its factor values. The pictures are *regenerated*:
how the authors drew their sprites is not published in full, so that sizes here are chosen, and no
pixel need equal theirs. A sprite covers 4.4 % of the frame on average.

What holds of the original by its description holds here: nothing is anti-aliased, no noise is
added, every sprite lies inside the frame, and all images differ, but for orientation 39, which is
2π and so the same as orientation 0 (there, too: github.com/google-deepmind/dsprites-dataset,
issue 7). That leaves 718,848 different ones.

Reference:
    Matthey, Higgins, Hassabis & Lerchner 2017, dSprites: Disentanglement testing sprites dataset,
    https://github.com/google-deepmind/dsprites-dataset

>>> rows = DSprites()
>>> rows.take(np.array([0, 737_279])).sum(axis=(1, 2, 3)).tolist()
[81, 295]
>>> rows.factors(np.array([737_279]))[0].round(2)
array([1.  , 3.  , 1.  , 6.28, 1.  , 1.  ])
"""

from __future__ import annotations

from functools import cache

import numpy as np

from lowerbound.data.splits import Source

SIDE = 64
SHAPES = ("square", "ellipse", "heart")
FACTORS = ("color", "shape", "scale", "orientation", "position_x", "position_y")
SIZES = (1, 3, 6, 40, 32, 32)
VALUES = (
    np.ones(1),
    np.arange(1.0, 4.0),
    np.linspace(0.5, 1.0, 6),
    np.linspace(0.0, 2.0 * np.pi, 40),
    np.linspace(0.0, 1.0, 32),
    np.linspace(0.0, 1.0, 32),
)
# Half a square's side, the half axes of an ellipse and a heart's unit, in pixels at scale 1: areas
# of about 300 pixels each, and no point farther than 16 pixels from a sprite's middle.
_SQUARE, _ELLIPSE, _HEART = 9.0, (13.0, 7.0), 9.0
# A sprite's middle at position (0, 0): x, y of the frame, whose first pixel is at (0, 0). Off the
# pixels' grid, on which the smallest squares would look the same after small rotations.
_MIDDLE = (16.25, 16.4)


class DSprites:
    """The images as `Rows`: nothing is stored but 720 sprites, 64 bits for each row of pixels.

    An image is its sprite moved down by whole rows and to the right by whole pixels, which on 64
    bits is a shift. `in_memory` is False, so that nobody takes a pass over all of them for free.
    """

    event_shape = (1, SIDE, SIDE)
    dtype = np.dtype(np.uint8)
    in_memory = False

    def __len__(self) -> int:
        return int(np.prod(SIZES))

    def take(self, positions: np.ndarray) -> np.ndarray:
        """The images at `positions` (N,): zeros and ones, uint8 (N, 1, 64, 64)."""
        _, shape, scale, orientation, x, y = np.unravel_index(positions, SIZES)
        sprite = np.ravel_multi_index((shape, scale, orientation), SIZES[1:4])
        bits = _windows()[sprite, SIZES[5] - 1 - y] >> x[:, None].astype(np.uint64)
        pixels = np.unpackbits(bits.astype(">u8").view(np.uint8), axis=None)
        return pixels.reshape(len(bits), *self.event_shape)

    @staticmethod
    def places(index: np.ndarray) -> np.ndarray:
        """Which value each factor has, int64 (N, 6), in the order of `FACTORS`."""
        return np.stack(np.unravel_index(index, SIZES), axis=-1)

    @staticmethod
    def factors(index: np.ndarray) -> np.ndarray:
        """Each factor's value, float64 (N, 6), in the order of `FACTORS`."""
        places = DSprites.places(index)
        return np.stack([values[places[..., k]] for k, values in enumerate(VALUES)], axis=-1)


def source() -> Source:
    """The images, labelled with their shapes; attributes are the factors that vary."""
    rows = DSprites()
    index = np.arange(len(rows))
    found = Source(
        "dsprites", rows, np.ascontiguousarray(rows.places(index)[:, 1]), levels=2, as_came="uint8"
    )
    found.classes = SHAPES
    found.attributes = rows.factors(index)[:, 1:].astype(np.float32)
    found.attribute_names = FACTORS[1:]
    found.notes.append(("made", "dSprites' grid of factors, drawn anew: regenerated, no file"))
    return found


@cache
def _windows() -> np.ndarray:
    """Sprites at position x 0, uint64 (720, 32, 64): [s, 31 - y] are the rows with y moved down.

    A view of (720, 95) numbers, which begin with 31 empty rows.
    """
    first = _sprites()  # (720, 64, 64)
    rows = np.packbits(first, axis=-1).view(">u8")[..., 0].astype(np.uint64)
    empty = np.zeros((len(rows), SIZES[5] - 1), np.uint64)
    padded = np.concatenate([empty, rows], axis=1)
    return np.lib.stride_tricks.sliding_window_view(padded, SIDE, axis=1)


def _sprites() -> np.ndarray:
    """Every shape, scale and orientation at position (0, 0), bool (720, 64, 64)."""
    grid = np.arange(SIDE, dtype=np.float64)
    across, down = grid[None, :] - _MIDDLE[0], grid[:, None] - _MIDDLE[1]
    drawn = []
    for inside in (_square, _ellipse, _heart):
        for scale in VALUES[2]:
            for orientation in VALUES[3][[*range(39), 0]]:  # 2π is 0, to the last bit
                cos, sin = np.cos(orientation), np.sin(orientation)
                u, v = cos * across + sin * down, cos * down - sin * across
                drawn.append(inside(u / scale, v / scale))
    return np.stack(drawn)


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) <= _SQUARE


def _ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (u / _ELLIPSE[0]) ** 2 + (v / _ELLIPSE[1]) ** 2 <= 1.0


def _heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The algebraic curve (x² + y² − 1)³ = x² y³, its point down and its height in the middle."""
    x, y = u / _HEART, 0.1185 - v / _HEART
    return (x**2 + y**2 - 1.0) ** 3 <= x**2 * y**3
