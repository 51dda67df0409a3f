"""Each fault as a client sees it, and what the simulator says became of the lead."""

from __future__ import annotations

import http.client
import json
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.simulator.faults import (
    DEFAULT_VALUE,
    ApiEndpoint,
    Body,
    Cut,
    InjectedFault,
    Kind,
)

PHONE = "+14165550123"


def fate(sim: Any) -> tuple[int, int, int]:
    """(hit, texted, not texted) of the only fault."""
    (fault,) = [fault for fault in sim.report()["faults"] if fault["in_force"]]
    return fault["hit"], fault["texted"], fault["not_texted"]


def settled(sim: Any, expected: tuple[int, int, int]) -> bool:
    """Whether the fate becomes the expected one within seconds: the server hears of a hang-up a little later."""
    for _ in range(300):
        if fate(sim) == expected:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", ["json", "empty", "html"])
def test_any_status_with_any_body(client: Any, sim: Any, status: int, body: str) -> None:
    """The status comes with the body that was asked for, and the person was not texted."""
    sim.set_faults(f"status={status},body={body}")
    answer = client.submit(PHONE)
    assert answer.status == status
    if body == "json":
        assert answer.json()["success"] is False
    elif body == "html":
        assert answer.body.startswith(b"<!doctype html>")
        assert answer.headers["Content-Type"].startswith("text/html")
    else:
        assert answer.body == b""
    assert fate(sim) == (1, 0, 1)
    assert sim.report()["texts"] == 0
    assert sim.report()["answered"] == {str(status): 1}


def test_an_error_may_come_after_the_text(client: Any, sim: Any) -> None:
    """``when=after``: the answer is a 500, and the person was texted all the same."""
    sim.set_faults("status=500,when=after")
    assert client.submit(PHONE).status == 500
    assert fate(sim) == (1, 1, 0)
    assert sim.texts(PHONE)["texts"] == 1
    assert sim.texts(PHONE)["faults"] == ["status=500,when=after"]


@pytest.mark.parametrize(
    ("body", "sent"), [("empty", b""), ("html", b"<!doctype"), ("invalid", b'{"success": tru')]
)
def test_a_200_may_hold_nonsense(client: Any, sim: Any, body: str, sent: bytes) -> None:
    """An empty, HTML or broken 200."""
    sim.set_faults(f"status=200,body={body}")
    answer = client.submit(PHONE)
    assert answer.status == 200
    assert answer.body.startswith(sent)
    assert (answer.body == b"") == (sent == b"")
    assert fate(sim) == (1, 0, 1)


def test_a_200_may_say_no(client: Any, sim: Any) -> None:
    """``success: false`` inside a 200."""
    sim.set_faults("status=200,body=unsuccessful")
    answer = client.submit(PHONE)
    assert (answer.status, answer.json()["success"]) == (200, False)
    assert sim.report()["texts"] == 0


def test_retry_after_in_both_forms(client: Any, sim: Any) -> None:
    """Seconds, an HTTP date that far ahead, none, or whatever is asked for."""
    seen = []
    for option in ("", ",retry_after=7", ",retry_after=date+7", ",retry_after=soon"):
        sim.set_faults("status=429" + option)
        seen.append(client.submit(PHONE).headers.get("Retry-After"))
    assert (seen[0], seen[1], seen[3]) == (None, "7", "soon")
    ahead = (parsedate_to_datetime(seen[2]) - datetime.now(UTC)).total_seconds()
    assert 6 < ahead <= 8


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_says_where_to(client: Any, sim: Any, status: int) -> None:
    """A redirect leads back to the endpoint, or where it was told to lead."""
    sim.set_faults(f"status={status}")
    assert client.submit(PHONE).headers["Location"] == "/api/webhook/outreach?moved=1"
    sim.set_faults(f"status={status},location=https://elsewhere.example/")
    answer = client.submit(PHONE)
    assert (answer.status, answer.headers["Location"]) == (status, "https://elsewhere.example/")
    assert sim.report()["texts"] == 0


@pytest.mark.parametrize(("when", "texts"), [("after", 1), ("before", 0)])
@pytest.mark.parametrize(("how", "reset"), [("reset", True), ("close", False)])
def test_a_dropped_answer(
    client: Any, sim: Any, until_closed: Any, when: str, texts: int, how: str, reset: bool
) -> None:
    """No byte comes back, with a RST or a FIN, after the person was texted or before."""
    sim.set_faults(f"drop,when={when},how={how}")
    with client.raw() as sock:
        sock.sendall(client.request_bytes(PHONE))
        assert until_closed(sock) == (b"", reset)
    assert fate(sim) == (1, texts, 1 - texts)
    assert sim.report()["texts"] == texts
    assert sim.report()["answered"] == {"none": 1}


