"""Every way a submission can end, against a real server that misbehaves: one answer, and never an exception."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from servers import (
    Behaviour,
    RawServer,
    Writer,
    answering,
    certificate,
    forever,
    free_port,
    reset,
    response,
    scripted,
)

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.outcomes import Fault, SubmitAnswer, SubmitOutcome
from airflow_outreach_provider.net.connector import Connector
from airflow_outreach_provider.net.outreach import SUBMIT_PATH, ApiSettings, OutreachClient, fault_of
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator

A, R, C, U, X = (
    SubmitOutcome.ACCEPTED,
    SubmitOutcome.REJECTED,
    SubmitOutcome.CONFIGURATION,
    SubmitOutcome.UNAVAILABLE,
    SubmitOutcome.UNKNOWN,
)
BODY = b'{"configurationId":"c","phoneNumber":"+14165550123"}'
OK = b'{"success":true,"message":"m","data":{"contactId":"c1","conversationId":"v1","applicationId":"a1"}}'


async def _post(
    behave: Behaviour, times: int, settings: dict[str, Any]
) -> tuple[list[SubmitAnswer], RawServer]:
    async with RawServer(behave) as server:
        made = ApiSettings(**{"base_url": f"http://127.0.0.1:{server.port}", "api_key": "user_k", "timeout": 5.0,
                              "trust_env": False, **settings})  # fmt: skip
        async with OutreachClient(made) as client:
            return [await client.submit(BODY) for _ in range(times)], server


def post(behave: Behaviour, times: int = 1, **settings: Any) -> SubmitAnswer:
    """The (last) answer to a submission to a server that behaves so."""
    return loop.run(_post(behave, times, settings))[0][-1]


def post_to(base_url: str, **settings: Any) -> SubmitAnswer:
    async def run() -> SubmitAnswer:
        options = {"timeout": 5.0, "trust_env": False, **settings}
        async with OutreachClient(ApiSettings(base_url, "user_k", **options)) as client:
            return await client.submit(BODY)

    return loop.run(run())


# -- answers that come --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, OK, A),
        (201, OK, A),
        (200, b"", X),
        (200, b"<html>login</html>", X),
        (200, OK[:40], X),
        (200, b'{"success":false,"message":"no"}', R),
        (204, b"", X),
        (400, b'{"error":"configurationId is required"}', C),
        (401, b"", C),
        (403, b"<html>blocked</html>", C),
        (404, b"<html>no</html>", C),
        (405, b"", C),
        (409, b"{}", R),
        (413, b"", R),
        (422, b'{"message":"bad"}', R),
        (429, b"", U),
        (500, b'{"success":false}', X),
        (502, b"<html>bad gateway</html>", X),
        (503, b"", U),
        (504, b"<html></html>", X),
    ],
)  # fmt: skip
def test_each_answer_is_its_outcome_on_the_wire(status: int, body: bytes, outcome: SubmitOutcome) -> None:
    """The table of outcomes holds for answers that came over a real socket."""
    answer = post(answering(response(status, body) if status != 204 else b"HTTP/1.1 204 No\r\n\r\n"))
    assert (answer.outcome, answer.status) == (outcome, status)


def test_a_submission_is_the_documented_request() -> None:
    """One POST with the key and exactly the bytes given, and no cookie or user of anybody else."""
    answers, server = loop.run(_post(answering(response(200, OK, "Set-Cookie: a=b")), 3, {}))
    assert {a.contact_id for a in answers} == {"c1"}
    assert answers[0].latency_ms >= 0
    assert server.connections == 1
    for request in server.requests:
        assert request.line == f"POST {SUBMIT_PATH} HTTP/1.1"
        assert request.body == BODY
        assert request.headers["authorization"] == "Bearer user_k"
        assert request.headers["content-type"] == "application/json"
        assert "cookie" not in request.headers


def test_a_base_url_may_have_a_path_and_a_slash() -> None:
    """The platform behind a prefix is reached below it."""

    async def run() -> str:
        async with RawServer(answering(response(200, OK))) as server:
            settings = ApiSettings(f"http://127.0.0.1:{server.port}/tether/", "k", trust_env=False)
            async with OutreachClient(settings) as client:
                await client.submit(BODY)
            return server.requests[0].line

    assert loop.run(run()) == f"POST /tether{SUBMIT_PATH} HTTP/1.1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    """A redirected POST would be repeated or turned into a GET: it is a configuration fault instead, and where it says that
    the POST was done (303), nobody knows of what."""
    raw = response(status, b"", "Location: /elsewhere")
    answers, server = loop.run(_post(answering(raw), 1, {}))
    expected = (SubmitOutcome.UNKNOWN, "see_other") if status == 303 else (C, "redirected")
    assert (answers[0].outcome, answers[0].reason) == expected
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("Retry-After: 7", 7, 7),
        (f"Retry-After: {format_datetime(datetime.now(UTC) + timedelta(hours=12), usegmt=True)}", 3600, 3600),
        (f"Retry-After: {format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)}", 0, 0),
        ("Retry-After: tomorrow", None, None),
        ("X-Other: 1", None, None),
    ],
    ids=["seconds", "far date", "past date", "rubbish", "absent"],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_comes_through(status: int, header: str, low: float | None, high: float | None) -> None:
    """The wait asked for arrives in seconds, in both forms; rubbish does not."""
    answer = post(answering(response(status, b"", header)))
    assert answer.outcome is U
    if low is None or high is None:
        assert answer.retry_after is None
    else:
        assert answer.retry_after is not None
        assert low <= answer.retry_after <= high


# -- bodies -------------------------------------------------------------------------------------------------


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_an_endless_body_ends_at_64_kib() -> None:
    """A body without end costs neither memory nor the time limit; nothing can be read from it."""
    started = time.monotonic()
    assert post(forever(_CHUNKED, b"2000\r\n%b\r\n" % (b"x" * 8192))).outcome is X
    assert time.monotonic() - started < 2


@pytest.mark.slow
def test_a_trickling_body_ends_with_the_time_limit() -> None:
    """The limit covers the body too: a byte now and then does not keep a lead in flight for ever."""

    trickle = forever(response(200, b"", length=1000), b" ", 0.05)
    started = time.monotonic()
    answer = post(trickle, timeout=0.3)
    assert (answer.outcome, answer.reason) == (X, "answer_timeout")
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_a_compressed_answer_is_read_though_not_asked_for(encoding: str) -> None:
    """Some proxies compress whatever the client says."""
    body = zlib.compress(OK) if encoding == "deflate" else gzip.compress(OK)
    assert post(answering(response(200, body, f"Content-Encoding: {encoding}"))).outcome is A


@pytest.mark.parametrize(
    "raw",
    [gzip.compress(b" " * 50_000_000), gzip.compress(OK)[:30], b"not gzip"],
    ids=["bomb", "cut short", "no gzip"],
)
def test_a_gzip_bomb_or_rubbish_is_an_unreadable_answer(raw: bytes) -> None:
    """What is read of an answer is capped after decompression; damage is not an exception."""
    answer = post(answering(response(200, raw, "Content-Encoding: gzip")))
    assert (answer.outcome, answer.reason) == (X, "unreadable_success")


def test_a_large_answer_is_cut() -> None:
    """A success with megabytes behind it cannot be read, and does not fill memory."""
    body = b'{"success":true,"padding":"' + b"x" * 5_000_000 + b'"}'
    assert post(answering(response(200, body))).outcome is X


# -- answers that break off ---------------------------------------------------------------------------------


async def _hang(writer: Writer) -> None:
    await asyncio.sleep(60)


async def _drop(writer: Writer) -> None:
    writer.close()


async def _reset(writer: Writer) -> None:
    reset(writer)


def _then_reset(raw: bytes) -> Behaviour:
    async def behave(writer: Writer) -> None:
        writer.write(raw)
        await writer.drain()
        await asyncio.sleep(0.05)
        reset(writer)

    return behave


BROKEN: dict[str, tuple[Behaviour, str]] = {
    "dropped": (_drop, "connection_dropped"),
    "reset": (_reset, "connection_reset"),
    "hang": (_hang, "answer_timeout"),
    "half a status line": (answering(b"HTTP/1.1 2", close=True), ""),
    "half the headers": (answering(b"HTTP/1.1 200 OK\r\nContent-Le", close=True), ""),
    "half a body": (answering(response(200, OK[:20], length=len(OK)), close=True), "connection_dropped"),
    "half a chunk": (answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", close=True), ""),
    "reset in the body": (_then_reset(response(200, OK[:20], length=len(OK))), ""),
    "not http": (answering(b"SSH-2.0-OpenSSH_9.6\r\n", close=True), "invalid_http"),
    "bad header": (answering(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", close=True), "invalid_http"),
    "bad length": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", close=True), "invalid_http"),
    "two lengths": (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", close=True), "invalid_http"),
    "bad chunk": (answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", close=True), ""),
    "endless header": (answering(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n", close=True), "invalid_http"),
    "interim only": (answering(b"HTTP/1.1 100 Continue\r\n\r\n", close=True), ""),
    "binary": (answering(b"\x00\xff" * 50, close=True), "invalid_http"),
    "nul in reason": (answering(b"HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n", close=True), ""),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_breaks_off_leaves_the_outcome_unknown(name: str) -> None:
    """The lead was sent and nobody said what became of it: held, in whatever way the answer breaks."""
    behave, reason = BROKEN[name]
    answer = post(behave, timeout=0.25)
    assert answer.outcome is X, answer
    assert reason in ("", answer.reason)
    assert "\0" not in answer.detail


@pytest.mark.slow
@pytest.mark.parametrize(("status", "outcome"), [(401, C), (404, C), (429, U), (503, U), (422, R), (500, X)])
@pytest.mark.parametrize("how", ["cut", "hang", "reset"])
def test_a_refusal_is_one_by_its_status(status: int, outcome: SubmitOutcome, how: str) -> None:
    """Where the status came and the body did not, the status decides; a 429 with half a page holds no lead."""
    raw = response(status, b"<html>", "Retry-After: 3", length=100)
    if how == "hang":

        async def behave(writer: Writer) -> None:
            await answering(raw)(writer)
            await asyncio.sleep(60)

    else:
        behave = answering(raw, close=True) if how == "cut" else _then_reset(raw)
    answer = post(behave, timeout=0.25)
    assert (answer.outcome, answer.status) == (outcome, status)
    assert answer.retry_after == (3.0 if outcome is U else None)


@pytest.mark.slow
def test_the_time_limit_ends_each_of_many_at_once() -> None:
    """Sixty hanging submissions end after the limit, each by its own start, and later ones go on."""

    async def run() -> tuple[list[SubmitAnswer], SubmitAnswer, float]:
        async with RawServer(_hang) as server:
            settings = ApiSettings(f"http://127.0.0.1:{server.port}", "k", timeout=0.4, trust_env=False)
            async with OutreachClient(settings) as client:
                started = time.monotonic()
                many = await asyncio.gather(*(client.submit(BODY) for _ in range(60)))
                took = time.monotonic() - started
                server.behave = answering(response(200, OK))
                return many, await client.submit(BODY), took

    many, later, took = loop.run(run())
    assert {answer.reason for answer in many} == {"answer_timeout"}
    assert 0.4 <= took < 1.5
    assert later.outcome is A


def test_a_cancelled_submission_is_cancelled() -> None:
    """Cancellation is the one thing that is raised, and it is not mistaken for a time-out."""

    async def run() -> None:
        async with RawServer(_hang) as server:
            settings = ApiSettings(f"http://127.0.0.1:{server.port}", "k", timeout=5, trust_env=False)
            async with OutreachClient(settings) as client:
                task = asyncio.create_task(client.submit(BODY))
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    loop.run(run())


# -- no connection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base_url", "outcome", "reason"),
    [
        ("http://name.invalid", U, "dns"),
        ("http://a..b.example", C, "invalid_url"),
        (f"http://{'a' * 70}.example", C, "invalid_url"),
        ("http://user:secret@127.0.0.1:9", C, "invalid_url"),
        ("app.tetherai.ca", C, "invalid_url"),
        ("", C, "invalid_url"),
        ("ftp://127.0.0.1", C, "invalid_url"),
        ("http://127.0.0.1:99999", C, "invalid_url"),
        ("http://[::1", C, "invalid_url"),
    ],
)
def test_what_leads_nowhere_holds_no_lead(base_url: str, outcome: SubmitOutcome, reason: str) -> None:
    """Where nothing can have been sent the outcome is never unknown, and the fault says what to mend."""
    answer = post_to(base_url)
    assert (answer.outcome, answer.reason) == (outcome, reason)
    assert "secret" not in answer.detail


def test_a_closed_port_is_unavailable() -> None:
    """Connection refused: certainly not processed."""
    answer = post_to(f"http://127.0.0.1:{free_port()}")
    assert (answer.outcome, answer.reason) == (U, "connection_refused")


@pytest.mark.slow
@pytest.mark.parametrize("timeout", [0.6, 0.3])
def test_a_connection_that_is_never_taken_is_not_unknown(timeout: float) -> None:
    """Connecting times out before the whole submission does, however short the limit: nothing was sent."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = []
        for _ in range(4):  # fill the backlog: further connections hang
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
            fillers.append(filler)
        answer = post_to(f"http://127.0.0.1:{deaf.getsockname()[1]}", timeout=timeout)
        for filler in fillers:
            filler.close()
    assert (answer.outcome, answer.reason) == (U, "connect_timeout")


