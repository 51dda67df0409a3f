"""What makes an event one event, when ids stand in headers that nobody signs: every platform, over HTTP."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stored import stored_events
from strategies import examples

from airflow_outreach_provider.core.intake import authenticate, read_event
from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.services.events.ingest import utc_now
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.append import append

SECRET = "a-secret-of-this-platform"
SOURCES = {name: SourceSettings(name, name, (SECRET,)) for name in PLATFORMS}
SIGNED = [name for name, source in SOURCES.items() if source.signs]
DATED = {"event": "call.ended", "type": "open", "timestamp": "2026-03-25T18:30:00Z", "data": {"id": 1}}
UNDATED = {"event": "call.ended", "type": "open", "data": {"id": 1}}
OTHER = {**DATED, "data": {"id": 2}}


class Sent(NamedTuple):
    """One request.

    :param delivery: the id in the platform's header, which nobody signs.
    :param ago: seconds since it was signed.
    """

    body: dict[str, Any]
    delivery: str | None
    ago: int
    status: int


def headers_of(source: SourceSettings, body: bytes, delivery: str | None, at: datetime) -> dict[str, str]:
    facts = source.facts
    if facts.scheme is Scheme.NONE:
        headers = {"X-Outreach-Token": SECRET}
    else:
        signed = sign(facts.scheme, body, [SECRET], message_id="m", now=at)
        headers = {facts.signature_header or name: value for name, value in signed.items()}
    # Platforms without an id of their own get some header that looks like one.
    return headers if delivery is None else {**headers, facts.delivery_header or "X-Delivery-Id": delivery}


@pytest.fixture
def receiver(store: Store, serving: Callable[..., Any]) -> Iterator[Any]:
    """A receiver with one source of each platform."""
    with serving(create_app(SOURCES, store)) as client:
        yield client


INVENTED = [f"invented-{number}" for number in range(20)]
EVERYWHERE = {
    "one captured request under twenty invented ids is one event": [
        Sent(DATED, "d1", 0, 202), *(Sent(DATED, name, 0, 200) for name in INVENTED),
    ],
    "and so is one without a time in its body": [
        Sent(UNDATED, "d1", 0, 202), *(Sent(UNDATED, name, 0, 200) for name in INVENTED),
    ],
    "an id taken away changes nothing": [Sent(DATED, "d1", 0, 202), Sent(DATED, None, 0, 200)],
    "an id added changes nothing": [Sent(DATED, None, 0, 202), Sent(DATED, "d1", 0, 200)],
    "a captured request under a future id leaves that id its real event": [
        Sent(DATED, "d1", 0, 202), Sent(DATED, "d2", 0, 200), Sent(OTHER, "d2", 0, 202), Sent(OTHER, "d2", 0, 200),
    ],
    "a captured request under a past id leaves that id its event": [
        Sent(OTHER, "d2", 0, 202), Sent(DATED, "d2", 0, 202), Sent(OTHER, "d2", 0, 200),
    ],
    "a platform's retry, signed anew, is the event it was": [
        Sent(DATED, "d1", 90, 202), Sent(DATED, "d1", 60, 200), Sent(DATED, "d1", 0, 200),
    ],
    "a captured retry is the event it was": [
        Sent(DATED, "d1", 90, 202), Sent(DATED, "d1", 60, 200), Sent(DATED, "x", 60, 200), Sent(DATED, "y", 90, 200),
    ],
    "the same id and time with another body is another event": [
        Sent(DATED, "d1", 0, 202), Sent(OTHER, "d1", 0, 202),
    ],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_event_is_one_event(receiver: Any, store: Store, platform: str) -> None:
    """Invented ids make no second event of a request, and take no real event's place, on any platform."""
    source = SOURCES[platform]
    for place, (promise, requests) in enumerate(EVERYWHERE.items()):
        now, before = utc_now(), len(stored_events(store))
        for step, sent in enumerate(requests):
            body = json.dumps({**sent.body, "case": place}).encode()
            headers = headers_of(source, body, sent.delivery, now - timedelta(seconds=sent.ago))
            status, answer, _ = receiver.send(f"/outreach/in/{platform}", body, **headers)
            assert status == sent.status, (promise, step, answer)
        stored = len(stored_events(store)) - before
        assert stored == sum(sent.status == 202 for sent in requests), promise


def test_two_signed_deliveries_of_one_body_are_two(receiver: Any) -> None:
    """Where both the id and the signed time differ, nothing says that it is a repetition."""
    assert receiver.varda(DATED, secret=SECRET, X_Varda_Delivery="d1")[0] == 202
    later = utc_now() - timedelta(seconds=60)
    assert receiver.varda(DATED, secret=SECRET, at=later, X_Varda_Delivery="d2")[0] == 202


@pytest.mark.parametrize("signed", ["{id}.{timestamp}.{body}", "{id}.{body}"])
def test_two_requests_under_two_signed_ids_are_two_events(
    sqlite_store: Store, serving: Callable[..., Any], signed: str
) -> None:
    """Though their bodies are the same; what comes again under its id, signed anew, is the event it was."""
    verify = {
        "scheme": "hmac", "header": "X-Sig", "signed": signed, "id_header": "X-Id", "timestamp_header": "X-Time",
    }  # fmt: skip
    extra = {"platform": "custom", "custom": {"type": "{{ body.event }}", "verify": verify}}
    source = source_settings("s", password="s" * 20, extra=extra)
    body = b'{"event": "clicked"}'
    now = int(utc_now().timestamp())
    with serving(create_app({"s": source}, sqlite_store)) as client:
        for name, ago, answer in (("a", 60, 202), ("b", 60, 202), ("a", 0, 200), ("b", 60, 200)):
            parts = {"{id}": name, "{timestamp}": str(now - ago), "{body}": body.decode()}
            content = signed
            for part, value in parts.items():
                content = content.replace(part, value)
            digits = hmac.new(b"s" * 20, content.encode(), "sha256").hexdigest()
            headers = {"X-Sig": digits, "X-Id": name, "X-Time": parts["{timestamp}"]}
            assert client.send("/outreach/in/s", body, **headers)[0] == answer
            stolen = {**headers, "X-Id": "c"}
            assert client.send("/outreach/in/s", body, **stolen)[0] == 401
    assert len(stored_events(sqlite_store)) == 2


ids = st.sampled_from([None, "d1", "d2", "d3", "", " d1"])
times = st.sampled_from(["2026-03-25T18:30:00Z", None])
names = itertools.count()


@pytest.mark.slow
@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(st.tuples(ids, times), min_size=1, max_size=5), min_size=1, max_size=5))
def test_what_was_signed_bounds_what_is_stored(
    sqlite_store: Store, groups: list[list[tuple[str | None, str | None]]]
) -> None:
    """Whatever ids a holder of captured requests invents, in whatever groups, each signed content is one event."""
    now = utc_now()
    for platform in SIGNED:
        source = replace(SOURCES[platform], name=f"{platform}_{next(names)}")
        signed = set()
        for group in groups:
            incoming = []
            for delivery, time in group:
                body = json.dumps({"event": "call.ended", "timestamp": time, "data": {}}).encode()
                headers = headers_of(source, body, delivery, now)
                authenticate(source, body, headers, token=None, now=now)
                incoming.append(read_event(source, body, headers, received_at=now))
                signed.add(body)
            answers = append(sqlite_store, incoming)
        stored = {each.id for each in stored_events(sqlite_store) if each.source == source.name}
        assert len(stored) == len(signed)
        assert {answer.event_id for answer in answers} <= stored, "a duplicate names the event it repeats"
