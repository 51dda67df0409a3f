"""Answers and what they mean: 2xx alone is success."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.delivery_rules import DELIVERED, DeliveryVerdict, classify_delivery
from airflow_outreach_provider.core.retry_after import MAX_RETRY_AFTER_SECONDS

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([200, 201, 202, 204, 299], DeliveryVerdict.DELIVERED),
        ([301, 302, 303, 307, 308], DeliveryVerdict.RETRY),
        ([401, 403, 407], DeliveryVerdict.ENDPOINT),
        ([400, 402, 404, 405, 413, 415, 418, 419, 422, 424, 451, 499], DeliveryVerdict.REFUSED),
        ([410], DeliveryVerdict.GONE),
        (
            [408, 409, 421, 423, 425, 429, 500, 501, 502, 503, 504, 520, 529, 599, 101, 600, 999],
            DeliveryVerdict.RETRY,
        ),
    ],
)
def test_every_status_has_its_verdict(statuses: list[int], verdict: DeliveryVerdict) -> None:
    """2xx is delivered, 410 disables, 401 and 403 are the endpoint's fault, what passes is tried again, other 4xx are refused for good, everything else is tried again."""
    assert {classify_delivery(status, None, NOW).verdict for status in statuses} == {verdict}


@pytest.mark.parametrize(
    ("method", "of_record", "status", "verdict"),
    [
        ("DELETE", True, 404, DeliveryVerdict.DELIVERED),
        ("DELETE", True, 410, DeliveryVerdict.DELIVERED),
        ("DELETE", True, 409, DeliveryVerdict.RETRY),
        ("PATCH", True, 410, DeliveryVerdict.REFUSED),
        ("PATCH", True, 404, DeliveryVerdict.REFUSED),
        ("PATCH", True, 300, DeliveryVerdict.REFUSED),
        ("POST", False, 300, DeliveryVerdict.RETRY),
        ("PUT", False, 410, DeliveryVerdict.GONE),
        ("PATCH", True, 401, DeliveryVerdict.ENDPOINT),
        ("DELETE", True, 503, DeliveryVerdict.RETRY),
    ],
)
def test_what_an_answer_means_depends_on_what_was_asked(
    method: str, of_record: bool, status: int, verdict: DeliveryVerdict
) -> None:
    """What is to be deleted and is gone is deleted; 410 of one event's record disables no endpoint."""
    assert classify_delivery(status, None, NOW, method=method, of_record=of_record).verdict is verdict


@given(status=st.integers(0, 1000), header=st.none() | st.just("7"))
def test_only_2xx_is_success_and_who_asks_to_wait_is_heeded(status: int, header: str | None) -> None:
    """No other status counts as delivered. Retry-After chooses the delay of 5xx, and of 4xx that are about the request."""
    outcome = classify_delivery(status, header, NOW)
    assert (outcome == DELIVERED) == (200 <= status < 300)
    heeds = 400 <= status < 600 and status not in {401, 403, 407, 410}
    assert (outcome.retry_after is not None) == (heeds and header is not None)
    if heeds and header is not None:
        assert outcome.verdict is DeliveryVerdict.RETRY
    assert outcome == DELIVERED or str(status) in outcome.reason


@pytest.mark.parametrize("status", [400, 404, 413, 418, 422, 451, 477])
@pytest.mark.parametrize(
    ("header", "refused"), [(None, True), ("later", True), ("", True), ("0", False), ("30", False)]
)
def test_who_says_when_to_come_again_refuses_nothing_for_good(
    status: int, header: str | None, refused: bool
) -> None:
    """A readable Retry-After makes a retry of any 4xx about the request; an unreadable one is no wish."""
    outcome = classify_delivery(status, header, NOW)
    assert (outcome.verdict is DeliveryVerdict.REFUSED) is refused
    assert (outcome.retry_after is None) is refused


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 25 Mar 2026 18:30:42 GMT", 42.0),
        ("86400", MAX_RETRY_AFTER_SECONDS),
        ("later", None),
    ],
)
def test_retry_after_in_both_forms_is_bounded(header: str, seconds: float | None) -> None:
    """Seconds and a date are both understood and neither can park a delivery for a day."""
    assert classify_delivery(503, header, NOW).retry_after == seconds
