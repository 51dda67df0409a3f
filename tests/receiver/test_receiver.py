"""The receiver as the platforms and as strangers meet it, over real sockets and a real store."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stored import stored_events

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.receiver.lookup import KNOWN_SECONDS
from airflow_outreach_provider.services.events.ingest import Ingest, read_unrecognised_again, utc_now
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.migrate import upgrade

GOLDEN = Path(__file__).parents[1] / "core" / "platforms" / "golden"
EVENT = {"event": "call.ended", "timestamp": "2026-03-25T18:30:00Z", "data": {"id": 1}}
SECRET = "a-signing-secret-of-ours"
TOKEN = "a-token-nobody-can-guess"


@pytest.fixture
def client_of(store: Store, sources: dict[str, SourceSettings], serving: Callable[..., Any]) -> Iterator[Any]:
    """A receiver on the store of this test, on each database in turn."""
    with serving(create_app(sources, store)) as client:
        yield client


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
    sources: dict[str, SourceSettings],
    serving: Callable[..., Any],
) -> Iterator[tuple[Any, Store]]:
    """One receiver for all the hostile requests; SQLite."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('receiver') / 'outreach.db'}")
    upgrade(store)
    with serving(create_app(sources, store)) as client:
        yield client, store
    store.close()


@pytest.fixture
def inbox_store(shared: tuple[Any, Store]) -> Store:
    """The shared receiver's store, emptied."""
    store = shared[1]
    with store.write() as connection:
        connection.execute(sa.text("DELETE FROM inbox_events"))
        connection.execute(sa.text("DELETE FROM inbox_fingerprints"))
        connection.execute(sa.text("DELETE FROM inbox_consumers"))
        connection.execute(sa.text("DELETE FROM inbox_pending"))
    return store


@pytest.fixture
def client(shared: tuple[Any, Store], inbox_store: Store) -> Any:
    return shared[0]


def stored(store: Store) -> int:
    return len(stored_events(store))


def test_accepted_then_duplicate(client_of: Any, store: Store) -> None:
    """202 with an id once it is stored; the platform's retry gets 200 and the same id, and is not stored."""
    status, answer, _ = client_of.varda(EVENT, X_Varda_Delivery="d1")
    assert (status, answer["status"]) == (202, "accepted")
    assert client_of.varda(EVENT, X_Varda_Delivery="d1")[:2] == (
        200,
        {"status": "duplicate", "id": answer["id"]},
    )
    (event,) = consumers.read_new(store, "c")
    assert (event.id, event.kind) == (answer["id"], "call_ended")


def test_sample_payloads_byte_for_byte(client_of: Any, store: Store) -> None:
    """Every published sample goes through the receiver, and its very bytes are what is stored."""
    for path in sorted(GOLDEN.glob("*.json")):
        body = path.read_bytes()
        if path.name.startswith("varda"):
            status, answer, _ = client_of.varda(body)
        else:
            status, answer, _ = client_of.send(f"/outreach/in/supersend?token={TOKEN}", body)
        assert status == 202, path.name
        kept = inbox_lists.show(store, answer["id"])
        assert kept is not None
        assert kept.body == body


