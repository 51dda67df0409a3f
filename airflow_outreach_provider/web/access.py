"""Who may see and do what: Airflow's log-in and rights, asked for every request.

Seeing takes the right to read task instances of every DAG (a task instance's own tab: of its DAG), acting and
seeing personal data the right to edit every connection.

No auth manager can be asked for "every" one: without a name, some answer for any (FabAuthManager: whoever may read
one DAG may list DAGs). So the question is about one that cannot exist, which nobody can be given a right to by name:
who may have it, may have all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import get_user, requires_access_connection, requires_access_dag
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request

from airflow_outreach_provider.store.engine import Store

# No DAG, connection or team can be called so: their ids take neither spaces nor brackets. No dot either, at which
# some auth managers cut.
NOBODYS = "<outreach: all of them>"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking. :ivar may_edit: has edit rights on all connections."""

    name: str
    may_edit: bool


def may_edit(request: Request, user: Annotated[Any, Depends(get_user)]) -> bool:
    """Whether whoever asks has edit rights on all connections."""
    manager = request.app.state.auth_manager
    every = ConnectionDetails(conn_id=NOBODYS, team_name=_every_team())
    return bool(manager.is_authorized_connection(method="PUT", details=every, user=user))


def person(user: Annotated[Any, Depends(get_user)], may_edit: Annotated[bool, Depends(may_edit)]) -> Person:
    """Somebody who is logged in, with or without rights."""
    return Person(str(user.get_name()), may_edit)


def reader(
    request: Request, user: Annotated[Any, Depends(get_user)], who: Annotated[Person, Depends(person)]
) -> Person:
    """Somebody who may see all of it, personal data masked."""
    # Not Airflow's own dependency: that would take a dag_id from the query and ask for this one DAG only.
    # Both questions: not every auth manager looks at the DAG where the question is about what is in it.
    allowed = request.app.state.auth_manager.is_authorized_dag
    every_dag = DagDetails(id=NOBODYS, team_name=_every_team())
    may_read = allowed(
        method="GET", access_entity=DagAccessEntity.TASK_INSTANCE, details=every_dag, user=user
    ) and allowed(method="GET", details=every_dag, user=user)
    if not may_read and not who.may_edit:
        raise HTTPException(403, "seeing outreach takes the right to read task instances of all DAGs")
    return who


def _every_team() -> str | None:
    """Who may do it in their own team only must not do it here: one store serves all teams."""
    return NOBODYS if conf.getboolean("core", "multi_team", fallback=False) else None


def editor(who: Annotated[Person, Depends(person)]) -> Person:
    """Somebody who may act."""
    if not who.may_edit:
        raise HTTPException(403, "this takes edit rights on connections")
    return who


def get_store(request: Request) -> Store:
    """The outreach store."""
    store: Store = request.app.state.store
    return store


Reader = Annotated[Person, Depends(reader)]
Editor = Annotated[Person, Depends(editor)]
OfTask = Annotated[Person, Depends(person)]
StoreDep = Annotated[Store, Depends(get_store)]
# For routes that have dag_id in their query, or connection_id in their path.
reads_task = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
edits_connection = Depends(requires_access_connection("PUT"))