@pytest.mark.slow
def test_who_stands_still_while_connecting_sends_nothing_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection stands, and whoever was to send hears of it long after: others may have texted the person."""
    connect = Connector.connect

    async def connects_and_stands_still(self: Connector, *given: Any, **named: Any) -> Any:
        connection = await connect(self, *given, **named)
        time.sleep(0.6)
        return connection

    monkeypatch.setattr(Connector, "connect", connects_and_stands_still)
    [answer], server = asyncio.run(_post(answering(response(200, OK)), 1, {"timeout": 0.5}))
    assert (answer.outcome, answer.reason) == (U, "connect_timeout")
    assert server.requests == []


def test_an_idle_connection_the_server_closed_is_not_used_again() -> None:
    """A keep-alive connection that was closed meanwhile is replaced; the lead does not run into it."""

    async def run() -> tuple[SubmitAnswer, int]:
        async with RawServer(answering(response(200, OK), close=True)) as server:
            settings = ApiSettings(f"http://127.0.0.1:{server.port}", "k", trust_env=False)
            async with OutreachClient(settings) as client:
                await client.submit(BODY)
                await asyncio.sleep(0.1)
                return await client.submit(BODY), len(server.requests)

    answer, requests = loop.run(run())
    assert (answer.outcome, requests) == (A, 2)


@pytest.mark.slow
def test_an_answer_that_came_before_the_request_is_not_its_answer() -> None:
    """A second answer to one request waits on the pooled connection: the next lead goes over another one."""

    async def twice(writer: Writer) -> None:
        writer.write(response(200, OK) if not asked else response(422))
        await writer.drain()
        if not asked:
            asked.append(1)
            await asyncio.sleep(0.05)
            writer.write(response(200, OK))

    async def run() -> tuple[list[SubmitOutcome], int]:
        async with RawServer(twice) as server:
            settings = ApiSettings(f"http://127.0.0.1:{server.port}", "k", trust_env=False)
            async with OutreachClient(settings) as client:
                first = await client.submit(BODY)
                await asyncio.sleep(0.2)
                return [first.outcome, (await client.submit(BODY)).outcome], server.connections

    asked: list[int] = []
    assert loop.run(run()) == ([A, R], 2)


def test_a_lead_is_never_posted_twice_by_the_client() -> None:
    """Nothing below us repeats a POST whose connection died."""
    for behave in (_drop, _reset):
        _, server = loop.run(_post(behave, 1, {}))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "settings", [{"headers": {"X-A": "a\r\nX-B: b"}}, {"verify": "/no/such.pem"}, {"cert": "/no/such.pem"}], ids=str
)  # fmt: skip
def test_a_connection_that_cannot_work_is_told_before_the_first_lead(settings: dict[str, Any]) -> None:
    """Broken headers and missing certificate files are configuration faults, with the remedy."""
    with pytest.raises(ConfigurationError, match="connection"):
        post_to("http://127.0.0.1:9", **settings)


@pytest.mark.parametrize(
    ("url", "settings", "reads"),
    [("http://127.0.0.1:9", {}, False), ("https://127.0.0.1:9", {}, True), ("http://127.0.0.1:9", {"verify": False}, True),
     ("http://127.0.0.1:9", {"proxy": "https://127.0.0.1:9"}, True), ("http://127.0.0.1:9", {"proxy": "http://127.0.0.1:9"}, False)],
)  # fmt: skip
def test_the_trust_store_is_read_where_a_certificate_may_have_to_be_judged(
    monkeypatch: pytest.MonkeyPatch, url: str, settings: dict[str, Any], reads: bool
) -> None:
    """Of plain HTTP none ever is: a sync with nobody to text took a tenth of its time for it."""
    made = []
    make = ssl.create_default_context
    monkeypatch.setattr(ssl, "create_default_context", lambda **given: made.append(given) or make(**given))

    async def enter() -> None:
        async with OutreachClient(ApiSettings(url, "k", trust_env=False, **settings)):
            pass

    loop.run(enter())
    assert bool(made) is reads


def test_a_key_pasted_with_a_line_break_works() -> None:
    """White space around the key is what copying leaves."""

    async def run(key: str) -> str:
        async with RawServer(answering(response(200, OK))) as server:
            settings = ApiSettings(f"http://127.0.0.1:{server.port}", key, trust_env=False)
            async with OutreachClient(settings) as client:
                assert (await client.submit(BODY)).outcome is A
            return server.requests[0].headers["authorization"]

    assert loop.run(run(" user_k\n")) == "Bearer user_k"
    with pytest.raises(ConfigurationError) as caught:
        loop.run(run("user_se\ncret"))
    assert "cret" not in str(caught.value)


def test_the_key_is_not_shown() -> None:
    """Settings may be logged: the key is not part of what they print."""
    assert "user_k" not in repr(ApiSettings("http://x", "user_k", headers={"X-Secret": "user_k"}))


def test_outside_its_context_the_client_says_so() -> None:
    """Using the client without entering it is a mistake of the caller's."""

    async def run() -> None:
        await OutreachClient(ApiSettings("http://127.0.0.1:9", "k")).submit(BODY)

    with pytest.raises(RuntimeError, match="context manager"):
        loop.run(run())


