"""SubmitLeadsOperator run by Airflow's own task runner against the simulator."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import signal
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG, task
from servers import as_json, scripted
from stores import end_waits

from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    OutcomeUnknown,
    OutreachError,
    OutreachUnavailable,
    TooManyRejected,
)
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.net.contacts import TetherContacts
from airflow_outreach_provider.operators.outreach import SqlLeads, StageLeadsOperator, SubmitLeadsOperator
from airflow_outreach_provider.services.submit import halt
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.ledger.tables import attempts, leads, runs

LEADS = [{"phone": f"+1416555{n:04d}", "first_name": "Ann"} for n in range(100, 112)]


@pytest.fixture
def sim(tasks_simulator: RunningSimulator) -> RunningSimulator:
    return tasks_simulator


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API key of a server that repeats it."""

    def refuse(_method: str, _path: str, headers: Mapping[str, str], _body: bytes) -> Any:
        return 422, as_json({"message": f"you sent {headers['Authorization']}"}), {}

    with scripted(refuse) as url:
        connection = {"conn_type": "outreach", "host": url, "password": "user_a1b2c3d4",
                      "extra": {"configuration_id": "c"}}  # fmt: skip
        monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(connection))
        yield "user_a1b2c3d4"


def operator(**arguments: Any) -> SubmitLeadsOperator:
    return SubmitLeadsOperator(**{"task_id": "submit", "leads": LEADS, "patience": 1.0, **arguments})


def test_returns_the_rows_by_state(sim: RunningSimulator, run_task: Callable[..., Any]) -> None:
    """A batch is sent by one task, which returns how many rows ended in which state; they add up to the rows."""
    ran = run_task(operator(leads=[*LEADS, LEADS[0], {"phone": "nobody"}], max_rejected=1))
    assert ran.state == "success", ran.error
    assert {state: n for state, n in ran.xcom.items() if n} == {"accepted": 12, "duplicate": 1, "rejected": 1}
    assert sum(ran.xcom.values()) == 14
    assert sim.report()["texts"] == 12


