"""Images over the sentences that they are of."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from numpy.typing import NDArray

from .images import image_array
from .style import INK, MUTED, new_figure, plain

Array = NDArray[Any]

_OWN = "DejaVu Sans"
_LINES = 3  # of a sentence that are shown
_PER_INCH = 12.0  # letters of a line of 8.5 points


def captioned(
    images: Array,
    sentences: Sequence[str],
    title: str,
    *,
    first: str | None = None,
    ends: tuple[str, str] | None = None,
) -> Figure:
    """Rows of images, each over its sentence.

    Args:
        images: ``(rows, columns, C, H, W)`` in [0, 1].
        sentences: one for each row, in any script; empty for none.
        title: what they are.
        first: a word over the first column, where that is not like the others.
        ends: what stands below the whole at its left and at its right.
    """
    images = np.asarray(images)
    rows, columns, _, height, width = images.shape
    # Single images stand side by side, rows of several one over another, two in a row if narrow.
    across = 1 if ends is not None else max(1, min(rows, 8 // columns))
    down = -(-rows // across)
    side = min(1.0, 8.0 / (across * columns))
    letters = int(columns * side * _PER_INCH)
    texts = [wrapped(sentence, letters) for sentence in sentences]
    lines = max((text.count("\n") + 1 for text in texts if text), default=0)
    inches = columns * side * across + 0.15 * (across - 1)
    low = 0.17 * lines + (0.1 if lines else 0.0)
    tall = down * (side * height / width + low) + 0.45 + (0.3 if ends or first else 0.0)
    figure = new_figure(max(inches, 3.4), tall, title)
    grid = figure.subplots(down, across, squeeze=False)
    for place, axes in enumerate(grid.ravel()):
        axes.set_axis_off()
        if place >= rows:
            continue
        whole = image_array(images[place], columns, max(1, round(width / 16)))
        axes.imshow(whole, interpolation="nearest")
        if first is not None and place < across:
            axes.text(width / 2, -3, first, ha="center", va="bottom", fontsize=8, color=MUTED)
        if texts[place]:
            axes.text(0, whole.shape[0] + height / 16, texts[place], **_written(texts[place]))
        if ends is not None and place == rows - 1:
            limit = max(12, letters // 2 - 4)
            for at, text, align in ((0, ends[0], "left"), (whole.shape[1], ends[1], "right")):
                short = wrapped(text, limit)
                place_of = {"x": at, "y": whole.shape[0] + height / 16, "s": short}
                axes.text(**place_of, **{**_written(short), "ha": align})
    return figure


def wrapped(sentence: str, letters: int) -> str:
    """A sentence in up to three lines of so many letters, plain for matplotlib.

    >>> wrapped("a smiling woman with long red hair", 14)
    'a smiling\\nwoman with\\nlong red hair'
    """
    wide = sum(_is_wide(sign) for sign in sentence) > len(sentence) / 4
    lines = textwrap.wrap(" ".join(sentence.split()), max(6, letters // (2 if wide else 1)))
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1] + " …"]
    return plain("\n".join(lines))


def _written(text: str) -> dict[str, Any]:
    return {
        "va": "top",
        "ha": "left",
        "fontsize": 8.5,
        "color": INK,
        "family": families(text),
        "linespacing": 1.15,
    }


def families(text: str) -> list[str]:
    """Fonts that are installed in which a text can be written, the library's own first.

    A script that none of them has is drawn as the boxes of a last resort, if there is one.
    """
    wanted = {sign for sign in text if not sign.isspace()} - _signs_of(_path(_OWN))
    if not wanted:
        return [_OWN]
    found, last = [_OWN], []
    for entry in fontManager.ttflist:
        if "Last Resort" in entry.name:
            last = [entry.name]
        elif wanted and entry.name not in found and (has := wanted & _signs_of(entry.fname)):
            found.append(entry.name)
            wanted -= has
    return [*found, *(last if wanted else [])]


def _path(name: str) -> str:
    return next(entry.fname for entry in fontManager.ttflist if entry.name == name)


@lru_cache(maxsize=256)
def _signs_of(path: str) -> frozenset[str]:
    """What a font has a drawing of."""
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError, ValueError):  # a font that does not open is none
        return frozenset()


def _is_wide(sign: str) -> bool:
    return ord(sign) >= 0x1100 and not 0x2000 <= ord(sign) < 0x2E80
