"""Who may see and do what: Airflow's log-in and rights, asked for every request.

Seeing takes the right to read task instances of every DAG (a task instance's own tab: of its DAG), acting and
seeing personal data the right to edit connections.
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
from fastapi import Depends, HTTPException, Request

from airflow_outreach_provider.store.engine import Store


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking. :ivar may_edit: has edit rights on connections."""

    name: str
    may_edit: bool


def may_edit(request: Request, user: Annotated[Any, Depends(get_user)]) -> bool:
    """Whether whoever asks has edit rights on connections."""
    manager = request.app.state.auth_manager
    return bool(manager.is_authorized_connection(method="PUT", details=ConnectionDetails(), user=user))


def person(user: Annotated[Any, Depends(get_user)], may_edit: Annotated[bool, Depends(may_edit)]) -> Person:
    """Somebody who is logged in, with or without rights."""
    return Person(str(user.get_name()), may_edit)


def reader(
    request: Request, user: Annotated[Any, Depends(get_user)], who: Annotated[Person, Depends(person)]
) -> Person:
    """Somebody who may see all of it, personal data masked."""
    # Not Airflow's own dependency: that would take a dag_id from the query and ask for this one DAG only.
    # Both questions: some auth managers answer the first without looking at DAGs where no DAG is named.
    allowed = request.app.state.auth_manager.is_authorized_dag
    every_dag = DagDetails()
    may_read = allowed(
        method="GET", access_entity=DagAccessEntity.TASK_INSTANCE, details=every_dag, user=user
    ) and allowed(method="GET", details=every_dag, user=user)
    if not may_read and not who.may_edit:
        raise HTTPException(403, "seeing outreach takes the right to read task instances of all DAGs")
    return who


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
