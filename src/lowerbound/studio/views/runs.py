"""The list of runs."""

from __future__ import annotations

from typing import Any

from starlette.responses import FileResponse

from ..asked import Asked, Studio, route


def runs(studio: Studio, asked: Asked) -> Any:
    """All of them."""
    return studio.folder.told()


def picture(studio: Studio, asked: Asked) -> Any:
    """A file of a run's pictures."""
    return FileResponse(studio.folder.picture(asked.text("run"), asked.text("name")))


ROUTES = [route("GET", "runs", runs), route("GET", "run/{run}/picture/{name}", picture)]