@pytest.mark.slow
def test_several_tasks_of_a_dag_are_compared_each_with_its_own_runs(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """``min_rows: 50% of last run``: their lists have other sizes."""
    with DAG("sizes", schedule=None):
        many, few = (
            operator(task_id=f"of_{len(rows)}", leads=rows, campaign="spring", min_rows="50% of last run")
            for rows in (LEADS[:9], LEADS[9:])
        )
    for _ in range(2):
        assert [run_task(each).state for each in (many, few)] == ["success"] * 2
    few.leads, many.leads = LEADS[:9], LEADS[9:]
    assert [run_task(each).state for each in (many, few)] == ["failed", "success"]


@pytest.mark.slow
@pytest.mark.parametrize("ours", ["spring", " spring ", "the configuration", ""])
@pytest.mark.parametrize("theirs", ["spring", None])
def test_a_task_beside_mapped_ones_is_compared_with_its_own_runs(
    sim: RunningSimulator, run_task: Callable[..., Any], ours: str, theirs: str | None
) -> None:
    """Their lists may be far longer, and a campaign has several writings."""
    known = sim.configuration_id
    mine = {"campaign": known if ours == "the configuration" else ours, "min_rows": "50% of last run"}
    with DAG("beside", schedule=None):
        rest = operator(task_id="rest", leads=LEADS[:2], **mine)
        half = SubmitLeadsOperator.partial(task_id="each", campaign=theirs, patience=1.0)
        each = half.expand(leads=[LEADS[2:]])
    ran = [run_task(rest), run_task(each.unmap({"leads": LEADS[2:]})), run_task(rest)]
    assert [one.state for one in ran] == ["success"] * 3, ran[-1].error


@pytest.mark.slow
def test_several_incremental_tasks_of_a_dag_go_each_by_its_own_runs(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """What is old in one list is news in another; the plan of the only one goes by its runs, as a person sees by it what
    comes."""

    def lists(*days: int) -> list[dict[str, Any]]:
        return [each | {"at": f"2026-03-{day:02}"} for each, day in zip(LEADS[days[0] :], days, strict=False)]

    def run(dag_id: str, **tasks: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
        with DAG(dag_id, schedule=None):
            made = [
                operator(
                    task_id=name, leads=rows, incremental="at", campaign="spring", dry_run=name == "plan"
                )
                for name, rows in tasks.items()
            ]
        return {each.task_id: {k: n for k, n in run_task(each).xcom.items() if n} for each in made}

    north, south = lists(5, 8, 9), lists(1, 2, 3)
    assert run("both", north=north, south=south) == {"north": {"accepted": 3}, "south": {"accepted": 3}}
    again = {"filtered": 2, "unchanged": 1}
    assert run("both", north=north, south=south) == {"north": again, "south": again}
    assert run("one", submit=north) == {"submit": {"unchanged": 3}}
    assert run("one", plan=north, submit=north) == {"plan": again, "submit": again}


def test_a_second_try_a_clear_and_another_dag_text_nobody_again(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """The same leads by a retry, a cleared task or another DAG are unchanged, and nobody is texted twice."""
    run_task(operator())
    again = run_task(operator(), try_number=2)
    elsewhere = run_task(operator(task_id="other"))
    assert again.xcom["unchanged"] == elsewhere.xcom["unchanged"] == 12
    assert (sim.report()["texts"], sim.report()["texted_twice_count"]) == (12, 0)


# What the API answers to every lead → the state of the task on its first try, the error, the delay of the retry.
MATRIX: list[tuple[str, str, type[OutreachError] | None, float | None]] = [
    ("latency=0.01", "success", None, None),
    ("status=400", "failed", ConfigurationError, None),
    ("status=401", "failed", ConfigurationError, None),
    ("status=403", "failed", ConfigurationError, None),
    ("status=404", "failed", ConfigurationError, None),
    ("status=301,location=/elsewhere", "failed", ConfigurationError, None),
    ("status=307,location=/elsewhere", "failed", ConfigurationError, None),
    ("status=200,body=unsuccessful", "failed", TooManyRejected, None),
    ("status=422", "failed", TooManyRejected, None),
    ("status=200,body=empty", "up_for_retry", OutreachError, None),
    ("status=200,body=html", "up_for_retry", OutreachError, None),
    ("status=500", "up_for_retry", OutreachError, None),
    ("status=502,body=html", "up_for_retry", OutreachError, None),
    ("status=504,body=empty", "up_for_retry", OutreachError, None),
    ("status=429", "up_for_retry", OutreachUnavailable, None),
    ("status=429,retry_after=120", "up_for_retry", OutreachUnavailable, 120),
    ("status=429,retry_after=date+90", "up_for_retry", OutreachUnavailable, 90),
    ("status=503,retry_after=77", "up_for_retry", OutreachUnavailable, 77),
    ("status=503,body=empty", "up_for_retry", OutreachUnavailable, None),
    ("drop", "up_for_retry", OutreachError, None),
    ("drop,when=after", "up_for_retry", OutreachError, None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "state", "error", "delay"), MATRIX, ids=[row[0] for row in MATRIX])
def test_what_the_api_answers_decides_the_state_of_the_task(
    sim: RunningSimulator,
    run_task: Callable[..., Any],
    fault: str,
    state: str,
    error: type[OutreachError] | None,
    delay: float | None,
) -> None:
    """Every answer leads to one state of the task: faults of all leads fail at once, outages are retried when asked."""
    sim.set_faults(fault)
    # An outage is handed over the sooner; what else is asked has a second, on whatever machine.
    ran = run_task(operator(patience=0.2 if error is OutreachUnavailable else 1.0))
    assert ran.state == state, ran.error
    assert error is None or isinstance(ran.error, error)
    if delay is not None:
        assert ran.retry_delay is not None
        assert abs(ran.retry_delay.total_seconds() - delay) <= 3
    sim.set_faults()
    end_waits(open_store())
    healed = run_task(operator(max_rejected=None), try_number=2)
    assert sim.report()["texted_twice_count"] == 0
    assert sum(healed.xcom.values()) == len(LEADS)
    if error in (ConfigurationError, OutreachUnavailable):
        assert healed.xcom["accepted"] == len(LEADS), "a fault that is the same for every lead used one up"


def test_the_last_try_fails(sim: RunningSimulator, run_task: Callable[..., Any]) -> None:
    """When the task's own retries are used up, an outage fails the task; Retry-After does not add tries."""
    sim.set_faults("status=503,retry_after=60")
    assert run_task(operator(), try_number=3).state == "up_for_retry"
    assert run_task(operator(), try_number=4).state == "failed"


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"outreach_conn_id": "nowhere"}, "add it with type outreach"),
        ({"leads": SqlLeads("nowhere", "SELECT 1 AS phone")}, "add it with the type and the address"),
    ],
    ids=["of the API", "of a database"],
)
def test_a_connection_that_is_not_there_fails_at_once_with_what_to_do(
    sim: RunningSimulator, run_task: Callable[..., Any], arguments: dict[str, Any], remedy: str
) -> None:
    """No retry makes a connection: the first try fails, as it does for an endpoint and a source."""
    ran = run_task(operator(**arguments))
    assert ran.state == "failed"
    assert isinstance(ran.error, ConfigurationError)
    assert f"there is no connection 'nowhere' — {remedy}" in str(ran.error)


@pytest.mark.slow
def test_nothing_listens(run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that is not there at all is an outage: retried, no lead used up."""
    connection = {
        "conn_type": "outreach",
        "host": "http://127.0.0.1:9",
        "password": "k",
        "extra": {"configuration_id": "c"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(connection))
    ran = run_task(operator(patience=0.2))
    assert ran.state == "up_for_retry"
    assert isinstance(ran.error, OutreachUnavailable)


def test_held_leads_are_red_until_somebody_settles_them(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """One lead of unknown outcome among twelve is more than 5 %: the task is retried, nothing is sent again."""
    sim.set_faults("status=500,when=after,first=1")
    ran = run_task(operator())
    assert isinstance(ran.error, OutcomeUnknown), ran.error
    assert ran.state == "up_for_retry"
    again = run_task(operator(), try_number=2)
    assert isinstance(again.error, OutcomeUnknown)
    assert sim.report()["texted_twice_count"] == 0
    assert sim.report()["texts"] == 12


@pytest.mark.slow
def test_leads_held_by_one_account_are_not_judged_by_anothers_contact_list(
    sim: RunningSimulator, run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync of another account, whose rows name their configurations, replans nobody it did not send itself."""
    sim.set_faults("status=500,when=after")
    run_task(operator(leads=LEADS[:1], max_rejected=None))
    with open_store().write() as connection:
        connection.exec_driver_sql("UPDATE leads SET sent_at = sent_at - 3600000")
    login = {"contacts_email": "me@example.com", "contacts_password": "a-password"}
    with running_simulator(**login) as other:
        settings = other.connection | {"extra": login}
        monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(settings))
        rows = [{"phone": "+14165559000", "configuration_id": other.configuration_id}]
        ran = run_task(operator(task_id="other", leads=rows, outreach_conn_id="other"))
        assert ran.xcom["accepted"] == 1, ran.error
        assert other.report()["texts"] == 1
    sim.set_faults()
    again = run_task(operator(leads=LEADS[:1], max_rejected=None), try_number=2)
    assert again.xcom["accepted"] == 0, again.error
    assert sim.report()["texts"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("timeout", "minutes", "sent"), [(30, 20, 1), (3600, 20, 0), (3600, 80, 1)])
