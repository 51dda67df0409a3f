"""Proof, identity and strictness: what is let in, and under which id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError, SignatureError, TooManyEvents
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.intake import Incoming, authenticate, read_event, read_events
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings, source_settings

NOW = datetime(2026, 3, 25, 19, tzinfo=UTC)
OLD, NEW = "the-old-secret-16", "the-new-secret-16"
BODY = b'{"event": "call.ended", "timestamp": "2026-03-25T18:30:00Z", "data": {"id": 1}}'


def varda_headers(body: bytes, secrets: Iterable[str] = (NEW,), at: datetime = NOW) -> dict[str, str]:
    (value,) = sign(Scheme.STRIPE, body, list(secrets), message_id="m", now=at).values()
    return {"x-varda-signature": value}


def test_varda_signature_with_rotation() -> None:
    """While a secret is rotated, events signed with the old and with the new one are both authentic."""
    source = SourceSettings("v", "varda", (NEW, OLD))
    for secret in (OLD, NEW):
        authenticate(source, BODY, varda_headers(BODY, [secret]), token=None, now=NOW)
    with pytest.raises(SignatureError):
        authenticate(source, BODY, varda_headers(BODY, ["another-secret-16"]), token=None, now=NOW)


@pytest.mark.parametrize("off", [timedelta(seconds=301), timedelta(seconds=-301)])
def test_varda_replay_window(off: timedelta) -> None:
    """A signed time more than the tolerance away, to either side, is refused."""
    source = SourceSettings("v", "varda", (NEW,))
    with pytest.raises(SignatureError):
        authenticate(source, BODY, varda_headers(BODY, at=NOW + off), token=None, now=NOW)


def test_autoreach_signature() -> None:
    """AutoReach's header proves the exact bytes, and a changed byte is refused."""
    source = SourceSettings("a", "autoreach", (NEW,))
    headers = sign(Scheme.AUTOREACH, BODY, [NEW], message_id="m", now=NOW)
    authenticate(source, BODY, headers, token=None, now=NOW)
    with pytest.raises(SignatureError):
        authenticate(source, BODY + b" ", headers, token=None, now=NOW)


@pytest.mark.parametrize("platform", ["tether", "supersend"])
def test_token_in_url_or_header(platform: str) -> None:
    """A platform that cannot sign proves itself with a token, in the URL or in a header."""
    source = SourceSettings("t", platform, (OLD, NEW))
    authenticate(source, BODY, {}, token=OLD, now=NOW)
    authenticate(source, BODY, {"X-Outreach-Token": NEW}, token=None, now=NOW)
    for token in (None, "", "wrong", NEW + "x", "ключ-не-тот-совсем", "\ud800", NEW + "\xff", NEW + "\xa0"):
        with pytest.raises(SignatureError):
            authenticate(source, BODY, {}, token=token, now=NOW)


@pytest.mark.parametrize("platform", ["tether", "supersend", "varda", "autoreach"])
def test_unsigned_only_where_allowed(platform: str) -> None:
    """Without a secret nothing is authentic unless allow_unsigned says so; with one, it never matters."""
    with pytest.raises(SignatureError, match="allow_unsigned"):
        authenticate(SourceSettings("s", platform), BODY, {}, token=None, now=NOW)
    authenticate(SourceSettings("s", platform, allow_unsigned=True), BODY, {}, token=None, now=NOW)
    with pytest.raises(SignatureError):
        authenticate(
            SourceSettings("s", platform, (NEW,), allow_unsigned=True), BODY, {}, token=None, now=NOW
        )


@pytest.mark.slow
@given(st.text(max_size=200) | st.from_regex(r"t=\d{0,12},v1=[0-9a-f]{0,70}", fullmatch=True))
@example("t=,v1=")
@example("v1=" + "0" * 64)
def test_no_forged_signature_passes(header: str) -> None:
    """Whatever stands in the signature header, without the secret it is refused with a SignatureError."""
    source = SourceSettings("v", "varda", (NEW,))
    with pytest.raises(SignatureError):
        authenticate(source, BODY, {"X-Varda-Signature": header}, token=None, now=NOW)


def identity(
    platform: str, body: bytes, *, source: str = "s", at: datetime = NOW, **headers: str
) -> Incoming:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_event(SourceSettings(source, platform), body, named, received_at=at)


def test_delivery_id_identifies() -> None:
    """A Varda retry repeats its delivery id and is the same event; another delivery id is another event."""
    first = identity("varda", BODY, x_varda_delivery="d1")
    assert (
        identity("varda", BODY, X_Varda_Delivery="d1", at=NOW + timedelta(days=1)).event.id == first.event.id
    )
    assert identity("varda", BODY, x_varda_delivery="d2").event.id != first.event.id
    assert identity("varda", BODY, x_varda_delivery="d1", source="other").event.id != first.event.id


