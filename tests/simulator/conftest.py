"""Clients of the simulator that see every byte."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from airflow_outreach_provider.simulator.process import RunningSimulator


class Seen(NamedTuple):
    """An answer as the client saw it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A plain client with the good key, one connection a request unless told otherwise."""

    def __init__(self, sim: RunningSimulator) -> None:
        self.sim = sim
        self.netloc = urlsplit(sim.url).netloc

    def ask(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        key: str | None = None,
        timeout: float = 5,
        headers: dict[str, str] | None = None,
    ) -> Seen:
        connection = http.client.HTTPConnection(self.netloc, timeout=timeout)
        try:
            given = {"Authorization": f"Bearer {key or self.sim.api_key}", **(headers or {})}
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return Seen(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def submit(self, phone: str = "+14165550123", timeout: float = 5, **fields: object) -> Seen:
        lead = {"configurationId": self.sim.configuration_id, "phoneNumber": phone, **fields}
        return self.ask("POST", "/api/webhook/outreach", json.dumps(lead), timeout=timeout)

    def request_bytes(self, phone: str = "+14165550123", extra: str = "") -> bytes:
        """A submission as it goes over the wire."""
        body = json.dumps({"configurationId": self.sim.configuration_id, "phoneNumber": phone})
        return (
            f"POST /api/webhook/outreach HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer {self.sim.api_key}\r\n"
            f"{extra}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def raw(self) -> socket.socket:
        host, _, port = self.netloc.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=5)


def read_until_closed(sock: socket.socket) -> tuple[bytes, bool]:
    """All bytes up to the end of the connection, and whether it ended with a reset."""
    received = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return received, True
        if not piece:
            return received, False
        received += piece


def read_answers(sock: socket.socket, count: int) -> list[Seen]:
    """The next ``count`` answers of a connection that stays open."""
    answers = []
    stream = sock.makefile("rb")
    for _ in range(count):
        status = int(stream.readline().split()[1])
        headers = http.client.parse_headers(stream)
        answers.append(Seen(status, dict(headers), stream.read(int(headers["Content-Length"]))))
    return answers


@pytest.fixture
def client(sim: RunningSimulator) -> Client:
    return Client(sim)


@pytest.fixture
def until_closed() -> Callable[[socket.socket], tuple[bytes, bool]]:
    return read_until_closed


@pytest.fixture
def answers_of() -> Callable[[socket.socket, int], list[Seen]]:
    return read_answers


@pytest.fixture
def client_of() -> Callable[[RunningSimulator], Client]:
    return Client
