"""Outreach APIs as their section shows them: the connections leads are sent through, and a test that texts nobody."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.masking import mask_text, shown_url
from airflow_outreach_provider.hooks.known import require_outreach_api
from airflow_outreach_provider.hooks.listing import connection_names
from airflow_outreach_provider.hooks.outreach import OutreachHook
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.web.access import Editor, StoreDep, edits_connection
from airflow_outreach_provider.web.action_models import ActionRequest, ActionResult
from airflow_outreach_provider.web.connections import kept, or_not_found, read_or_problem
from airflow_outreach_provider.web.params import Line

router = APIRouter(prefix="/api", tags=["act"], dependencies=[edits_connection])


class OutreachApi(BaseModel):
    """A connection leads are sent through. ``health``: configured, or broken; whether it answers says the test."""

    name: str
    url: str | None
    configuration: bool = Field(description="whether it names a configuration for all its leads")
    contacts: bool = Field(description="whether its contact list can be asked what became of a lead")
    requests_per_second: float | None
    health: str
    problem: str | None

    @property
    def anchor(self) -> str:
        """Where on the page it is."""
        return f"api-{quote(self.name, '')}"


def outreach_apis() -> list[OutreachApi]:
    """Every outreach API that is a connection, by name; asked for anew after a few seconds."""
    names = kept("outreach apis", lambda: connection_names(OutreachHook.conn_type))
    return [kept(f"outreach api {name}", lambda name=name: _api(name)) for name in names]  # type: ignore[misc]


def _api(name: str) -> OutreachApi:
    found = OutreachApi(
        name=name, url=None, configuration=False, contacts=False, requests_per_second=None, health="broken", problem=None
    )  # fmt: skip
    settings, problem = read_or_problem(name, lambda: OutreachHook(name).settings)
    found.problem = mask_text(problem) if problem else None
    if settings is not None:
        found.url, found.health = mask_text(shown_url(settings.api.base_url)), "configured"
        found.configuration = bool(settings.configuration_id)
        found.contacts = bool(settings.contacts_email and settings.contacts_password)
        found.requests_per_second = settings.requests_per_second
    return found


@router.post("/outreach-apis/{connection_id:path}/test")
def test_outreach_api(
    who: Editor, store: StoreDep, connection_id: Annotated[Line, Path()], asked: ActionRequest
) -> ActionResult:
    """Ask an outreach API whether it takes the key. Texts nobody, creates nothing."""
    or_not_found(require_outreach_api, connection_id)
    plan = ActionResult(says=f"{connection_id} is asked whether it takes the key. Nobody is texted.", count=1)
    if not asked.agreed(plan):
        return plan
    actions.note(store, "test outreach API", connection_id, actor=who.name)
    _ok, said = OutreachHook(connection_id).test_connection()
    return ActionResult(says=said, count=1, done=True)
