"""What holds of a person, in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_outreach_provider.core.standing import sentence, standing
from airflow_outreach_provider.core.states import LeadState

AT = datetime(2026, 11, 25, 16, 0, tzinfo=UTC)
OPEN = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "reason", "listed", "says"),
    [
        ("accepted", "", None, "texted 25 Nov 16:00 in spring"),
        ("accepted", "", "unsubscribed", "texted 25 Nov 16:00 in spring"),
        ("deferred", "quiet_hours", None, "not yet in spring: quiet hours until 26 Nov 09:00"),
        ("held", "timeout", None, "perhaps texted 25 Nov 16:00 in spring: outcome unknown (timeout)"),
        ("planned", "", None, "not yet in spring: the next run sends it"),
        ("planned", "", "unsubscribed", "not in spring: on the do-not-contact list (unsubscribed)"),
        ("sending", "", None, "not yet in spring: being sent now"),
        ("suppressed", "line_type", None, "not in spring: line type"),
        ("rejected", "phone_invalid", "unsubscribed", "not in spring: phone invalid"),
    ],
)
def test_each_state_in_words(state: str, reason: str, listed: str | None, says: str) -> None:
    """Texted, perhaps, not yet, or not and why."""
    sent = AT if state in ("accepted", "held") else None
    clause = standing("spring", state, reason=reason, texted_at=sent, not_before=OPEN if state == "deferred" else None, listed=listed)  # fmt: skip
    assert clause.says() == says


@pytest.mark.parametrize("state", LeadState)
def test_every_state_says_something(state: LeadState) -> None:
    """Without reason and time too."""
    clause = standing("c", state, reason="", texted_at=None, not_before=None, listed=None)
    assert " in c" in clause.says()


def test_the_latest_text_comes_first_and_the_list_last() -> None:
    """As somebody would tell it."""
    clauses = [
        standing("b", "rejected", reason="phone_invalid", texted_at=None, not_before=None, listed=None),
        standing("a", "accepted", reason="", texted_at=AT, not_before=None, listed=None),
    ]
    assert sentence(clauses, {"": "unsubscribed"}) == (
        "Texted 25 Nov 16:00 in a; not in b: phone invalid; on the do-not-contact list of every campaign (unsubscribed)."
    )
    assert sentence([], {}) == "Never texted, and not on the do-not-contact list."
