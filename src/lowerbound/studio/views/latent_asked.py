"""What a browser points at (`Ref` and `Given` of ``studio/src/latent.ts``), read strictly.

A text of a browser's never reaches :func:`lowerbound.exploring.take` as it is: there it may be the
path of a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import LowerboundError
from ..asked import Asked, Studio

_WIDEST = 2**20  # numbers of a code
_MOST_GIVEN = 1000  # attributes


def ref(studio: Studio, found: Any) -> Any:
    """What :func:`lowerbound.exploring.take` takes.

    Args:
        studio: whose uploads are meant.
        found: a held-out example, a draw from the prior, an upload or a code.

    Raises:
        LowerboundError: it is none of these.
    """
    kind = found.get("kind") if isinstance(found, Mapping) else None
    if kind == "held-out":
        return Asked(found).whole("number")
    if kind == "prior":
        return f"prior:{Asked(found).whole('seed')}"
    if kind == "upload":
        return str(studio.uploads.path(Asked(found).text("id")))
    if kind == "code":
        values = found.get("code")
        width = len(values) if isinstance(values, list) else 0
        # A row, so that it is not taken for a datum of as many numbers.
        return Asked({"code": [values]}).numbers("code", width=min(width, _WIDEST), most=1)
    raise LowerboundError(f"expected a held-out example, a draw, an upload or a code, came {kind}")


def given(asked: Asked) -> dict[str, Any] | None:
    """A condition: names and what is given for them; None where there is none."""
    found = asked.get("given", None)
    if found is None or found == {}:
        return None
    fits = isinstance(found, dict) and len(found) <= _MOST_GIVEN
    if not fits or not all(_plain(value) for value in found.values()):
        raise LowerboundError("given: expected names with a text or a number each, came others")
    return found


def code_path(path: Path) -> str:
    """A run's folder as one would type it: from here, where it lies below."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def rows_of(asked: Asked, width: int, most: int) -> np.ndarray:
    """Codes ``(N, width)``."""
    return asked.numbers("codes", width=width, most=most)


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)
