"""When the tasks of an event route are retried: by our schedule, another one, or Airflow's own knobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.retry_schedule import DEFAULT_SCHEDULE, Schedule
from airflow_outreach_provider.operators.outreach import (
    DeliverEventsOperator,
    HandleEventsOperator,
    StageLeadsOperator,
    SubmitLeadsOperator,
)
from airflow_outreach_provider.operators.retry_policy import OutreachRetryPolicy

Build = Callable[..., Any]


def deliver(**more: Any) -> Any:
    return DeliverEventsOperator(task_id="t", route="r", endpoint_conn_id="c", batch=[], **more)


def handle(**more: Any) -> Any:
    return HandleEventsOperator(task_id="t", route="r", python_callable=print, batch=[], **more)


def mapped(**more: Any) -> Any:
    made = DeliverEventsOperator.partial(task_id="t", route="r", endpoint_conn_id="c", **more).expand(
        batch=[[]]
    )
    return made.unmap({"batch": []})


def handled(**more: Any) -> Any:
    made = HandleEventsOperator.partial(task_id="t", route="r", python_callable=print, **more).expand(
        batch=[[]]
    )
    return made.unmap({"batch": []})


BUILDS = pytest.mark.parametrize(
    "build", [deliver, handle, mapped, handled], ids=lambda build: build.__name__
)
NONE: Schedule = ()


@BUILDS
@pytest.mark.parametrize(
    ("said", "call", "retries", "schedule"),
    [
        ({}, {}, 8, DEFAULT_SCHEDULE),
        ({}, {"retry_schedule": ["5s", "30s", "2m", "10m"]}, 4, (5, 30, 120, 600)),
        ({}, {"retry_schedule": [timedelta(hours=1), 5]}, 2, (3600, 5)),
        ({"retry_schedule": ["1m"]}, {}, 1, (60,)),
        ({"retry_schedule": ["1m"]}, {"retry_schedule": ["2m", "1m"]}, 2, (120, 60)),
        ({"retries": 5, "retry_delay": timedelta(minutes=1)}, {"retry_schedule": ["2m"]}, 1, (120,)),
        ({"retry_schedule": ["2m"]}, {"retries": 5}, 5, NONE),
        ({"retry_schedule": ["2m"]}, {"retry_delay": timedelta(minutes=1)}, 3, NONE),
        ({}, {"retries": 0}, 0, NONE),
        ({"retries": 5}, {}, 5, NONE),
        ({}, {"retry_policy": OutreachRetryPolicy(["1s", "2s"])}, 2, (1, 2)),
        ({"retries": 7}, {"retry_policy": OutreachRetryPolicy(["1s", "2s"])}, 7, (1, 2)),
        ({}, {"retry_policy": OutreachRetryPolicy()}, 3, NONE),
    ],
)  # fmt: skip
def test_what_is_said_nearest_to_the_task_counts(
    build: Build, said: Mapping[str, Any], call: Mapping[str, Any], retries: int, schedule: Schedule
) -> None:
    """Ours unless told otherwise; a schedule is as many retries as it is long; Airflow's knobs mean what they mean."""
    with DAG("d", schedule=None, default_args=dict(said)):
        task = build(**call)
    assert task.retries == retries
    assert task.retry_policy.schedule == tuple(schedule)


@BUILDS
@pytest.mark.parametrize("knob", [{"retries": 1}, {"retry_delay": timedelta(seconds=9)}, {"max_retry_delay": timedelta(hours=1)},
                                  {"retry_policy": OutreachRetryPolicy(["9s"])}], ids=lambda knob: next(iter(knob)))  # fmt: skip
@pytest.mark.parametrize("place", ["call", "default_args"])
def test_two_answers_in_one_place_are_a_mistake(build: Build, knob: Mapping[str, Any], place: str) -> None:
    """Whoever says both hears which to keep, when the DAG is read."""
    both = {"retry_schedule": ["5s"], **knob}
    with (
        pytest.raises(ConfigurationError, match=f"{next(iter(knob))} both say .*keep retry_schedule"),
        DAG("d", schedule=None, default_args=both if place == "default_args" else {}),
    ):
        build(**both if place == "call" else {})


@BUILDS
@pytest.mark.parametrize("wrong", [[], ["5 parsecs"], [-5], "5m", 5, ["5s"] * 51])
def test_a_wrong_schedule_is_a_mistake_of_the_dag(build: Build, wrong: object) -> None:
    """It shows when the DAG is read, not in the night of the first outage."""
    with DAG("d", schedule=None), pytest.raises(ConfigurationError, match="retry_schedule"):
        build(retry_schedule=wrong)


@BUILDS
def test_the_scheduler_waits_as_the_schedule_says(build: Build) -> None:
    """Serialised and read again, as Airflow's scheduler has it, the task's number of retries and its policy are the same."""
    with DAG("d", schedule=None) as dag:
        build(retry_schedule=["5s", timedelta(minutes=1)])
    task = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).get_task("t")
    assert task.retries == 2


@pytest.mark.parametrize("operator", [SubmitLeadsOperator, StageLeadsOperator])
@pytest.mark.parametrize(
    ("said", "call", "weight"),
    [
        ({}, {}, 10),
        ({"priority_weight": 3}, {}, 3),
        ({}, {"priority_weight": 1}, 1),
        ({"retries": 1}, {}, 10),
    ],
)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_leads_come_before_deliveries_unless_somebody_says_otherwise(
    operator: Any, said: dict[str, Any], call: dict[str, Any], weight: int, is_mapped: bool
) -> None:
    """Of tasks that wait for a slot Airflow starts the heaviest first; their pool is the one that is always there."""
    with DAG("d", schedule=None, default_args=said):
        if is_mapped:
            made = operator.partial(task_id="t", leads=None, **call).expand(shard=[0, 1])
            leads = made.unmap({"shard": 0})
        else:
            leads = operator(task_id="t", leads=None, **call)
    with DAG("e", schedule=None):
        delivery = mapped()
    assert (leads.priority_weight, leads.pool) == (weight, "default_pool")
    assert delivery.priority_weight == 1
