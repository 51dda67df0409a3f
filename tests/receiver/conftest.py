"""A real uvicorn around the receiver, on a free port, and ways to talk to it that HTTP libraries forbid."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn

from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings

SECRET = "a-signing-secret-of-ours"
TOKEN = "a-token-nobody-can-guess"


class Client:
    """Requests to the receiver under test."""

    def __init__(self, port: int) -> None:
        self.port = port

    def send(
        self, path: str, body: bytes | Any = b"", method: str = "POST", **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """One request; (status, JSON answer, headers)."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, raw, {"Content-Type": "application/json", **named})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        parsed = json.loads(answer) if answer[:1] == b"{" else {}
        return response.status, parsed, {name.lower(): value for name, value in response.getheaders()}

    def varda(
        self, body: bytes | Any, *, secret: str = SECRET, name: str = "varda", at: datetime | None = None,
        **headers: str,
    ) -> Any:  # fmt: skip
        """A signed event of Varda. :param at: when it was signed; now if left out."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = sign(Scheme.STRIPE, raw, [secret], message_id="m", now=at or datetime.now(UTC))
        (signature,) = signed.values()
        return self.send(f"/outreach/in/{name}", raw, X_Varda_Signature=signature, **headers)

    def raw(self, data: bytes, *, wait: float = 15.0) -> bytes:
        """Bytes as they are; whatever comes back until the other side closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except (TimeoutError, ConnectionError):
                pass
            return answer


SOURCES = {
    "varda": SourceSettings("varda", "varda", (SECRET, "an-older-secret-of-ours")),
    "autoreach": SourceSettings("autoreach", "autoreach", (SECRET,)),
    "supersend": SourceSettings("supersend", "supersend", (TOKEN,)),
    "tether": SourceSettings("tether", "tether", (TOKEN,), default_region="CA"),
    "open": SourceSettings("open", "tether", allow_unsigned=True),
    "closed": SourceSettings("closed", "varda"),
}


@pytest.fixture(scope="session")
def sources() -> dict[str, SourceSettings]:
    """Sources by name."""
    return SOURCES


class _Server(uvicorn.Server):
    """Ends at once when it is told to: uvicorn looks every tenth of a second, and waits another for nobody."""

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            await asyncio.sleep(0.005)
            ticks += 1

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for each in (*self.servers, *(sockets or ())):
            each.close()
        await self.lifespan.shutdown()


@contextmanager
def _serving(app: Any, **options: Any) -> Iterator[Client]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(app, log_level="info", access_log=True, **options)
    server = _Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    try:
        yield Client(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


@pytest.fixture(scope="session")
def serving() -> Callable[..., Any]:
    """Run an ASGI application: ``with serving(app) as client``."""
    return _serving
