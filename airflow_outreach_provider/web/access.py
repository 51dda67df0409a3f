"""Who may see and do what: Airflow's log-in and rights, asked for every request.

Seeing everything takes the right to read task instances of every DAG, acting and seeing personal data the right to edit
every connection. Who may read the task instances of some DAGs sees the workflows, runs, leads and deliveries of exactly
those, and what campaigns came to by their runs, and nothing that is nobody's or everybody's: events, the do-not-contact
list, sources and endpoints, the Overview, the audit. A lead is of the DAG whose run touched it last, a delivery of the
DAG whose task tried it last.

No auth manager can be asked for "every" one: without a name, some answer for any (FabAuthManager: whoever may read
one DAG may list DAGs). So the question is about one that cannot exist, which nobody can be given a right to by name:
who may have it, may have all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import get_user, requires_access_connection, requires_access_dag
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from airflow_outreach_provider.store.engine import Store

# No DAG, connection or team can be called so: their ids take neither spaces nor brackets. No dot either, at which
# some auth managers cut.
NOBODYS = "<outreach: all of them>"


@dataclass(frozen=True, slots=True)
class Person:
    """Who is asking.

    :ivar may_edit: has edit rights on all connections. :ivar dags: whose workflows, runs, leads and deliveries they may
        see; None for those of all, and all else.
    """

    name: str
    may_edit: bool
    dags: frozenset[str] | None = frozenset()

    def may_see(self, dag_id: str) -> bool:
        """Whether what belongs to this DAG is shown to them."""
        return self.dags is None or dag_id in self.dags


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
    if not _sees_all(request, user, who):
        raise HTTPException(403, "seeing this takes the right to read task instances of all DAGs")
    return replace(who, dags=None)


def reader_of_some(
    request: Request, user: Annotated[Any, Depends(get_user)], who: Annotated[Person, Depends(person)]
) -> Person:
    """Somebody who may see all of it, or what belongs to some DAGs."""
    if _sees_all(request, user, who):
        return replace(who, dags=None)
    dags = _readable(request.app.state.auth_manager, user)
    if not dags:
        raise HTTPException(403, "seeing outreach takes the right to read task instances of a DAG")
    return replace(who, dags=dags)


def _sees_all(request: Request, user: Any, who: Person) -> bool:
    if who.may_edit:
        return True
    # Not Airflow's own dependency: that would take a dag_id from the query and ask for this one DAG only.
    # Both questions: not every auth manager looks at the DAG where the question is about what is in it.
    allowed = request.app.state.auth_manager.is_authorized_dag
    every_dag = DagDetails(id=NOBODYS, team_name=_every_team())
    return bool(
        allowed(method="GET", access_entity=DagAccessEntity.TASK_INSTANCE, details=every_dag, user=user)
        and allowed(method="GET", details=every_dag, user=user)
    )


def _readable(manager: Any, user: Any) -> frozenset[str]:
    """The DAGs whose task instances somebody may read: Airflow's own list, and its own question for each of it."""
    dags = manager.get_authorized_dag_ids(user=user, method="GET")
    return _allowed(manager, user, dags, DagAccessEntity.TASK_INSTANCE)


def reads_code(
    request: Request, user: Annotated[Any, Depends(get_user)], who: Annotated[Person, Depends(reader_of_some)]
) -> Callable[[str], bool]:
    """Whether somebody may read what a DAG is written with: Airflow asks for a right of its own for it."""
    manager = request.app.state.auth_manager
    return lambda dag_id: who.dags is None or bool(_allowed(manager, user, [dag_id], DagAccessEntity.CODE))


def _allowed(manager: Any, user: Any, dags: Collection[str], what: DagAccessEntity) -> frozenset[str]:
    """Those of these DAGs of which somebody may read this."""
    teams = DagModel.get_dag_id_to_team_name_mapping(list(dags)) if _every_team() and dags else {}
    return frozenset(
        dag_id
        for dag_id in dags
        if manager.is_authorized_dag(
            method="GET", access_entity=what, user=user,
            details=DagDetails(id=dag_id, team_name=teams.get(dag_id)),
        )
    )  # fmt: skip


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
SomeReader = Annotated[Person, Depends(reader_of_some)]
Editor = Annotated[Person, Depends(editor)]
ReadsCode = Annotated[Callable[[str], bool], Depends(reads_code)]
OfTask = Annotated[Person, Depends(person)]
StoreDep = Annotated[Store, Depends(get_store)]
# For routes that have dag_id in their query, or connection_id in their path.
reads_task = Depends(requires_access_dag("GET", DagAccessEntity.TASK_INSTANCE))
edits_connection = Depends(requires_access_connection("PUT"))
# For routes that have dag_id in their path.
triggers_dag = Depends(requires_access_dag("POST", DagAccessEntity.RUN))
