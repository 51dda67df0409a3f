"""HTTP/1.1 as clients may speak it."""

from __future__ import annotations

import time
from typing import Any

import pytest

MIB = 1024 * 1024


def test_a_connection_serves_many_requests(client: Any, answers_of: Any, sim: Any) -> None:
    """Keep-alive: one connection, three answers."""
    with client.raw() as sock:
        for n in range(3):
            sock.sendall(client.request_bytes(f"+1416555010{n}"))
            assert answers_of(sock, 1)[0].status == 200
    report = sim.report()
    assert report["texts"] == 3
    assert report["connections"]["accepted"] == 2  # that one, and the one that asks


def test_pipelined_requests_are_answered_in_order(client: Any, answers_of: Any, sim: Any) -> None:
    """A thousand requests in one go are answered one after the other, also where the first is delayed."""
    sim.set_faults("latency=0.1,first=1", "latency=0.0,p=0.5")
    with client.raw() as sock:
        sock.sendall(b"".join(client.request_bytes(f"+1416555{n:04}") for n in range(1000)))
        ids = [answer.json()["data"]["contactId"] for answer in answers_of(sock, 1000)]
    assert ids == sorted(ids)
    assert sim.report()["texts"] == 1000


def test_a_request_may_arrive_byte_by_byte(client: Any, answers_of: Any) -> None:
    """Where packets end means nothing."""
    with client.raw() as sock:
        for byte in client.request_bytes():
            sock.sendall(bytes([byte]))
        assert answers_of(sock, 1)[0].status == 200


def test_a_body_may_be_chunked(client: Any, answers_of: Any, sim: Any) -> None:
    """A chunked body is a body."""
    head, body = client.request_bytes().split(b"\r\n\r\n")
    head = head[: head.index(b"Content-Length")] + b"Transfer-Encoding: chunked"
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[n : n + 7]), body[n : n + 7]) for n in range(0, len(body), 7)
    )
    with client.raw() as sock:
        sock.sendall(head + b"\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert answers_of(sock, 1)[0].status == 200
    assert sim.report()["texts"] == 1


def test_a_client_may_ask_before_it_sends_the_body(client: Any, answers_of: Any) -> None:
    """``Expect: 100-continue`` is answered before the body arrives."""
    head, body = client.request_bytes(extra="Expect: 100-continue\r\n").split(b"\r\n\r\n")
    with client.raw() as sock:
        sock.sendall(head + b"\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert answers_of(sock, 1)[0].status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_one_mebibyte_is_refused(client: Any, until_closed: Any, sim: Any, chunked: bool) -> None:
    """413, whether the size is announced or found out; the client can read it although it is still sending."""
    head = b"POST /api/webhook/outreach HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer user_test\r\n"
    size = MIB + 1
    head += b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % size
    with client.raw() as sock:
        sock.sendall(head + (b"%x\r\n" % size if chunked else b"") + b" " * size)
        received, _ = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in received
    assert sim.report()["submissions"] == 0


def test_a_body_of_one_mebibyte_is_read(client: Any) -> None:
    """The limit itself is allowed."""
    body = '{"configurationId": "on", "phoneNumber": "+14165550123", "note": "'
    assert (
        client.ask("POST", "/api/webhook/outreach", body + "x" * (MIB - len(body) - 2) + '"}').status == 200
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/webhook", 404),
        ("POST", "/prefix/api/webhook/outreach", 404),
        ("GET", "/", 404),
        ("HEAD", "/", 404),
        ("GET", "/api/webhook/outreach", 405),
        ("PUT", "/api/webhook/outreach", 405),
        ("HEAD", "/api/webhook/outreach", 405),
        ("POST", "/api/contacts", 405),
        ("HEAD", "/v2/contacts", 200),
    ],
)
def test_unknown_paths_and_methods(client: Any, method: str, path: str, status: int) -> None:
    """An unknown path is a web page's 404, a wrong method a 405 that names the right one; HEAD has no body."""
    answer = client.ask(method, path)
    assert answer.status == status
    assert (method == "HEAD") == (answer.body == b"")
    if status == 405:
        assert "POST" in answer.headers["Allow"] or "GET" in answer.headers["Allow"]
    if status == 404 and method != "HEAD":
        assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_not_http_is_turned_away(client: Any, until_closed: Any, garbage: bytes) -> None:
    """A TLS hello on the plain port, or nonsense, gets a 400 and the end of the connection."""
    with client.raw() as sock:
        sock.sendall(garbage)
        received, _ = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 400 ")


def test_the_connection_ends_when_the_client_asks(client: Any, until_closed: Any) -> None:
    """``Connection: close`` is obeyed after the whole answer."""
    with client.raw() as sock:
        sock.sendall(client.request_bytes(extra="Connection: close\r\n"))
        received, reset = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert not reset


def test_no_upgrade_and_no_tunnel(client: Any, until_closed: Any, sim: Any) -> None:
    """A client that wants another protocol is told so, and nobody is texted."""
    for request in (
        client.request_bytes(extra="Connection: Upgrade\r\nUpgrade: h2c\r\n"),
        b"CONNECT sim:443 HTTP/1.1\r\nHost: sim\r\n\r\n",
    ):
        with client.raw() as sock:
            sock.sendall(request)
            assert until_closed(sock)[0].startswith(b"HTTP/1.1 501 ")
    assert sim.report()["texts"] == 0


def test_http_1_0_is_answered_and_closed(client: Any, until_closed: Any) -> None:
    """An old client needs no keep-alive."""
    with client.raw() as sock:
        sock.sendall(client.request_bytes().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert until_closed(sock)[0].startswith(b"HTTP/1.1 200 ")


def test_an_absolute_target_is_understood(client: Any, answers_of: Any) -> None:
    """RFC 9112 3.2.2: a server takes ``POST http://host/path`` too."""
    with client.raw() as sock:
        sock.sendall(client.request_bytes().replace(b"POST /", b"POST http://sim/", 1))
        assert answers_of(sock, 1)[0].status == 200


def test_a_half_sent_request_counts_for_nothing(client: Any, sim: Any) -> None:
    """A client that dies in mid-body has submitted nobody."""
    with client.raw() as sock:
        sock.sendall(client.request_bytes()[:-5])
    time.sleep(0.05)
    assert sim.report()["submissions"] == 0
    assert sim.report()["texts"] == 0