# -- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A real HTTPS server nobody has reason to trust, and the file of its certificate."""
    path, server, _ = certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    with scripted(lambda *_: (200, OK, {}), server) as url:
        yield url, path


@pytest.fixture
def tls_url(tls: tuple[str, Path]) -> str:
    return tls[0]


def test_an_untrusted_certificate_is_a_configuration_fault(tls_url: str) -> None:
    """A certificate nobody vouches for is refused before the key or a lead is sent, with what to do."""
    answer = post_to(tls_url)
    assert (answer.outcome, answer.reason) == (C, "tls_certificate")
    assert "verify" in answer.detail


def test_a_certificate_can_be_trusted_or_ignored(tls: tuple[str, Path]) -> None:
    """verify takes the CA file, or False."""
    url, path = tls
    assert post_to(url, verify=str(path)).outcome is A
    assert post_to(url, verify=False).outcome is A


@pytest.mark.slow
def test_tls_to_a_plain_port_is_unavailable() -> None:
    """https to a port that speaks http: no connection, nothing sent."""

    async def run() -> SubmitAnswer:
        async with RawServer(answering(b"")) as server:
            settings = ApiSettings(f"https://127.0.0.1:{server.port}", "k", timeout=0.6, trust_env=False)
            async with OutreachClient(settings) as client:
                return await client.submit(BODY)

    answer = loop.run(run())
    assert answer.outcome is U
    assert answer.reason in ("tls", "connect_timeout")