def test_other_proofs(client: Any) -> None:
    """AutoReach's signature, a token in URL or header, and an open source all let their events in."""
    body = json.dumps({"event": "Lead Created", "timestamp": "2026-03-25T18:30:00Z", "data": {}}).encode()
    headers = sign(Scheme.AUTOREACH, body, [SECRET], message_id="m", now=utc_now())
    assert client.send("/in/autoreach", body, **headers)[0] == 202
    tether = {"event": "message.received", "contact": {"phoneNumber": "416 555 0123"}}
    assert client.send(f"/outreach/in/tether?a=b&token={TOKEN}&c=d", tether)[0] == 202
    assert client.send("/outreach/in/tether", tether, X_Outreach_Token=TOKEN)[0] == 200
    assert client.send("/outreach/in/open", tether)[0] == 202


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/outreach/in/nobody", {}, 404),
        ("/outreach/in/" + "x" * 400, {}, 404),
        ("/outreach/in/%00%ff", {}, 404),
        ("/outreach/in/..%2f..%2fetc", {}, 404),
        ("/outreach/in/varda/more", {}, 404),
        ("/outreach/in/", {}, 404),
        ("/outreach/in/varda", {}, 401),
        ("/outreach/in/varda", {"X_Varda_Signature": "t=1,v1=" + "0" * 64}, 401),
        ("/outreach/in/varda", {"X_Varda_Signature": "ÿ" * 300}, 401),
        ("/outreach/in/closed", {}, 401),
        ("/outreach/in/tether", {}, 401),
        ("/outreach/in/tether/more/", {}, 404),
        ("/outreach/in/open//", {}, 404),
        ("/outreach/in/tether/", {}, 401),
        ("/outreach/in/open/", {}, 202),
        ("/outreach/in/tether?token=", {}, 401),
        ("/outreach/in/tether?token=", {"X_Outreach_Token": TOKEN}, 202),
        ("/outreach/in/tether?mytoken=1&x", {"X_Outreach_Token": TOKEN}, 202),
        ("/outreach/in/tether?token=wrong", {"X_Outreach_Token": TOKEN}, 401),
        ("/outreach/in/tether?token=wrong", {}, 401),
        ("/outreach/in/tether?" + "token=x&" * 100, {}, 401),
        ("/outreach/in/tether?token=%ff%00", {}, 401),
        ("/outreach/in/open", {"Content_Type": "text/plain"}, 415),
        ("/outreach/in/open", {"Content_Type": "multipart/form-data; boundary=x"}, 415),
        ("/outreach/in/open", {"Content_Encoding": "gzip"}, 415),
        ("/outreach/in/open", {"Content_Type": "application/json; charset=utf-16"}, 202),
        ("/outreach/in/open", {"Content_Type": "application/cloudevents+json"}, 202),
    ],
)
def test_what_is_turned_away(
    client: Any, inbox_store: Store, path: str, headers: dict[str, str], status: int
) -> None:
    """Unknown, unproven and unreadable requests get the designed answer and leave nothing behind."""
    answer = client.send(path, EVENT, **headers)
    assert answer[0] == status
    assert stored(inbox_store) == (1 if status == 202 else 0)
    assert TOKEN not in str(answer)
    assert SECRET not in str(answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\x00",
        b"\xff\xfe{\x00}\x00",
        b'{"a": NaN}',
        b'{"event": "\xff"}',
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        gzip.compress(b"{}", mtime=0),
    ],
    ids=lambda body: repr(body[:12]),
)
def test_authentic_but_not_json(client: Any, inbox_store: Store, body: bytes) -> None:
    """Only what is proven is parsed; if it is not JSON it is 400, unproven it is 401, and never 500."""
    assert client.varda(body)[0] == 400
    assert client.varda(body, secret="not-the-right-secret")[0] == 401
    assert stored(inbox_store) == 0


@pytest.mark.parametrize(
    "body",
    [
        {f"key{n}": n for n in range(10_000)},
        {"event": "call.ended", "data": {"contact": {"name": "a\x00b", "email": ["x"], "phone": {"a": 1}}}},
        {"event": "call.ended", "timestamp": 1e308, "data": {"contact": {"id": 10**400}}},
        {"event": "x" * 5_000, "data": {"attribution": {"campaign": "y" * 100_000}}},
        {"event": "'; DROP TABLE inbox_events; --", "data": {}},
    ],
    ids=["10,000 keys", "NUL and wrong types", "huge numbers", "long texts", "SQL"],
)
def test_authentic_and_odd(client: Any, inbox_store: Store, body: Any) -> None:
    """Proven events with odd contents are kept, whatever they are."""
    assert client.varda(body)[0] == 202
    assert stored(inbox_store) == 1


def test_half_an_emoji(client_of: Any, store: Store) -> None:
    """A message cut in the middle of an emoji is stored, and what readers get can be written anywhere."""
    assert client_of.varda(rb'{"event": "message.created", "data": {"content": "hi \ud83d\u0000"}}')[0] == 202
    (event,) = consumers.read_new(store, "c")
    assert event.data["content"] == "hi ��"
    assert event.to_json()