@pytest.mark.parametrize(("how", "reset"), [("reset", True), ("close", False)])
def test_half_an_answer(client: Any, sim: Any, until_closed: Any, how: str, reset: bool) -> None:
    """The head and half of the body arrive, then the connection dies; the person was texted."""
    sim.set_faults(f"partial,how={how}")
    with client.raw() as sock:
        sock.sendall(client.request_bytes(PHONE))
        received, was_reset = until_closed(sock)
    head, body = received.split(b"\r\n\r\n")
    size = int(next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")).split()[1])
    assert 0 < len(body) < size
    assert was_reset is reset
    assert fate(sim) == (1, 1, 0)
    assert sim.report()["answered"] == {"none": 1}


@pytest.mark.slow
def test_a_slow_body(client: Any, sim: Any) -> None:
    """The head comes at once, the body takes its time, and it is whole."""
    sim.set_faults("slow=0.4")
    with client.raw() as sock:
        started = time.monotonic()
        sock.sendall(client.request_bytes(PHONE))
        response = http.client.HTTPResponse(sock)
        response.begin()
        head_after = time.monotonic() - started
        content = json.loads(response.read())
        body_after = time.monotonic() - started
    assert content["success"] is True
    assert body_after - head_after > 0.3
    assert fate(sim) == (1, 1, 0)


def test_a_client_that_leaves_during_a_slow_body(client: Any, sim: Any) -> None:
    """An answer that did not go out whole is none."""
    sim.set_faults("slow=5")
    with client.raw() as sock:
        sock.sendall(client.request_bytes(PHONE))
        assert sock.recv(12) == b"HTTP/1.1 200"
    for _ in range(300):
        if sim.report()["answered"]:
            break
        time.sleep(0.01)
    assert sim.report()["answered"] == {"none": 1}
    assert fate(sim) == (1, 1, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("when", "texted_early"), [("before", 0), ("after", 1), ("late", 0)])
def test_a_hang_ends_in_an_answer(client: Any, sim: Any, when: str, texted_early: int) -> None:
    """A patient client gets its 200; the lead is processed before or after the wait."""
    sim.set_faults(f"hang=0.5,when={when}")
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(client.submit(PHONE)))
    thread.start()
    time.sleep(0.15)
    assert (sim.report()["texts"], answers) == (texted_early, [])
    thread.join()
    assert answers[0].status == 200
    assert sim.report()["texts"] == 1
    assert fate(sim) == (1, 1, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("when", "texts"), [("before", 0), ("after", 1), ("late", 1)])
def test_a_client_that_gives_up_on_a_hang(client: Any, sim: Any, when: str, texts: int) -> None:
    """Processed at once, processed although nobody waits any more, or not at all; never answered."""
    sim.set_faults(f"hang=0.25,when={when}")
    with pytest.raises(TimeoutError):
        client.submit(PHONE, timeout=0.1)
    assert settled(sim, (1, texts, 1 - texts))
    time.sleep(0.2)
    assert sim.report()["texts"] == texts
    assert sim.report()["answered"] == {"none": 1}


def test_a_hang_may_end_in_an_error(client: Any, sim: Any) -> None:
    """Delays add to another fault: a gateway's 504 comes late, and the person was texted."""
    sim.set_faults("hang=0.15", "status=504,when=after,body=html")
    started = time.monotonic()
    assert client.submit(PHONE).status == 504
    assert time.monotonic() - started >= 0.15
    assert sim.report()["texts"] == 1


@pytest.mark.slow
def test_latency_with_jitter(client: Any, sim: Any) -> None:
    """Every answer takes the latency, more or less by the jitter."""
    sim.set_faults("latency=0.1,jitter=0.05")
    times = []
    for n in range(6):
        started = time.monotonic()
        assert client.submit(f"+1416555010{n}").status == 200
        times.append(time.monotonic() - started)
    assert min(times) >= 0.05
    assert max(times) < 1
    assert max(times) - min(times) > 0.01


def test_a_rate_limit_refuses_what_is_too_much(client: Any, sim: Any) -> None:
    """A burst beyond one second's worth is refused with 429 and Retry-After; later there is room again."""
    sim.set_faults("rate=10,retry_after=1")
    answers = [client.submit(f"+141655501{n:02}") for n in range(20)]
    refused = [answer for answer in answers if answer.status == 429]
    assert 0 < len(refused) <= 10
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert sim.report()["texts"] == 20 - len(refused)
    time.sleep(0.15)
    assert client.submit("+14165550199").status == 200


def test_a_rate_limit_may_answer_503_without_a_body(client: Any, sim: Any) -> None:
    """SuperSend's limit: 503 and nothing else."""
    sim.set_faults("rate=1,answer=503,body=empty,on=contacts")
    assert client.ask("GET", "/v2/contacts").status == 200
    assert (client.ask("GET", "/v2/contacts").status, client.ask("GET", "/v2/contacts").body) == (503, b"")
    assert client.submit(PHONE).status == 200


