"""What was sent again by one action, followed to its end."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.deliveries import OPEN_STATES, DeliveryState, word_of
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.services.actions import REDELIVER
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, resend_states
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.web import params, queries
from airflow_outreach_provider.web.access import Reader, StoreDep
from airflow_outreach_provider.web.rendering import render

router = APIRouter()
BUSY, QUIET = 4, 30
MOST = 50_000


class ResendStatus(BaseModel):
    """One action that sent deliveries again, and how they stand now."""

    id: int
    at: datetime
    actor: str
    subject: str
    count: int = Field(description="how many it sent again")
    states: dict[str, int] = Field(description="what became of them, counted up to 50,000 a state")
    waiting: int = Field(description="those that are still to be done")

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def through(self) -> int:
        return self.total - self.waiting

    @property
    def share(self) -> float:
        return self.through / self.total if self.total else 1.0

    @property
    def counted(self) -> bool:
        """Whether each state was counted to its end."""
        return all(n <= MOST for n in self.states.values())

    @property
    def elsewhere(self) -> int:
        return max(0, self.count - self.total) if self.counted else 0


@router.get("/api/resends/{resend_id}", tags=["look"])
def get_resend(_who: Reader, store: StoreDep, resend_id: params.RowId) -> ResendStatus:
    """How a redelivery goes on: its id is in ``follow`` of the action's answer."""
    return _status(store, resend_id)


@router.get("/resends/{resend_id}", include_in_schema=False)
def resend_page(
    request: Request, who: Reader, store: StoreDep, resend_id: params.RowId, cursor: params.Cursor = None
) -> HTMLResponse:
    """The same as a page, with its deliveries."""
    found = _status(store, resend_id)
    listed = queries.deliveries(store, DeliveryFilter(resend=resend_id), cursor)
    live = BUSY if found.waiting else QUIET
    return render(
        request, "resend.html", who, live=live, at="deliveries", found=found, listed=listed, most=MOST
    )


def _status(store: Store, resend_id: int) -> ResendStatus:
    row = audit.find(store, resend_id)
    if row is None or row.action != REDELIVER:
        raise HTTPException(404, f"there is no redelivery {resend_id}; it may have been purged")
    states = resend_states(store, resend_id, MOST)
    words = {word_of(state).value: n for state, n in states.items()}
    return ResendStatus(
        id=row.id, at=row.at, actor=row.actor, subject=mask_text(row.subject), count=row.count, states=words,
        waiting=sum(states.get(each.value, 0) for each in (*OPEN_STATES, DeliveryState.HELD)),
    )  # fmt: skip
