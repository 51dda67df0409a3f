"""A no that is said again after a START, or after somebody took the number off the list, is heard again.

What repeats an event is one event, and routes see it once. Where it may be the person saying the same once more it counts
as said once more; where it is known to be the platform's retry of what was said before the START, the START stands.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.intake import Incoming, read_event
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.append import append

N = "+14165550123"
T0 = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
SECRET = "a-secret-of-this-platform"
DAY = 24 * 60


def custom(**fields: Any) -> SourceSettings:
    section = {"type": "{{ body.kind }}", "types": {"received": "replied"}, "person": "{{ body.lead }}"}
    extra = {"platform": "custom", "custom": section | fields}
    return source_settings("own", password=SECRET, extra=extra)


SUPERSEND = SourceSettings("supersend", "supersend", (SECRET,))
TETHER = SourceSettings("tether", "tether", (SECRET,))
AUTOREACH = SourceSettings("autoreach", "autoreach", (SECRET,))
VARDA = SourceSettings("varda", "varda", (SECRET,))
OWN_ID = custom(id="{{ body.id }}")
GITHUB = custom(verify={"scheme": "github"}, delivery_header="X-Delivery")
STRIPE = custom(verify={"scheme": "stripe"})


def supersend(text: str, **_: Any) -> dict[str, Any]:
    return {"type": "reply", "CampaignId": "c", "contact": {"id": "7", "phone": N}, "message": text}


def unsubscribed(text: str, **_: Any) -> dict[str, Any]:
    if text != "STOP":
        return supersend(text)
    return {"type": "unsubscribe", "CampaignId": "c", "contact": {"id": "7", "phone": N}}


def tether(text: str, **_: Any) -> dict[str, Any]:
    return {"event": "message.received", "contact": {"phone": N}, "message": {"content": text}}


def timed(text: str, said: str) -> dict[str, Any]:
    return {"timestamp": said, **tether(text)}


def autoreach(text: str, **_: Any) -> dict[str, Any]:
    return {"event": "Reply Received", "data": {"content": text, "phone": N}}


def varda(text: str, said: str) -> dict[str, Any]:
    contact = {"id": 4, "phone": N}
    return {"event": "message.created", "timestamp": said, "data": {"direction": "inbound", "content": text, "contact": contact}}  # fmt: skip


def own(text: str, said: str) -> dict[str, Any]:
    return {"kind": "received", "id": said, "message": text, "lead": {"phone": N}}


def wordless(text: str, **_: Any) -> dict[str, Any]:
    return {"kind": "received", "message": text, "lead": {"phone": N}}


class Case(NamedTuple):
    """A STOP, after it a START, and what comes then.

    :param body: (text, when it was said) → the body.
    :param then: minutes after the STOP; and what its body, delivery id and signed time are those of.
    """

    source: SourceSettings
    body: Any
    then: int
    said: str = "first"
    delivery: str = "first"
    signed: str = "first"


AGAIN = {
    "no id, no time": Case(SUPERSEND, supersend, 6),
    "no id, no time, an unsubscribe": Case(SUPERSEND, unsubscribed, 6),
    "no id, no time, another platform": Case(TETHER, tether, 6),
    "no id, no time, but signed": Case(AUTOREACH, autoreach, 60 * DAY),
    "a day is no time": Case(TETHER, lambda text, said: timed(text, said[:10]), 6),
    "a day is no time, signed": Case(AUTOREACH, lambda text, said: {**autoreach(text), "timestamp": said[:10]}, 6),
    "the signed time is another one": Case(STRIPE, wordless, 6, signed="then"),
    "another delivery of the same signed body": Case(GITHUB, wordless, 6, delivery="then"),
    "said anew, and tells so": Case(TETHER, timed, 6, said="then"),
}  # fmt: skip
RETRIED = {
    "the same time": Case(TETHER, timed, 6),
    "the same time, after an outage of two days": Case(TETHER, timed, 2 * DAY),
    "the same time in a signed body": Case(AUTOREACH, lambda text, said: {**autoreach(text), "timestamp": said}, 6),
    "the same delivery, signed anew": Case(VARDA, varda, 4, signed="then"),
    "the same signed time under another delivery": Case(VARDA, varda, 4, delivery="then"),
    "the same signed time": Case(STRIPE, wordless, 4),
    "the same delivery of a body that is signed without it": Case(GITHUB, wordless, 2 * DAY),
    "the platform's own id": Case(OWN_ID, own, 6),
}  # fmt: skip


def headers(source: SourceSettings, raw: bytes, delivery: str, at: datetime) -> dict[str, str]:
    facts = source.facts
    signed: Mapping[str, str] = {}
    if facts.scheme is not Scheme.NONE:
        signed = sign(facts.scheme, raw, [SECRET], message_id="m", now=at)
    return {**signed, facts.delivery_header or "X-Nothing": delivery}


def event(case: Case, text: str, minutes: int, said: str, delivery: str, signed: str) -> Incoming:
    moment = {"first": T0, "between": T0 + timedelta(minutes=3), "then": T0 + timedelta(minutes=case.then)}
    raw = json.dumps(case.body(text, said=moment[said].strftime("%Y-%m-%dT%H:%M:%SZ"))).encode()
    return read_event(
        case.source,
        raw,
        headers(case.source, raw, delivery, moment[signed]),
        received_at=T0 + timedelta(minutes=minutes),
    )


def listed(store: Store) -> list[str]:
    return [row.phone for row in suppressions.every_entry(store)]


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in one group"])
@pytest.mark.parametrize("between", ["START", "a person"])
@pytest.mark.parametrize("case", [*AGAIN.values(), *RETRIED.values()], ids=[*AGAIN, *RETRIED])
def test_the_same_again_is_a_no_unless_it_is_known_to_be_a_retry(
    store: Store, case: Case, between: str, together: bool
) -> None:
    """STOP, then START or a removal by hand, then the same STOP: by what tells a retry from a word said again."""
    first = event(case, "STOP", 0, "first", "first", "first")
    start = event(case, "START", 3, "between", "between", "between")
    again = event(case, "STOP", case.then, case.said, case.delivery, case.signed)
    lifting = case.body is not unsubscribed  # what a platform says is not lifted by START
    if together and between == "START":
        append(store, [first, start, again])
    else:
        append(store, [first])
        assert listed(store) == [N]
        if between == "START":
            append(store, [start])
        else:
            suppressions.remove(store, [N], actor="me")
        assert listed(store) == ([] if lifting or between == "a person" else [N])
        append(store, [again])
    assert listed(store) == ([N] if case in AGAIN.values() else [])


def test_what_says_no_again_is_still_one_event(store: Store) -> None:
    """Its answer is "duplicate", under the first one's id; and the entry names that event."""
    case = AGAIN["no id, no time"]
    first, start, again = (
        event(case, text, minutes, "first", "first", "first") for text, minutes in (("STOP", 0), ("START", 3), ("STOP", 6))
    )  # fmt: skip
    [stored] = append(store, [first])
    append(store, [start])
    [answer] = append(store, [again])
    assert (answer.event_id, answer.duplicate) == (stored.event_id, True)
    assert [row.source for row in suppressions.every_entry(store)] == [
        f"event {stored.event_id} of supersend"
    ]


def test_a_yes_that_is_said_again_lifts_nothing(store: Store) -> None:
    """START, STOP, START in the same bytes may be a retry of the first START: the STOP stands."""
    case = AGAIN["no id, no time"]
    for minutes, text in enumerate(("STOP", "START", "STOP", "START")):
        append(store, [event(case, text, minutes, "first", "first", "first")])
    assert listed(store) == [N]


NUMBERS = itertools.count(14165550200)


@pytest.mark.slow
@given(steps=st.lists(st.sampled_from(["STOP", "START", "hello", "removed"]), max_size=8))
@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whoever_said_stop_last_is_listed(sqlite_store: Store, steps: Sequence[str]) -> None:
    """Without id and time, whatever was said and done before it."""
    phone = f"+{next(NUMBERS)}"
    for minutes, step in enumerate(steps):
        if step == "removed":
            suppressions.remove(sqlite_store, [phone], actor="me")
            continue
        raw = json.dumps(supersend(step) | {"contact": {"phone": phone}}).encode()
        append(sqlite_store, [read_event(SUPERSEND, raw, {}, received_at=T0 + timedelta(minutes=minutes))])
        if step == "STOP":
            assert suppressions.entries(sqlite_store, phone=phone).rows != []
