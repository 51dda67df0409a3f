"""The closed sets of the ledger: what a lead can be, and what a source row can end as."""

from __future__ import annotations

from enum import StrEnum


class LeadState(StrEnum):
    """The state of a lead in the ledger, unique on (campaign, phone)."""

    PLANNED = "planned"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    HELD = "held"
    SUPPRESSED = "suppressed"
    DEFERRED = "deferred"


class RowState(StrEnum):
    """What became of a source row in one run. Each row read has exactly one; together they add up to the rows read."""

    ACCEPTED = "accepted"
    """The API took the lead in this run."""
    UNCHANGED = "unchanged"
    """Texted before; nobody is texted twice."""
    DUPLICATE = "duplicate"
    """An earlier row of this run has the same number."""
    REJECTED = "rejected"
    """A bad row, or the API refused this one lead."""
    SUPPRESSED = "suppressed"
    """Not to be contacted: list, consent, line type."""
    DEFERRED = "deferred"
    """Quiet hours at the recipient's; a later run sends it."""
    HELD = "held"
    """Sent, outcome unknown; never sent again by itself."""
    PLANNED = "planned"
    """Not sent yet; the next try does."""
    FILTERED = "filtered"
    """Not for this sync: its ``where`` turned the row away, and the ledger knows nothing of it."""
    ELSEWHERE = "elsewhere"
    """Another run is sending this lead right now."""


class RunState(StrEnum):
    """The state of a run: one try of one task instance over one source of leads."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """A later try of the same task instance took over."""
    EXPIRED = "expired"
    """Its lease ran out without a heartbeat."""


_ROWS = {
    LeadState.ACCEPTED.value: RowState.UNCHANGED,
    LeadState.HELD.value: RowState.HELD,
    LeadState.SUPPRESSED.value: RowState.SUPPRESSED,
    LeadState.REJECTED.value: RowState.REJECTED,
    LeadState.DEFERRED.value: RowState.DEFERRED,
}


def settled_elsewhere(state: str, reason: str) -> tuple[RowState, str]:
    """What a row ends as whose lead is no longer ours to send. :param state: of the lead, '' where it is gone."""
    return _ROWS.get(state, RowState.ELSEWHERE), reason or "another_run_took_it"