def test_nobody_is_absent_from_the_contact_list_while_a_request_for_them_may_be_under_way(
    run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, timeout: int, minutes: int, sent: int
) -> None:
    """An earlier try that is left behind waits for its answer as long as the connection lets it."""
    login = {"contacts_email": "me@example.com", "contacts_password": "a-password"}
    with running_simulator(**login) as sim:
        connection = sim.connection | {"extra": {**sim.connection["extra"], **login, "timeout": timeout}}
        monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(connection))
        sim.set_faults("status=500,first=1")
        run_task(operator(leads=LEADS[:1], max_rejected=None))
        with open_store().write() as opened:
            opened.exec_driver_sql(f"UPDATE leads SET sent_at = sent_at - {minutes * 60_000}")
            opened.exec_driver_sql("DELETE FROM look_ups")
        again = run_task(operator(leads=LEADS[:1], max_rejected=None), try_number=2)
        assert again.xcom["accepted"] == sent, again.error
        assert sim.report()["texts"] == sent


@pytest.mark.parametrize("base", ["wrong password", "no contact list there"])
def test_a_contact_list_that_refuses_does_not_stop_the_sync(
    sim: RunningSimulator, run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    """Held leads that cannot be looked up stay held with a warning, and all others are sent."""
    sim.set_faults("status=500,first=3")
    run_task(operator(max_rejected=None))
    with open_store().write() as connection:
        connection.exec_driver_sql("UPDATE leads SET sent_at = sent_at - 3600000")
    sim.set_faults()
    connection_of = sim.connection | {"extra": {**sim.connection["extra"], "contacts_password": "wrong"}}
    monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(connection_of))
    if base != "wrong password":
        monkeypatch.setattr(TetherContacts, "_log_in", lambda self: self._api.ask("GET", "/nowhere"))
    ran = run_task(operator(max_rejected=None), run_id="later")
    assert ran.state == "success", ran.error
    assert (ran.xcom["held"], ran.xcom["unchanged"]) == (3, 9)


