"""A request with a body of bytes over aiohttp's connections, without the machinery a session sets up for each request.

A session builds a URL, headers, a cookie jar's view, a writer with a task of its own and a response each time:
half of what a lead costs. Here the request's head is written out once, and what remains is aiohttp's own
connector (pool, DNS, TLS), parser and exceptions. Nothing is redirected, decompressed or tried again.

These are aiohttp's insides, and another version may have others: whoever makes a :class:`RequestTemplate` has
a session to fall back on when that fails.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from math import inf
from time import monotonic
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

# Connections with an answer too many that one request clears away before it says that it cannot be sent.
_UNASKED_AT_MOST = 64
_ANSWER_OPTIONS: dict[str, Any] = {"read_until_eof": True, "auto_decompress": False}


class RequestTemplate:
    """What many requests to one origin have in common; there is no proxy on the way.

    Making one raises anything where this version of aiohttp has other insides.

    :param session: lends its connector; its own headers are not sent.
    :param headers: the whole of them, but ``Host`` and ``Content-Length``; without control characters.
    :param timeout: of which ``connect`` counts.
    :param server_hostname: the name a certificate must be for, where the URL holds an address.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,
        server_hostname: str | None = None,
    ) -> None:
        assert session.connector is not None
        self._connector, self._timeout = session.connector, timeout
        self._request = aiohttp.ClientRequest(
            "POST", url, headers=headers, loop=asyncio.get_running_loop(), session=session,
            server_hostname=server_hostname,
        )  # fmt: skip
        sent = [(name, value) for name, value in self._request.headers.items() if name != "Content-Length"]
        self._line = f"POST {url.raw_path_qs} HTTP/1.1\r\n".encode()
        lines = [*[f"{name}: {value}" for name, value in sent], "Content-Length: "]
        self._head = "\r\n".join(lines).encode()
        # What would not fit when a request is under way is told now.
        inspect.signature(self._connector.connect).bind(self._request, traces=[], timeout=timeout)
        inspect.signature(ResponseHandler.set_response_params).bind(None, **_ANSWER_OPTIONS)

    def send(self, body: bytes, headers: bytes = b"", line: bytes = b"") -> Exchange:
        """One request; enter it to send.

        :param headers: of this request alone: whole lines, each ended by CRLF.
        :param line: its method and address, ended by CRLF; a POST to the template's URL otherwise.
        """
        return Exchange(self, body, headers, line)

    async def connect(self) -> aiohttp.connector.Connection:
        """A connection on which nothing waits to be read: what came before the request is no answer to it.

        :raises aiohttp.ConnectionTimeoutError: no connection within the time allowed. So where the machine stood still
            meanwhile: a loop looks at what came before it looks at the time, and the request would go out long after.
        :raises aiohttp.ClientConnectorError: the other side speaks first on every connection.
        """
        limit = self._timeout.connect
        until = inf if limit is None else monotonic() + limit
        try:
            for _ in range(_UNASKED_AT_MOST):
                connection = await self._connector.connect(self._request, traces=[], timeout=self._timeout)
                if monotonic() > until:
                    connection.close()
                    raise TimeoutError
                if connection.protocol is None or not connection.protocol.should_close:
                    return connection
                connection.close()
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {self._request.url}") from error
        raise aiohttp.ClientConnectorError(
            self._request.connection_key, OSError("the other side answers before it is asked")
        )

    def wire(self, body: bytes, headers: bytes, line: bytes) -> bytes:
        return b"%b%b%d\r\n%b\r\n%b" % (line or self._line, self._head, len(body), headers, body)

    def invalid(self, error: HttpProcessingError) -> aiohttp.ClientResponseError:
        return aiohttp.ClientResponseError(
            self._request.request_info, (), status=error.code, message=error.message, headers=error.headers
        )


class Exchange:
    """One request and its answer. An async context manager: entered when the answer's head is there.

    :ivar status: of the answer.
    :ivar content: the body as a stream.
    """

    __slots__ = ("_body", "_connection", "_line", "_own_headers", "_template", "content", "headers", "status")

    def __init__(self, template: RequestTemplate, body: bytes, headers: bytes, line: bytes) -> None:
        self._template, self._body, self._own_headers, self._line = template, body, headers, line

    async def __aenter__(self) -> Self:
        connection = self._connection = await self._template.connect()
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                raise aiohttp.ClientConnectionResetError("the connection is gone")
            protocol.set_response_params(**_ANSWER_OPTIONS)
            transport.write(self._template.wire(self._body, self._own_headers, self._line))
            await self._head(protocol)
        except BaseException:
            connection.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A connection goes back to the pool only when the whole answer was read; the connector sees to that.
        if error is None:
            self._connection.release()
        else:
            self._connection.close()

    def close(self) -> None:
        """Read no further: the connection ends here."""
        self._connection.close()

    async def _head(self, protocol: ResponseHandler) -> None:
        """Wait for the head of the answer, over interim answers."""
        while True:
            try:
                message, content = await protocol.read()
            except HttpProcessingError as error:
                raise self._template.invalid(error) from error
            if not 100 <= message.code <= 199 or message.code == 101:
                break
        self.status: int = message.code
        self.headers: CIMultiDictProxy[str] = message.headers
        self.content: aiohttp.StreamReader = content
