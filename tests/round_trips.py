"""How often somebody waits for PostgreSQL, as the network sees it."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from statistics import median

import sqlalchemy as sa


class Trips:
    """:ivar count: how often the client spoke after the server had."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()
        self._spoke_last: dict[socket.socket, bool] = {}

    def said(self, client: socket.socket, *, by_client: bool) -> None:
        with self._lock:
            self.count += by_client and not self._spoke_last.get(client, False)
            self._spoke_last[client] = by_client

    def since(self, before: int) -> int:
        return self.count - before


class Counts:
    """How many round trips each thing took, each time. Where a busy network cuts a message in two, one looks like two."""

    def __init__(self, trips: Trips) -> None:
        self.trips, self.of = trips, defaultdict[str, list[int]](list)

    @contextmanager
    def one(self, what: str) -> Iterator[None]:
        before = self.trips.count
        yield
        self.of[what].append(self.trips.since(before))

    def check(self) -> None:
        assert {what: median(counts) for what, counts in self.of.items()} == dict.fromkeys(self.of, 1), (
            self.of
        )


def _pump(source: socket.socket, target: socket.socket, trips: Trips, client: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            trips.said(client, by_client=source is client)
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def counted_trips(url: str) -> Iterator[tuple[str, Trips]]:
    """The URL of a way to that database which counts."""
    there = sa.make_url(url)
    trips, ends = Trips(), []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((there.host or "127.0.0.1", there.port or 5432))
                for each in (client, server):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ends.append(each)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(*pair, trips, client), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    here = there.set(host="127.0.0.1", port=listener.getsockname()[1])
    try:
        yield (
            here.update_query_dict({"sslmode": "disable"}).render_as_string(hide_password=False),
            trips,
        )
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in ends:
            each.close()
        thread.join(5)
