"""Faces drawn from numbers: one picture for each row of attributes, at any size, anti-aliased.

Shapes are signed distances in units of half a frame (x to the right, y down, from -1 to 1), so that
a picture of another size is the same picture, and a small change of an attribute is a small change
of the picture. The head turns in depth: what lies on it moves as on a sphere.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

_SKINS = np.array([[255, 226, 202], [240, 194, 160], [214, 158, 118], [160, 106, 74], [98, 62, 44]])
_HAIRS = np.array([[38, 32, 38], [104, 66, 40], [226, 182, 96], [176, 72, 34], [176, 178, 184]])
_TURN, _TILT = 0.62, 0.24  # radians at yaw 1 and tilt 1
_HEAD = 0.47  # half a head's width
_ZOOM = 1.16
_AT_ONCE = 16  # pictures drawn together: what the cache holds

Numbers = Mapping[str, np.ndarray]


def draw(attributes: Numbers, size: int) -> np.ndarray:
    """Pictures of faces.

    Args:
        attributes: by name of `lowerbound.data.avatars.ATTRIBUTES`, (N,) each.
        size: of a side, pixels.

    Returns:
        uint8 (N, 3, size, size).
    """
    count = len(attributes["smile"])
    found = np.empty((count, 3, size, size), np.uint8)
    for start in range(0, count, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        a = {name: np.asarray(v[some], np.float32)[:, None, None] for name, v in attributes.items()}
        found[some] = _Picture(a, size).pixels()
    return found


class _Picture:
    """Some faces at once: arrays are (n, size, size), numbers (n, 1, 1)."""

    def __init__(self, a: Numbers, size: int) -> None:
        self.a, self.pixel = a, 2.0 / size
        at = (np.arange(size, dtype=np.float32) + 0.5) * self.pixel - 1.0
        # The head fills most of the frame.
        self.pixel /= _ZOOM
        self.frame_x, self.frame_y = at[None, None, :] / _ZOOM, at[None, :, None] / _ZOOM - 0.02
        self.canvas = np.zeros((len(a["smile"]), 3, size, size), np.float32)
        # The head tilts about the neck.
        angle = a["tilt"] * _TILT
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = self.frame_x, self.frame_y - 0.62
        self.x, self.y = cos * x + sin * y, cos * y - sin * x + 0.62
        self.turn = a["yaw"] * _TURN
        self.skin = _mixed(_SKINS, a["skin"])
        grey = np.stack([a[f"{name}_hair"] for name in ("black", "brown", "blond", "red", "grey")])
        hair = (grey[..., 0, 0].T @ _HAIRS).astype(np.float32)
        self.hair = hair[:, :, None, None]

    def pixels(self) -> np.ndarray:
        """uint8 (n, 3, size, size)."""
        self._background()
        self._hair_behind()
        self._shoulders()
        self._head()
        self._beard()
        self._lines()
        self._eyes()
        self._nose()
        self._mouth()
        self._hair_before()
        self._glasses()
        return np.clip(np.rint(self.canvas), 0, 255).astype(np.uint8)

    # Parts, from the back to the front

    def _background(self) -> None:
        hue = self.a["background"] * 2.0 * np.pi
        for k in range(3):
            wave = np.cos(hue - 2.0 * np.pi * k / 3.0)
            colour = 196.0 + 40.0 * wave
            self.canvas[:, k] = colour * (1.06 - 0.12 * (self.frame_y + 1.0) / 2.0)
            # clothes of the other side of the wheel of colours
        self.clothes = np.stack(
            [110.0 - 62.0 * np.cos(hue - 2.0 * np.pi * k / 3.0) for k in range(3)], 1
        )

    def _hair_behind(self) -> None:
        a, long = self.a, self.a["hair_length"]
        curly = self._curls(0.035)
        down = -0.1 + 0.95 * long  # where it ends
        width = _HEAD * (1.02 + 0.32 * long) + 0.05 * a["curly"]
        x = self.x + 0.05 * np.sin(self.turn)
        top = _ellipse(x, self.y + 0.12, width, 0.62 + 0.04 * a["curly"])
        fall = _box(x, self.y - (down - 0.1) / 2.0, width * 0.97, (down + 0.1) / 2.0 + 0.02, 0.16)
        shape = np.minimum(top, np.where(long > 0.12, fall, 1.0)) + curly
        shape = np.where(long > 0.04, shape, 1.0)
        self._paint(shape, self.hair * 0.72)

    def _shoulders(self) -> None:
        wide = 0.74 - 0.10 * self.a["woman"]
        body = _box(self.frame_x, self.frame_y - 1.20, wide, 0.50, 0.34)
        self._paint(body, self.clothes * (1.0 + 0.12 * self.a["light"] * self.frame_x)[:, None])
        thick = 0.20 - 0.035 * self.a["woman"]
        neck = _box(self.frame_x, self.frame_y - 0.64, thick, 0.25, 0.1)
        self._paint(neck, self.skin * 0.80)
        collar = np.maximum(_ellipse(self.frame_x, self.frame_y - 0.725, thick + 0.07, 0.14), -neck)
        self._paint(np.maximum(collar, 0.755 - self.frame_y), self.clothes * 0.82)

    def _head(self) -> None:
        a = self.a
        for side in (-1.0, 1.0):
            at, squeeze = self._place(side * _HEAD * 0.985)
            seen = np.clip(1.0 - side * self.turn * 1.1, 0.0, 1.0)
            ear = _ellipse(self.x - at * 1.0, self.y - 0.03, 0.085, 0.125)
            self._paint(ear + 0.08 * (1.0 - seen), self.skin * 0.90)
            inner = _ellipse(self.x - at * 1.01, self.y - 0.03, 0.04, 0.07)
            self._paint(inner + 0.06 * (1.0 - seen), self.skin * 0.76)
        jaw = 0.375 - 0.055 * a["woman"]
        lean = 0.06 * np.sin(self.turn)
        skull = _ellipse(self.x, self.y + 0.10, _HEAD, 0.50)
        chin = _ellipse(self.x - lean, self.y - 0.20, jaw, 0.385 + 0.02 * (1.0 - a["woman"]))
        cheeks = _ellipse(self.x - 0.5 * lean, self.y - 0.06, _HEAD * 0.95, 0.40)
        self.face = _blend(_blend(skull, chin, 0.16), cheeks, 0.1)
        # Light from one side, and less of it towards the outline.
        side = np.clip((self.x - 0.4 * lean) / _HEAD, -1.2, 1.2)
        shade = 1.0 + 0.20 * a["light"] * side - 0.10 * np.clip(side**2, 0, 1)
        shade = shade - 0.07 * np.clip(self.y + 0.1, 0, 1)
        shade = shade * (1.0 + 0.35 * np.clip(self.face + 0.05, -0.2, 0.0) * (self.y > 0.3))
        self.shade = shade[:, None]
        self._paint(self.face, self.skin * self.shade)
        for where in (-0.26, 0.26):  # cheeks
            at, squeeze = self._place(where)
            blush = (self.x - at) ** 2 / np.maximum(squeeze, 0.2) ** 2 + (self.y - 0.22) ** 2
            glow = np.exp(-blush / 0.016) * (0.20 + 0.12 * a["woman"] + 0.08 * a["smile"])
            self._cover(glow * self._alpha(self.face), _rgb(232.0, 110.0, 100.0))

    def _beard(self) -> None:
        at, _ = self._place(0.0)
        low = self.y - 0.215 + 0.5 * np.clip(np.abs(self.x - 0.6 * at) - 0.22, 0.0, 0.2)
        around = _ellipse(self.x - at, self.y - 0.40, 0.17, 0.115)
        shape = np.maximum(np.maximum(self.face + 0.012, -low), -around)
        lip = _box(self.x - at, self.y - 0.285, 0.15, 0.028, 0.025)
        shape = np.minimum(shape, lip)
        self._paint(shape, self.hair * 0.92, 0.93 * self.a["beard"])

    def _lines(self) -> None:
        """What age leaves: forehead, under the eyes, from nose to mouth."""
        age = np.clip(1.35 * self.a["age"] - 0.35, 0.0, 1.0)
        dark = self.skin * 0.66
        at, _ = self._place(0.0)
        for k, high in enumerate((-0.30, -0.235)):
            bend = high + 0.10 * (self.x - at) ** 2
            line = _stroke(self.x - at, self.y - bend, 0.20 - 0.03 * k, 0.009)
            self._paint(line, dark, 0.75 * age)
        for side in (-1.0, 1.0):
            at, squeeze = self._place(side * 0.175)
            bag = _stroke(
                (self.x - at) / squeeze, self.y - 0.135 + 0.9 * (self.x - at) ** 2, 0.07, 0.008
            )
            self._paint(bag, dark, 0.70 * age)
            start, _ = self._place(side * 0.095)
            end, _ = self._place(side * (0.185 + 0.02 * self.a["smile"]))
            fold = _segment(self.x, self.y, start, 0.225, end, 0.36)
            self._paint(fold - 0.009, dark, 0.70 * age)

    def _eyes(self) -> None:
        a = self.a
        happy = np.clip(a["smile"], 0.0, 1.0)
        for side in (-1.0, 1.0):
            at, squeeze = self._place(side * 0.175)
            x, y = (self.x - at) / squeeze, self.y - 0.02
            open_ = 0.062 + 0.010 * a["woman"] - 0.014 * happy - 0.008 * a["age"]
            white = _ellipse(x, y, 0.090, open_)
            self._paint(white, _rgb(250.0, 250.0, 252.0))
            look = 0.028 * np.sin(self.turn)
            within = np.maximum(_ellipse(x - look, y - 0.004, 0.046, 0.050), white)
            iris = _rgb(84.0, 110.0, 120.0)[:, None, None]
            self._paint(within, iris * (1.1 - 0.5 * a["skin"][:, None]))
            pupil = np.maximum(_ellipse(x - look, y - 0.004, 0.024, 0.027), white)
            self._paint(pupil, _rgb(24.0, 20.0, 24.0))
            self._paint(_ellipse(x - look - 0.016, y + 0.016, 0.012, 0.012), _WHITE)
            lid = _stroke(
                x, y + open_ * (1.0 - (x / 0.095) ** 2), 0.088, 0.010 + 0.005 * a["woman"]
            )
            self._paint(lid, self.skin * 0.36)
            lash = _segment(x, y, side * 0.082, -0.012, side * 0.122, -0.048)
            self._paint(lash - 0.009, _rgb(30.0, 24.0, 28.0), a["woman"])
            # Eyebrows: the inner ends go up with sorrow, the whole with a smile.
            thick = 0.021 - 0.009 * a["woman"]
            slope = 0.16 * np.clip(-a["smile"], 0, 1)
            arch = -0.135 - 0.016 * happy - 0.018 * a["woman"]
            bend = arch + 2.2 * x**2 + side * slope * x
            brow = _stroke(x, y - bend, 0.095, thick)
            self._paint(brow, self.hair * 0.78)

    def _nose(self) -> None:
        tip, _ = self._place(0.0, 0.13)
        root, _ = self._place(0.0, 0.03)
        wide = 0.056 - 0.010 * self.a["woman"]
        side = np.where(self.a["light"] >= 0, -1.0, 1.0)
        ridge = _segment(self.x, self.y, root + 0.012 * side, 0.03, tip + 0.028 * side, 0.185)
        self._paint(ridge - 0.010, self.skin * 0.84, 0.75)
        bulb = _ellipse(self.x - tip, self.y - 0.195, wide, 0.040)
        self._paint(bulb, self.skin * self.shade * 0.93)
        for way in (-1.0, 1.0):
            hole = _ellipse(self.x - tip - way * 0.030, self.y - 0.215, 0.014, 0.009)
            self._paint(hole, self.skin * 0.55)

    def _mouth(self) -> None:
        a = self.a
        at, squeeze = self._place(0.0, 0.04)
        squeeze = np.maximum(np.cos(self.turn), 0.5)
        x, y = (self.x - at) / squeeze, self.y - 0.385
        smile, happy = a["smile"], np.clip(a["smile"] - 0.25, 0.0, 1.0) / 0.75
        wide = 0.125 + 0.035 * np.abs(smile) + 0.012 * happy
        rise = 0.080 * smile
        upper = rise * (0.35 - (x / wide) ** 2)  # of the line between the lips, downwards
        ends = np.abs(x) - wide
        deep = 0.088 * happy * np.clip(1.0 - (x / wide) ** 2, 0, 1)
        inner = np.maximum(np.maximum(upper - y, y - upper - deep), ends)
        full = (0.014 + 0.012 * a["woman"]) * np.clip(1.0 - (x / (wide + 0.02)) ** 2, 0.15, 1)
        lips = np.maximum(np.maximum(upper - full - y, y - upper - deep - 1.5 * full), ends - 0.012)
        red = _rgb(196.0, 84.0, 88.0)[:, None, None]
        colour = self.skin * (0.62 - 0.30 * a["woman"][:, None]) + red * (
            0.22 + 0.44 * a["woman"][:, None]
        )
        self._paint(lips, colour)
        self._paint(inner, _rgb(108.0, 34.0, 40.0), np.clip(12.0 * happy, 0, 1))
        teeth = np.maximum(inner + 0.004, y - upper - 0.52 * deep)
        self._paint(teeth, _rgb(250.0, 248.0, 242.0), np.clip(8.0 * happy, 0, 1))
        line = _stroke(x, y - upper, wide, 0.008)
        self._paint(line, self.skin * 0.34, 1.0 - np.clip(6.0 * happy, 0, 1))

    def _hair_before(self) -> None:
        a, long = self.a, self.a["hair_length"]
        curly = self._curls(0.03)
        x = self.x + 0.05 * np.sin(self.turn)
        part, _ = self._place(-0.13, 0.0)
        cap = _ellipse(x, self.y + 0.135, _HEAD * 1.05, 0.525 + 0.05 * long + 0.03 * a["curly"])
        # The hairline: a parting to one side, sides that come down before the ears.
        line = -0.345 + 0.62 * (self.x - part) ** 2 + 0.10 * np.clip(self.x - part, 0, 1)
        sides = np.abs(self.x - 0.11 * np.sin(self.turn)) - 0.405
        temple = np.maximum(sides * -1.0, self.y - (0.02 + 0.62 * long))
        under = np.minimum(self.y - line, np.maximum(temple, -1.0))
        shape = np.maximum(cap + curly, under + 0.5 * curly)
        shape = np.where(long > 0.04, shape, 1.0)
        tone = 1.0 + 0.16 * a["light"] * np.clip(self.x / _HEAD, -1, 1) - 0.14 * (self.y + 0.5)
        strand = 1.0 + 0.05 * np.sin(38.0 * (self.x - 0.35 * self.y)) * (1.0 - a["curly"])
        self._paint(shape, self.hair * (tone * strand)[:, None])

    def _glasses(self) -> None:
        dark, on = _rgb(38.0, 40.0, 52.0), self.a["glasses"]
        edges = {}
        for side in (-1.0, 1.0):
            at, squeeze = self._place(side * 0.18, 0.03)
            lens = _box((self.x - at) / squeeze, self.y - 0.03, 0.135, 0.105, 0.075)
            self._cover(self._alpha(lens) * 0.16 * on, _WHITE)
            self._paint(np.abs(lens) - 0.014, dark, on)
            edges[side] = at + side * 0.135 * squeeze
            ear, _ = self._place(side * _HEAD * 0.97)
            seen = np.clip(1.2 - side * self.turn * 1.4, 0.0, 1.0)
            arm = _segment(self.x, self.y, edges[side], 0.0, ear, -0.015)
            self._paint(arm - 0.012, dark, on * seen)
        left, _ = self._place(-0.045, 0.05)
        right, _ = self._place(0.045, 0.05)
        self._paint(_segment(self.x, self.y, left, 0.005, right, 0.005) - 0.013, dark, on)

    # Tools

    def _place(self, across: float | np.ndarray, out: float = 0.0):
        """Where a point of the turned face is seen, and how much narrower a patch there looks.

        Args:
            across: its place on the face that looks straight ahead.
            out: how far it stands out of the head.
        """
        angle = np.arcsin(np.clip(np.asarray(across, np.float32) / _HEAD, -1.0, 1.0)) + self.turn
        return (_HEAD + out) * np.sin(angle) * 0.82 + 0.18 * across, np.clip(np.cos(angle), 0.25, 1)

    def _curls(self, high: float) -> np.ndarray:
        angle = np.arctan2(self.y + 0.1, self.x)
        return high * self.a["curly"] * np.sin(17.0 * angle) * np.cos(9.0 * (self.x + self.y))

    def _alpha(self, distance: np.ndarray) -> np.ndarray:
        """How much of a pixel lies within a shape."""
        return np.clip(0.5 - distance / self.pixel, 0.0, 1.0)

    def _paint(
        self, distance: np.ndarray, colour: np.ndarray, strength: np.ndarray | float = 1.0
    ) -> None:
        self._cover(self._alpha(distance) * strength, colour)

    def _cover(self, alpha: np.ndarray, colour: np.ndarray) -> None:
        colour = colour[:, None, None] if colour.ndim == 1 else colour
        self.canvas += alpha[:, None] * (colour - self.canvas)


def _rgb(*colour: float) -> np.ndarray:
    return np.array(colour, np.float32)


_WHITE = _rgb(255.0, 255.0, 255.0)


def _mixed(colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(n, 3, 1, 1): colours along a path, share in [0, 1]."""
    at = np.linspace(0.0, 1.0, len(colours))
    found = [np.interp(share[:, 0, 0], at, colours[:, k]) for k in range(3)]
    return np.stack(found, 1).astype(np.float32)[:, :, None, None]


