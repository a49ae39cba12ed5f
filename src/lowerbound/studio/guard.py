"""Who is let in: the browser of this machine, or whoever has the token; and how much at a time.

The studio reads files and starts processes, so a page of somebody else's must not be able to use
it. Three things keep it away: the name that the browser asks for (a name that was bent to point at
this machine, DNS rebinding), the origin that a request comes from (cross-site requests), and a
header that no form and no picture can set. What the page itself may load is said by a policy: only
what the studio serves.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE, HEADER = "lowerbound", "x-lowerbound"
MOST_BYTES = 64 * 2**20  # of a request
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: For a page that is not the studio's own: it is drawn, and can do nothing.
SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_POLICY_HEADER = "Content-Security-Policy"
_HEADERS = {
    _POLICY_HEADER: _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """An ASGI middleware.

    Args:
        app: what it guards.
        hosts: the names by which the studio may be asked for; with a token, any.
        token: what must be brought along; None where only this machine is listened to.
        most: bytes of a request.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str] = LOOPBACK,
        token: str | None = None,
        most: int = MOST_BYTES,
    ) -> None:
        self.app, self.hosts, self.token, self.most = app, frozenset(hosts), token, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "websocket":  # there is none, and no other guard would ask its origin
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is not None:
            await refused(scope, receive, _with_headers(send))
            return
        counted = _Counted(receive, self.most)
        try:
            await self.app(scope, counted, _with_headers(send))
        except TooMuch:
            await _too_large(self.most)(scope, receive, _with_headers(send))

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1:
            return _no(403, "expected one host, came another number of them")
        if self.token is None and _name(host) not in self.hosts:
            return _no(403, f"expected a request to this machine, came one to '{host}'")
        if self.token is not None:
            came = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if came and hmac.compare_digest(came.encode(), self.token.encode()):
                reply = RedirectResponse("/", 303)  # never to what the address says
                reply.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
                return reply
            kept = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
            if kept is None or not hmac.compare_digest(kept.value.encode(), self.token.encode()):
                return PlainTextResponse(
                    "expected the address with ?token=… that `lowerbound studio` printed", 401
                )
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != host.lower():
            return _no(403, f"expected a request of the studio's own page, came one of {origin}")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _no(403, "expected a request of the studio's own page, came one of another site")
        if scope["method"] not in ("GET", "HEAD") and HEADER not in headers:
            return _no(403, f"expected the header {HEADER}: 1, came none")
        length = headers.get("content-length", "0")
        # More figures than any file has would take long to read as a number.
        if not _DIGITS.fullmatch(length) or int(length) > self.most:
            return _too_large(self.most)
        return None


_DIGITS = re.compile(r"[0-9]{1,18}")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:@/\\?#\s]+)(?::[0-9]{1,5})?", re.IGNORECASE)


class TooMuch(Exception):
    """A body without a length that does not end."""


class _Counted:
    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.left = receive, most

    async def __call__(self) -> Message:
        message = await self.receive()
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            raise TooMuch
        return message


def _name(host: str) -> str:
    """Of ``localhost:8000`` and ``[::1]:8000`` what stands before the port; "" of anything else.

    >>> _name("LocalHost:80"), _name("[::1]:80"), _name("localhost:80@evil.org")
    ('localhost', '::1', '')
    """
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else ""


def _host_of(origin: str) -> str | None:
    """Host and port of an origin; None of what is none, such as ``null``."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return None
    return found.netloc.lower() if found.scheme in ("http", "https") and found.netloc else None


def _no(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)


def _too_large(most: int) -> Response:
    reply = _no(413, f"expected at most {most // 2**20} MB, came more; pass a smaller file")
    reply.headers["Connection"] = "close"  # what is left of the body is not read
    return reply


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                if name != _POLICY_HEADER:
                    headers[name] = value
            # What an endpoint sets itself is stricter.
            headers.setdefault(_POLICY_HEADER, _POLICY)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent
