"""The table of handshakes, each through the real receiver: asked as the platform asks, answered as it wants."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from documents import DOCS, blocks
from hypothesis import given
from hypothesis import strategies as st
from stored import stored_events

from airflow_outreach_provider.core.handshakes import HandshakeSection, answer, asked_by_query
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.store.engine import Store

SECRET = "the-secret-of-the-app"
NOW = datetime.now(UTC)
TOKEN = "a-verify-token-of-yours"
NAMES = ("facebook", "dropbox", "x", "slack", "zoom")
[PAGE] = [
    json.loads(each.text)
    for each in blocks(DOCS / "custom.md")
    if each.language == "json" and each.text.startswith("[")
]
"""The handshakes of the page, in the order of its table."""


def source(name: str, handshake: dict[str, Any]) -> SourceSettings:
    custom = {"type": "{{ body.type }}", "verify": {"scheme": "github"}, "handshake": handshake}
    return source_settings(name, password=SECRET, extra={"platform": "custom", "custom": custom})


SOURCES = {name: source(name, handshake) for name, handshake in zip(NAMES, PAGE, strict=True)}


@pytest.fixture
def receiver(sqlite_store: Store, serving: Callable[..., Any]) -> Iterator[Any]:
    with serving(create_app(SOURCES, sqlite_store)) as client:
        yield client


def get(receiver: Any, name: str, **query: str) -> tuple[int, str, str]:
    """(status, content type, body) of a GET, and that no browser may guess another type."""
    asked = urlencode({key.replace("__", "."): value for key, value in query.items()})
    raw = receiver.raw(
        f"GET /outreach/in/{name}?{asked} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode()
    ).decode()
    head, _, body = raw.partition("\r\n\r\n")
    assert "x-content-type-options: nosniff" in head.lower()
    kind = re.search(r"content-type: (\S+?)(?:;|\r|$)", head, re.IGNORECASE)
    return int(raw[9:12]), kind[1] if kind else "", body


def keyed(challenge: str) -> bytes:
    return hmac.new(SECRET.encode(), challenge.encode(), "sha256").digest()


CRC = base64.b64encode(keyed("9b4507b3-9040-4669")).decode()
ASKED = {
    "the right token": ("facebook", {"hub__challenge": "1158201444", "hub__verify_token": TOKEN}, "text/plain", "1158201444"),
    "no token is asked for": ("dropbox", {"challenge": "abc-123_x.y"}, "text/plain", "abc-123_x.y"),
    "a hash by GET": ("x", {"crc_token": "9b4507b3-9040-4669"}, "application/json", f'{{"response_token":"sha256={CRC}"}}'),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_a_platform_that_asks_by_get_is_answered(case: str, receiver: Any) -> None:
    """With the challenge as text, or its hash as JSON."""
    name, query, kind, body = ASKED[case]
    assert get(receiver, name, **query) == (200, kind, body)


REFUSED = {
    "another token": ("facebook", {"hub__challenge": "1", "hub__verify_token": "a-verify-token-of-mine"}),
    "no token": ("facebook", {"hub__challenge": "1"}),
    "no challenge": ("facebook", {"hub__verify_token": TOKEN}),
    "a line of a header": ("facebook", {"hub__challenge": "<b>\r\n", "hub__verify_token": TOKEN}),
    "too long a challenge": ("facebook", {"hub__challenge": "1" * 1001, "hub__verify_token": TOKEN}),
    "a page, by whoever asks": ("dropbox", {"challenge": "<script>alert(1)</script>"}),
    "too long, by whoever asks": ("dropbox", {"challenge": "a" * 501}),
    "a body to be sent in under its hash": ("x", {"crc_token": '{"type":"replied"}'}),
    "a form to be sent in under its hash": ("x", {"crc_token": "type=replied"}),
    "nothing": ("x", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_else_is_answered_to_a_get(
    case: str, receiver: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of the request comes back, and no token is in the log."""
    caplog.set_level(logging.DEBUG)
    name, query = REFUSED[case]
    status, kind, body = get(receiver, name, **query)
    assert (status, kind, body) == (401, "application/json", '{"error":"not authentic"}')
    assert (
        TOKEN not in caplog.text and "a-verify-token-of-mine" not in caplog.text and SECRET not in caplog.text
    )


def test_who_asks_for_nothing_is_answered_nothing(receiver: Any) -> None:
    """A source that greets by POST, and none at all, take no GET."""
    for name in ("slack", "zoom", "nobody"):
        assert get(receiver, name, challenge="1", crc_token="1")[0] == 405


POSTED = {
    "sent back": ("slack", {"type": "url_verification", "challenge": "3eZbrw1a"}, {"challenge": "3eZbrw1a"}),
    "sent back with its hash": (
        "zoom", {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}},
        {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": keyed("qgg8vlvZRS6UYooatFL8Aw").hex()},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", POSTED)
def test_a_challenge_in_a_proven_body_is_answered_and_not_stored(
    case: str, receiver: Any, sqlite_store: Store
) -> None:
    """Unproven, it is refused."""
    name, said, expected = POSTED[case]
    body = json.dumps(said).encode()
    signed = sign(Scheme.GITHUB, body, [SECRET], message_id="m", now=NOW)["X-Hub-Signature-256"]
    assert receiver.send(f"/outreach/in/{name}", body, X_Hub_Signature_256=signed)[:2] == (200, expected)
    assert receiver.send(f"/outreach/in/{name}", body)[0] == 401
    assert stored_events(sqlite_store) == []


@pytest.mark.parametrize(
    "said", [{"payload": {"plainToken": '{"type":"x"}'}}, {"payload": {"plainToken": 5}}, {"payload": 1}, []]
)
def test_a_proven_body_that_asks_nothing_is_an_event(said: Any, receiver: Any, sqlite_store: Store) -> None:
    """And no hash is made of what could be a body itself."""
    body = json.dumps(said).encode()
    signed = sign(Scheme.GITHUB, body, [SECRET], message_id="m", now=NOW)["X-Hub-Signature-256"]
    status, answered, _ = receiver.send("/outreach/in/zoom", body, X_Hub_Signature_256=signed)
    assert status == 202 and "encryptedToken" not in answered
    assert len(stored_events(sqlite_store)) == 1


OPEN = [HandshakeSection(query="c", open=True), HandshakeSection(query="c", hash_key="h")]


@given(
    st.sampled_from(OPEN), st.text(max_size=600) | st.from_regex(r'[{"<a-z0-9&=:>}]{1,20}', fullmatch=True)
)
def test_who_needs_no_token_gets_no_page_and_no_signature(
    handshake: HandshakeSection, challenge: str
) -> None:
    """The law: what is answered holds no markup; what is hashed is no JSON object and no form with a value."""
    asked = asked_by_query(handshake, {"c": challenge})
    if asked is None:
        return
    said = answer(handshake, asked, SECRET, by_query=True)
    assert len(asked) <= 502 and not set(asked) & set("<>\"'&{}[]:;%\r\n\0 ")
    assert SECRET not in str(said)
    assert not re.search(r"=[^=]", asked)
