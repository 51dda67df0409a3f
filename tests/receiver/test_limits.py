"""What a stranger may cost ``airflow outreach receive`` before there is a request."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.receiver.protocol import MAX_HEADER_BYTES, BoundedProtocol, limits
from airflow_outreach_provider.store.engine import Store

HEAD = b"POST /outreach/in/open HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class Hurried(BoundedProtocol):
    header_seconds = 0.6


@pytest.fixture
def client(
    sqlite_store: Store, sources: dict[str, SourceSettings], serving: Callable[..., Any]
) -> Iterator[Any]:
    with serving(create_app(sources, sqlite_store), **{**limits(), "http": Hurried}) as client:
        yield client


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
    except ConnectionError:
        pass
    return answer


def test_headers_without_end_are_cut_off(client: Any) -> None:
    """A header that goes on and on is refused at the limit, not kept in memory."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(HEAD + b"X-A: ")
        sent = 0
        try:
            while sent < 200 * MAX_HEADER_BYTES:
                sent += connection.send(b"a" * 16384)
        except ConnectionError:
            pass
        assert sent < 200 * MAX_HEADER_BYTES
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(HEAD + b"X-A: " + b"a" * MAX_HEADER_BYTES)
        assert read_all(connection).startswith(b"HTTP/1.1 431 ")


@pytest.mark.slow
@pytest.mark.parametrize("begun", [b"", HEAD[:20], HEAD])
def test_headers_that_do_not_come_close_the_connection(client: Any, begun: bytes) -> None:
    """Whoever connects and says nothing, or stops in the middle, is let go."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(begun)
        answer = read_all(connection)
    assert answer[:13] == (b"HTTP/1.1 408 " if begun else b"")
    assert time.monotonic() - started < 5


@pytest.mark.slow
def test_a_further_request_on_a_connection_is_bounded_too(client: Any) -> None:
    """The second request of a kept connection must end its headers as well; a slow body has its own time."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        for number in (1, 2):
            connection.sendall(HEAD + b"Content-Length: 9\r\n\r\n")
            time.sleep(0.8)
            connection.sendall(b'{"x": %d}\n' % number)
            assert connection.recv(65536).startswith(b"HTTP/1.1 202 ")
        connection.sendall(HEAD)
        assert read_all(connection).startswith(b"HTTP/1.1 408 ")


def test_usual_requests_are_untouched(client: Any) -> None:
    """Events, large ones too, are taken as ever."""
    assert client.send("/outreach/in/open", {"event": "x", "text": "y" * 500_000})[0] == 202
