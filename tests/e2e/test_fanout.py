"""A real Airflow: scheduler, triggerer, DAG processor and API server, which lose their processes on the way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from airflows import SharedAirflow

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.demo.airflow import RunningAirflow, wait_until
from airflow_outreach_provider.demo.events import ENDPOINT, Crm, CrmAnswer
from airflow_outreach_provider.services.deliveries.fan_out import PLAN_LEASE, Reading, fan_out
from airflow_outreach_provider.store.deliveries import endpoints
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries import redeliver as deliveries_redeliver
from airflow_outreach_provider.store.deliveries.endpoints import Release
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("quick"),
    pytest.mark.lasts(450),
    pytest.mark.timeout(900),
]

DAG = "outreach_event_fanout"
ROOT = Path(__file__).parents[2]
DELIVER = 'task_id="deliver",'
SOONER = f" retry_schedule={[3, 8, *[30] * 6]},"


@pytest.fixture(scope="module")
def crm(quick: SharedAirflow) -> Crm:
    return quick.crm


@pytest.fixture(scope="module")
def airflow(quick: SharedAirflow) -> Iterator[RunningAirflow]:
    """An Airflow with the shipped fan-out DAG, running; its retries come sooner."""
    shipped = (ROOT / "dags" / f"{DAG}.py").read_text("utf-8")
    assert shipped.count(DELIVER) == 1
    with quick.dags("fanout", {f"{DAG}.py": shipped.replace(DELIVER, DELIVER + SOONER)}):
        quick.airflow.wait_for_dag(DAG)
        yield quick.airflow


def runs(airflow: RunningAirflow) -> list[str]:
    """The ids of the DAG's runs, oldest first."""
    return [each["dag_run_id"] for each in airflow.runs(DAG)]


def tries(airflow: RunningAirflow, run: str, map_index: int) -> list[dict[str, Any]]:
    path = f"dags/{DAG}/dagRuns/{quote(run, '')}/taskInstances/deliver/{map_index}/tries"
    return sorted(airflow.api("GET", path)["task_instances"], key=lambda each: each["try_number"])


def runs_that_tried(store: Store, event: str) -> list[str]:
    return [
        each.airflow_run_id
        for row in deliveries_lists.list_deliveries(store, DeliveryFilter(event_ids=[event])).rows
        for each in deliveries_lists.attempts_of(store, row.id)
    ]


def pause(airflow: RunningAirflow, paused: bool) -> None:
    airflow.api("PATCH", f"dags/{DAG}", {"is_paused": paused})


def arrive(store: Store, wave: str, *contacts: str) -> list[str]:
    """One event of each contact, in this order; their ids."""
    now = datetime.now(UTC)
    events = [
        ContactEvent(
            f"evt_{wave}_{place}_{contact}", "src", "varda", "x", EventKind.REPLIED, now, now,
            Contact(external_id=contact, email=f"{contact}@example.com"),
        )
        for place, contact in enumerate(contacts)
    ]  # fmt: skip
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]") for event in events])
    return [event.id for event in events]


def seconds_between(earlier: dict[str, Any], later: dict[str, Any]) -> float:
    start, end = datetime.fromisoformat(later["start_date"]), datetime.fromisoformat(earlier["end_date"])
    return (start - end).total_seconds()


def in_order(crm: Crm, ids: Sequence[str]) -> None:
    """Each contact's events were first seen in the order they happened."""
    seen = crm.first_seen()
    for contact in {each.rsplit("_", 1)[1] for each in ids}:
        mine = [each for each in ids if each.endswith(f"_{contact}")]
        assert [each for each in seen if each in mine] == mine


