"""What each view of the page asks for; a view has its file and its ``ROUTES``."""

from __future__ import annotations

from starlette.routing import Route

from . import (
    comparing,
    files,
    lab,
    latent,
    latent_files,
    latent_forecast,
    latent_map,
    overview,
    runs,
    training,
)  # fmt: skip


def routes() -> list[Route]:
    """Of all views."""
    return [
        *files.ROUTES,
        *lab.ROUTES,
        *runs.ROUTES,
        *training.ROUTES,
        *overview.ROUTES,
        *comparing.ROUTES,
        *latent.ROUTES,
        *latent_map.ROUTES,
        *latent_forecast.ROUTES,
        *latent_files.ROUTES,
    ]
