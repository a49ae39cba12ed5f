"""What each view of the page asks for; a view has its file and its ``ROUTES``."""

from __future__ import annotations

from starlette.routing import Route

from . import files, runs


def routes() -> list[Route]:
    """Of all views."""
    return [*files.ROUTES, *runs.ROUTES]