def test_unrecognised_is_kept_and_read_again(
    client: Any, inbox_store: Store, sources: dict[str, SourceSettings]
) -> None:
    """A proven body that is no event of its platform is kept, and known after the source is put right."""
    body = {"event": "Lead Created", "timestamp": "2026-03-25T18:30:00Z", "payload": {"name": "Ann"}}
    status, answer, _ = client.varda(body)
    assert status == 202
    (event,) = stored_events(inbox_store)
    assert (event.kind, event.data) == ("unrecognised", body)
    assert read_unrecognised_again(inbox_store, sources.get) == 0
    assert read_unrecognised_again(inbox_store, lambda name: None) == 0
    assert consumers.read_new(inbox_store, "c") == []
    assert answer["id"] == event.id


@pytest.mark.slow
@pytest.mark.parametrize("written", ["abc+def/ghi==0123456789", "abc%2Bdef%2Fghi%3D%3D0123456789"])
def test_a_token_counts_as_it_was_pasted(sqlite_url: str, serving: Callable[..., Any], written: str) -> None:
    """A plus in a pasted token is a plus, percent-encoded or not."""
    store = Store(sqlite_url)
    upgrade(store)
    source = SourceSettings("tether", "tether", ("abc+def/ghi==0123456789",))
    with serving(create_app({"tether": source}, store)) as client:
        assert client.send(f"/in/tether?token={written}", EVENT)[0] == 202
    store.close()


@pytest.mark.parametrize("size", [1_048_577, 3_000_000])
def test_a_plain_client_sees_why_its_body_was_refused(client: Any, size: int) -> None:
    """One that sends everything before it reads anything gets the 413, not a broken pipe."""
    for _ in range(5):
        assert client.send("/outreach/in/open", b"x" * size)[0] == 413


def test_oversized(sqlite_url: str, sources: dict[str, SourceSettings], serving: Callable[..., Any]) -> None:
    """A body over the limit is refused by its announced length, or as soon as chunks pass the limit."""
    store = Store(sqlite_url)
    upgrade(store)
    with serving(create_app(sources, store, max_body_bytes=1000)) as client:
        assert client.send("/in/open", b"x" * 1001)[0] == 413
        announced = b"POST /in/open HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nx"
        assert b" 413 " in client.raw(announced) or b" 400 " in client.raw(announced)
        chunk = b"200\r\n" + b"x" * 512 + b"\r\n"
        head = b"POST /in/open HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in client.raw(head + chunk * 3 + b"0\r\n\r\n")
        exact = json.dumps({"event": "x", "pad": "y" * 975}).encode()
        assert len(exact) == 1000
        assert client.send("/in/open", exact)[0] == 202
    assert stored(store) == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /in/open HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n{}",
        b"POST /in/open HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b"POST /in/open HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}",
        b"POST /in/open HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        b"POST /in/open HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n{}",
        b"POST /in/open HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /in/varda HTTP/1.1\r\nHost: h\r\nX-Varda-Signature: t=1\r\nX-Varda-Signature: v1=\r\n"
        b"Content-Length: 2\r\n\r\n{}",
        b"POST /in/open HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"POST /in/open HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 200_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=lambda request: repr(request[30:70]),
)
def test_tricks_with_the_transport(client: Any, inbox_store: Store, request_: bytes) -> None:
    """Truncated, chunk-tricked and contradictory requests are never answered 5xx and never stored as said."""
    answer = client.raw(request_, wait=3)
    assert b"HTTP/1.1 5" not in answer
    assert all(event.kind == "unrecognised" for event in stored_events(inbox_store))
    assert client.send("/health", method="GET")[0] == 200


