"""Data with known modes by name, a function of a seed: densities of the plane, stacked digits.

The densities are those of :mod:`lowerbound.data.planar`. Of two of them, ``eight`` (eight normals
on a ring) and ``grid`` (25 of them), the modes are known, and of stacked digits: three grey digits
as the channels of one image, 1,000 kinds. Models of them can be told how many modes they cover.

>>> source = MADE["eight"]()
>>> len(source.train), source.train.event_shape
(10000, (2,))

References:
    Metz, Poole, Pfau & Sohl-Dickstein 2017, Unrolled generative adversarial networks, arXiv
    1611.02163 (stacked digits); Srivastava et al. 2017, VEEGAN, arXiv 1705.07761 (ring and grid)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from lowerbound.data.arrays import ArrayRows
from lowerbound.data.planar import TOYS, Blobs
from lowerbound.data.splits import Rows, Source
from lowerbound.errors import LowerboundError

_TRAIN, _TEST = 10_000, 2_000
_TRAIN_SEED, _TEST_SEED = 1, 2
_HELD_OUT = 5  # of digits without a split of their own, one in so many is for test images only
_SAID = {
    "ring": "a circle with noise across; eight is the ring of eight normals",
    "eight": "eight normals on a ring, known modes",
    "grid": "25 normals on a grid, known modes",
}
CHANNELS, CLASSES = 3, 10
#: Stacked digits by name: the digits, and how many are stacked to train on. Test images are as many
#: as are needed to meet each of 1,000 modes.
STACKED = {"stacked-digits": ("digits", 20_000), "stacked-mnist": ("mnist", 60_000)}
_STACKED_TEST = 10_000
OTHER_NAMES = {"eight-gaussians": "eight", "ring-of-eight": "eight", "25-gaussians": "grid"}


class StackedDigits:
    """Grey images as the channels of one, drawn independently, as `Rows`.

    Args:
        images: to choose from, ``(M, H, W)``.
        count: how many there are.
        seed: of the choice.
    """

    in_memory = True  # quicker to put together than to read

    def __init__(self, images: np.ndarray, count: int, seed: int) -> None:
        self.images = images
        self.chosen = np.random.default_rng(seed).integers(len(images), size=(count, CHANNELS))
        self.event_shape, self.dtype = (CHANNELS, *images.shape[1:]), images.dtype

    def __len__(self) -> int:
        return len(self.chosen)

    def take(self, positions: np.ndarray) -> np.ndarray:
        """The images at `positions` (N,), ``(N, 3, H, W)``."""
        return self.images[self.chosen[positions]]


def modes_of(name: str) -> Blobs | None:
    """The density of a name whose modes are known; None of others."""
    density = TOYS[name]() if name in TOYS else None
    return density if isinstance(density, Blobs) else None


def stacked(name: str, base: Source) -> Source:
    """Stacked digits by name: train and test images are of other digits.

    Args:
        name: a key of `STACKED`.
        base: the digits; where they bring no test split, the last fifth of them is set aside.
    """
    train = _images(base.train)
    if base.test is None:
        cut = len(train) - len(train) // _HELD_OUT
        train, test = train[:cut], train[cut:]
    else:
        test = _images(base.test)
    if min(len(train), len(test)) < 1:
        raise LowerboundError(f"{name}: expected digits to stack, came none in {base.name}")
    parts = (
        StackedDigits(train, STACKED[name][1], _TRAIN_SEED),
        StackedDigits(test, _STACKED_TEST, _TEST_SEED),
    )
    found = Source(name, parts[0], test=parts[1], levels=base.levels, as_came=str(train.dtype))
    kinds = CLASSES**CHANNELS
    found.notes.append(
        ("made", f"three digits of {base.name} as channels, {kinds:,} known modes; no file")
    )
    return found


def _planar(name: str) -> Source:
    density = TOYS[name]()
    parts = [
        ArrayRows(density.sample(n, seed=seed), name)
        for n, seed in ((_TRAIN, _TRAIN_SEED), (_TEST, _TEST_SEED))
    ]
    found = Source(name, parts[0], test=parts[1], as_came="float64")
    found.columns = ("x", "y")
    found.notes.append(("made", f"{_SAID.get(name, 'a density of the plane')}; no file"))
    return found


def _images(rows: Rows) -> np.ndarray:
    """Grey images (N, H, W)."""
    return rows.take(np.arange(len(rows)))[:, 0]


MADE: dict[str, Callable[[], Source]] = {name: partial(_planar, name) for name in TOYS}
