"""SIGKILL, where it hurts: tasks, their supervisors, and what Airflow consists of."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence

import psutil
import sqlalchemy as sa

from airflow_outreach_provider.demo.airflow import RunningAirflow
from shared.watch import Processes

# So that the death of a process is noticed within half a minute, and none is taken for dead on a busy machine.
QUICK = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
}

# What the API did not answer: what a kill left in doubt is counted by the kills.
UNKNOWN_ANSWERS = "SELECT count(*) FROM attempts WHERE outcome = 'unknown' AND reason <> 'worker_died'"


def kill_task(
    airflow: RunningAirflow, victim: str, dice: random.Random, within: Sequence[str] = ("scheduler",)
) -> bool:
    """SIGKILL a running task process, or the supervisor above it. :return: whether there was one.

    :param within: the components that run tasks.
    """
    found = Processes().tasks(airflow, within)
    if not found:
        return False
    task = dice.choice(found)
    try:
        pids = [task.pid] if victim == "task" else [task.parent().pid, task.pid]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, psutil.NoSuchProcess, AttributeError):
        return False
    return True


def kill_component(airflow: RunningAirflow, name: str) -> None:
    """SIGKILL a component and all that it started, in whatever process group: as a host that goes down."""
    processes = Processes().tree(airflow, name)
    airflow.kill(name)
    for each in processes:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue


def cut_connections(postgres: str, databases: Sequence[str]) -> int:
    """End every connection to these databases. :return: how many there were."""
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    cut = sa.text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = ANY(:names) "
        "AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        number = connection.execute(cut, {"names": list(databases)}).scalar_one()
    engine.dispose()
    return int(number)