def test_too_many_connections_are_turned_away(
    client: Any, sim: Any, answers_of: Any, until_closed: Any
) -> None:
    """The connection beyond the limit gets an empty 503 and is closed; those below it work on."""
    sim.set_faults("connections=1")
    time.sleep(0.1)  # the connection that said so must be gone
    with client.raw() as first, client.raw() as second:
        first.sendall(client.request_bytes())
        assert answers_of(first, 1)[0].status == 200
        second.sendall(client.request_bytes())
        received, _ = until_closed(second)
        assert received.startswith(b"HTTP/1.1 503 ")
        assert b"Content-Length: 0" in received
        first.sendall(client.request_bytes())
        assert answers_of(first, 1)[0].status == 200
    time.sleep(0.05)
    sim.set_faults()
    assert sim.report()["texts"] == 2


@pytest.mark.parametrize(("spec", "announced"), [("close", True), ("close,announce=no", False)])
def test_no_connection_is_kept(client: Any, sim: Any, until_closed: Any, spec: str, announced: bool) -> None:
    """The answer is whole, then the connection ends, announced or not."""
    sim.set_faults(spec)
    with client.raw() as sock:
        sock.sendall(client.request_bytes())
        received, reset = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"}}")
    assert (b"Connection: close" in received, reset) == (announced, False)
    assert sim.report()["texts"] == 1


def test_which_requests(client: Any, sim: Any) -> None:
    """first, every, skip, ending, per_phone and on pick the requests they name."""

    def statuses(spec: str, phones: list[str]) -> list[int]:
        sim.set_faults(spec)
        return [client.submit(phone).status for phone in phones]

    same, others = [PHONE] * 6, [f"+1416555010{n}" for n in range(6)]
    assert statuses("status=503,first=2", same) == [503, 503, 200, 200, 200, 200]
    assert statuses("status=503,every=3", same) == [200, 200, 503, 200, 200, 503]
    assert statuses("status=503,skip=4", same) == [200, 200, 200, 200, 503, 503]
    assert statuses("status=503,skip=1,first=2", same) == [200, 503, 503, 200, 200, 200]
    assert statuses("status=503,ending=03", others) == [200, 200, 200, 503, 200, 200]
    assert statuses("status=503,first=1,per_phone=yes", others[:2] * 2) == [503, 503, 200, 200]
    assert statuses("status=503,on=contacts", same[:2]) == [200, 200]
    assert client.ask("GET", "/v2/contacts").status == 503


def test_only_the_first_outcome_hits(client: Any, sim: Any) -> None:
    """Of two faults that answer, the one named first does; the other still has its turn."""
    sim.set_faults("status=503,first=1", "status=500,first=1")
    assert [client.submit(PHONE).status for _ in range(3)] == [503, 500, 200]


def test_a_change_of_faults_loses_no_count(client: Any, sim: Any) -> None:
    """The report still tells what a fault did that is no longer in force."""
    sim.set_faults("status=503")
    client.submit(PHONE)
    sim.set_faults()
    assert client.submit(PHONE).status == 200
    (past,) = [fault for fault in sim.report()["faults"] if fault["hit"]]
    assert past == {"fault": "status=503", "in_force": False, "hit": 1, "texted": 0, "not_texted": 1}


faults = st.builds(
    InjectedFault,
    kind=st.sampled_from([Kind.STATUS, Kind.HANG, Kind.LATENCY, Kind.RATE]),
    value=st.sampled_from([None, 200.0, 302.0, 503.0]),
    body=st.sampled_from([None, *Body]),
    retry_after=st.sampled_from([None, "7", "date+7"]),
    how=st.sampled_from(Cut),
    announce=st.booleans(),
    jitter=st.floats(0, 10),
    p=st.floats(0, 1),
    first=st.none() | st.integers(0, 10**9),
    every=st.none() | st.integers(1, 10**9),
    skip=st.integers(0, 10**9),
    ending=st.text("0123456789", max_size=4),
    per_phone=st.booleans(),
    on=st.sampled_from(ApiEndpoint),
)


@given(faults)
def test_a_fault_reads_back_from_its_text(fault: InjectedFault) -> None:
    """Text and value say the same."""
    assert InjectedFault.parse(str(fault)) == fault


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_stands_alone(kind: Kind) -> None:
    """A kind without options is a fault with its default value."""
    assert InjectedFault.parse(str(kind)).value == DEFAULT_VALUE[kind]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("stats=500", "did you mean 'status'"),
        ("", "'' is no fault"),
        ("status=abc", "'abc' is no value"),
        ("status=99", "no such status"),
        ("status=500,p=2", "not between 0 and 1"),
        ("status=500,p=x", "'x' is no p"),
        ("status=500,boddy=html", "did you mean 'body'"),
        ("status=500,body=xml", "'xml' is no body"),
        ("status=500,when=late", "means nothing here"),
        ("status=500,first=-1", "first starts at 0"),
        ("status=500,every=0", "every starts at 1"),
        ("drop=5", "takes no value"),
        ("hang=nan", "not a number from 0 up"),
        ("hang=inf", "not a number from 0 up"),
        ("rate=0", "needs a rate above 0"),
        ("close,announce=maybe", "'maybe' is no announce"),
    ],
)
def test_a_wrong_fault_is_explained(spec: str, says: str) -> None:
    """The error names the part that is wrong and what would be right."""
    with pytest.raises(ConfigurationError, match=says):
        InjectedFault.parse(spec)
