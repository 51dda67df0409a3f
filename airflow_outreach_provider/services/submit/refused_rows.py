"""Rows that say no themselves, and that nothing else comes of: of two rows of a person the other, one that ``where`` turns
away, one of somebody who is held. The person may wait to be texted all the same, since an earlier row or run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phone_lines import one_line
from airflow_outreach_provider.core.row_refusals import ROW_SAYS_NO, refusal_in
from airflow_outreach_provider.core.rules import Draft, LeadRules
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.row_faults import RowFaults
from airflow_outreach_provider.store.ledger.staging import RowRefusal


def says_no(draft: Draft) -> bool:
    """Whether a row's own columns refuse."""
    return draft.reason == ROW_SAYS_NO


def refusals(drafts: Sequence[Draft]) -> set[RowRefusal]:
    """Whom these rows refuse for, by every number of their line."""
    return {
        RowRefusal(draft.campaign, phone, draft.detail)
        for draft in drafts
        if says_no(draft)
        for phone in one_line(draft.phone)
    }


def drafts_of_refusing(rows: Sequence[Row], rules: LeadRules, now: datetime) -> list[Draft]:
    """Of rows that are not for a sync those that say no, and that name somebody."""
    found, faults = [], RowFaults()
    for row in rows:
        if refusal_in(row.values) is None:
            continue
        try:
            found.append(faults.draft_of(row, rules, now))
        except LeadRejected:
            continue
    return found