def test_plain_http_to_a_tls_port_holds_nothing_it_need_not(tls_url: str) -> None:
    """http to a port that speaks https ends as an answer too."""
    assert post_to(tls_url.replace("https", "http"), timeout=2.0).outcome in (X, U, C)


# -- proxies ------------------------------------------------------------------------------------------------


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_a_proxy_is_used_where_the_connection_names_one(no_environment: pytest.MonkeyPatch) -> None:
    """The request goes to the proxy with the whole URL."""

    async def run() -> tuple[SubmitAnswer, RawServer]:
        async with RawServer(answering(response(200, OK))) as proxy:
            settings = ApiSettings("http://api.example", "k", proxy=f"http://127.0.0.1:{proxy.port}")
            async with OutreachClient(settings) as client:
                return await client.submit(BODY), proxy

    answer, proxy = loop.run(run())
    assert answer.outcome is A
    assert proxy.requests[0].line == f"POST http://api.example{SUBMIT_PATH} HTTP/1.1"


def test_a_proxy_that_is_away_is_unavailable(no_environment: pytest.MonkeyPatch) -> None:
    """Nothing was sent."""
    answer = post_to("http://api.example", proxy=f"http://127.0.0.1:{free_port()}")
    assert (answer.outcome, answer.reason) == (U, "proxy")