def test_no_personal_data_in_errors_xcom_and_rendered_fields(
    sim: RunningSimulator, run_task: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Numbers, addresses and the key appear whole nowhere: not in errors, logs, XCom or rendered fields."""
    sim.set_faults("status=500,first=2")
    leads = [{"phone": "+14165550123", "email": "jane.doe@example.com"}, {"phone": "4165550124"}, *LEADS]
    with caplog.at_level("DEBUG"):
        ran = run_task(operator(leads=leads))
    everything = f"{ran.error!r} {ran.xcom} {ran.rendered} {caplog.text}"
    for secret in ("4165550123", "4165550124", "jane.doe", sim.api_key):
        assert secret not in everything
    assert "14 leads in a list" in str(ran.rendered["leads"])


def test_an_api_that_repeats_the_key_does_not_make_it_known(run_task: Callable[..., Any], echo: str) -> None:
    """The key is in no error and in no row of the ledger, whatever the API answers."""
    ran = run_task(operator(leads=[*LEADS], max_rejected=None))
    with open_store().read() as connection:
        kept = [
            str(tuple(row))
            for table in (leads, runs, attempts)
            for row in connection.execute(sa.select(table))
        ]
    assert kept
    assert "it said" in str(kept)
    assert echo not in f"{ran.error!r} {ran.xcom} {kept}"


def test_leads_by_xcom_are_not_kept_in_rendered_fields(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """Leads that a template or XCom yields at run time are sent, and shown as a count."""
    task = operator(leads=lambda context, jinja_env: LEADS)
    ran = run_task(task)
    assert ran.xcom["accepted"] == 12, ran.error
    assert "555" not in str(ran.rendered["leads"])


WRITTEN = {
    "JSON": json.dumps(LEADS),
    "Python": str(LEADS),
    "a tuple": str(tuple(LEADS)),
    "indented": json.dumps(LEADS, indent=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_a_list_written_as_text_is_the_list(
    sim: RunningSimulator, run_task: Callable[..., Any], caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """Without native rendering a template yields text: it is read as the list it is, and nobody in it is shown."""
    with caplog.at_level("DEBUG"):
        ran = run_task(operator(leads="{{ dag_run.conf.get('leads', []) }}"), params={"leads": text})
    assert ran.xcom["accepted"] == 12, ran.error
    assert "12 leads in a list" in str(ran.rendered["leads"])
    assert "555" not in f"{ran.rendered} {caplog.text}"


@pytest.mark.parametrize(
    "text",
    [
        "[{'phone': '+14165550123', 'at': datetime.date(2026, 1, 1)}]",
        '[{"phone": "+14165550123", "email": "jane.doe@example.com"',
        "{'phone': '+14165550123'}",
        "+14165550123",
        "phone,email\n+14165550123,jane.doe@example.com",
        "jane.doe@example.com; 416|555|0123 " * 200,
        "[" * 5_000 + "+14165550123" + "]" * 5_000,
    ],
    ids=lambda text: text[:20],
)
def test_text_that_is_no_path_is_not_repeated(
    sim: RunningSimulator, run_task: Callable[..., Any], caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """A template that went wrong fails the task with the remedy, and nobody is in log, reason or rendered fields."""
    with caplog.at_level("DEBUG"):
        ran = run_task(operator(leads="{{ dag_run.conf['leads'] }}"), params={"leads": text})
    assert isinstance(ran.error, ConfigurationError)
    everything = "".join(traceback.format_exception(ran.error)) + f"{ran.rendered} {caplog.text}"
    for whole in ("4165550123", "416|555|0123", "jane.doe"):
        assert whole not in everything


def test_a_query_shows_no_value_in_rendered_fields(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """What a template put into a query is not stored with it, nor are its parameters; its times are."""
    sql = "SELECT * FROM p WHERE name = '{{ dag_run.conf.who }}' AND phone <> 4165550123 AND at > '2026-03-25 10:00'"
    leads = SqlLeads("nowhere", sql, parameters={"email": "jane.doe@example.com"})
    ran = run_task(operator(leads=leads), params={"who": "Jane O''Doe"})
    shown = str(ran.rendered["leads"])
    assert "2026-03-25 10:00" in shown
    for value in ("Jane", "4165550123", "jane.doe"):
        assert value not in shown


@pytest.mark.parametrize("ending", ["csv", "jsonl", "csv.gz", "jsonl.gz"])
def test_files(sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path, ending: str) -> None:
    """CSV and JSON Lines, packed or not, through a plain path or an object storage URI."""
    text = "phone;first_name\n" + "".join(f"{lead['phone']};Ann\n" for lead in LEADS)
    if ending.startswith("jsonl"):
        text = "".join(json.dumps(lead) + "\n" for lead in LEADS)
    path = tmp_path / f"leads.{ending}"
    path.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    ran = run_task(operator(leads=f"file://{path}"))
    assert ran.state == "success", ran.error
    assert ran.xcom["accepted"] == 12
    assert run_task(operator(leads=str(path), task_id="plain")).xcom["unchanged"] == 12


def test_a_pattern_takes_every_file_that_matches(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    """A pattern in the file name reads all files in the order of their names."""
    for number, lead in enumerate(LEADS):
        (tmp_path / f"part-{number:02d}.csv").write_text(f"phone\n{lead['phone']}\n")
    ran = run_task(operator(leads=f"{tmp_path}/part-*.csv"))
    assert ran.xcom["accepted"] == 12, ran.error


class Frame:
    """What a frame of pandas shows of itself: its columns, and a way to its rows."""

    def __iter__(self) -> Any:
        return iter(["phone"])

    def to_dict(self, orient: str) -> list[dict[str, str]]:
        return [{"phone": "+14165550123"}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"leads": 7}, "leads is int"),
        ({"default_region": "USA"}, "default_region 'USA'"),
        ({"quiet_hours": "9pm"}, "quiet_hours '9pm'"),
        ({"line_types": ["mobil"]}, "mobil"),
        ({"payload_format": "flat"}, "payload_format 'flat'"),
        ({"on_unknown": "retry"}, "on_unknown 'retry'"),
        ({"resubmit": "always"}, "resubmit 'always'"),
        ({"max_rejected": "5 percent"}, "max_rejected '5 percent'"),
        ({"mapping": {"phoneNumber": "{{ row.phone | trimm }}"}}, "trim"),
        ({"concurrency": 0.5}, "concurrency"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": True}, "concurrency is True"),
        ({"requests_per_second": 0}, "requests_per_second is 0"),
        ({"requests_per_second": "fast"}, "requests_per_second is 'fast'"),
        ({"min_rows": "5"}, "min_rows is '5'"),
        ({"min_rows": -1}, "min_rows is -1"),
        ({"min_rows": "50%"}, "50% of last run"),
        ({"max_suppressed": "most"}, "max_suppressed 'most'"),
        ({"per_person": "0 per 7d"}, "'0' is not a number of texts"),
        ({"per_person": "1 per fortnight"}, "'fortnight' is not a span"),
        ({"resubmit": timedelta(0)}, "no span of time"),
        ({"resubmit": timedelta(days=-1)}, "no span of time"),
        ({"changed_on": []}, "changed_on is []"),
        ({"patience": None}, "patience is None"),
        ({"quiet_hours": 5}, "quiet_hours 5"),
        ({"max_rows": [3]}, "max_rows is [3]"),
        ({"leads": {"phone": "+14165550123"}}, "leads is a dict — put brackets around it"),
        ({"leads": b"+14165550123"}, "leads is bytes"),
        ({"leads": " "}, "leads is ' ' — name a file"),
        ({"leads": lambda: LEADS}, "leads is a function — call it in a @task"),
        ({"leads": task(as_json)}, "leads is a task that is not called — put brackets behind its name"),
        ({"leads": SqlLeads("", "select 1")}, "conn_id of SqlLeads is '' — name a connection"),
        ({"leads": SqlLeads("wh", None)}, "sql of SqlLeads is None — write a query"),  # type: ignore[arg-type]
        ({"leads": ["a.csv", SqlLeads("wh", " ")]}, "sql of SqlLeads is ' ' — write a query"),
        ({"leads": Frame()}, 'operators.test_submit.Frame — give its rows: frame.to_dict("records")'),
        ({"mapping": {"firstName": "first_name"}}, "no phoneNumber"),
        ({"mapping": ["phone"]}, "mapping is a list — write fields and their columns"),
        ({"shard": 2, "shards": 2}, "shard 2 of 2"),
        ({"shard": "0"}, "shard is '0' — count shards from 0"),
        ({"order_by": 5}, "order_by is 5 — name columns"),
        ({"where": True}, "where is True — write a condition"),
        ({"where": lambda row: True}, "where is function — write a condition"),
        ({"mapping": {"phoneNumber": "phone", 1: "x"}}, "mapping has the key 1, which is no text"),
        ({"configuration_id": 5}, "configuration_id is 5 — write a text, in quotes"),
        ({"require_consent": ["opt_in"]}, "require_consent is ['opt_in'] — name the column"),
        ({"require_consent": " "}, "require_consent is ' ' — name the column"),
        ({"time_zone": ""}, "time_zone is '' — name the column"),
        ({"quiet_hours": ""}, "quiet_hours '' is not a span of hours"),
        ({"outreach_conn_id": None}, "outreach_conn_id is None — name a connection"),
        ({"outreach_conn_id": ""}, "outreach_conn_id is '' — name a connection"),
        ({"line_types": []}, "line_types is [] — use some of"),
        ({"patience": -1}, "patience is -1 — write a number of seconds above 0"),
    ],
)
def test_what_is_wrong_as_written_fails_when_the_dag_is_parsed(arguments: dict[str, Any], words: str) -> None:
    """A mistake that can be seen in the DAG is an import error, and waits for no run."""
    with pytest.raises(ConfigurationError) as raised:
        operator(**arguments)
    assert words.rpartition("test_submit.")[2] in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        {
            "default_region": "{{ params.region }}",
            "dry_run": "{% if x %}{% endif %}",
            "max_rows": "{{ params.rows }}",
        },
        {"campaign": "{{ ds }}", "configuration_id": "{{ var.value.id }}", "leads": "{{ params.leads }}"},
        {"leads": Path("leads.csv")},
        {"leads": ({"phone": "1"} for _ in range(1))},
    ],
)
def test_what_is_known_only_later_is_no_mistake(arguments: dict[str, Any]) -> None:
    """Templates, paths and whatever else gives rows when the task runs."""
    operator(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"leads": "/nowhere/leads.csv"}, "does not exist"),
        ({"leads": "/tmp/nothing-*.csv"}, "no file matches"),
        ({"leads": "leads.xlsx"}, "leads.xlsx"),
        ({"resubmit": "changed", "changed_on": "first_nam"}, "did you mean 'first_name'"),
        ({"leads": "/tmp"}, "/tmp is a folder"),
        ({"leads": lambda context, jinja_env: None}, "leads came out as None"),
        ({"outreach_conn_id": "no_such_connection"}, "no_such_connection"),
        ({"leads": lambda context, jinja_env: Frame()}, 'Frame — give its rows: frame.to_dict("records")'),
        ({"default_region": "{{ 'USA' }}"}, "default_region 'USA'"),
        ({"max_rows": "{{ 'three' }}"}, "max_rows is 'three'"),
        ({"campaign": "{{ params.get('unset') }}"}, "campaign came out as None"),
        ({"configuration_id": "{{ params.get('unset') }}"}, "configuration_id came out as None"),
        ({"dry_run": "{{ params.get('unset') }}"}, "dry_run came out as None"),
        ({"dry_run": "{{ params.get('unset', '') }}"}, "dry_run came out as an empty text"),
        ({"dry_run": lambda context, jinja_env: None}, "dry_run came out as None"),
        ({"campaign": lambda context, jinja_env: None}, "campaign came out as None"),
        (
            {"campaign": "{{ params.get('unset', '\\0') }}"},
            "campaign holds a character that no database stores",
        ),
        ({"leads": [{}]}, "1 rows without any column — look at what gives the rows"),
    ],
)
def test_what_cannot_be_done_fails_at_once_and_says_why(
    sim: RunningSimulator, run_task: Callable[..., Any], arguments: dict[str, Any], words: str
) -> None:
    """A mistake in the DAG fails the first try with what is wrong; nobody is texted."""
    ran = run_task(operator(**arguments))
    assert words in str(ran.error)
    if arguments.get("outreach_conn_id") is None:
        assert ran.state == "failed"
    assert sim.report()["texts"] == 0


def test_dry_run_sends_nothing(sim: RunningSimulator, run_task: Callable[..., Any]) -> None:
    """A dry run counts what would be sent, and leaves neither texts nor planned leads behind."""
    ran = run_task(operator(dry_run="{{ params.dry }}", params={"dry": True}))
    assert ran.xcom["planned"] == 12, ran.error
    assert sim.report()["texts"] == 0
    assert run_task(operator()).xcom["accepted"] == 12


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", ["campaign", "configuration_id", "default_region", "dry_run"])
def test_what_a_template_has_lost_is_not_the_default(
    sim: RunningSimulator, run_task: Callable[..., Any], name: str, native: bool
) -> None:
    """However the DAG renders templates; an argument that is not written is."""
    with DAG("lost", schedule=None, render_template_as_native_obj=native):
        task = operator(**{name: "{{ params.get('unset') }}"})
        operator(task_id="unwritten", **{name: None})
    ran = run_task(task)
    assert f"{name} came out as None" in str(ran.error) and ran.state == "failed"
    assert sim.report()["texts"] == 0
    assert run_task(task.dag.get_task("unwritten")).state == "success"


@pytest.mark.slow
def test_a_campaign_with_blanks_around_it_is_the_same(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """Nobody is texted again for a line break in a variable."""
    run_task(operator(campaign="spring", configuration_id="68d6d7de324658b8a1760d5e\n"))
    again = run_task(operator(task_id="other", campaign="{{ 'spring ' }}"))
    assert again.xcom["unchanged"] == 12, again.error
    assert sim.report()["texts"] == 12


def test_a_quota_that_has_run_out_texts_nobody(sim: RunningSimulator, run_task: Callable[..., Any]) -> None:
    """Not everybody."""
    for limit in (0, "{{ 5 - 5 }}"):
        ran = run_task(operator(max_rows=limit))
        assert ran.state == "success" and not any(ran.xcom.values()), ran.error
    assert sim.report()["texts"] == 0


def test_the_fixed_format_and_mapping(sim: RunningSimulator, run_task: Callable[..., Any]) -> None:
    """Columns and templates fill contacts, applications and conversations of the fixed format."""
    leads = [{"Tel": "(416) 555-0123", "Vorname": " Jane ", "Job": " nurse "}]
    ran = run_task(
        operator(
            leads=leads,
            payload_format="fixed",
            default_region="CA",
            mapping={
                "phoneNumber": "Tel",
                "firstName": "Vorname",
                "applications.jobTitle": "{{ row.Job | trim | upper }}",
            },
        )
    )
    assert ran.xcom["accepted"] == 1, ran.error
    assert sim.texts("+14165550123")["texts"] == 1


@pytest.mark.slow
def test_retry_after_beats_the_tasks_own_delay(sim: RunningSimulator, run_task: Callable[..., Any]) -> None:
    """The delay the API asks for is the retry's, whatever retry_delay says."""
    sim.set_faults("status=429,retry_after=45")
    ran = run_task(operator(retry_delay=timedelta(hours=1)))
    assert ran.retry_delay is not None
    assert 40 <= ran.retry_delay.total_seconds() <= 47


def test_a_file_named_like_a_pattern_is_read(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    """The file that is there comes before the pattern its name could be; folders match no pattern."""
    (tmp_path / "br[1].csv").write_text("phone\n+14165550100\n")
    (tmp_path / "br1.csv").write_text("phone\n+14165550101\n")
    (tmp_path / "br2.csv").mkdir()
    ran = run_task(operator(leads=f"{tmp_path}/br[1].csv"))
    assert ran.xcom["accepted"] == 1, ran.error
    assert sim.texts("+14165550100")["texts"] == 1
    assert run_task(operator(leads=f"{tmp_path}/br?.csv", task_id="pattern")).xcom["accepted"] == 1


def test_none_in_the_dag_sends_what_is_planned_also_after_rendering(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """The None somebody wrote is a wish, on the second try too."""
    task = operator(leads=None)
    assert run_task(task).state == run_task(task, try_number=2).state == "success"


def test_a_query_that_fails_says_so_without_its_parameters(
    sim: RunningSimulator, run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Parameters are personal data; what the database said is told, in its first line and masked."""
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(connection))
    for sql, given in (
        ("SELECT phone FROM nowhere WHERE phone = :p", {"p": "+14165550123"}),
        ("SELECT phone FROM nowhere WHERE phone = ?", ["+14165550123"]),
        ("SELECT :p + :q", {"p": "+14165550123"}),
        ("CREATE TABLE t (x)", None),
    ):
        ran = run_task(operator(leads=SqlLeads("crm", sql, given)))
        assert isinstance(ran.error, OutreachError)
        assert "sql on crm failed" in str(ran.error)
        assert "4165550123" not in f"{ran.error!r} {ran.error.__cause__!r}"


@pytest.mark.slow
def test_a_query_with_two_columns_of_one_name_texts_nobody(
    sim: RunningSimulator, run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A join that yields the person's and the company's phone says so; neither is chosen silently."""
    with sqlite3.connect(tmp_path / "crm.db") as crm:
        crm.executescript(
            "CREATE TABLE p (phone); CREATE TABLE c (phone); INSERT INTO p VALUES ('+14165550100'); "
            "INSERT INTO c VALUES ('+14165550199');"
        )
    monkeypatch.setenv(
        "AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")})
    )
    ran = run_task(operator(leads=SqlLeads("crm", "SELECT p.phone, c.phone FROM p, c")))
    assert isinstance(ran.error, ConfigurationError) and "two columns named 'phone'" in str(ran.error)
    ran = run_task(operator(leads=SqlLeads("crm", "SELECT p.phone, c.phone AS office FROM p, c")))
    assert ran.xcom["accepted"] == 1, ran.error
    assert sim.texts("+14165550199")["texts"] == 0
    # Twice, and nothing is made of it.
    twice = SqlLeads("crm", "SELECT p.phone, 1 AS id, 2 AS id FROM p")
    assert run_task(operator(leads=twice, mapping={"phoneNumber": "phone"})).xcom["unchanged"] == 1
    assert "two columns named 'id'" in str(run_task(operator(leads=twice)).error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "given"),
    [
        ("name = :n AND phone <> %(p)s", {"n": "Ann", "p": "x"}),
        ("name = %(n)s AND name LIKE '%%nn'", {"n": "Ann"}),
        ("name = :n AND name LIKE '%nn'", {"n": "Ann"}),
        ("name = ? AND name LIKE '%nn'", ["Ann"]),
    ],
)
def test_a_querys_parameters_may_be_written_as_any_driver_does(
    sim: RunningSimulator,
    run_task: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sql: str,
    given: Any,
) -> None:
    """Named with a colon or in percent signs, or by place; one that is not given is an error with the nearest."""
    with sqlite3.connect(tmp_path / "crm.db") as crm:
        crm.execute("CREATE TABLE l (phone, name, photo)")
        crm.executemany(
            "INSERT INTO l VALUES (?, ?, x'89ff')", [("+14165550100", "Ann"), ("+14165550101", "Bo")]
        )
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(connection))
    ran = run_task(operator(leads=SqlLeads("crm", f"SELECT * FROM l WHERE {sql}", given)))
    assert ran.xcom["accepted"] == 1, ran.error
    if isinstance(given, dict):
        ran = run_task(operator(leads=SqlLeads("crm", "SELECT * FROM l WHERE name = %(nn)s", given)))
        assert isinstance(ran.error, ConfigurationError) and "'nn'" in str(ran.error)


