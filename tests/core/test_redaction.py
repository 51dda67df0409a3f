"""A payload as a hint: what kind of thing stands where, and nobody whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.redaction import hinted_payload

SECRETS = st.sampled_from(
    [
        "Jane Exampledoe",
        "jane.doe@example.com",
        "+14165550123",
        "416-555-0123",
        "4165550123",
        "12 Example Street",
    ]
)
KEYS = st.sampled_from(
    [
        "firstName",
        "title",
        "code",
        "status",
        "email",
        "Home address",
        "Jane Exampledoe",
        "+14165550123",
        "jane.doe@example.com",
    ]
)
VALUES = st.recursive(
    SECRETS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("payload", "hints"),
    [
        ({"configurationId": "68d6", "phoneNumber": "+14165550123", "firstName": "Ada", "email": "ada@example.com"},
         {"configurationId": "68d6", "phoneNumber": "+1416•••0123", "firstName": "A•••", "email": "a•••@example.com"}),
        ({"contacts": {"phoneNumber": "+14165550123", "score": 7}, "applications": {"title": "Nurse", "jobTitle": "Nurse"}},
         {"contacts.phoneNumber": "+1416•••0123", "contacts.score": "•••", "applications.title": "Nurse", "applications.jobTitle": "N•••"}),
        ({"a": None, "b": True, "c": "", "d": [1, 2], "e": {}, "f": "<script>", "g": "4165550123"},
         {"a": "null", "b": "true", "c": "", "d": "2 in it", "e": "0 in it", "f": "•••", "g": "•••"}),
    ],
)  # fmt: skip
def test_a_payload_is_hinted_at(payload: dict[str, Any], hints: dict[str, str]) -> None:
    """Enough to see a column in the wrong place, and no more."""
    assert hinted_payload(json.dumps(payload).encode()) == hints


@pytest.mark.slow
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_nobody_is_whole(payload: dict[str, Any]) -> None:
    """No number, address or name that stands in a value is in its hint, wherever it stands."""
    hints = hinted_payload(json.dumps(payload).encode())
    for whole in ("Exampledoe", "jane.doe", "4165550123", "555-0123", "Street"):
        assert whole not in "".join(hints.values()), hints
    assert not [name for name in hints if "jane.doe" in name or "4165550123" in name]


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[1]", b'"x"', b"[" * 100_000, b"\xff"])
def test_what_is_no_payload_has_no_hints(body: bytes) -> None:
    """Whatever stands in the ledger."""
    assert hinted_payload(body) == {}