@pytest.mark.slow
def test_a_slow_body_is_not_waited_for(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that stops arriving is answered 408 and its connection closed."""
    monkeypatch.setattr("airflow_outreach_provider.receiver.endpoint._BODY_SECONDS", 0.2)
    import socket

    with socket.create_connection(("127.0.0.1", client.port), timeout=5) as connection:
        connection.sendall(b"POST /in/open HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n{")
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_bounded_memory(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes or requests at once than the process may hold are answered 429 with Retry-After."""
    monkeypatch.setattr("airflow_outreach_provider.receiver.endpoint._MAX_HELD_BYTES", 10)
    status, _, headers = client.send("/in/open", EVENT)
    assert (status, headers["retry-after"]) == (429, "5")
    monkeypatch.setattr("airflow_outreach_provider.receiver.endpoint._MAX_HELD_BYTES", 1000)
    for _ in range(20):
        assert client.send("/in/open", EVENT)[0] in {200, 202}, "what was held is given back"
    monkeypatch.setattr("airflow_outreach_provider.receiver.endpoint._MAX_AT_ONCE", 0)
    assert client.send("/in/open", EVENT)[0] == 429


def test_racing_retries_over_http(client_of: Any, store: Store) -> None:
    """Two deliveries, each on many connections at once, are each accepted once and otherwise a duplicate."""
    statuses: list[int] = []
    barrier = threading.Barrier(16)
    now = utc_now()

    def run(number: int) -> None:
        barrier.wait()
        signed_at = now - timedelta(seconds=number % 2)
        statuses.append(client_of.varda(EVENT, at=signed_at, X_Varda_Delivery=f"d{number % 2}")[0])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200] * 14 + [202] * 2
    assert stored(store) == 2


def test_store_away_is_503_and_comes_back(client_of: Any, store: Store) -> None:
    """While the store is away nothing is acknowledged; when it is back the same event is taken."""
    with store.write() as connection:
        connection.execute(sa.text("ALTER TABLE inbox_events RENAME TO hidden"))
    status, answer, headers = client_of.varda(EVENT)
    assert (status, headers["retry-after"]) == (503, "5")
    assert "inbox_events" not in str(answer)
    with store.write() as connection:
        connection.execute(sa.text("ALTER TABLE hidden RENAME TO inbox_events"))
    assert client_of.varda(EVENT)[0] == 202


def test_one_event_the_store_refuses_fails_alone(store: Store) -> None:
    """In a group, an event the database cannot hold does not take its neighbours with it."""
    from dataclasses import replace

    from airflow_outreach_provider.core.errors import StoreError
    from airflow_outreach_provider.core.intake import read_event
    from airflow_outreach_provider.services.events.ingest import write_group

    source = SourceSettings("v", "varda")
    group = [
        read_event(source, json.dumps({**EVENT, "data": {"id": n}}).encode(), {}, received_at=utc_now())
        for n in range(9)
    ]
    group[5] = replace(group[5], event=replace(group[5].event, source=None))  # type: ignore[arg-type]
    outcomes = write_group(store, group)
    assert [isinstance(outcome, StoreError) for outcome in outcomes] == [n == 5 for n in range(9)]
    assert stored(store) == 8


@pytest.mark.slow
def test_sources_from_a_function(sqlite_url: str, serving: Callable[..., Any]) -> None:
    """A look-up is remembered for seconds; a wrong source and a broken look-up are 503, a flood 429."""
    store = Store(sqlite_url)
    upgrade(store)
    asked: list[str] = []
    broken = False

    def find(name: str) -> SourceSettings | None:
        asked.append(name)
        if broken:
            raise RuntimeError("the metadata database is away")
        if name == "wrong":
            raise ConfigurationError("connection 'wrong': platform 'x' is not known")
        return SourceSettings(name, "tether", allow_unsigned=True) if name == "open" else None

    with serving(create_app(find, store)) as client:
        assert [client.send("/in/open", EVENT)[0] for _ in range(3)] == [202, 200, 200]
        assert [client.send("/in/nobody", EVENT)[0] for _ in range(3)] == [404, 404, 404]
        assert client.send("/in/wrong", EVENT)[0] == 503
        assert asked == ["open", "nobody", "wrong"]
        broken = True
        assert client.send("/in/another", EVENT)[0] == 503
        flood = [client.send(f"/in/guess{n}", EVENT)[0] for n in range(400)]
        assert set(flood) <= {429, 503}
        assert client.send("/in/open", EVENT)[0] == 200, "a known source is used on while look-ups fail"
    assert KNOWN_SECONDS == 5.0


