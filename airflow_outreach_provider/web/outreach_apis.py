"""Outreach APIs as their section shows them: the connections leads are sent through, and a test that texts nobody."""

from __future__ import annotations

import logging
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, Field

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.hooks.listing import connection_names
from airflow_outreach_provider.hooks.outreach import OutreachHook
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.web.access import Editor, StoreDep, edits_connection
from airflow_outreach_provider.web.action_models import ActionRequest, ActionResult
from airflow_outreach_provider.web.connections import kept
from airflow_outreach_provider.web.params import Line

router = APIRouter(prefix="/api", tags=["act"], dependencies=[edits_connection])
log = logging.getLogger(__name__)


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
    try:
        settings = OutreachHook(name).settings
    except OutreachError as error:
        found.problem = mask_text(str(error))
    except Exception as error:  # a changed Fernet key: one broken connection of many
        log.debug("The outreach API %s cannot be read", name, exc_info=True)
        found.problem = f"the connection cannot be read ({type(error).__name__}): save it again"
    else:
        found.url, found.health = mask_text(str(settings.api.base_url)), "configured"
        found.configuration = bool(settings.configuration_id)
        found.contacts = bool(settings.contacts_email and settings.contacts_password)
        found.requests_per_second = settings.requests_per_second
    return found


@router.post("/outreach-apis/{connection_id:path}/test")
def test_outreach_api(
    who: Editor, store: StoreDep, connection_id: Annotated[Line, Path()], asked: ActionRequest
) -> ActionResult:
    """Ask an outreach API whether it takes the key. Texts nobody, creates nothing."""
    if connection_id not in connection_names(OutreachHook.conn_type):
        raise HTTPException(
            404, f"there is no outreach API {connection_id!r} — create a connection of type outreach"
        )
    plan = ActionResult(says=f"{connection_id} is asked whether it takes the key. Nobody is texted.", count=1)
    if not asked.agreed(plan):
        return plan
    actions.note(store, "test outreach API", connection_id, actor=who.name)
    _ok, said = OutreachHook(connection_id).test_connection()
    return ActionResult(says=said, count=1, done=True)
