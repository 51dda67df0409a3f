"""A value that says that nobody opted out, and what somebody wrote behind it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.row_refusals import refusal_in
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.core.states import LeadState

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
VALUES: list[tuple[str, object, bool]] = [
    *(("Opted Out", each, False) for each in ("No (confirmed)", "no - checked by Ann", "No, verified", "No. Confirmed by phone", "n/a", "N/A (unknown)", "0 (none)", "No:2026-03-01",
      "Não (confirmado)", "Nein – bestätigt", "Not opted out (2026)", "none; imported", "No (not set)", "No (not opted out)", "no, still subscribed", "No ()", "No (opted in 2024)")),
    ("Unsubscribed", "false (verified)", False), ("Unsubscribed At", "never (confirmed)", False), ("DNC", "clean [2026-03-01]", False),
    # What stands behind it is the refusal, or may be.
    *(("Opted Out", each, True) for each in ("No - do not text", "No, stop", "no (opted out)", "No: unsubscribed", "No - never text", "No, he asked to be left alone", "No / yes", "No (yes)",
      "No - keine SMS", "No - baja", "No (remove him)", "No thanks", "No, thank you", "No more texts", "нет (стоп)", "No - refused", "unknown (STOP received)", "No -> yes")),
    *(("Opted Out", each, True) for each in ("Yes (confirmed)", "Yes - no doubt", "2026-03-01 10:00", "SMS (confirmed)", "x")),
    # A field that asks the other way round.
    *(("SMS consent", each, True) for each in ("No - do not text", "No, stop texting me", "no (opted out)", "No: unsubscribed", "No - do not contact again")),
    *(("SMS consent", each, False) for each in ("No (asked twice)", "No", "No - opted out of e-mail", "No - DNC lifted", "No (not opted out)", "Yes (do ask)")),
    ("Status", "No - do not text", True), ("Status", "No answer - will stop by", False), ("Status", "No - call back", False),
    # The name says no and the value counts: a column may well be called so that is no count, and a row that is not sent is seen.
    ("No SMS", "5", True), ("No SMS", 5, True), ("No SMS", "maybe", True), ("No SMS", "0", False), ("No SMS", "none (all fine)", False), ("No SMS", "", False),
    ("No. SMS", 5, False), ("No. of SMS", "5", False), ("No of SMS", "5", False), ("SMS No", "5", False), ("Number of SMS", 5, False),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value", "no"), VALUES)
def test_a_comment_behind_a_no_leaves_it_one_unless_it_refuses(column: str, value: object, no: bool) -> None:
    """Nobody is kept from being texted by who checked that they may be; whoever wrote what they want there is heard."""
    assert refusal_in({column: value}) == (column if no else None)


@pytest.mark.parametrize("said", ["No (asked twice)", "no - confirmed", "No, verified", "No"])
def test_a_consent_that_is_refused_is_none_whatever_stands_behind_it(said: str) -> None:
    """A consent that is not given is for ``require_consent``, as without a comment."""
    got = LeadRules(configuration_id="c", require_consent="SMS consent").draft(
        {"phone": "+14165550123", "SMS consent": said}, NOW
    )
    assert (got.state, got.reason) == (LeadState.SUPPRESSED, "no_consent")


NOES = st.sampled_from(["No", "false", "0", "none", "never", "n/a", "Não", "nein", "NON", "not opted out"])
BEHIND = st.sampled_from([" ({})", " - {}", ", {}", ": {}", "; {}", " – {}", ". {}", " [{}]"])
COMMENTS = st.sampled_from(
    ["confirmed", "verified 2026-03-01", "checked by Ann", "import of May", "default", "QA", "12 March"]
)
REFUSALS = st.sampled_from(
    ["do not text", "STOP", "unsubscribed", "opted out", "DNC", "never again", "remove her", "ne pas contacter", "стоп"]
)  # fmt: skip


@settings(deadline=None, max_examples=examples(60))
@given(NOES, BEHIND, COMMENTS, REFUSALS, st.booleans())
def test_a_refusal_in_a_comment_is_heard_beside_whatever_else(
    no: str, behind: str, comment: str, refusal: str, first: bool
) -> None:
    """A comment alone changes nothing; with a refusal in it, before or after the rest, it always does; a yes stays one."""
    assert refusal_in({"Opted Out": no + behind.format(comment)}) is None
    both = f"{refusal}, {comment}" if first else f"{comment}, {refusal}"
    assert refusal_in({"Opted Out": no + behind.format(both)}) == "Opted Out"
    assert refusal_in({"Opted Out": "Yes" + behind.format(comment)}) == "Opted Out"