def _ellipse(x: np.ndarray, y: np.ndarray, a, b) -> np.ndarray:
    """Distance to an ellipse of half axes a and b, to first order."""
    u, v = x / a, y / b
    near = np.sqrt(u * u + v * v) + 1e-6
    slope = np.sqrt((u / a) ** 2 + (v / b) ** 2) + 1e-6
    return near * (near - 1.0) / slope


def _box(x: np.ndarray, y: np.ndarray, a, b, round_) -> np.ndarray:
    """Distance to a rectangle of half sides a and b with round corners."""
    u, v = np.abs(x) - a + round_, np.abs(y) - b + round_
    outside = np.sqrt(np.maximum(u, 0.0) ** 2 + np.maximum(v, 0.0) ** 2)
    return outside + np.minimum(np.maximum(u, v), 0.0) - round_


def _segment(x: np.ndarray, y: np.ndarray, x1, y1, x2, y2) -> np.ndarray:
    """Distance to a line from one point to another."""
    dx, dy = x2 - x1, y2 - y1
    along = np.clip(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy + 1e-9), 0.0, 1.0)
    return np.sqrt((x - x1 - along * dx) ** 2 + (y - y1 - along * dy) ** 2)


def _stroke(x: np.ndarray, off: np.ndarray, half, thick) -> np.ndarray:
    """Distance to a curve, given how far off it a point is; thinner towards its ends at ±half."""
    ends = np.maximum(np.abs(x) - half, 0.0)
    taper = 1.0 - 0.55 * np.clip(np.abs(x) / half, 0.0, 1.0) ** 2
    return np.sqrt(off**2 + ends**2) - thick * taper


def _blend(first: np.ndarray, second: np.ndarray, soft: float) -> np.ndarray:
    """The union of two shapes with a smooth seam."""
    h = np.clip(0.5 + 0.5 * (second - first) / soft, 0.0, 1.0)
    return second + (first - second) * h - soft * h * (1.0 - h)
