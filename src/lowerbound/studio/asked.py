"""What a browser asks, read strictly; and what it is answered.

An endpoint is a plain function of a :class:`Studio` and an :class:`Asked` that returns JSON or a
response. It runs in a thread; a :class:`LowerboundError` becomes one line for the reader.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import LowerboundError
from ..plain import finite
from .folder import Folder
from .guard import TooMuch
from .opened import Models
from .uploads import Uploads

_MISSING: Any = object()
_LOG = logging.getLogger("uvicorn.error")


@dataclass
class Studio:
    """What all endpoints share.

    Attributes:
        folder: the runs.
        models: those that are open.
        uploads: files that were brought.
        parts: what a view keeps for itself, by its name.
    """

    folder: Folder
    models: Models = field(default_factory=Models)
    uploads: Uploads = field(default_factory=Uploads)
    parts: dict[str, Any] = field(default_factory=dict)

    def close(self) -> None:
        """Let go of what outlives a request."""
        self.uploads.close()
        for part in self.parts.values():
            if hasattr(part, "close"):
                part.close()


@dataclass(frozen=True)
class Asked:
    """A request: names in its path, after ``?``, and in its JSON, which come first.

    Attributes:
        values: all of them; those after ``?`` are texts.
        body: the bytes, of an upload.
    """

    values: Mapping[str, Any]
    body: bytes = b""

    def get(self, name: str, default: Any = _MISSING) -> Any:
        """A value as it came; null is as if it had not come.

        Raises:
            LowerboundError: it did not, and has no default.
        """
        found = self.values.get(name)
        if found is not None:
            return found
        if default is _MISSING:
            raise LowerboundError(f"expected {name}, came none")
        return default

    def text(self, name: str, default: Any = _MISSING, *, among: Sequence[str] = ()) -> Any:
        """A text, one of several if `among` says which."""
        found = self.get(name, default)
        if found is not default and (not isinstance(found, str) or (among and found not in among)):
            wanted = f"one of {', '.join(among)}" if among else "a text"
            raise LowerboundError(f"{name}: expected {wanted}, came {found!r}")
        return found

    def number(
        self, name: str, default: Any = _MISSING, *, low: float = -math.inf, high: float = math.inf
    ) -> Any:
        """A finite number within bounds."""
        found = self.get(name, default)
        if found is default:
            return found
        try:
            value = math.nan if isinstance(found, bool) else float(found)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value) or not low <= value <= high:
            raise LowerboundError(
                f"{name}: expected a number from {low:g} to {high:g}, came {found!r}"
            )
        return value

    def whole(self, name: str, default: Any = _MISSING, *, low: int = 0, high: int = 2**31) -> Any:
        """A whole number within bounds."""
        found = self.number(name, default, low=low, high=high)
        if found is default:
            return found
        if found != int(found):
            raise LowerboundError(f"{name}: expected a whole number, came {found!r}")
        return int(found)

    def numbers(self, name: str, *, width: int, most: int) -> Any:
        """Rows of finite numbers, ``(N, width)`` float64, N from 1 to `most`."""
        import numpy as np

        try:
            found = np.asarray(self.get(name), np.float64)
        except (TypeError, ValueError):
            raise LowerboundError(
                f"{name}: expected rows of {width} numbers, came others"
            ) from None
        fits = found.ndim == 2 and found.shape[1] == width and 0 < len(found) <= most
        if not fits or not np.isfinite(found).all():
            raise LowerboundError(
                f"{name}: expected 1 to {most} rows of {width} finite numbers, came {found.shape}"
            )
        return found


Endpoint = Callable[[Studio, Asked], Any]


def route(method: str, path: str, endpoint: Endpoint) -> Route:
    """An endpoint under ``/api/``."""

    async def answer(request: Request) -> Response:
        studio: Studio = request.app.state.studio
        try:
            asked = await _read(request)
            found = await run_in_threadpool(endpoint, studio, asked)
            return found if isinstance(found, Response) else _json(found)
        except LowerboundError as error:
            return JSONResponse({"error": studio.uploads.named(str(error))}, 400)
        except MemoryError:
            said = "it takes more memory than there is; choose something smaller"
            return JSONResponse({"error": said}, 400)
        except TooMuch:
            raise
        except Exception as error:  # one view's bug is no end of the page
            _LOG.exception("%s %s", request.method, request.url.path)
            told = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            said = f"the studio went wrong ({told}); its terminal says where"
            return JSONResponse({"error": said}, 500)

    return Route(f"/api/{path}", answer, methods=[method])


def path_of(studio: Studio, asked: Asked) -> Path:
    """The folder of the run that was named in the path."""
    return studio.folder.path(asked.text("run"))


def _json(found: Any) -> Response:
    """JSON, in which what is no number (nan, infinity) is null."""
    try:
        return JSONResponse(found)
    except ValueError:
        return JSONResponse(finite(found))


async def _read(request: Request) -> Asked:
    values: dict[str, Any] = {**request.query_params, **request.path_params}
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise LowerboundError("expected JSON, came something else") from None
        if not isinstance(found, dict):
            raise LowerboundError("expected an object, came another kind of JSON")
        values = {**request.query_params, **found, **request.path_params}
    return Asked(values, body)
