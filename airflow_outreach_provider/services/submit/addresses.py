"""``unique: email``: of a campaign's leads with one address one is texted, whatever their numbers."""

from __future__ import annotations

from airflow_outreach_provider.core.rules import Draft, RowDecision
from airflow_outreach_provider.core.states import LeadState, RowState
from airflow_outreach_provider.services.submit.tally import SeenHashes
from airflow_outreach_provider.store.ledger.staging import Known

_SENDS = frozenset({RowState.PLANNED, RowState.DEFERRED})
_WAITS = frozenset({LeadState.PLANNED.value, LeadState.DEFERRED.value})


class SharedAddresses:
    """The addresses that leads of this run are texted under; one for a run."""

    def __init__(self) -> None:
        self._seen = SeenHashes()

    def judge(self, draft: Draft, decision: RowDecision, known: Known | None, *, shared: bool) -> RowDecision:
        """What becomes of a row, now that its address counts too: the first lead with it goes on, others are duplicates.

        :param known: the row's own lead, as the ledger has it.
        :param shared: whether the ledger has another lead with this address that was texted, or is to be.
        """
        if draft.email_hash is None or decision.row not in _SENDS:
            return decision
        if known is not None and known.accepted_at is not None:
            return decision
        address = (draft.campaign, draft.email_hash)
        if (
            not shared and (*address, draft.phone) in self._seen
        ):  # looked at again, because somebody else wrote its lead
            return decision
        if shared or address in self._seen:
            waits = known is not None and known.state in _WAITS
            return RowDecision(RowState.DUPLICATE, "same_address", LeadState.SUPPRESSED if waits else None)
        self._seen.add(address)
        self._seen.add((*address, draft.phone))
        return decision
