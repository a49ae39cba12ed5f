"""Avatars: drawn faces that may be shown to anybody, each a function of its index.

A face has 17 attributes, drawn from its index alone, and can be drawn again with any of them
changed: so an edit of a picture has a right answer (`render`). As among people, some attributes go
together: long hair with women, beards with men alone, grey hair with age.

>>> ask = attributes(np.arange(3))
>>> ask["beard"].tolist()
[0.0, 0.0, 1.0]
>>> captions(np.arange(3))[2][3]
'middle-aged man, light skin, short curly red hair, a beard, smiling, green background'
>>> render(ask, 32).shape
(3, 3, 32, 32)
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lowerbound.data import faces
from lowerbound.data.splits import Source
from lowerbound.errors import LowerboundError

COLOURS = ("black", "brown", "blond", "red", "grey")
#: Name: range. Glasses, woman, curly and beard are 0 or 1; of the five colours of hair one is 1;
#: background is a hue, of which 0 and 1 are the same.
ATTRIBUTES: dict[str, tuple[float, float]] = {
    "smile": (-1.0, 1.0),
    "glasses": (0.0, 1.0),
    "woman": (0.0, 1.0),
    **{f"{colour}_hair": (0.0, 1.0) for colour in COLOURS},
    "hair_length": (0.0, 1.0),
    "curly": (0.0, 1.0),
    "beard": (0.0, 1.0),
    "skin": (0.0, 1.0),
    "age": (0.0, 1.0),
    "yaw": (-1.0, 1.0),
    "tilt": (-1.0, 1.0),
    "light": (-1.0, 1.0),
    "background": (0.0, 1.0),
}
COUNT, SIZE, LEAST = 20_000, 64, 8
CAPTIONS = 5  # for each face
#: Of skin, in thirds of its range, and of the background, by the nearest of even hues.
SKINS = ("light", "tan", "dark")
HUES = ("pink", "yellow", "green", "teal", "blue", "purple")
_BALD = 0.04  # no hair is drawn below this length


def attributes(index: np.ndarray) -> dict[str, np.ndarray]:
    """The attributes of faces by their index.

    Args:
        index: whole numbers of at least 0, (N,).

    Returns:
        By name, in the order of `ATTRIBUTES`, float64 (N,).
    """
    at = _uniform(index, 16)
    woman = at[0] < 0.5
    old = at[10] > 0.65
    grey = np.where(old, at[3] < 0.6, at[3] < 0.06)
    colour = np.where(grey, 4, np.minimum((at[4] * 4).astype(np.int64), 3))
    long = np.where(woman, 0.25 + 0.75 * at[5], np.where(at[6] < 0.12, 0.0, 0.06 + 0.24 * at[5]))
    found = {
        "smile": 2.0 * at[1] - 1.0,
        "glasses": at[2] < 0.3,
        "woman": woman,
        **{f"{name}_hair": colour == k for k, name in enumerate(COLOURS)},
        "hair_length": long,
        "curly": at[7] < 0.3,
        "beard": ~woman & (at[8] < 0.35),
        "skin": at[9],
        "age": at[10],
        "yaw": 2.0 * at[11] - 1.0,
        "tilt": 2.0 * at[12] - 1.0,
        "light": 2.0 * at[13] - 1.0,
        "background": at[14],
    }
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


def render(given: Mapping[str, np.ndarray] | np.ndarray, size: int = SIZE) -> np.ndarray:
    """Faces with these attributes.

    Args:
        given: by name, (N,) each, or (N, 17) in the order of `ATTRIBUTES`. Values between those
            that occur are drawn as what lies between (half a pair of glasses is a faint one).
        size: of a side, pixels.

    Returns:
        uint8 (N, 3, size, size).

    Raises:
        LowerboundError: an attribute is missing or unknown, or the size is too small.
    """
    if not isinstance(given, Mapping):
        given = np.asarray(given)
        if given.ndim != 2 or given.shape[1] != len(ATTRIBUTES):
            raise LowerboundError(
                f"avatars: expected attributes (N, {len(ATTRIBUTES)}), came {given.shape}"
            )
        given = dict(zip(ATTRIBUTES, given.T, strict=True))
    if set(given) != set(ATTRIBUTES):
        wrong = sorted(set(given) ^ set(ATTRIBUTES))
        raise LowerboundError(
            f"avatars: expected the attributes {', '.join(ATTRIBUTES)}, came others or not all: "
            f"{', '.join(wrong)}"
        )
    if size < LEAST:
        raise LowerboundError(f"avatars: expected a size of at least {LEAST}, came {size}")
    return faces.draw(given, size)


def captions(index: np.ndarray) -> list[tuple[str, ...]]:
    """What a person would say of each face, in `CAPTIONS` ways.

    Args:
        index: (N,).

    Returns:
        N times `CAPTIONS` sentences. All of them name the same attributes in other words and
        orders; which words is drawn from the index.
    """
    index = np.asarray(index)
    a = attributes(index)
    chance = _uniform(index, CAPTIONS, stream=1)
    rows = [{name: float(values[k]) for name, values in a.items()} for k in range(len(index))]
    return [
        tuple(_sentence(row, way, float(chance[way, k])) for way in range(CAPTIONS))
        for k, row in enumerate(rows)
    ]


class Avatars:
    """The faces as `Rows`: none is kept, each is drawn when it is asked for (1 to 2 ms at 64)."""

    dtype = np.dtype(np.uint8)
    in_memory = False

    def __init__(self, size: int = SIZE, count: int = COUNT) -> None:
        if size < LEAST:
            raise LowerboundError(f"avatars: expected a size of at least {LEAST}, came {size}")
        self.size, self.count = size, count

    @property
    def event_shape(self) -> tuple[int, ...]:
        """(3, size, size)."""
        return (3, self.size, self.size)

    def __len__(self) -> int:
        return self.count

    def take(self, positions: np.ndarray) -> np.ndarray:
        """The faces at `positions` (N,): uint8 (N, 3, size, size)."""
        return render(attributes(positions), self.size)


def source(size: int | None = None) -> Source:
    """The faces, labelled man or woman, with their attributes."""
    rows = Avatars(SIZE if size is None else size)
    found = attributes(np.arange(len(rows)))
    labels = found["woman"].astype(np.int64)
    made = Source("avatars", rows, labels, levels=256, as_came="uint8")
    made.classes = ("man", "woman")
    made.attributes = np.stack(list(found.values()), 1).astype(np.float32)
    made.attribute_names = tuple(ATTRIBUTES)
    made.captions = captions
    made.notes.append(("made", "faces drawn from their index, no file"))
    return made


def _uniform(index: np.ndarray, count: int, stream: int = 0) -> np.ndarray:
    """Numbers in [0, 1) for each index, float64 (count, N): a hash, the same everywhere.

    The finalizer is that of splitmix64 (Steele, Lea & Flood 2014).
    """
    index = np.asarray(index, np.uint64)
    number = np.arange(count, dtype=np.uint64)[:, None] + np.uint64(64 * stream + 1)
    with np.errstate(over="ignore"):
        x = index[None] * np.uint64(0x9E3779B97F4A7C15) + number * np.uint64(0xD1B54A32D192ED03)
        for _ in range(2):
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            x = x ^ (x >> np.uint64(31))
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53


# Words


def _sentence(a: Mapping[str, float], way: int, chance: float) -> str:
    who = "woman" if a["woman"] > 0.5 else "man"
    word = {"woman": ("woman", "lady"), "man": ("man", "guy")}[who][way in (2, 4) and chance < 0.5]
    age = "old" if a["age"] > 0.7 else "young" if a["age"] < 0.35 else "middle-aged"
    hair = _hair(a, way)
    things = [hair, *(["a beard"] if a["beard"] > 0.5 else [])]
    things += ["glasses"] if a["glasses"] > 0.5 else []
    skin = f"{SKINS[min(int(3 * a['skin']), 2)]} skin"
    things = [skin, *things] if way in (1, 3) else [*things, skin]
    behind = f"{HUES[round(6 * a['background']) % 6]} background"
    mood = _mood(a["smile"], way)
    side = "left" if a["yaw"] < -0.35 else "right" if a["yaw"] > 0.35 else None
    look = f"looking to the {side}" if side else None
    if way == 0:
        tail = ", ".join(part for part in (mood, look) if part)
        return (
            f"{_article(age)} {age} {word} with {_joined(things)}{', ' + tail if tail else ''}, on "
            f"{_article(behind)} {behind}"
        )
    if way == 1:
        first = f"{_article(mood or age)} {mood + ' ' if mood else ''}{age} {word}"
        last = f" {look}" if look else ""
        return f"{first} with {_joined(things)}{last} in front of {_article(behind)} {behind}"
    if way == 2:
        start = f"this {word} is {age} and has {_joined(things)}"
        more = [f"is {mood}" if mood else "", f"is {look}" if look else ""]
        return " and ".join([start, *filter(None, more), f"the background is {behind.split()[0]}"])
    if way == 3:
        parts = [f"{age} {word}", *things, mood, look, behind]
        return ", ".join(part for part in parts if part)
    pronoun = "she" if who == "woman" else "he"
    more = [part for part in (mood, look) if part]
    tail = f"; {pronoun} is {' and '.join(more)}" if more else ""
    who = f"{_article(age)} {age} {word} with {_joined(things)}"
    return f"{_article(behind)} {behind} and {who}{tail}"


def _hair(a: Mapping[str, float], way: int) -> str:
    if a["hair_length"] < _BALD:
        return "a bald head" if way % 2 else "no hair"
    long = (
        "long" if a["hair_length"] > 0.6 else "short" if a["hair_length"] < 0.31 else "mid-length"
    )
    colour = next(name for name in COLOURS if a[f"{name}_hair"] > 0.5)
    return f"{long} {'curly ' if a['curly'] > 0.5 else ''}{colour} hair"


def _mood(smile: float, way: int) -> str | None:
    if abs(smile) < 0.25:
        return None
    happy = ("smiling", "smiling", "happy", "smiling", "cheerful")
    sad = ("frowning", "sad", "unhappy", "frowning", "sad")
    return (happy if smile > 0 else sad)[way]


def _joined(things: list[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