@pytest.mark.parametrize("broken", [False, True])
def test_strangers_neither_fill_the_log_nor_keep_a_source_out(
    sqlite_store: Store, caplog: pytest.LogCaptureFixture, broken: bool
) -> None:
    """Made-up names write a line now and then, and a source first asked for among them is found."""
    from airflow_outreach_provider.receiver.app import receiver_route

    ours = SourceSettings("ours", "tether", allow_unsigned=True)

    def find(name: str) -> SourceSettings | None:
        if broken and name != "ours":
            raise RuntimeError("the metadata database is away")
        return ours if name == "ours" else None

    ingest = Ingest(sqlite_store)
    route = receiver_route(find, ingest, sqlite_store)

    async def ask(name: str) -> int:
        sent: list[Any] = []
        body = {"type": "http.request", "body": json.dumps(EVENT).encode(), "more_body": False}

        async def receive() -> Any:
            return body

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path_params": {"source": name},
            "headers": [],
            "query_string": b"",
        }
        await route.endpoint(scope, receive, send)
        return int(sent[0]["status"])

    async def crowd() -> list[int]:
        names = [f"guess{n}" for n in range(900)]
        return list(await asyncio.gather(*map(ask, [*names, "ours"])))

    with caplog.at_level(logging.INFO):
        statuses = asyncio.run(crowd())
    ingest.close()
    assert statuses[-1] == 202
    assert set(statuses[:-1]) <= {404, 429, 503}
    assert len(caplog.text) < 20_000
    assert "guess" not in caplog.text.replace("Traceback", "")


def test_no_secret_reaches_a_log(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the access log nor our own shows a token, whether it was right or wrong."""
    with caplog.at_level(logging.INFO):
        for logger in ("uvicorn.access", "uvicorn.error"):
            logging.getLogger(logger).addHandler(caplog.handler)
        client.send(f"/outreach/in/supersend?token={TOKEN}", EVENT)
        client.send("/outreach/in/supersend?token=a-wrong-token-of-hers", EVENT)
    assert "/outreach/in/supersend" in caplog.text
    assert "refused with 401" in caplog.text
    assert TOKEN not in caplog.text
    assert "a-wrong-token" not in caplog.text


def test_refusals_of_known_sources_are_remembered_and_no_strangers(
    store: Store,
    sources: dict[str, SourceSettings],
    serving: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong signature is counted with its reason; what somebody posts to a made-up name writes nothing."""
    from airflow_outreach_provider.receiver.source_state import SourceStates
    from airflow_outreach_provider.store.inbox import sources as known

    often = partial(SourceStates, write_every=0.1)
    monkeypatch.setattr("airflow_outreach_provider.receiver.app.SourceStates", often)

    def refused() -> int:
        return sum(each.refused for each in known.statuses(store).values())

    with serving(create_app(sources, store)) as client:
        for name in ("varda", "varda", "made_up", "Varda", "x" * 300):
            client.send(f"/outreach/in/{name}", EVENT)
        deadline = time.monotonic() + 20
        while refused() < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    (status,) = known.statuses(store).values()
    assert (status.conn_id, status.refused, status.refused_status) == ("varda", 2, 401)
    assert "Signature" in status.refused_reason


def test_a_source_that_is_off_takes_nothing(
    store: Store, sources: dict[str, SourceSettings], serving: Callable[..., Any]
) -> None:
    """503 with a long Retry-After, proven or not, and nothing is stored."""
    from airflow_outreach_provider.store.inbox import sources as known

    known.disable(store, "varda", reason="", by="ada")
    with serving(create_app(sources, store)) as client:
        status, _, headers = client.varda(EVENT)
    assert (status, headers["retry-after"]) == (503, "300")
    assert stored_events(store) == []
