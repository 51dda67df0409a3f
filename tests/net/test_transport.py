"""Answers that arrive count, on the raw line and through a session; and the one falls back to the other."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Behaviour, RawServer, Reader, Writer, answering, read_request, response, serving
from strategies import examples

from airflow_outreach_provider.core.addresses import parse_networks
from airflow_outreach_provider.core.outcomes import SubmitAnswer, SubmitOutcome
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.net.webhook import (
    Target,
    WebhookAnswer,
    WebhookClient,
    WebhookFailed,
    parse_url,
)
from airflow_outreach_provider.services.runtime import loop

LOOPBACK = parse_networks("127.0.0.0/8")
OK = b'{"success":true,"data":{"contactId":"c1"}}'
GOOD = response(200, OK)
WAYS = ["raw", "session"]


@pytest.fixture
def break_raw_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An aiohttp whose insides are others."""

    def refuse(*_: object, **__: object) -> None:
        raise AttributeError("no such attribute")

    monkeypatch.setattr(aiohttp, "ClientRequest", refuse)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    if request.param == "session":
        request.getfixturevalue("break_raw_line")
    return str(request.param)


async def submit(behave: Behaviour, times: int = 1, **options: Any) -> list[SubmitAnswer]:
    async with RawServer(behave) as server:
        made = ApiSettings(f"http://127.0.0.1:{server.port}", "k", timeout=1.0, trust_env=False, **options)
        async with OutreachClient(made) as client:
            return [await client.submit(b"{}") for _ in range(times)]


async def deliver(behave: Behaviour, times: int = 1, **options: Any) -> list[WebhookAnswer]:
    async with RawServer(behave) as server, WebhookClient() as client:
        url = parse_url(f"http://127.0.0.1:{server.port}/hook")
        target = Target(url, timeout=1.0, allow_networks=LOOPBACK, **options)
        return [await client.send(target, b"{}", {"webhook-id": f"m{n}"}) for n in range(times)]


def both(behave: Behaviour, times: int = 1) -> list[tuple[str, str]]:
    """How leads and deliveries to such a server end, in pairs: (outcome, status with excerpt)."""
    leads = loop.run(submit(behave, times))
    answers = asyncio.run(deliver(behave, times))
    return [
        (lead.outcome.value, f"{answer.status} {answer.excerpt}")
        for lead, answer in zip(leads, answers, strict=True)
    ]


def header(size: int, name: str = "Content-Security-Policy") -> str:
    return f"{name}: {'a' * size}"


ARRIVING = {
    "plain": GOOD,
    "a header of 20 KB": response(200, OK, header(20_000)),
    "a header of 40 KB": response(200, OK, header(40_000, "Link")),
    "a header of 100 KB": response(200, OK, header(100_000)),
    "many headers": response(200, OK, *[f"Set-Cookie: name{n}=value" for n in range(600)]),
    "a long reason": b"HTTP/1.1 200 " + b"a" * 20_000 + GOOD[15:],
    "surplus bytes": GOOD + b"surplus",
    "a surplus line": GOOD + b"\r\n",
    "a surplus page": GOOD + b"<html>" + b"x" * 50_000,
    "surplus binary": GOOD + bytes(range(256)),
    "surplus after the last one": response(200, OK, "Connection: close") + b"surplus",
    "a second answer": GOOD + response(500, b"{}"),
    "surplus after chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\nmore" % (len(OK), OK),
    "a length too short by a line": GOOD + b"\r\n\r\n",
    "processing": b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + GOOD,
    "early hints": b"HTTP/1.1 103 Early Hints\r\nLink: " + b"b" * 30_000 + b"\r\n\r\n" + GOOD,
    "continue and surplus": b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD + b"surplus",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + OK,
    "HTTP/1.0 with a length": b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(OK), OK),
    "HTTP/1.0 and surplus": b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%bsurplus" % (len(OK), OK),
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: %d\n\n%bsurplus" % (len(OK), OK),
    "HTTP/1.0 in chunks": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(OK), OK),
    "no length": b"HTTP/1.1 200 OK\r\n\r\n" + OK,
    "no reason": b"HTTP/1.1 200\r\nContent-Length: %d\r\n\r\n%b" % (len(OK), OK),
    "long hints and a long head": b"HTTP/1.1 103 Early Hints\r\nLink: " + b"b" * 40_000 + b"\r\n\r\n" + response(200, OK, header(40_000)),
    "five long headers": response(200, OK, *[header(40_000, f"X-{n}") for n in range(5)]),
    "an accepted one": response(202, OK) + b"surplus",
    "a reset page": response(205, OK),
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n%b" % (len(OK), OK),
    "204 with a body of no length": b"HTTP/1.1 204 No Content\r\n\r\n" + OK,
}  # fmt: skip


