"""Every answer, and every way not to get one, means exactly one thing for the lead."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.outcomes import (
    FAULT_RULINGS,
    Fault,
    SubmitAnswer,
    SubmitOutcome,
    classify_answer,
    classify_fault,
)

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
OK = json.dumps(
    {
        "success": True,
        "message": "x",
        "data": {"contactId": "c1", "conversationId": "v1", "applicationId": "a1"},
    }
).encode()

BODIES = {
    "empty": b"",
    "html": b"<html><body>502</body></html>",
    "ok": OK,
    "ok_without_data": b'{"success": true}',
    "only_id": b'{"data": {"contactId": "c1"}}',
    "false": b'{"success": false, "message": "no"}',
    "no_success": b'{"message": "hello"}',
    "text_success": b'{"success": "true"}',
    "null": b"null",
    "list": b'[{"success": true}]',
    "truncated": OK[:30],
    "latin1": b'{"success": tru\xe9',
    "deep": b"[" * 100_000,
    "digits": b"1" * 10_000,
    "nul": b"\x00" * 100,
}
GOOD_BODIES = {"ok", "ok_without_data", "only_id"}

A, R, C, U, X = (
    SubmitOutcome.ACCEPTED,
    SubmitOutcome.REJECTED,
    SubmitOutcome.CONFIGURATION,
    SubmitOutcome.UNAVAILABLE,
    SubmitOutcome.UNKNOWN,
)
TABLE = {
    303: X, 460: X, 499: X, 400: C, 401: C, 402: C, 403: C, 404: C, 405: C, 406: C, 407: C, 408: X, 409: R, 410: C, 411: C, 413: R, 414: C,
    415: C, 421: C, 422: R, 425: U, 426: C, 429: U, 431: C, 501: C, 503: U,
}  # fmt: skip


def expected(status: int, body: str) -> SubmitOutcome:
    """The table as the platform's facts and HTTP have it, written a second time."""
    if 200 <= status < 300:
        return A if body in GOOD_BODIES else R if body == "false" else X
    if status in TABLE:
        return TABLE[status]
    return {3: C, 4: R}.get(status // 100, X)


@pytest.mark.slow
@pytest.mark.parametrize("body", BODIES)
def test_every_status_with_every_body_is_one_outcome(body: str) -> None:
    """For each status from 100 to 599 and each body, the outcome is the table's; a person's sentence comes along."""
    for status in range(100, 600):
        answer = classify_answer(status, BODIES[body], now=NOW, latency_ms=7)
        assert answer.outcome is expected(status, body), status
        assert answer.reason
        assert answer.status == status
        assert answer.latency_ms == 7
        assert answer.retry_after is None
        assert (answer.detail == "") is (answer.outcome is A)
        assert "\0" not in answer.detail
        assert "<html" not in answer.detail


@pytest.mark.parametrize("status", [-1, 0, 99, 600, 999])
def test_a_status_that_does_not_exist_leaves_the_outcome_unknown(status: int) -> None:
    """What no standard knows is never read as success or as a reason to send again."""
    assert classify_answer(status, OK, now=NOW).outcome is X


def test_only_a_success_carries_ids() -> None:
    """The ids of contact, conversation and application are kept; other types than text and numbers are not."""
    got = classify_answer(200, OK, now=NOW)
    assert (got.contact_id, got.conversation_id, got.application_id) == ("c1", "v1", "a1")
    odd = classify_answer(
        200,
        b'{"success": true, "data": {"contactId": 7, "conversationId": {"a": 1}, "applicationId": ""}}',
        now=NOW,
    )
    assert (odd.contact_id, odd.conversation_id, odd.application_id) == ("7", None, None)
    long = classify_answer(
        200, json.dumps({"success": True, "data": {"contactId": "x" * 5000}}).encode(), now=NOW
    )
    assert long.contact_id == "x" * 64
    hostile = classify_answer(200, b'{"success": true, "data": {"contactId": "a\\u0000b\\ud800"}}', now=NOW)
    assert hostile.contact_id == "a\ufffdb\ufffd"


@pytest.mark.parametrize("status", [200, 201, 207])
@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        ({"contactId": "c1", "conversationId": "v1"}, X),
        ({"contactId": "c1"}, X),
        ({"conversationId": "v1"}, X),
        ({"applicationId": 7}, X),
        ({"contactId": None, "conversationId": "", "applicationId": {}}, R),
        ({}, R),
        (None, R),
        ("contactId", R),
    ],
)
def test_a_failure_that_names_what_it_made_is_held(status: int, data: object, outcome: SubmitOutcome) -> None:
    """The person may have been texted; whoever is named is known to the ledger. Without a name nothing was made."""
    answer = classify_answer(status, json.dumps({"success": False, "data": data}).encode(), now=NOW)
    assert answer.outcome is outcome
    named = data if isinstance(data, dict) else {}
    assert answer.contact_id == named.get("contactId")
    assert answer.conversation_id == (named.get("conversationId") or None)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500, 503])