def test_a_dry_run_returns_everybody_a_run_would_text(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """What another run staged is planned too: the number a person approves."""
    run_task(StageLeadsOperator(task_id="stage", leads=LEADS[:7], patience=1.0))
    ran = run_task(operator(leads=LEADS[7:], dry_run=True))
    assert ran.xcom["planned"] == len(LEADS), ran.error
    assert sim.report()["texts"] == 0


@pytest.mark.parametrize("given", [None, {}, {"n": "x:b"}])
def test_a_colon_in_a_query_is_a_parameter_only_where_one_is_given(
    sim: RunningSimulator,
    run_task: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    given: dict[str, str] | None,
) -> None:
    """LIKE '%:b' means what it says, with and without parameters beside it."""
    with sqlite3.connect(tmp_path / "crm.db") as crm:
        crm.execute("CREATE TABLE l (phone, name)")
        crm.executemany("INSERT INTO l VALUES (?, ?)", [("+14165550100", "x:b"), ("+14165550101", "x")])
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(connection))
    sql = "SELECT phone FROM l WHERE name LIKE '%:b'" + (" AND name = :n" if given else "")
    ran = run_task(operator(leads=SqlLeads("crm", sql, given)))
    assert ran.xcom["accepted"] == 1, ran.error


def test_a_sync_is_staged_once_and_sent_by_several_tasks(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """One task reads and plans, mapped tasks send their share and help with the rest; every lead is sent once."""
    staged = run_task(StageLeadsOperator(task_id="stage", leads=[*LEADS, LEADS[0]], patience=1.0))
    assert {state: n for state, n in staged.xcom.items() if n} == {"planned": 12, "duplicate": 1}, (
        staged.error
    )
    assert sim.report()["texts"] == 0
    first = run_task(operator(task_id="send_0", leads=None, shard=0, shards=2, max_rows=None))
    second = run_task(operator(task_id="send_1", leads=None, shard=1, shards=2))
    assert first.xcom["accepted"] == 12, "a task that is done helps the others"
    assert sum(second.xcom.values()) == 0
    assert (sim.report()["texts"], sim.report()["texted_twice_count"]) == (12, 0)


@pytest.mark.slow
def test_a_time_out_waits_for_answers_and_sends_nothing_twice(
    sim: RunningSimulator, run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task time-out interrupts the waiting, not the requests: what was answered is settled, the rest is held."""
    from airflow.sdk.exceptions import AirflowTaskTimeout

    monkeypatch.setattr(halt, "_GRACE_SECONDS", 1.5)
    sim.set_faults("hang=30,when=after,first=1", "latency=0.05")
    task = operator(execution_timeout=timedelta(seconds=1), max_rejected=None, requests_per_second=6)
    ran = run_task(task)
    assert isinstance(ran.error, AirflowTaskTimeout)
    assert ran.state == "up_for_retry"
    sim.set_faults()
    again = run_task(operator(max_rejected=None), try_number=2)
    assert again.xcom["held"] == 1, again.xcom
    assert again.xcom["unchanged"] + again.xcom["accepted"] == 11
    assert sim.report()["texted_twice_count"] == 0


@pytest.mark.slow
def test_a_kill_ends_the_batch_in_order(sim: RunningSimulator, run_task: Callable[..., Any]) -> None:
    """Marked failed in the UI, the task claims nothing more, settles what is answered and ends within the grace."""
    sim.set_faults("latency=0.05")
    task = operator(leads=[{"phone": f"+1416555{n:04d}"} for n in range(100, 400)], requests_per_second=20)
    before = signal.getsignal(signal.SIGTERM)

    def kill() -> None:
        """What Airflow's supervisor does; the task runner's handler calls the operator's on_kill()."""
        until = time.monotonic() + 20
        while sim.report(full=False)["texts"] < 5 and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        ran = run_task(task)
    finally:
        killing.join()
        signal.signal(signal.SIGTERM, before)
    assert isinstance(ran.error, OutreachUnavailable)
    assert "the task was killed" in str(ran.error)
    done = sim.report()["texts"]
    assert 0 < done < 300
    again = run_task(operator(leads=[{"phone": f"+1416555{n:04d}"} for n in range(100, 400)]), try_number=2)
    assert (again.xcom["unchanged"], again.xcom["accepted"]) == (done, 300 - done)
    assert sim.report()["texted_twice_count"] == 0


def test_leads_by_query(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SqlLeads reads a query's rows by their column names, with bound parameters and a templated text."""
    with sqlite3.connect(tmp_path / "crm.db") as crm:
        crm.execute("CREATE TABLE people (phone TEXT, first_name TEXT, wants INTEGER)")
        crm.executemany("INSERT INTO people VALUES (?, ?, ?)", [(lead["phone"], "Ann", 1) for lead in LEADS])
        crm.execute("INSERT INTO people VALUES ('+14165550999', 'No', 0)")
    monkeypatch.setenv(
        "AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")})
    )
    query = SqlLeads(
        "crm", "SELECT phone, first_name FROM {{ params.table }} WHERE wants = :wants", {"wants": 1}
    )
    ran = run_task(operator(leads=query, params={"table": "people"}))
    assert ran.state == "success", ran.error
    assert ran.xcom["accepted"] == 12
    assert sim.texts("+14165550999")["texts"] == 0