@pytest.mark.parametrize("platform", ["varda", "autoreach", "tether", "supersend"])
def test_body_with_a_time_identifies_for_ever(platform: str) -> None:
    """A body that holds its time is the same event whenever it comes again."""
    first = identity(platform, BODY)
    later = identity(platform, BODY, at=NOW + timedelta(days=9))
    assert first.event.id == later.event.id
    assert first.fingerprint is None
    assert identity(platform, BODY.replace(b"18:30", b"18:31")).event.id != first.event.id


def test_body_without_time_has_a_window() -> None:
    """A body with neither id nor time gets a fingerprint: the same within a window, not for ever."""
    body = b'{"type": "open", "CampaignId": "c", "contact": {"email": "a@b.ca"}}'
    first, later = identity("supersend", body), identity("supersend", body, at=NOW + timedelta(hours=1))
    assert first.fingerprint == later.fingerprint
    assert first.event.id != later.event.id
    assert first.window_seconds == 900
    assert identity("supersend", body + b" ").fingerprint != first.fingerprint


EVENTS = {
    "varda": {"event": "call.ended", "timestamp": "2026-03-25T18:30:00Z", "data": {"contact": {"id": 1}}},
    "autoreach": {
        "event": "Reply Received",
        "data": {"contact": {"phone": "+14165550123"}, "message": "STOP"},
    },
    "tether": {"event": "message.received", "phone": "+14165550123", "text": "STOP"},
    "supersend": {"type": "unsubscribe", "contact": {"email": "jane@example.com"}},
}
ENVELOPES: list[Callable[[list[Any]], Any]] = [
    lambda events: events,
    lambda events: {"events": events},
    lambda events: {"batch": events, "count": len(events), "flow": {"id": 7}},
]


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("envelope", ENVELOPES)
@given(st.lists(st.integers(0, 9) | st.just("nothing of it"), min_size=1, max_size=5))
def test_a_list_of_events_is_as_many(
    platform: str, envelope: Callable[[list[Any]], Any], parts: list[Any]
) -> None:
    """What a relay collected into one request is read as if each had come alone: its kind, contact and no."""
    events = [EVENTS[platform] | {"part": each} if isinstance(each, int) else each for each in parts]
    source = SourceSettings("src", platform, (OLD,), allow_unsigned=True)

    def read(value: Any) -> list[Incoming]:
        return read_events(source, json.dumps(value).encode(), {}, received_at=NOW)

    found = read(envelope(events))
    if not any(isinstance(each, int) for each in parts):
        assert [each.event.kind for each in found] == [EventKind.UNRECOGNISED]
        return
    alone = [each for event in events for each in read(event)]
    assert [(each.event.kind, each.event.contact, each.opt_out) for each in found] == [
        (each.event.kind, each.event.contact, each.opt_out) for each in alone
    ]
    assert [json.loads(each.body) for each in found] == events
    again = read(envelope(events))
    if not any(each.window_seconds for each in found):
        assert [each.event.id for each in again] == [each.event.id for each in found]


@pytest.mark.slow
@pytest.mark.parametrize("platform", [*PLATFORMS, "custom"])
@given(st.lists(st.sampled_from(["1e400", "-1e400", "9" * 400, "1", "null"]), min_size=2, max_size=4))
def test_a_number_beyond_all_measure_costs_no_event_of_its_list(platform: str, numbers: list[str]) -> None:
    """JSON has numbers that no computer holds: what came with one is as many events, each with a body that reads again."""
    event = json.dumps(EVENTS.get(platform) or {"event": "replied"})[:-1]
    listed = ", ".join(f'{event}, "score": {each}}}' for each in numbers)
    body = f"[{listed}]".encode()
    custom = {"custom": {"type": "event"}} if platform == "custom" else {}
    source = source_settings("src", password=NEW, extra={"platform": platform, **custom})
    found = read_events(source, body, {}, received_at=NOW)
    assert len(found) == len(numbers)
    for each, number in zip(found, numbers, strict=True):
        assert read_json(each.body)["score"] == (None if "e" in number else json.loads(number))


BESIDE = {
    "a record": {"contact": {"phone": "+14165550123", "unsubscribed": True}},
    "a message": {"phone": "+14165550123", "message": "STOP", "direction": "inbound"},
}