@pytest.mark.parametrize("proxy", ["127.0.0.1:3128", "http://[::1"])
def test_a_proxy_that_is_no_url_holds_no_lead(proxy: str, no_environment: pytest.MonkeyPatch) -> None:
    """A misspelt proxy is a configuration fault."""
    assert post_to("http://api.example", proxy=proxy).outcome is C


@pytest.mark.parametrize(
    ("status", "outcome"), [(403, C), (407, C), (502, U), (503, U), (504, U)]
)  # fmt: skip
def test_a_tunnel_that_is_refused_sent_nothing(
    status: int, outcome: SubmitOutcome, no_environment: pytest.MonkeyPatch
) -> None:
    """A proxy that wants a log-in is a fault of the settings; one that cannot reach the API may the next time."""

    async def run() -> SubmitAnswer:
        async with RawServer(answering(response(status))) as proxy:
            settings = ApiSettings("https://api.example", "k", proxy=f"http://127.0.0.1:{proxy.port}")
            async with OutreachClient(settings) as client:
                return await client.submit(BODY)

    assert loop.run(run()).outcome is outcome


@pytest.mark.parametrize(
    ("trust", "no_proxy", "used"), [(True, "", True), (False, "", False), (True, "api.example", False)]
)
def test_the_environments_proxy_counts_where_it_is_trusted(
    trust: bool, no_proxy: str, used: bool, no_environment: pytest.MonkeyPatch
) -> None:
    """http_proxy and no_proxy mean what they mean everywhere, unless trust_env says no."""

    async def run() -> bool:
        async with RawServer(answering(response(200, OK))) as proxy:
            no_environment.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
            no_environment.setenv("no_proxy", no_proxy)
            settings = ApiSettings("http://api.example", "k", trust_env=trust, timeout=2.0)
            client = OutreachClient(settings)
            async with client:
                if used:
                    await client.submit(BODY)
                else:
                    assert client._proxy is None
            return bool(proxy.requests)

    assert loop.run(run()) is used


