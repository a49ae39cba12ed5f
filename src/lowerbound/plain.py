"""Values as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def finite(value: Any) -> Any:
    """The same with null for nan and infinity, which JSON does not know, and text for paths.

    >>> finite({"bound": float("-inf"), "parts": (1.5, float("nan")), "path": Path("runs/a")})
    {'bound': None, 'parts': [1.5, None], 'path': 'runs/a'}
    """
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
