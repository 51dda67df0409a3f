"""SIGKILL, where it hurts: tasks, their supervisors, and what Airflow consists of."""

from __future__ import annotations

import os
import random
import signal

import psutil

from airflow_outreach_provider.demo.airflow import RunningAirflow

# So that the death of a process is noticed within half a minute, and none is taken for dead on a busy machine.
QUICK = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
}


def kill_task(airflow: RunningAirflow, victim: str, dice: random.Random) -> bool:
    """SIGKILL a running task process, or the supervisor above it. :return: whether there was one."""
    if "scheduler" not in airflow.processes:
        return False
    scheduler = psutil.Process(airflow.processes["scheduler"].pid)
    tasks = []
    for process in scheduler.children(recursive=True):
        try:
            if (
                not process.children()
                and process.parent().pid != scheduler.pid
                and process.status() != "zombie"
            ):
                tasks.append(process)
        except (psutil.NoSuchProcess, AttributeError):
            continue
    if not tasks:
        return False
    task = dice.choice(tasks)
    try:
        pids = [task.pid] if victim == "task" else [task.parent().pid, task.pid]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, psutil.NoSuchProcess, AttributeError):
        return False
    return True
