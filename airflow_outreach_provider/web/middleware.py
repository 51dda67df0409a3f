"""What every response of the pages carries, and what every request that changes something must prove.

One ASGI middleware around all of them, so that no route can forget it. Airflow sends its session as a cookie
and has no CSRF token: a foreign page could make the browser POST here. The receiver's ``/in/`` proves its
requests itself and is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ACTION_HEADER = "X-Outreach-Action"
MAX_BODY_BYTES = 1024 * 1024
_SAFE = frozenset({"GET", "HEAD"})
_PHONE = re.compile(rb"((?:^|&)(?:phone|who)=)[^&]*")
# No inline script or style anywhere; frames only in Airflow's own pages.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """:param own_origins: origins the API server is reached under besides the request's own host."""

    def __init__(self, app: App, own_origins: frozenset[str] = frozenset()) -> None:
        self.app = app
        self.own_origins = own_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or own_path(scope).startswith("/in/"):
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        scope = _out_of_the_log(scope)
        if scope["method"] in _SAFE:
            await self.app(scope, receive, send_with_headers)
            return
        if refusal := self._refusal(Headers(scope=scope), str(scope.get("scheme", "http"))):
            await _answer(send_with_headers, 403, refusal)
            return
        body = await read_body(receive)
        if body is None:
            await _answer(send_with_headers, 413, f"more than {MAX_BODY_BYTES} bytes: send it in parts")
            return
        await self.app(scope, replay(body, receive), send_with_headers)

    def _refusal(self, headers: Headers, scheme: str) -> str | None:
        """Why this request must not change anything; None where it may, as far as its origin goes."""
        if not headers.get(ACTION_HEADER):
            return f"the header {ACTION_HEADER} is missing: only the outreach pages may do this"
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return "the request comes from another site"
        origin = headers.get("origin")
        if origin is None:
            return None
        return (
            None if self._is_own(origin.lower(), headers, scheme) else "the request comes from another origin"
        )

    def _is_own(self, origin: str, headers: Headers, scheme: str) -> bool:
        """A page that came in clear is not one that came over TLS: anybody on the way may have written it."""
        host = headers.get("host", "").lower()
        if origin in self.own_origins or origin == f"https://{host}":
            return True  # TLS may end before us, and what came over it is no less trusted
        proxied = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip().lower()
        secure = "https" in (scheme, proxied) or f"https://{host}" in self.own_origins
        return origin == f"http://{host}" and not secure


def own_path(scope: Scope) -> str:
    """The path below where we are mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _out_of_the_log(scope: Scope) -> Scope:
    """The request for us; what Airflow's access log gets to see has no phone number in its query."""
    query: bytes = scope.get("query_string", b"")
    if b"phone" not in query and b"who" not in query:
        return scope
    ours = dict(scope)
    scope["query_string"] = _PHONE.sub(rb"\1...", query)
    return ours


async def read_body(receive: Receive, most: float = MAX_BODY_BYTES) -> bytes | None:
    """The whole body, or None when it has more than ``most`` bytes."""
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > most:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """What gives this body, as if it came now."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, detail: str) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": json.dumps({"detail": detail}).encode()})