@pytest.mark.slow
@pytest.mark.parametrize("platform", [*PLATFORMS, "custom"])
@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("others", [1, 3])
def test_a_no_beside_a_list_of_others_is_heard(platform: str, beside: str, others: int) -> None:
    """Whoever the events of a list are about: who says no beside it is listed, once, and the events are what they are."""
    other = {"contact": {"phone": "+14165550199", "email": "bob@example.com"}, "message": "Hello"}
    event = {"event": "reply", "type": "reply", **other, "data": other}
    custom: dict[str, Any] = {"custom": {"type": "event", "contact": "contact", "events": "events"}}
    custom = custom if platform == "custom" else {}
    source = source_settings("src", password=NEW, extra={"platform": platform, **custom})

    def read(value: Any) -> list[Incoming]:
        return read_events(source, json.dumps(value).encode(), {}, received_at=NOW)

    events = [event | {"part": each} for each in range(others)]
    *found, no = read({**BESIDE[beside], "events": events})
    assert [each.event.contact for each in found] == [
        each.event.contact for part in events for each in read(part)
    ]
    assert [each.opt_out for each in found] == [None] * others
    assert no.opt_out is not None
    assert (no.opt_out.numbers, no.opt_out.lifts) == (("+14165550123",), False)
    silent = {"contact": {"phone": "+14165550123"}, "flow": 7, "events": events}
    assert len(read(silent)) == others


def test_a_list_of_other_things_is_one_body() -> None:
    """A list whose elements are no events stays whole, as does an event that holds a list; too many are refused."""

    def kinds(body: Any) -> list[str]:
        found = read_events(SourceSettings("s", "varda"), json.dumps(body).encode(), {}, received_at=NOW)
        return [each.event.kind.value for each in found]

    assert kinds({"events": [{"name": "a"}, 1]}) == kinds([]) == kinds({"events": {}}) == ["unrecognised"]
    assert kinds(EVENTS["varda"] | {"events": [EVENTS["varda"]]}) == ["call_ended"]
    with pytest.raises(TooManyEvents):
        kinds([1] * 10_001)


def test_headers_are_kept_without_secrets() -> None:
    """Headers are kept as they came, repeated ones too, but no token or cookie is."""
    pairs = [("a", "1"), ("a", "2"), ("X-Outreach-Token", NEW), ("cookie", "c"), ("b", "x\x00")]
    kept = read_event(SourceSettings("s", "varda"), BODY, {}, received_at=NOW, header_pairs=pairs).headers
    assert json.loads(kept) == [
        ["a", "1"],
        ["a", "2"],
        ["X-Outreach-Token", "•••"],
        ["cookie", "•••"],
        ["b", "x�"],
    ]
    long = read_event(SourceSettings("s", "varda"), BODY, {"x": "y" * 20_000}, received_at=NOW).headers
    assert len(long) < 17_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{]",
        b"{}x",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'"\xff"',
        b'{"a": "\x00"}',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"a": "\\ud800", "b": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"a": "\\ud800" NaN}',
        b'{"a": "\\ud800", "b": NaN}',
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_json(body: bytes) -> None:
    """Whatever is not UTF-8 JSON of sane depth is a ValueError, never anything worse."""
    with pytest.raises(ValueError, match=r"body|digits"):
        read_json(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (rb'{"a": "cut \ud83d"}', {"a": "cut �"}),
        (rb'{"\udc00": "\ud83d\ude00\u0000"}', {"�": "😀�"}),
        (rb'["\\u0000 is text"]', ["\\u0000 is text"]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_what_platforms_really_send(body: bytes, value: object) -> None:
    """A byte-order mark, half an emoji and a NUL are read, and what comes out can be stored anywhere."""
    assert read_json(body) == value


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes(body: bytes) -> None:
    """Any bytes at all are either JSON or a ValueError."""
    try:
        value = read_json(body)
    except ValueError:
        return
    json.dumps(value).encode()


def test_settings_of_a_connection() -> None:
    """A connection's fields become settings, and no secret shows in them."""
    settings = source_settings(
        "s", password=f"{NEW} {OLD}", extra={"platform": "Varda", "tolerance_seconds": "60"}, host=None
    )
    assert (settings.platform, settings.secrets, settings.tolerance_seconds) == ("varda", (NEW, OLD), 60)
    assert NEW not in repr(settings)
    assert settings.proof == "signature (stripe)"


@pytest.mark.parametrize(
    ("password", "extra", "message"),
    [
        ("", {}, "write one of tether"),
        ("", {"platform": "vrada"}, "did you mean 'varda'"),
        ("short", {"platform": "varda"}, "secret 1 .* 5 characters — use at least 16"),
        ("", {"platform": "varda", "tolerance_seconds": "soon"}, "tolerance_seconds is 'soon'"),
        ("", {"platform": "varda", "tolerance_seconds": True}, "tolerance_seconds is True"),
        ("", {"platform": "varda", "dedupe_window_seconds": 0}, "dedupe_window_seconds is 0"),
        ("", {"platform": "varda", "allow_unsigned": "perhaps"}, "write true or false"),
        ("", {"platform": "varda", "default_region": "Canada"}, "two-letter"),
    ],
)
def test_a_wrong_connection_says_what_to_write(password: str, extra: dict[str, object], message: str) -> None:
    """A field that cannot be used is a ConfigurationError that names connection, field and remedy."""
    with pytest.raises(ConfigurationError, match=message):
        source_settings("my_source", password=password, extra=extra)
