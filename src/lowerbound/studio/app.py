"""The application: the page, what it is made of, and the endpoints of its views."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .asked import Studio
from .folder import Folder
from .guard import MOST_BYTES, Guard
from .views import routes

STATIC = Path(__file__).parent / "static"


def make_app(
    roots: Sequence[str | Path] = ("runs",), *, token: str | None = None, most: int = MOST_BYTES
) -> Starlette:
    """The studio as an ASGI application.

    Args:
        roots: runs, and folders with runs below them.
        token: see :class:`~lowerbound.studio.guard.Guard`; most: likewise.
        most: see above.

    Raises:
        LowerboundError: a folder that is not there.
    """
    studio = Studio(Folder(roots))

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncGenerator[None]:
        yield
        studio.close()

    app = Starlette(
        routes=[
            Route("/", _page),
            *routes(),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, token=token, most=most)],
        exception_handlers={404: _nothing, 405: _nothing},
        lifespan=life,
    )
    app.state.studio = studio
    return app


async def _page(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _nothing(request: Request, error: Exception) -> Response:
    said = {"error": f"there is nothing at {request.method} {request.url.path}"}
    return JSONResponse(said, getattr(error, "status_code", 404))