@pytest.mark.parametrize("name", ARRIVING)
def test_an_answer_that_arrives_counts(way: str, name: str) -> None:
    """However a good answer is wrapped, the lead is accepted and the event delivered."""
    raw = ARRIVING[name]
    ((lead, answer),) = both(answering(raw, close=name in ("HTTP/1.0", "no length")))
    status = next(each for each in (202, 204, 205, 200) if b" %d" % each in raw)
    assert lead == SubmitOutcome.ACCEPTED
    assert answer == f"{status} {OK.decode()}"


@pytest.mark.slow
@settings(
    max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_where_an_answer_is_cut_does_not_matter(data: st.DataObject) -> None:
    """The same answer in whatever pieces it comes is the same answer: heads and surplus across segments too."""
    raw = data.draw(st.sampled_from([ARRIVING[name] for name in ("surplus bytes", "continue and surplus", "bare line feeds",
                                                                  "a surplus line", "surplus after chunks")]))  # fmt: skip
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=4)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    (answer,) = loop.run(submit(answering(*pieces, pause=0.002)))
    assert answer.outcome is SubmitOutcome.ACCEPTED


def test_surplus_is_nobody_elses_answer(way: str) -> None:
    """After an answer with surplus the next request is answered for itself, whatever the surplus was."""
    asked: list[int] = []

    async def behave(writer: Writer) -> None:
        asked.append(1)
        status = 200 if len(asked) % 2 else 500
        writer.write(response(status, OK) + response(200, OK))
        await writer.drain()

    assert [lead for lead, _ in both(behave, 2)] == [SubmitOutcome.ACCEPTED, SubmitOutcome.UNKNOWN]


@pytest.mark.slow
def test_what_comes_unasked_is_nobodys_answer(way: str) -> None:
    """An answer that comes between two requests is not the second one's, whichever way that is sent."""
    asked: list[int] = []

    async def behave(writer: Writer) -> None:
        asked.append(1)
        writer.write(response(200 if len(asked) == 1 else 500, OK))
        if len(asked) == 1:
            await asyncio.sleep(0.05)
            writer.write(response(200, OK))

    async def run() -> list[SubmitOutcome]:
        async with RawServer(behave) as server:
            made = ApiSettings(f"http://127.0.0.1:{server.port}", "k", trust_env=False)
            async with OutreachClient(made) as client:
                first = await client.submit(b"{}")
                await asyncio.sleep(0.2)
                return [first.outcome, (await client.submit(b"{}")).outcome]

    assert loop.run(run()) == [SubmitOutcome.ACCEPTED, SubmitOutcome.UNKNOWN]


def test_who_speaks_first_has_not_answered(way: str) -> None:
    """A success that is sent before anything was asked accepts no lead."""

    async def handler(reader: Reader, writer: Writer) -> None:
        writer.write(GOOD)
        await read_request(reader)
        await asyncio.sleep(0.1)

    async def run() -> SubmitAnswer:
        async with serving(handler) as port:
            made = ApiSettings(f"http://127.0.0.1:{port}", "k", 2.0, trust_env=False)
            async with OutreachClient(made) as client:
                return await client.submit(b"{}")

    assert loop.run(run()).outcome is not SubmitOutcome.ACCEPTED


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (response(200, OK, header(300_000)), "not valid HTTP"),
        (response(200, OK, *[header(60_000, f"X-{n}") for n in range(40)]), "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nZZ\r\n", "broke off"),
    ],
    ids=["a header without measure", "a head without measure", "a broken chunk"],
)
def test_what_is_no_answer_still_is_none(way: str, raw: bytes, words: str) -> None:
    """Patience has its limits: they hold whichever way the request went, and end at once."""
    with pytest.raises(WebhookFailed, match=words):
        asyncio.run(deliver(answering(raw)))
    (answer,) = loop.run(submit(answering(raw)))
    assert answer.outcome is SubmitOutcome.UNKNOWN
    assert answer.reason != "answer_timeout"


