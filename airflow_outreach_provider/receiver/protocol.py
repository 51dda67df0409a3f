"""What ``airflow outreach receive`` allows a stranger before there is a request: uvicorn bounds none of it.

Inside Airflow's API server that server, or the proxy before it, has to do this.
"""

from __future__ import annotations

import asyncio
from typing import Any

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:  # without httptools; uvicorn's other parser bounds the size by itself
    HttpToolsProtocol = None  # type: ignore[assignment, misc]

_CONNECTIONS = 2_000
MAX_HEADER_BYTES = 64 * 1024
HEADER_SECONDS = 20.0


def limits() -> dict[str, Any]:
    """Options for ``uvicorn.run``: connections at once, and the size and time of a request's headers."""
    http = "h11" if HttpToolsProtocol is None else BoundedProtocol
    return {
        "http": http,
        "limit_concurrency": _CONNECTIONS,
        "h11_max_incomplete_event_size": MAX_HEADER_BYTES,
    }


if HttpToolsProtocol is not None:

    class BoundedProtocol(HttpToolsProtocol):
        """HTTP whose request line and headers must arrive in time and fit.

        :cvar max_header_bytes: about; what arrives at once with the last of them is not counted.
        :cvar header_seconds: from the connection, or the first byte of a further request, to the last header.
        """

        max_header_bytes = MAX_HEADER_BYTES
        header_seconds = HEADER_SECONDS
        _deadline: asyncio.TimerHandle | None = None
        _header_bytes = 0
        _begun = False

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_headers()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            self._header_bytes += len(data)
            super().data_received(data)
            if self._deadline is not None and self._header_bytes > self.max_header_bytes:
                self._refuse(b"431 Request Header Fields Too Large")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._begun = True
            if self._deadline is None:
                self._await_headers()

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            self._begun = False
            super().on_headers_complete()

        def _await_headers(self) -> None:
            self._header_bytes = 0
            self._deadline = self.loop.call_later(self.header_seconds, self._refuse, b"408 Request Timeout")

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _refuse(self, status: bytes) -> None:
            self._stop_waiting()
            answering = self.cycle is not None and not self.cycle.response_complete
            if self._begun and not answering:
                self.transport.write(
                    b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
            self.transport.close()