def test_retry_after_is_read_where_the_lead_may_be_sent_again(status: int) -> None:
    """A wait is taken from refusals that certainly did not process the lead, and from nothing else."""
    answer = classify_answer(status, b"", now=NOW, retry_after="7")
    assert answer.retry_after == (7.0 if answer.outcome is U else None)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("999999999", 3600.0),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_both_forms_and_rubbish(header: str | None, seconds: float | None) -> None:
    """Seconds and HTTP dates are understood, bounded; rubbish is no wish and no crash."""
    assert classify_answer(429, b"", now=NOW, retry_after=header).retry_after == seconds


@pytest.mark.parametrize("key", ["message", "error", "detail", "reason"])
def test_what_the_api_said_is_shown_and_masked(key: str) -> None:
    """The API's words help a person; the numbers and addresses in them are nobody's business."""
    body = json.dumps({key: "no process for +1 416 555 0123, jane.doe@example.com"}).encode()
    detail = classify_answer(400, body, now=NOW).detail
    assert "it said: no process for" in detail
    assert "555" not in detail
    assert "jane.doe" not in detail


@given(st.integers(0, 999), st.binary(max_size=60), st.none() | st.text(max_size=30))
def test_judging_never_fails(status: int, body: bytes, retry_after: str | None) -> None:
    """Law: any status, any bytes, any header: one outcome and words a database takes."""
    answer = classify_answer(status, body, now=NOW, retry_after=retry_after)
    assert isinstance(answer, SubmitAnswer)
    answer.detail.encode()
    assert "\0" not in answer.detail
    assert answer.retry_after is None or 0 <= answer.retry_after <= 3600


FAULT_TABLE = {
    Fault.DNS: U, Fault.REFUSED: U, Fault.CONNECT_TIMEOUT: U, Fault.TLS: U, Fault.TLS_CERTIFICATE: C, Fault.PROXY: U,
    Fault.PROXY_REFUSED: C, Fault.INVALID_URL: C, Fault.TIMEOUT: X, Fault.DROPPED: X, Fault.RESET: X,
    Fault.INVALID_HTTP: X, Fault.NOT_SENT: U,
}  # fmt: skip


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_one_outcome(fault: Fault) -> None:
    """No fault is without a ruling; what happened after the lead was sent is never "send again"."""
    answer = classify_fault(fault, "it said +14165550123", 5)
    assert answer.outcome is FAULT_TABLE[fault]
    assert answer.reason == FAULT_RULINGS[fault].reason
    assert "5550" not in answer.detail
    assert classify_fault(fault).detail == FAULT_RULINGS[fault].says


@pytest.mark.parametrize("status", [200, 400, 401, 422, 500])
@pytest.mark.parametrize(
    "said",
    [
        '{"success":false,"message":"bad key user_a1B2c3D4e5"}',
        '{"success":false,"error":{"header":"Authorization: Bearer USER_A1b2c3d4e5"}}',
        "no such key: user_a1B2c3D4e5",
        '{"success":false,"message":"you sent Bearer abc.def-ghi"}',
    ],
)
def test_the_api_key_is_in_no_detail_though_the_api_repeats_it(status: int, said: str) -> None:
    """An API that echoes the key, or any bearer token, puts it into no ledger and no log."""
    detail = classify_answer(status, said.encode(), now=NOW, secret="user_a1B2c3D4e5").detail.lower()
    assert "a1b2c3d4e5" not in detail
    assert "abc.def" not in detail
    assert "•••" in detail
    fault = classify_fault(Fault.INVALID_HTTP, said, secret="user_a1B2c3D4e5").detail.lower()
    assert "a1b2c3d4e5" not in fault
