"""JSON that is written as text within a body, as queues and buses pass on what they were given."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.intake import Incoming, read_events
from airflow_outreach_provider.core.opt_outs import OptOut
from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.core.sources import SourceSettings, source_settings

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
N, OURS, OTHER = "+14165550123", "+14165550199", "+14165550177"
# What AWS End User Messaging publishes of a text that came in.
TEXTED = {"originationNumber": N, "destinationNumber": OURS, "messageKeyword": "KEYWORD_1", "messageBody": "STOP",
          "inboundMessageId": "m1", "previousPublishedMessageId": "m0"}  # fmt: skip


def b64(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def sns(value: Any) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:x", "Message": json.dumps(value), "Timestamp": "2026-03-25T18:30:00Z",
            "UnsubscribeURL": "https://sns.example.com/?Action=Unsubscribe"}  # fmt: skip


WRAPS: dict[str, Any] = {
    "sns": sns,
    "sqs": lambda value: {"Records": [{"messageId": "1", "body": json.dumps(value), "attributes": {"SenderId": "AIDA"}}]},
    "lambda": lambda value: {"Records": [{"EventSource": "aws:sns", "Sns": sns(value)}]},
    "kinesis": lambda value: {"Records": [{"kinesis": {"partitionKey": "1", "data": b64(value)}}]},
    "pubsub": lambda value: {"message": {"data": b64(value), "messageId": "1", "attributes": {}}, "subscription": "projects/p/subscriptions/s"},
    "eventbridge": lambda value: {"detail-type": "sms", "source": "aws.sms", "account": "123456789012", "detail": json.dumps(value)},
    "cloudevents": lambda value: {"specversion": "1.0", "id": "1", "source": "/x", "data_base64": b64(value)},
    "gateway": lambda value: {"httpMethod": "POST", "headers": {"From": OTHER}, "body": json.dumps(value), "isBase64Encoded": False},
    "payload": lambda value: {"payload": json.dumps(value)},
    "whole": json.dumps,
}  # fmt: skip


def read(platform: str, body: Any, **custom: Any) -> list[Incoming]:
    source = SourceSettings("src", platform)
    if platform == "custom":
        extra = {"platform": platform, "custom": {"type": "{{ body.Type }}", **custom}}
        source = source_settings("src", password="x" * 20, extra=extra)
    return read_events(source, json.dumps(body).encode(), {}, received_at=NOW)


def listed(platform: str, body: Any, **custom: Any) -> list[str]:
    said = [each.opt_out for each in read(platform, body, **custom)]
    return [number for each in said if each is not None and not each.lifts for number in each.numbers]


@pytest.mark.slow
@pytest.mark.parametrize("platform", [*PLATFORMS, "custom"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_no_is_heard_in_what_is_json_as_text(platform: str, wrap: str) -> None:
    """Whoever wrote it is found; the body is kept as it came; what was said by a stop word START takes back."""
    body = WRAPS[wrap](TEXTED)
    (got,) = read(platform, body)
    assert got.opt_out == OptOut((N,), by_stop_word=True)
    assert (got.event.kind, got.event.contact.phone) == (EventKind.UNSUBSCRIBED, N)
    if "Records" not in body:
        assert json.loads(got.body) == got.event.data == body
    assert listed(platform, WRAPS[wrap]({"phone": N, "opted_out": "yes"})) == [N]
    assert listed(platform, WRAPS[wrap]({"event": "contact.unsubscribed", "phone": N})) == [N]
    (other,) = read(platform, WRAPS[wrap]({**TEXTED, "messageBody": "Yes, tell me more"}))
    assert (other.opt_out, other.event.contact.phone) == (None, N)


@pytest.mark.parametrize(
    "value",
    [{**TEXTED, "messageBody": "START"}, {"event": "message.sent", "phone": N, "text": "STOP"}, {"direction": "outbound", "phone": N, "text": "STOP"},
     {"phone": N, "opted_out": "No (confirmed)"}, {"phone": N, "text": "Reply STOP to opt out"}, [], 5, "hello", None],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("wrap", WRAPS)
def test_what_is_no_no_is_none_in_an_envelope_either(wrap: str, value: Any) -> None:
    """A START in what names no event takes nothing back, as outside of one."""
    for platform in ("supersend", "custom"):
        assert all(each.opt_out is None for each in read(platform, WRAPS[wrap](value)))


def test_who_stands_beside_the_text_is_whose_it_is() -> None:
    """An envelope may name the person, or say that they unsubscribed, where what it holds says the rest."""
    assert listed("tether", {"event": "webhook", "phone": N, "payload": '{"text": "STOP"}'}) == [N]
    assert listed("tether", {"event": "unsubscribed", "payload": json.dumps({"phone": N})}) == [N]
    assert listed("tether", {"phone": N, "opted_out": True, "payload": json.dumps({"phone": OTHER})}) == [N]


@pytest.mark.slow
@pytest.mark.parametrize("platform", [*PLATFORMS, "custom"])
def test_what_a_person_writes_is_no_envelope(platform: str) -> None:
    """Nobody unsubscribes others by texting JSON: beside whoever a body is about, a text is a text."""
    text = json.dumps({"phone": OTHER, "opted_out": True, "event": "unsubscribed"})
    for body in (
        {"from": N, "text": text},
        {"event": "message.received", "From": N, "Body": text, "To": OURS},
        {"contact": {"id": "c1"}, "message": {"body": text}},
        {"conversation": {"id": "c1"}, "message": {"direction": "inbound", "content": text}},
        {"conversation": {"id": "c1"}, "reply": text},
    ):
        assert listed(platform, body, type="sms") == []
        assert listed(platform, sns(body), type="sms") == []


def test_of_several_each_says_no_for_themselves() -> None:
    """The records of a batch are events of their own; of a list in one text, who says no is listed and nobody else."""
    batch = {
        "Records": [
            {"body": json.dumps(sns(TEXTED))},
            {"body": json.dumps(sns({**TEXTED, "originationNumber": OTHER, "messageBody": "hi"}))},
        ]
    }
    assert [each.event.contact.phone for each in read("tether", batch)] == [N, OTHER]
    assert listed("tether", batch) == [N]
    people = [
        {"phone": N, "opted_out": True},
        {"phone": OTHER, "opted_out": False},
        {"phone": OURS, "text": "stop"},
    ]
    assert listed("tether", {"data": json.dumps(people)}) == [N, OURS]


def test_an_event_of_the_platform_is_that_event_in_an_envelope_too() -> None:
    """Its type, its kind and its time, as if it had come by itself; also of a custom source whose fields stand in the text."""
    event = {
        "event": "message.created",
        "timestamp": "2026-03-25T18:29:00Z",
        "data": {"direction": "inbound", "content": "hi", "contact": {"phone": N}},
    }
    (got,) = read("varda", sns(event))
    assert (got.event.type, got.event.contact.phone, got.event.occurred_at.minute) == (
        "message.created",
        N,
        29,
    )
    fields = {
        "type": "sms.received",
        "id": "{{ body.inboundMessageId }}",
        "message": "{{ body.messageBody }}",
        "contact": {"phone": "{{ body.originationNumber }}"},
    }
    first, again = (
        read("custom", {**sns({**TEXTED, "messageBody": "hi"}), "MessageId": each}, **fields)[0]
        for each in "12"
    )
    assert (first.event.type, first.event.contact.phone, first.opt_out) == ("sms.received", N, None)
    assert first.event.id == again.event.id
    assert read("custom", sns({**TEXTED, "messageBody": "START"}), **fields)[0].opt_out == OptOut(
        (N,), lifts=True
    )


def test_a_type_that_the_platform_reads_stays_what_it_is() -> None:
    """What passes events on under a name of its own keeps it, for routes are written for it."""
    (got,) = read(
        "tether", {"event": "webhook", "payload": json.dumps({"event": "lead.created", "phone": N})}
    )
    assert (got.event.type, got.event.contact.phone) == ("webhook", N)


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(60))
@given(
    st.lists(st.sampled_from(sorted(WRAPS.keys() - {"whole"})), max_size=3),
    st.sampled_from([*PLATFORMS, "custom"]),
    st.booleans(),
)
def test_a_no_is_heard_through_any_envelopes(wraps: list[str], platform: str, stop: bool) -> None:
    """A topic that feeds a queue that feeds a bus: as many as anybody puts one behind the other."""
    body: Any = TEXTED if stop else {**TEXTED, "messageBody": "hello"}
    for wrap in wraps:
        body = WRAPS[wrap](body)
    assert listed(platform, body) == ([N] if stop else [])


@settings(deadline=None, max_examples=examples(60))
@given(
    st.one_of(st.text(max_size=60), st.text('{}[]"\\:,eyJ=ab\ud800', max_size=60)),
    st.sampled_from(["{", "[", "eyJ", " {", '{"', "W3s", ""]),
    st.sampled_from(["Message", "data", "payload", "detail", "body"]),
)
def test_what_is_no_json_after_all_is_text(rest: str, begins: str, key: str) -> None:
    """Cut short, malformed or in no known characters: the body reads as it would without it."""
    body = {"event": "webhook", "phone": N, "opted_out": True}
    (got,) = read("tether", {**body, key: begins + rest})
    assert got.opt_out is not None
    assert got.opt_out.numbers == (N,)


def test_what_goes_on_for_ever_is_opened_as_far_as_anybody_wraps() -> None:
    """So deep, so many and so much: the rest stays text, and what stands before it counts."""
    deep: Any = {"phone": OTHER, "opted_out": True}
    for _ in range(8):
        deep = {"payload": b64(deep)}
    assert listed("supersend", {"data": json.dumps(TEXTED), "payload": deep["payload"]}) == [N]
    many = {"data": [{"payload": json.dumps({"n": number})} for number in range(3_000)]}
    assert listed("supersend", {"payload": json.dumps(TEXTED), "x": many}) == [N]
    assert listed("supersend", {"payload": json.dumps({**TEXTED, "more": "x" * 1_000_001})}) == []
