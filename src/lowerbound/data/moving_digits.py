"""Clips of moving digits as a function of their index: the answer is known, no file is kept.

A clip shows one or several digits that keep their looks and move by whole pixels, so that the
displacement of every frame is known. Two motions:

- ``wrap``: to the left or to the right, one pixel each frame, and what leaves the frame on one side
  comes in on the other; the direction is the clip's *action*;
- ``bounce``: in one of eight directions, turned back at the frame's sides; digits that meet are
  seen through one another (the brighter pixel is shown).

>>> clips = MovingDigits(np.eye(3, dtype=np.uint8)[None] * 9, count=4, frames=5, side=6)
>>> paths = clips.paths(np.array([0]))
>>> paths.velocity[0, 0], paths.places[0, :, 0, 1] - paths.places[0, 0, 0, 1]
(array([ 0, -1]), array([ 0, -1, -2, -3, -4]))

References:
    Srivastava, Mansimov & Salakhutdinov 2015, Unsupervised learning of video representations using
    LSTMs, arXiv 1502.04681 (two bouncing digits); Gregor et al. 2019, Temporal difference
    variational auto-encoder, arXiv 1806.03107 (one digit, left or right, one pixel each step)
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from lowerbound.data.splits import Rows, Source
from lowerbound.errors import LowerboundError

Motion = Literal["wrap", "bounce"]

ACTIONS = ("left", "right")
FRAMES = 20
_TRAIN, _TEST = 4000, 1000
_TRAIN_SEED, _TEST_SEED = 1, 2
_HELD_OUT = 5  # of digits without a split of their own, one in so many is for test clips only
_EIGHT = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])
# By name: the digits' data set, digits in a clip, motion, side of a frame (None: that of a digit).
MADE: dict[str, tuple[str, int, Motion, int | None]] = {
    "moving-digits": ("digits", 1, "wrap", 16),
    "bouncing-digits": ("digits", 2, "bounce", 20),
    "moving-mnist": ("mnist", 1, "wrap", None),
}


class Paths(NamedTuple):
    """What happens in clips; y (down) before x (to the right), pixels.

    Args:
        digit: which of the digits' images each is, int64 ``(N, digits)``.
        velocity: in the first step, int64 ``(N, digits, 2)``.
        places: of the upper left corner of each digit, int64 ``(N, F, digits, 2)``. They are not
            wrapped: a digit that leaves to the right and comes in on the left goes on being counted
            to the right.
    """

    digit: np.ndarray
    velocity: np.ndarray
    places: np.ndarray


class MovingDigits:
    """The clips as `Rows`: drawn when asked for, each a function of (seed, index) alone.

    Args:
        digits: images to choose from, ``(M, h, w)``, black 0.
        count: how many clips there are.
        frames: of each clip.
        side: height and width of a frame.
        together: digits in a clip.
        motion: ``wrap`` or ``bounce``.
        seed: clips of two seeds have nothing to do with each other.

    Raises:
        LowerboundError: a digit does not fit the frame, or a clip has fewer than two frames.
    """

    in_memory = True  # a clip is as quick to draw as to copy from a disk's cache

    def __init__(
        self,
        digits: np.ndarray,
        count: int,
        *,
        frames: int = FRAMES,
        side: int = 16,
        together: int = 1,
        motion: Motion = "wrap",
        seed: int = 0,
    ) -> None:
        height, width = digits.shape[1:]
        if frames < 2:
            raise LowerboundError(f"expected clips of at least 2 frames, came {frames}")
        if max(height, width) > side:
            raise LowerboundError(
                f"expected digits that fit a frame of {side} x {side} pixels, came {height} x "
                f"{width}: pass a greater side"
            )
        self.digits, self.count, self.together = digits, count, together
        self.motion, self.seed = motion, seed
        self.event_shape = (frames, 1, side, side)
        self.dtype = digits.dtype

    def __len__(self) -> int:
        return self.count

    def paths(self, positions: np.ndarray) -> Paths:
        """Which digits the clips at `positions` (N,) show, and where they go."""
        frames, _, side, _ = self.event_shape
        many = np.arange(self.together)
        draws = [self._drawn(positions, 4 * many + which) for which in range(4)]  # (N, digits)
        digit = (draws[0] % np.uint64(len(self.digits))).astype(np.int64)
        room = np.array([side - size for size in self.digits.shape[1:]])
        if self.motion == "wrap":
            # Anywhere to the side, for there is no edge; wholly inside up and down.
            limits = np.array([room[0] + 1, side])
            across = 2 * (draws[3] % np.uint64(2)).astype(np.int64) - 1
            velocity = np.stack([np.zeros_like(across), across], -1)
        else:
            limits = room + 1
            velocity = _EIGHT[(draws[3] % np.uint64(len(_EIGHT))).astype(np.int64)]
        drawn = np.stack(draws[1:3], -1) % limits.astype(np.uint64)
        start = drawn.astype(np.int64)
        step = np.arange(frames)[:, None, None]
        places = start[:, None] + step * velocity[:, None]  # (N, F, digits, 2)
        if self.motion == "bounce":
            # A ball between two walls goes to and fro: a triangle wave of the straight path.
            period = np.maximum(2 * room, 1)
            there = places % period
            places = np.minimum(there, period - there)
            velocity = places[:, 1] - places[:, 0]
        return Paths(digit, velocity, places)

    def actions(self, positions: np.ndarray) -> np.ndarray:
        """0 for a clip whose first digit moves to the left, 1 to the right, int64 (N,)."""
        return (self.paths(positions).velocity[:, 0, 1] > 0).astype(np.int64)

    def take(self, positions: np.ndarray) -> np.ndarray:
        """The clips at `positions` (N,), ``(N, F, 1, side, side)``."""
        digit, _, places = self.paths(positions)
        frames, _, side, _ = self.event_shape
        out = np.zeros((len(digit), frames, side, side), self.dtype)
        clip = np.arange(len(digit))[:, None, None, None]
        frame = np.arange(frames)[:, None, None]
        height, width = (np.arange(size) for size in self.digits.shape[1:])
        for which in range(self.together):
            y, x = places[:, :, which, 0, None], places[:, :, which, 1, None]
            down = ((y + height) % side)[..., :, None]  # (N, F, h, 1)
            right = ((x + width) % side)[..., None, :]
            shown = self.digits[digit[:, which]][:, None]  # (N, 1, h, w)
            at = (clip, frame, down, right)
            out[at] = np.maximum(out[at], shown)
        return out[:, :, None]

    def _drawn(self, positions: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Random 64 bits of (seed, clip, draw), uint64 (N, digits): splitmix64, the same on every
        machine and in every version of numpy."""
        index = np.asarray(positions, np.uint64)[:, None] * np.uint64(64) + which.astype(np.uint64)
        key = np.array([self.seed], np.uint64) * np.uint64(0xD1342543DE82EF95)
        z = (index + key) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def source(name: str, base: Source) -> Source:
    """Clips by name, 4,000 to train on and 1,000 of other digits to test on.

    Args:
        name: a key of `MADE`.
        base: the digits; where they bring no test split, the last fifth of them is set aside.
    """
    _, together, motion, side = MADE[name]
    train, test = _images(base.train), None if base.test is None else _images(base.test)
    if test is None:
        cut = len(train) - len(train) // _HELD_OUT
        train, test = train[:cut], train[cut:]
    side = side or max(train.shape[1:])
    parts = [
        MovingDigits(images, count, side=side, together=together, motion=motion, seed=seed)
        for images, count, seed in ((train, _TRAIN, _TRAIN_SEED), (test, _TEST, _TEST_SEED))
    ]
    found = Source(name, parts[0], test=parts[1], levels=base.levels, as_came=str(train.dtype))
    if motion == "wrap":
        found.labels, found.test_labels = (part.actions(np.arange(len(part))) for part in parts)
        found.classes = ACTIONS
    moves = "to the left or right by a pixel a frame" if motion == "wrap" else "to and fro"
    digits = "digits" if together > 1 else "digit"
    found.notes.append(("made", f"{together} {digits} of {base.name}, moved {moves}; no file"))
    return found


def _images(rows: Rows) -> np.ndarray:
    """Grey images (N, h, w)."""
    return rows.take(np.arange(len(rows)))[:, 0]
