"""Start the studio and open it in the browser."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LowerboundError
from .guard import LOOPBACK

if TYPE_CHECKING:
    from starlette.applications import Starlette

PORT = 8321
_TRIED = 20  # ports, where none was asked for
_PATIENCE = 1  # seconds for requests on their way when it ends


def serve(
    roots: Sequence[str | Path] = ("runs",),
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    started: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve until interrupted.

    Args:
        roots: runs, and folders with runs below them.
        host: to listen at; any but this machine's own wants the token in the address.
        port: None takes 8321, or the next one that is free.
        browser: whether to open the page.
        started: is told the address.

    Raises:
        LowerboundError: a folder that is not there, a port that is taken, a missing package.
    """
    try:
        import uvicorn  # noqa: F401

        from .app import make_app
    except ImportError:
        raise LowerboundError(
            "the studio wants starlette and uvicorn: pip install 'lowerbound[studio]'"
        ) from None
    token = None if host in LOOPBACK else secrets.token_urlsafe(16)
    app = make_app(roots, token=token)
    with contextlib.closing(app.state.studio):
        _run(app, _listening(host, port), host, token, browser, started)


def _run(
    app: Starlette,
    bound: socket.socket,
    host: str,
    token: str | None,
    browser: bool,
    started: Callable[[str], None],
) -> None:
    import uvicorn

    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{bound.getsockname()[1]}/" + (f"?token={token}" if token else "")
    started(address)
    if browser:
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    logging.getLogger("uvicorn.error").addFilter(_unasked)
    # Ctrl-C is how it ends: uvicorn raises it again when all is put away.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[bound])


def _unasked(record: logging.LogRecord) -> bool:
    """Without what uvicorn says of connections that it cut at the end: a browser polls always."""
    return not record.getMessage().startswith("Cancel ")


def _listening(host: str, port: int | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last: OSError | None = None
    for tried in [port] if port is not None else range(PORT, PORT + _TRIED):
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, tried))
            found.listen(128)
        except (OSError, OverflowError) as error:
            found.close()
            last = error if isinstance(error, OSError) else OSError(str(error))
            continue
        return found
    where = f"{host}:{port if port is not None else PORT}"
    raise LowerboundError(f"cannot listen at {where} ({last}); pass another --port or --host")
