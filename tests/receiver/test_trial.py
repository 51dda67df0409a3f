"""A trial event of each platform and recipe: signed, through the real receiver, read as what it says it is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from documents import DOCS
from stored import stored_events

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.platforms import PLATFORMS, platform_rows
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.core.trial_events import PHONE
from airflow_outreach_provider.receiver.trial import make_trial, send_trial
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import sources

NOW = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
SECRET = "a-secret-of-this-platform"


def give(
    store: Store, source: SourceSettings, kind: EventKind, now: datetime, *, body: bytes | None = None
) -> tuple[int, str]:
    return send_trial(store, source, make_trial(source, kind, now, body=body))


def recipes() -> dict[str, SourceSettings]:
    import json

    from documents import blocks

    found = [json.loads(block.text) for block in blocks(DOCS / "custom.md") if block.language == "json"]
    made = [each for each in found if isinstance(each, dict)]
    return {
        f"custom{number}": source_settings(
            f"custom{number}",
            password=fields["password"],
            extra=fields["extra"],
            url="https://airflow.example.com/x",
        )
        for number, fields in enumerate(made)
    }


PLATFORM_CASES = sorted({(row.platform, row.kind) for row in platform_rows() if row.kind != "…"})
RECIPE_CASES = [
    (source, kind)
    for source in recipes().values()
    for kind in sorted(set(source.custom.section.types.values() if source.custom else ()))
]


@pytest.mark.parametrize(("platform", "kind"), PLATFORM_CASES)
def test_every_kind_of_a_platform_can_be_tried(platform: str, kind: str, sqlite_store: Store) -> None:
    """It arrives as that kind, about nobody; a second one is another event."""
    source = SourceSettings("s", platform, (SECRET,))
    now = datetime.now(UTC)
    assert give(sqlite_store, source, EventKind(kind), now)[0] == 202
    assert give(sqlite_store, source, EventKind(kind), now)[0] == 202
    assert [(each.kind.value, each.contact.phone) for each in stored_events(sqlite_store)] == [
        (kind, PHONE)
    ] * 2


@pytest.mark.parametrize(
    ("source", "kind"), RECIPE_CASES, ids=lambda value: str(getattr(value, "name", value))
)
def test_every_kind_of_a_recipe_can_be_tried(
    source: SourceSettings, kind: EventKind, sqlite_store: Store
) -> None:
    """From where its fields stand a body is made that its own expressions read."""
    status, said = give(sqlite_store, source, kind, datetime.now(UTC))
    assert status == 202, said
    (event,) = stored_events(sqlite_store)
    assert event.kind is kind
    assert source.custom is not None
    for name in ("phone", "email", "first_name", "external_id"):
        if getattr(source.custom.section.contact, name):
            assert getattr(event.contact, name), name


@pytest.mark.parametrize("platform", ["tether", "custom"])
@pytest.mark.parametrize("secret", ["schlüssel-für-uns-à", "ключ-никому-не-известный", "鍵" * 16])
def test_a_token_in_any_letters_opens(platform: str, secret: str, sqlite_store: Store) -> None:
    """Over the wire a header is bytes, which servers read as Latin-1: a token is the same token all the same."""
    custom = {"type": "event", "scheme": "token", "header": "X-Key", "types": {"replied": "replied"}}
    extra = {"platform": platform, **({"custom": custom} if platform == "custom" else {})}
    source = source_settings("s", password=secret, extra=extra)
    assert give(sqlite_store, source, EventKind.REPLIED, datetime.now(UTC))[0] == 202
    wrong = source_settings("s", password=secret[:-1] + "x", extra=extra)
    trial = make_trial(wrong, EventKind.REPLIED, datetime.now(UTC))
    assert send_trial(sqlite_store, source, trial)[0] == 401


def test_what_cannot_be_made_says_so(sqlite_store: Store) -> None:
    """A kind that a source never sends, one without a secret; a source that is off answers as it answers anybody."""
    custom = {"type": "message.received", "types": {"message.received": "replied"}}
    texts = source_settings("texts", password=SECRET, extra={"platform": "custom", "custom": custom})
    with pytest.raises(ConfigurationError, match=r"no event of kind 'opened'.*--body FILE"):
        give(sqlite_store, texts, EventKind.OPENED, NOW)
    with pytest.raises(ConfigurationError, match="no event of kind 'unrecognised'"):
        give(sqlite_store, texts, EventKind.UNRECOGNISED, NOW)
    with pytest.raises(ConfigurationError, match="has no secret"):
        give(sqlite_store, SourceSettings("s", "varda"), EventKind.REPLIED, NOW)
    source = SourceSettings("s", "tether", (SECRET,))
    sources.disable(sqlite_store, "s", reason="", by="eve")
    assert give(sqlite_store, source, EventKind.REPLIED, NOW) == (
        503,
        "503: this source is switched off",
    )
    assert stored_events(sqlite_store) == []


def test_a_body_of_the_platforms_own_is_signed_as_it_is(sqlite_store: Store) -> None:
    """As documented by the platform, or taken from the page of an event."""
    body = b'{"event": "call.ended", "timestamp": "2026-03-25T18:30:00Z", "data": {"contact": {"id": 4}}}'
    source = SourceSettings("s", "varda", (SECRET,))
    assert give(sqlite_store, source, EventKind.REPLIED, datetime.now(UTC), body=body)[0] == 202
    (event,) = stored_events(sqlite_store)
    assert (event.kind, event.contact.external_id) == (EventKind.CALL_ENDED, "4")


def test_every_platform_is_tried() -> None:
    """None was left out."""
    assert {platform for platform, _ in PLATFORM_CASES} == set(PLATFORMS)


def test_a_type_in_a_header_is_sent_there(sqlite_store: Store) -> None:
    """A trial of a source that reads its type from a header brings the header, and so does a body of one's own."""
    custom = {
        "type": "{{ headers['X-Topic'] }}",
        "types": {"lead/new": "lead_created"},
        "person": "{{ body.who }}",
    }
    extra = {"platform": "custom", "custom": custom}
    source = source_settings("s", password=SECRET, extra=extra, url="u")
    now = datetime.now(UTC)
    assert give(sqlite_store, source, EventKind.LEAD_CREATED, now)[0] == 202
    assert give(sqlite_store, source, EventKind.LEAD_CREATED, now, body=b'{"a": 1}')[0] == 202
    assert [(each.type, each.kind.value) for each in stored_events(sqlite_store)] == [
        ("lead/new", "lead_created")
    ] * 2


