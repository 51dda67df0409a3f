"""Whose work it is: what leases, claims and attempts are written down under."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """The task instance a run belongs to; outside Airflow, any name for ``dag_id`` will do."""

    dag_id: str
    task_id: str = ""
    run_id: str = ""
    map_index: int = -1
    try_number: int = 1

    @property
    def key(self) -> str:
        """The task instance without its try: a later try knows an earlier one of the same key is dead."""
        return json.dumps([self.dag_id, self.task_id, self.run_id, self.map_index])


def run_of(key: str) -> tuple[str, str] | None:
    """The DAG and the run that an owner's key is of; None where it is of no run of Airflow."""
    try:
        dag_id, _, run_id, _ = json.loads(key)
    except (TypeError, ValueError):
        return None
    return (dag_id, run_id) if dag_id and run_id else None
