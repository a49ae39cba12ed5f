"""Files that come in."""

from __future__ import annotations

from typing import Any

from ..asked import Asked, Studio, route


def upload(studio: Studio, asked: Asked) -> Any:
    """Keep a file, and say by which id it is known."""
    name = asked.text("name")
    return {"id": studio.uploads.add(name, asked.body), "name": name}


ROUTES = [route("POST", "upload", upload)]