def test_a_failing_endpoint_is_seen_as_three_tries_with_the_delays_it_asked_for(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """Two 503 with Retry-After, then 200: Airflow's API shows three tries, at those delays, and the label."""
    crm.answer = lambda _, nth: (
        CrmAnswer(503, {"Retry-After": "6" if nth == 1 else "14"}) if nth < 3 else CrmAnswer()
    )
    (event,) = arrive(store, "retry", "jane")
    wait_until(lambda: crm.times(event) == 3, 150, "the event is delivered at the third try")
    run = next(
        each
        for each in runs(airflow)
        if any(task["map_index"] == 0 for task in airflow.task_instances(DAG, each, "deliver"))
    )
    wait_until(
        lambda: airflow.task_instances(DAG, run, "deliver")[0]["state"] == "success",
        30,
        "the mapped task is green",
    )
    (task,) = airflow.task_instances(DAG, run, "deliver")
    assert task["rendered_map_index"] == "replied j•••@example.com"
    found = tries(airflow, run, 0)
    assert [(each["try_number"], each["state"]) for each in found] == [
        (1, "failed"),
        (2, "failed"),
        (3, "success"),
    ]
    # Airflow adds its scheduling, up to a few seconds on a busy machine.
    assert 6 <= seconds_between(found[0], found[1]) < 6 + 8
    assert 14 <= seconds_between(found[1], found[2]) < 14 + 8
    (row,) = deliveries_lists.list_deliveries(store, DeliveryFilter(event_ids=[event])).rows
    attempts = deliveries_lists.attempts_of(store, row.id)
    assert [(each.status, each.try_number, each.airflow_run_id) for each in attempts] == [
        (503, 1, run),
        (503, 2, run),
        (200, 3, run),
    ]


def test_one_contacts_retry_keeps_nobody_waiting_and_strands_nothing(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """One contact's endpoint asks to wait: all others go on, by new events, a redelivery and a release, without luck.

    Its own later events open no run before it is through, and go out by themselves once it is.
    """

    def answer(event: Mapping[str, Any], nth: int) -> CrmAnswer:
        slow = event["contact"]["external_id"] == "slow" and event["id"] == blocked and nth == 1
        return CrmAnswer(503, {"Retry-After": "50"}) if slow else CrmAnswer()

    crm.answer, crm.pause, blocked = answer, 0.0, "evt_b0_0_slow"
    assert arrive(store, "b0", "slow") == [blocked]
    wait_until(lambda: crm.times(blocked) == 1, 60, "the slow contact was tried")
    others = []
    for wave in ("b1", "b2", "b3"):
        (event,) = arrive(store, wave, "ann")
        wait_until(lambda e=event: crm.taken[e] == 1, 60, f"{event} is delivered")
        others.append(event)

    before = len(runs(airflow))
    later = [each for wave in ("b4", "b5", "b6") for each in arrive(store, wave, "slow")]
    time.sleep(8)
    assert len(runs(airflow)) <= before + 1, "what has to wait opens no run"

    deliveries_redeliver.redeliver(store, DeliveryFilter(event_ids=others[:1]))
    wait_until(lambda: crm.taken[others[0]] == 2, 60, "the redelivery begins a run")
    assert crm.times(blocked) == 1, "all of it while the slow contact was waited for"
    assert not set(later) & set(crm.first_seen())

    wait_until(lambda: set(later) <= set(crm.taken), 240, "what waited behind it goes out by itself")
    assert crm.times(blocked) == 2
    in_order(crm, [blocked, *later])

    endpoints.disable(store, ENDPOINT, reason="maintenance", by="a test")
    (held,) = arrive(store, "b7", "eve")
    wait_until(
        lambda: deliveries_lists.count(store, DeliveryFilter(event_ids=[held])) == {"held": 1},
        60,
        "the event is held",
    )
    endpoints.enable(store, ENDPOINT, Release.ALL)
    wait_until(lambda: crm.taken[held] == 1, 60, "the release begins a run")
    ids = [blocked, *others, *later, held]
    wait_until(
        lambda: deliveries_lists.count(store, DeliveryFilter(event_ids=ids)) == {"delivered": len(ids)},
        60, "the store agrees",
    )  # fmt: skip


def test_contacts_that_fail_for_ever_take_no_run_from_the_others(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """One failing contact after another: three runs wait for their retries, further ones end; all others go on."""
    crm.answer = lambda event, _: CrmAnswer(
        500 if event["contact"]["external_id"].startswith("bad") else 200, {}
    )
    for number in range(5):
        (bad,) = arrive(store, f"n{number}", f"bad{number}")
        wait_until(lambda e=bad: crm.times(e) >= 1, 60, f"{bad} was tried")
        (good,) = arrive(store, f"m{number}", f"good{number}")
        wait_until(lambda e=good: crm.taken[e] == 1, 60, f"{good} is delivered")
    states = [
        task["state"] for run in runs(airflow)[-14:] for task in airflow.task_instances(DAG, run, "deliver")
    ]
    assert "skipped" in states, "what fails in further runs waits in the store"
    open_runs = [
        each["dag_run_id"]
        for each in airflow.api("GET", f"dags/{DAG}/dagRuns?state=running&limit=100")["dag_runs"]
    ]
    assert len(open_runs) <= 5
    crm.answer = lambda *_: CrmAnswer()
    ids = [f"evt_n{number}_0_bad{number}" for number in range(5)]
    wait_until(lambda: set(ids) <= set(crm.taken), 240, "the failing ones go out too, once they can")


def test_a_stream_is_carried_by_few_runs_and_one_contacts_failure_has_its_own(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """Ten events a second, and one contact that fails: tasks go on with what comes in."""
    crm.answer = lambda event, _: CrmAnswer(500 if event["contact"]["external_id"] == "c7" else 200)
    before = runs(airflow)
    ids: list[str] = []
    begun = None
    for wave in range(150):  # until a run has been at work for a while, however busy this machine is
        ids += arrive(store, f"s{wave:03}", *(f"c{(wave * 10 + n) % 40}" for n in range(10)))
        time.sleep(1)
        begun = begun or (time.monotonic() if set(ids) & set(crm.taken) else None)
        if begun and time.monotonic() - begun > 15:
            break
    well = [each for each in ids if not each.endswith("_c7")]
    wait_until(lambda: set(well) <= set(crm.taken), 120, "everybody else's events are delivered")
    in_order(crm, well)
    assert all(crm.taken[each] == 1 for each in well)
    assert len(runs(airflow)) - len(before) <= 20, "no run for each wave"
    crm.answer = lambda *_: CrmAnswer()
    wait_until(lambda: set(ids) <= set(crm.taken), 300, "the failing contact's go out too, once they can")
    in_order(crm, ids)
    assert longest_service(store, ids) > 5, "one has gone on with the stream"


def longest_service(store: Store, ids: Sequence[str]) -> float:
    """Seconds from the first to the last attempt of one try of a task at deliveries of these events."""
    spans = (
        "SELECT max(a.at) - min(a.at) FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id "
        "WHERE d.event_id IN :ids GROUP BY a.airflow_run_id, a.map_index, a.try_number"
    )
    with store.read() as connection:
        query = sa.text(spans).bindparams(sa.bindparam("ids", expanding=True))
        return max(connection.execute(query, {"ids": list(ids)}).scalars()) / 1000


def test_an_endpoint_that_lets_nobody_in_rests_and_everything_goes_out_when_it_is_back(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """An expired token: nothing is dead, few requests ask, no run begins for nothing; then all, in order, by itself."""
    crm.answer = lambda *_: CrmAnswer(401)
    first = arrive(store, "r0", "ann", "bob")
    wait_until(lambda: endpoints.status(store, ENDPOINT).resting_since is not None, 60, "the endpoint rests")
    ids = [*first, *arrive(store, "r1", "ann", "eve", "bob"), *arrive(store, "r2", "eve", "ann")]
    before = len(runs(airflow))
    time.sleep(25)
    assert sum(crm.times(each) for each in ids) <= 6, "few requests ask"
    assert len(runs(airflow)) - before <= 3, "and few runs"
    assert not {"dead", "held"} & deliveries_lists.count(store, DeliveryFilter(event_ids=ids)).keys()
    crm.answer = lambda *_: CrmAnswer()
    wait_until(
        lambda: deliveries_lists.count(store, DeliveryFilter(event_ids=ids)) == {"delivered": len(ids)},
        240, "everything goes out once it answers",
    )  # fmt: skip
    in_order(crm, ids)
    assert endpoints.status(store, ENDPOINT).resting_since is None


def test_a_cleared_run_and_a_paused_dag_lose_and_double_nothing(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """Clearing a finished run sends nothing again; events that come while the DAG is paused wait for it."""
    crm.answer = lambda *_: CrmAnswer()
    (event,) = arrive(store, "clear", "ann")
    wait_until(lambda: crm.times(event) == 1, 60, "the event is delivered")
    # It is asked before what it answered is written.
    [run] = wait_until(lambda: runs_that_tried(store, event), 30, "the attempt is written")
    pause(airflow, True)
    path = f"dags/{DAG}/dagRuns/{quote(run, '')}/clear"
    airflow.api("POST", path, {"dry_run": False, "only_failed": False})
    while_paused = arrive(store, "paused", "bob", "ann")
    time.sleep(3)
    pause(airflow, False)
    wait_until(lambda: set(while_paused) <= set(crm.first_seen()), 120, "what came meanwhile is delivered")
    wait_until(
        lambda: airflow.task_instances(DAG, run, "wait_for_events")[0]["state"] == "success",
        60,
        "the cleared run ends",
    )
    assert crm.times(event) == 1
    in_order(crm, [event, *while_paused])


def test_what_ended_and_deleted_runs_had_reserved_goes_out_at_once(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """Long before their plans run out, in order, once; and a later run's own events with it."""
    crm.answer = lambda *_: CrmAnswer()
    over = next(each["dag_run_id"] for each in airflow.runs(DAG) if each["state"] == "success")
    began, ids = time.monotonic(), []
    for run, *people in ((over, "ann", "bob"), ("a_run_that_was_deleted", "eve", "zoe")):
        ids += arrive(store, "over", *people)
        assert fan_out(store, Reading(DAG, (DAG,)), Owner(DAG, "wait_for_events", run, 99).key)
    ids += arrive(store, "after", "ann", "zoe")
    wait_until(lambda: set(ids) <= set(crm.taken), 240, "what was reserved is delivered")
    assert time.monotonic() - began < PLAN_LEASE.total_seconds() / 3
    in_order(crm, ids)
    assert all(crm.taken[each] == 1 for each in ids)


def test_killed_processes_lose_nothing_and_keep_each_contacts_order(
    airflow: RunningAirflow, store: Store, crm: Crm
) -> None:
    """Workers, the triggerer and the scheduler are killed while events flow: all arrive, in order, same ids."""
    crm.answer, crm.pause = lambda *_: CrmAnswer(), 0.4
    people = ["p1", "p2", "p3", "p1", "p2", "p3", "p1", "p1"]
    ids = arrive(store, "k1", *people)
    wait_until(lambda: len(set(ids) & set(crm.first_seen())) >= 2, 90, "the first wave is on its way")
    killed = 0
    for task in (each for run in runs(airflow)[-3:] for each in airflow.task_instances(DAG, run, "deliver")):
        if task["state"] == "running" and task["pid"]:
            os.kill(task["pid"], signal.SIGKILL)
            killed += 1
    assert killed, "a worker was at work"
    ids += arrive(store, "k2", *people)
    airflow.kill("triggerer")
    ids += arrive(store, "k3", *people)
    airflow.start(["triggerer"])
    wait_until(lambda: any("k2" in each for each in crm.first_seen()), 150, "the second wave is on its way")
    airflow.kill("scheduler")
    ids += arrive(store, "k4", *people)
    airflow.start(["scheduler"])
    wait_until(lambda: set(ids) <= set(crm.first_seen()), 240, "every event has arrived")
    crm.pause = 0.0
    in_order(crm, ids)
    identities = {(request.event, request.message_id) for request in crm.requests}
    assert len(identities) == len({event for event, _ in identities})
    wait_until(
        lambda: deliveries_lists.count(store, DeliveryFilter(event_ids=ids)) == {"delivered": len(ids)},
        60, "the store agrees",
    )  # fmt: skip