UNLIKE_WHAT_IS_SENT: dict[str, tuple[dict[str, object], EventKind]] = {
    "a form holds no object": (
        {"form": True, "type": "{{ body.payload.type }}", "types": {"new": "replied"}}, EventKind.REPLIED,
    ),
    "it only asks whether the URL is ours": (
        {"type": "{{ body.challenge }}", "types": {"new": "replied"}, "handshake": {"body": "challenge"}}, EventKind.REPLIED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNLIKE_WHAT_IS_SENT)
def test_what_the_receiver_would_read_otherwise_is_not_made(case: str) -> None:
    """What is announced is what the receiver makes of the very bytes that would be sent."""
    custom, kind = UNLIKE_WHAT_IS_SENT[case]
    source = source_settings("s", password=SECRET, extra={"platform": "custom", "custom": custom})
    with pytest.raises(ConfigurationError, match="can be made"):
        make_trial(source, kind, NOW)


@pytest.mark.parametrize("answer", ["1", "true", "[]", '"ok"', "null", '{"error": 5}', "OK", ""])
def test_whatever_a_source_is_told_to_answer_what_became_of_it_is_said(
    answer: str, sqlite_store: Store
) -> None:
    """Some platforms want an answer of their own, which need not be one of ours."""
    custom = {"type": "{{ body.event }}", "types": {"new": "replied"}, "answer": answer}
    source = source_settings("s", password=SECRET, extra={"platform": "custom", "custom": custom})
    status, said = give(sqlite_store, source, EventKind.REPLIED, datetime.now(UTC))
    assert (status, said.startswith("202: stored")) == (202, True), said
    assert len(stored_events(sqlite_store)) == 1


def test_a_handshake_of_ones_own_is_no_event(sqlite_store: Store) -> None:
    """Nothing is stored of it, and nothing is said to be."""
    custom = {"type": "{{ body.event }}", "handshake": {"body": "challenge"}}
    source = source_settings("s", password=SECRET, extra={"platform": "custom", "custom": custom})
    asked = b'{"challenge": "abc", "event": "x"}'
    status, said = give(sqlite_store, source, EventKind.REPLIED, datetime.now(UTC), body=asked)
    assert (status, said) == (200, "200: a handshake, which is answered; nothing is stored")
    assert stored_events(sqlite_store) == []