@pytest.mark.slow
def test_metrics(
    sim: RunningSimulator, run_task: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leads by state, latency, requests in flight, held leads and waits for the rate reach Airflow's metrics."""
    from airflow_outreach_provider.operators import submit

    seen: dict[str, float] = {}
    for kind in ("incr", "gauge", "timing"):
        monkeypatch.setattr(submit.stats, kind, lambda name, value=1, **_: seen.__setitem__(name, value))
    sim.set_faults("latency=0.02")
    run_task(operator(requests_per_second=20))
    assert seen["outreach.leads.accepted"] == 12
    assert seen["outreach.leads.latency"] > 1
    assert seen["outreach.leads.rate_waits"] > 0
    assert seen["outreach.leads.in_flight"] == seen["outreach.leads.held_now"] == 0


def test_progress_at_a_human_pace() -> None:
    """The log says rows, rate, states and time left after three seconds, then ever more seldom."""
    from airflow_outreach_provider.core.states import RowState
    from airflow_outreach_provider.operators.submit import ProgressLog
    from airflow_outreach_provider.services.submit.tally import Tally

    class Source:
        name = "leads.csv"

        def rows(self) -> None:
            return None

        def fraction(self) -> float:
            return 0.25

    class Run:
        tally = Tally(read=1500)
        flight = SimpleNamespace(in_flight=64)

    Run.tally.counts[RowState.ACCEPTED] = 1500
    now, lines = [0.0], []
    progress = ProgressLog(
        Source(), lambda text, *values: lines.append((now[0], text % values)), lambda: now[0]
    )
    while now[0] < 300:
        now[0] += 1
        progress(Run())  # type: ignore[arg-type]
    assert lines[0] == (
        3.0,
        "1,500 rows read, 500 rows/s, 64 in flight, 25% read, about 0:00:09 left: accepted 1,500",
    )
    gaps = [after - before for (before, _), (after, _) in itertools.pairwise(lines)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 30


def test_what_is_in_flight_is_told_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run is at work as at its end: by DAG and task, or two syncs would write over each other's figure."""
    from airflow_outreach_provider.operators import submit
    from airflow_outreach_provider.services.submit.tally import Tally

    told: list[tuple[str, float, dict[str, str]]] = []
    monkeypatch.setattr(submit.stats, "gauge", lambda name, value, tags: told.append((name, value, tags)))
    run: Any = SimpleNamespace(tally=Tally(read=10), flight=SimpleNamespace(in_flight=64))
    source: Any = SimpleNamespace(fraction=lambda: None)
    now, tags = [0.0], {"dag_id": "leads", "task_id": "submit"}
    progress = submit.ProgressLog(source, lambda *_: None, lambda: now[0], tags=tags)
    now[0] = 3.0
    progress(run)
    assert told == [("outreach.leads.in_flight", 64, tags)]


def test_the_time_left_is_that_of_sending() -> None:
    """A list that is judged first is read in seconds and sent in minutes: while all of it waits, no time is told."""
    from airflow_outreach_provider.core.states import RowState
    from airflow_outreach_provider.operators.submit import ProgressLog
    from airflow_outreach_provider.services.submit.tally import Tally

    run: Any = SimpleNamespace(tally=Tally(read=10_000), flight=SimpleNamespace(in_flight=64))
    now, lines = [0.0], []
    source: Any = SimpleNamespace(fraction=lambda: 1.0)
    progress = ProgressLog(source, lambda text, *values: lines.append(text % values), lambda: now[0])
    now[0] = 10.0
    progress(run)
    assert "100% read:" in lines[-1]
    assert "left" not in lines[-1]
    run.tally.counts[RowState.ACCEPTED] = 1_000
    now[0] = 100.0
    progress(run)
    assert "100% read, about 0:15:00 left" in lines[-1]