# -- completeness -------------------------------------------------------------------------------------------


def _leaves(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for child in kind.__subclasses__():
        yield child
        yield from _leaves(child)


def test_no_exception_of_aiohttp_is_unmapped() -> None:
    """Each exception aiohttp may raise is a fault; only what is raised before sending is not unknown."""
    never_sent = {Fault.DNS, Fault.REFUSED, Fault.CONNECT_TIMEOUT, Fault.TLS, Fault.TLS_CERTIFICATE, Fault.PROXY,
                  Fault.PROXY_REFUSED, Fault.INVALID_URL}  # fmt: skip
    before_sending = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL,
                      aiohttp.ClientHttpProxyError, aiohttp.ServerFingerprintMismatch, aiohttp.ClientConnectorCertificateError)  # fmt: skip
    for kind in _leaves(aiohttp.ClientError):
        if kind.__module__.startswith("aiohttp"):
            error = kind.__new__(kind)
            error.status = 407  # type: ignore[attr-defined]
            fault = fault_of(error)
            assert (fault in never_sent) is issubclass(kind, before_sending), kind
    assert fault_of(Exception("anything")) is Fault.DROPPED
    assert fault_of(TimeoutError()) is Fault.TIMEOUT


# -- the simulator ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator(configurations={"on": "active", "off": "inactive", "bare": "unprompted"}) as sim:
        yield sim


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "outcome", "texted"),
    [
        ("", A, 1),
        ("status=429,retry_after=2", U, 0),
        ("status=429,retry_after=date+5", U, 0),
        ("status=500,when=before", X, 0),
        ("status=500,when=after", X, 1),
        ("status=502,body=html,when=after", X, 1),
        ("status=503,body=empty", U, 0),
        ("status=504,body=html", X, 0),
        ("status=200,body=html", X, 0),
        ("status=200,body=empty", X, 0),
        ("status=200,body=invalid,when=after", X, 1),
        ("status=200,body=unsuccessful", R, 0),
        ("status=302,location=/x", C, 0),
        ("status=401", C, 0),
        ("status=404", C, 0),
        ("drop,when=before", X, 0),
        ("drop,when=after", X, 1),
        ("drop,when=after,how=close", X, 1),
        ("partial,when=after", X, 1),
        ("hang=5,when=before", X, 0),
        ("hang=5,when=after", X, 1),
        ("slow=5", X, 1),
        ("latency=0.05", A, 1),
        ("close", A, 1),
    ],
)
def test_what_the_answer_means_is_what_became_of_the_person(
    simulator: RunningSimulator, fault: str, outcome: SubmitOutcome, texted: int
) -> None:
    """Never "send again" for somebody who was texted, never "accepted" for somebody who was not."""
    simulator.set_faults(*([fault] if fault else []))
    simulator.reset()
    body = json.dumps({"configurationId": "on", "phoneNumber": "+14165550123"}).encode()

    async def run() -> SubmitAnswer:
        settings = ApiSettings(simulator.url, simulator.api_key, timeout=0.3, trust_env=False)
        async with OutreachClient(settings) as client:
            return await client.submit(body)

    answer = loop.run(run())
    simulator.set_faults()
    assert answer.outcome is outcome
    assert simulator.report()["texts"] == texted
    assert not (texted and outcome is U)


@pytest.mark.parametrize(
    ("configuration", "key", "status"),
    [
        ("off", None, 400),
        ("bare", None, 400),
        ("", None, 400),
        ("gone", None, 404),
        ("on", "user_wrong", 401),
    ],
)
def test_faults_of_the_configuration_are_told_apart(
    simulator: RunningSimulator, configuration: str, key: str | None, status: int
) -> None:
    """400, 401 and 404 as the platform documents them, each with its own remedy."""
    simulator.set_faults()
    body = json.dumps({"configurationId": configuration, "phoneNumber": "+14165550123"}).encode()

    async def run() -> SubmitAnswer:
        settings = ApiSettings(simulator.url, key or simulator.api_key, trust_env=False)
        async with OutreachClient(settings) as client:
            return await client.submit(body)

    answer = loop.run(run())
    assert (answer.outcome, answer.status) == (C, status)
    assert http.client.responses[status]
