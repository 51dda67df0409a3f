"""*Campaigns*: from sent to opted out, in all, by day and by source, with rates; as CSV too."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.store.campaigns import STEPS, results
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import run_lists
from airflow_outreach_provider.web.access import SomeReader, StoreDep
from airflow_outreach_provider.web.export import cell
from airflow_outreach_provider.web.params import Text
from airflow_outreach_provider.web.rendering import render

router = APIRouter()
QUIET = 30
Name = Annotated[Text, Query(description="the campaign, as leads have it")]


class CampaignStep(BaseModel):
    """How many people came so far. ``rate``: of those it was delivered to, 0 to 1."""

    step: str
    people: int
    rate: float | None


class CampaignSlice(BaseModel):
    """The same of a day, or of a source. ``people`` by step."""

    name: str
    people: dict[str, int]


class CampaignLook(BaseModel):
    """A campaign from sent to opted out. Without a name: which there are."""

    campaign: str | None
    campaigns: list[str] = Field(description="those of the latest runs")
    runs: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    steps: list[CampaignStep] = []
    by_day: list[CampaignSlice] = []
    by_source: list[CampaignSlice] = []
    cut: bool = Field(default=False, description="only the latest 5,000 events of a kind were counted")


def look_at(store: Store, campaign: str | None, dags: frozenset[str] | None) -> CampaignLook:
    """What a campaign came to. :param dags: by the runs of these alone, and the leads that they touched last."""
    look = CampaignLook(campaign=campaign, campaigns=run_lists.campaigns(store, dags))
    if campaign is None:
        return look
    found = results(store, campaign, dags=dags)
    reached = found.total["delivered"]
    look.runs, look.first_at, look.last_at, look.cut = found.runs, found.first_at, found.last_at, found.cut
    look.steps = [
        CampaignStep(step=step, people=found.total[step], rate=_rate(found.total[step], reached) if step != "sent" else None)
        for step in STEPS
    ]  # fmt: skip
    look.by_day = [CampaignSlice(name=day.isoformat(), people=counts) for day, counts in found.by_day.items()]
    look.by_source = [
        CampaignSlice(name=mask_text(source) or "–", people=counts)
        for source, counts in found.by_source.items()
    ]
    return look


def _rate(people: int, reached: int) -> float | None:
    return people / reached if reached else None


@router.get("/api/campaigns", tags=["look"])
def get_campaign(who: SomeReader, store: StoreDep, campaign: Name = None) -> CampaignLook:
    """How a campaign did: people by step, in all, by day (UTC) and by source."""
    return look_at(store, campaign, who.dags)


@router.get("/campaigns", include_in_schema=False)
def campaigns_page(request: Request, who: SomeReader, store: StoreDep, campaign: Name = None) -> HTMLResponse:
    """One campaign, chosen among all."""
    return render(request, "campaigns.html", who, live=QUIET, at="campaigns", found=look_at(store, campaign, who.dags), steps=STEPS)  # fmt: skip


@router.get("/campaigns.csv", include_in_schema=False)
def campaigns_export(who: SomeReader, store: StoreDep, campaign: Name = None) -> Response:
    """The same as CSV: a line a day, a line a source, and one of all."""
    look = look_at(store, campaign, who.dags)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["by", "name", *STEPS])
    writer.writerow(_line("all", campaign or "", {each.step: each.people for each in look.steps}))
    for by, slices in (("day", look.by_day), ("source", look.by_source)):
        writer.writerows(_line(by, each.name, each.people) for each in slices)
    headers = {"Content-Disposition": 'attachment; filename="campaign.csv"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(by: str, name: str, people: Mapping[str, int]) -> list[str]:
    return [by, cell("name", name), *(str(people.get(step, 0)) for step in STEPS)]
