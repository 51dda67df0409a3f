"""What runs that have ended had reserved and did not deliver is free at once, not when their plans run out.

A plan is kept for longer than its tasks wait for a slot or for their retry. A run may end without them: it timed out, a
person marked or deleted it, its worker died with the last try. Whether one has, only Airflow knows, so it is asked: about
plans that still reserve something no task is at, and that are older than a task needs to begin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from airflow_outreach_provider.core.owner import run_of
from airflow_outreach_provider.services.deliveries.fan_out import PLAN_LEASE
from airflow_outreach_provider.store.deliveries import reserved
from airflow_outreach_provider.store.engine import Store

Count = Callable[[str, Sequence[str], Sequence[str]], int]
"""How many of these runs of a DAG there are in these states; with no states, in any."""

_ALIVE, _OVER, _ANY = ("queued", "running"), ("success", "failed"), ()
# Until then the tasks of a plan may not have begun on an Airflow with nothing else to do.
_YOUNG = timedelta(seconds=10)
# A question is a URL.
_AT_ONCE = 50


def free_ended(store: Store, count: Count, routes: Collection[str] | None = None) -> int:
    """Free what ended runs keep of these routes, or of all.

    Nothing is taken out of a task's hands: what is claimed keeps its lease. Costs a question for each DAG with such
    plans, where none of its runs has ended.

    :param count: asks Airflow; whatever it raises comes out, and nothing is freed.
    :return: how many deliveries are free by that.
    """
    keys = reserved.reserving(store, routes, lease=PLAN_LEASE, age=_YOUNG)
    by_dag: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for key in keys:
        if (run := run_of(key)) is not None:
            by_dag[run[0]][run[1]].append(key)
    over = [key for dag, runs in by_dag.items() for run in ended(count, dag, list(runs)) for key in runs[run]]
    return reserved.end(store, over)


def ended(count: Count, dag_id: str, run_ids: Sequence[str]) -> list[str]:
    """Those of these runs that have ended or are gone, found by halves: one question where all are alive.

    One in a state that we do not know has not ended.
    """
    if len(run_ids) <= _AT_ONCE and (not run_ids or count(dag_id, run_ids, _ALIVE) == len(run_ids)):
        return []
    if len(run_ids) == 1:
        return list(run_ids) if _has_ended(count, dag_id, run_ids) else []
    half = len(run_ids) // 2
    return ended(count, dag_id, run_ids[:half]) + ended(count, dag_id, run_ids[half:])


def _has_ended(count: Count, dag_id: str, run_id: Sequence[str]) -> bool:
    return count(dag_id, run_id, _OVER) == 1 or count(dag_id, run_id, _ANY) == 0
