"""What runs that only try found of their rows: kept for a day, and for nobody who is forgotten meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.row_trials import KEPT, Tried
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import trials
from airflow_outreach_provider.store.schema import insert_into

_C = trials.c


@dataclass(frozen=True, slots=True)
class TaskFindings:
    """What a task found. :ivar at: when it ended. :ivar found: None where it cannot be read any more."""

    task_id: str
    map_index: int
    at: datetime
    found: Tried | None


def put(store: Store, owner: Owner, found: Tried) -> None:
    """Keep what a task found, in place of what an earlier try of it did; what is older than ``KEPT`` goes."""
    key = {
        "dag_id": owner.dag_id, "airflow_run_id": owner.run_id, "task_id": owner.task_id, "map_index": owner.map_index,
    }  # fmt: skip
    text = found.to_json()

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        expire(connection, now)
        row = insert_into(connection, trials).values(**key, at=now, found=text)
        new = {"at": row.excluded.at, "found": row.excluded.found}
        connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=new))

    store.retrying(work)


def find(store: Store, dag_id: str, run_id: str, *, most: int) -> list[TaskFindings]:
    """What the tasks of a run found, in their order; none where it is too long ago. :param most: tasks."""
    query = (
        sa.select(_C.task_id, _C.map_index, _C.at, _C.found)
        .where(_C.dag_id == dag_id, _C.airflow_run_id == run_id)
        .order_by(_C.at, _C.task_id, _C.map_index)
        .limit(most)
    )
    with store.read() as connection:
        kept_since = store.now(connection) - KEPT
        rows = connection.execute(query.where(_C.at > kept_since)).all()
    return [TaskFindings(task_id, map_index, at, _read(text)) for task_id, map_index, at, text in rows]


def expire(connection: sa.Connection, now: datetime) -> None:
    """Remove what was found longer than ``KEPT`` ago."""
    connection.execute(trials.delete().where(_C.at <= now - KEPT))


def forget(store: Store, dag_id: str | None = None, run_id: str = "") -> int:
    """Remove what was found; how many tasks' findings. :param dag_id: of one run alone; all where None."""
    gone = trials.delete()
    if dag_id is not None:
        gone = gone.where(_C.dag_id == dag_id, _C.airflow_run_id == run_id)
    return store.retrying(lambda connection: int(connection.execute(gone).rowcount))


def _read(text: str) -> Tried | None:
    try:
        return Tried.of_json(text)
    except (ValueError, LookupError, TypeError):  # of another version
        return None
