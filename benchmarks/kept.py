"""What one run of a long benchmark measured, kept in a file: others go on from there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def kept(
    path: Path, settings: Mapping[str, Any], measure: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What the file holds, or what is measured now and written into it.

    Args:
        path: of a JSON file.
        settings: of the measurement; a file of others is refused.
        measure: called where there is no file; gives what JSON can hold.

    Raises:
        SystemExit: the file is of other settings.
    """
    if path.exists():
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.pop("settings") != settings:
            raise SystemExit(f"error: {path} is of other settings; keep these in another folder")
        return told
    found = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"settings": settings, **found}), encoding="utf-8")
    return found