def test_a_broken_body_in_pieces_is_told_at_once(way: str) -> None:
    """A body that turns out to be no HTTP after its head was read does not wait for the time limit."""
    pieces = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n", b"ZZ\r\n"]
    with pytest.raises(WebhookFailed, match=r"broke off|not valid HTTP"):
        asyncio.run(deliver(answering(*pieces, pause=0.05)))


@pytest.mark.skipif(
    aiohttp.__version__ >= "4", reason="a session sends all: aiohttp 4 makes requests in another way"
)
def test_the_raw_line_is_taken_where_it_can_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """With this aiohttp a plain request goes over the raw line: a session is not asked."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a session sent it")

    monkeypatch.setattr(aiohttp.ClientSession, "request", refuse)
    assert both(answering(GOOD)) == [(SubmitOutcome.ACCEPTED, f"200 {OK.decode()}")]


@pytest.mark.parametrize("other", ["another constructor", "an attribute less", "no such class"])
def test_other_insides_of_aiohttp_cost_speed_alone(monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    """Where the raw line cannot be built, for whatever reason, a session sends the same: nobody sees an error."""

    class AnotherConstructor:
        def __init__(self, method: str, *, url: str, response_params: object) -> None: ...

    class AnAttributeLess(aiohttp.ClientRequest):
        headers = property(lambda self: self._no_such_attribute, lambda self, _: None)  # type: ignore[assignment]

    classes = {"another constructor": AnotherConstructor, "an attribute less": AnAttributeLess}
    if other in classes:
        monkeypatch.setattr(aiohttp, "ClientRequest", classes[other])
    else:
        monkeypatch.delattr(aiohttp, "ClientRequest")
    sent = []
    request = aiohttp.ClientSession.request

    def noting(session: aiohttp.ClientSession, *given: Any, **options: Any) -> Any:
        sent.append(given)
        return request(session, *given, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "request", noting)
    assert both(answering(GOOD), 2) == [(SubmitOutcome.ACCEPTED, f"200 {OK.decode()}")] * 2
    assert len(sent) == 4


def test_both_ways_send_the_same_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the request cannot tell whether the raw line or a session sent it."""
    heads: list[set[bytes]] = []

    async def behave(reader: Reader, writer: Writer) -> None:
        request = await read_request(reader)
        heads.append({line.lower() for line in request.head.split(b"\r\n")} | {request.body})
        writer.write(GOOD)

    async def run() -> None:
        async with serving(behave) as port:
            for refused in (False, True):
                if refused:
                    monkeypatch.setattr(aiohttp, "ClientRequest", None)
                settings = ApiSettings(f"http://127.0.0.1:{port}", "k", headers={"X-A": "ü"}, trust_env=False)
                async with OutreachClient(settings) as client:
                    assert (await client.submit(b"{}")).outcome is SubmitOutcome.ACCEPTED
                async with WebhookClient() as webhooks:
                    url = parse_url(f"http://127.0.0.1:{port}/a?b=c")
                    target = Target(url, {"X-Key": "k"}, 1.0, LOOPBACK)
                    await webhooks.send(target, b"[]", {"webhook-id": "m", "Content-Type": "text/plain"})

    asyncio.run(run())
    assert heads[:2] == heads[2:]


@pytest.mark.parametrize(
    ("name", "value"), [("Expect", "100-continue"), ("Connection", "close"), ("Host", "crm")]
)
def test_headers_that_frame_a_request_do_not_break_it(name: str, value: str) -> None:
    """A connection's extra header that changes how a request is written is left to a session, which knows how."""

    async def handler(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"\r\n{name}: {value}\r\n".encode() in head
        if name == "Expect":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(2)
        writer.write(GOOD)
        await writer.drain()

    async def run() -> SubmitAnswer:
        async with serving(handler) as port:
            made = ApiSettings(f"http://127.0.0.1:{port}", "k", 1.0, trust_env=False, headers={name: value})
            async with OutreachClient(made) as client:
                return await client.submit(b"{}")

    assert loop.run(run()).outcome is SubmitOutcome.ACCEPTED
