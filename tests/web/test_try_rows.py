"""*Try it* for a sync: who may begin one, how it goes on, and what it shows of each row to whom."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.row_trials import PREFIX, Tried, TriedRow, trial_of
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import trials

ACTION = {"X-Outreach-Action": "1"}
AT = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
XSS = "<img src=x onerror=window.pwned=1>"
PHONE = "+14165550123"
YAML = """
lead_syncs:
  tried:
    leads: {csv: "s3://bucket/leads.csv"}
    outreach: {configuration_id: 68d6}
  in_order:
    leads: {csv: "s3://bucket/leads.csv"}
    outreach: {configuration_id: 68d6}
    depends_on_past: true
event_routes:
  hot:
    kinds: [interested]
    deliver: {endpoint: crm}
"""
SYNC, IN_ORDER, ROUTE = (
    "outreach_lead_sync__tried",
    "outreach_lead_sync__in_order",
    "outreach_event_route__hot",
)
ROWS = (
    TriedRow(1, "planned", "would_be_sent", "", {"phone": PHONE, "name": "Ann"}, PHONE, json.dumps({"phoneNumber": PHONE, "firstName": "Ann"})),
    TriedRow(2, "rejected", "phone_too_short", "its number has too few digits", {"phone": "416-12", "name": XSS}),
    TriedRow(3, "deferred", "quiet_hours", "", {"phone": "+14165550188"}, "+14165550188", "{}", "2026-03-26T09:00+00:00"),
)  # fmt: skip
Site = Callable[..., Any]


def url(path: str, dag: str = SYNC) -> str:
    return f"http://testserver/af/outreach{path.replace('DAG', dag)}"


def python_dag() -> Any:
    from airflow.sdk import DAG, Param, task

    from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator

    with DAG("by_hand", schedule=None, start_date=AT, params={"since": Param(type="string")}) as dag:

        @task
        def extract() -> list[dict[str, str]]:
            return []

        SubmitLeadsOperator(task_id="submit", leads=extract(), campaign="spring")
    return dag


@pytest.fixture
def known(airflow_knows: Callable[..., None]) -> None:
    """Two syncs in YAML, one in Python that is paused and wants a param, and a route."""
    airflow_knows(YAML, python_dag())


def begin(browser: Any, rows: Any = "3", dag: str = SYNC) -> Any:
    return browser.post(url("/api/workflows/DAG/try-rows", dag), json={"rows": rows}, headers=ACTION)


def begun(browser: Any, rows: Any = "3", dag: str = SYNC) -> str:
    answer = begin(browser, rows, dag)
    assert answer.status_code == 200, answer.text
    path = answer.json()["path"]
    assert path.startswith(f"/workflows/{dag}/try-rows?run={PREFIX}")
    return str(path.partition("?run=")[2])


def put(run_id: str, state: str, dag: str = SYNC, ended: timedelta | None = None) -> Any:
    """As the scheduler moves a run on. :return: the run."""
    import sqlalchemy as sa
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        run = session.scalars(sa.select(DagRun).where(DagRun.dag_id == dag, DagRun.run_id == run_id)).one()
        run.state = state
        run.end_date = datetime.now(UTC) - ended if ended is not None else None
        session.flush()
        session.expunge(run)
        return run


def runs_of(dag: str = SYNC) -> list[str]:
    import sqlalchemy as sa
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return list(session.scalars(sa.select(DagRun.run_id).where(DagRun.dag_id == dag).order_by(DagRun.id)))


def page(browser: Any, run_id: str = "", dag: str = SYNC, **query: str) -> str:
    asked = query | ({"run": run_id} if run_id else {})
    answer = browser.get(url("/workflows/DAG/try-rows", dag), params=asked)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


@pytest.mark.slow
def test_an_editor_begins_a_run_that_airflow_queues(site: Site, store: Store, known: None) -> None:
    """Called by its rows, by hand, in the editor's name, with a logical date and ``dry_run``; audited."""
    run_id = begun(site("OP"))
    run = put(run_id, "queued")
    assert trial_of(run_id).rows == 3  # type: ignore[union-attr]
    assert (run.run_type, run.triggering_user_name, run.conf) == ("manual", "the OP", {"dry_run": True})
    assert run.logical_date is not None
    row = audit.entries(store, limit=1).rows[0]
    assert (row.actor, row.action, row.subject, row.count) == ("the OP", "try rows", f"{SYNC}: 3 rows", 3)
    assert row.note == run_id
    shown = page(site("VIEWER"), run_id)
    assert "scheduler begins it in a moment" in shown
    assert 'data-live="2"' in shown


def test_asked_twice_it_is_one_run(site: Site, store: Store, known: None) -> None:
    """While a person's try of a workflow is under way, they get to it; another person, and the next one, have their own."""
    first = begun(site("OP"))
    assert begun(site("OP")) == begun(site("OP"), "7") == first
    other = begun(site("ADMIN"))
    assert other != first
    put(first, "success")
    put(other, "failed")
    third = begun(site("OP"))
    assert sorted(runs_of()) == sorted({first, other, third})
    assert len({first, other, third}) == 3


def test_two_at_the_very_same_moment_are_one_run(site: Site, store: Store, known: None) -> None:
    """Neither sees the other's when it looks: both ask for one name."""
    with mock.patch("airflow_outreach_provider.web.trial_runs.open_trial", return_value=None):
        from airflow_outreach_provider.web import trial_runs

        name = trial_runs.next_trial_id(SYNC, 3, "the OP")
        with mock.patch.object(trial_runs, "next_trial_id", return_value=name):
            assert begun(site("OP")) == begun(site("OP")) == name
    assert runs_of() == [name]


@pytest.mark.parametrize("rows", ["0", "101", "-1", "five", "1.5", XSS])
def test_a_wrong_number_is_told_beside_its_field(site: Site, store: Store, known: None, rows: str) -> None:
    """Nothing is begun; the answer leads to the page that says so, with what was typed."""
    answer = begin(site("OP"), rows)
    assert answer.status_code == 200
    assert runs_of() == []
    shown = page(site("OP"), rows=rows[:20])
    assert 'id="problem-rows" role="alert"' in shown
    assert "write a whole number from 1 to 100" in shown
    assert "window.pwned=1>" not in shown
    assert audit.entries(store, limit=1).rows == []


def test_five_where_nothing_is_said(site: Site, store: Store, known: None) -> None:
    """And the field begins with it."""
    assert trial_of(begun(site("OP"), "")).rows == 5  # type: ignore[union-attr]
    assert 'name="rows" type="text" value="5"' in page(site("OP"))


def test_who_may_not_begins_nothing(site: Site, store: Store, known: None) -> None:
    """Somebody who only looks; an editor who may not trigger the DAG; a request from elsewhere. The page says why."""
    from airflow_outreach_provider.web import access

    assert begin(site("VIEWER")).status_code == 403
    assert begin(site(None)).status_code == 401
    bare = site("OP").post(url("/api/workflows/DAG/try-rows"), json={"rows": "3"})
    assert bare.status_code == 403
    editor = site("OP")
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    allowed = SimpleAuthManager.is_authorized_dag

    def not_that(self: Any, *, method: str, access_entity: Any = None, **more: Any) -> bool:
        if method == "POST" and access_entity is access.DagAccessEntity.RUN:
            return False
        return allowed(self, method=method, access_entity=access_entity, **more)

    with mock.patch.object(SimpleAuthManager, "is_authorized_dag", not_that):
        assert begin(editor).status_code == 403
        assert "the right to trigger this DAG" in page(editor)
    assert "takes edit rights on connections" in page(site("VIEWER"))
    assert 'data-follow="/af/outreach/api/workflows' not in page(site("VIEWER"))
    assert runs_of() == []


def test_a_paused_dag_is_said_to_be_paused_and_stays_so(
    site: Site, store: Store, airflow_knows: Callable[..., None]
) -> None:
    """Before, and while its run waits: what unpausing would do too, and what needs no run."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    airflow_knows(YAML)
    with create_session() as session:
        session.get(DagModel, SYNC).is_paused = True
    assert "airflow outreach plan" in page(site("OP"))
    run_id = begun(site("OP"))
    shown = page(site("OP"), run_id)
    assert "The DAG is paused: Airflow begins this run when somebody unpauses it" in shown
    assert "which is no dry run" in shown
    with create_session() as session:
        assert session.get(DagModel, SYNC).is_paused


def test_airflow_refuses_a_run_and_the_page_says_why(site: Site, store: Store, known: None) -> None:
    """A param without a value: the message names it, and the run id with which Airflow's own form does it."""
    answer = begin(site("OP"), dag="by_hand")
    assert answer.status_code == 400
    assert "since" in answer.json()["detail"]
    assert f"with the run id {PREFIX}3__" in answer.json()["detail"]
    assert runs_of("by_hand") == []
    assert "failed: ConfigurationError" in audit.entries(store, limit=1).rows[0].note


def test_tasks_of_others_are_named(site: Site, store: Store, known: None) -> None:
    """They do in a try what they always do."""
    assert "none of ours, and do in a try what they always do: extract" in page(site("OP"), dag="by_hand")
    assert "none of ours" not in page(site("OP"))


def test_a_dag_whose_runs_wait_for_each_other_gets_one_that_nobody_waits_for(
    site: Site, store: Store, known: None
) -> None:
    """With ``depends_on_past`` the next run by the clock would wait for what became of a try."""
    run = put(begun(site("OP"), dag=IN_ORDER), "queued", IN_ORDER)
    assert run.logical_date is None


def test_a_route_and_what_is_not_there_have_no_rows(site: Site, store: Store, known: None) -> None:
    """404, in words; and no link leads there."""
    for dag in (ROUTE, "nothing"):
        assert site("OP").get(url("/workflows/DAG/try-rows", dag)).status_code == 404
        assert begin(site("OP"), dag=dag).status_code == 404
    assert site("OP").get(url("/workflows/DAG/try-rows"), params={"run": f"{PREFIX}3__no"}).status_code == 404
    listed = site("OP").get(url("/workflows")).text
    assert f"/workflows/{SYNC}/try-rows" in listed
    assert f"/workflows/{ROUTE}/try-rows" not in listed
    assert f"/workflows/{SYNC}/try-rows" in site("OP").get(url("/workflows/DAG")).text


def test_a_run_that_is_none_of_ours_is_not_shown(site: Site, store: Store, known: None) -> None:
    """By its id nobody gets to see another run of the DAG here."""
    from airflow_outreach_provider.web import trial_runs

    trial_runs.begin_trial(SYNC, "manual__1", "the OP")
    assert runs_of() == ["manual__1"]
    assert site("OP").get(url("/workflows/DAG/try-rows"), params={"run": "manual__1"}).status_code == 404
    assert "manual__1" not in page(site("OP"))


def ended(store: Store, browser: Any, found: Tried, state: str = "success") -> str:
    run_id = begun(browser)
    put(run_id, state, ended=timedelta(seconds=1))
    trials.put(store, Owner(SYNC, "submit", run_id), found)
    return run_id


def test_rows_are_shown_masked_and_whole_to_an_editor_who_asks(site: Site, store: Store, known: None) -> None:
    """Number, values, payload, state and reason of each; revealing is audited; nothing of it is markup."""
    run_id = ended(store, site("OP"), Tried("s3://bucket/leads.csv", ROWS, 2, ("a note of the run",)))
    for role in ("VIEWER", "OP"):
        shown = page(site(role), run_id)
        assert "would be sent" in shown
        assert "phone too short" in shown and "its number has too few digits" in shown
        assert "not before" in shown
        assert "2 people whom earlier runs left" in shown
        assert "a note of the run" in shown
        assert "+1416•••0123" in shown
        for secret in (PHONE, "Ann", "416-12", "window.pwned"):
            assert secret not in shown, secret
        assert 'data-live="0"' in shown
    assert (
        site("VIEWER").post(url(f"/workflows/DAG/try-rows?run={run_id}"), headers=ACTION).status_code == 403
    )
    whole = site("OP").post(url(f"/workflows/DAG/try-rows?run={run_id}"), headers=ACTION)
    assert whole.status_code == 200
    assert PHONE in whole.text and "Ann" in whole.text and "416-12" in whole.text
    assert XSS not in whole.text
    row = audit.entries(store, limit=1).rows[0]
    assert (row.actor, row.action, row.subject) == ("the OP", "reveal tried rows", f"{SYNC}, run {run_id}")
    data = site("VIEWER").get(url("/api/workflows/DAG/try-rows"), params={"run": run_id}).json()
    (sync,) = data["trial"]["syncs"]
    assert [each["state"] for each in sync["rows"]] == ["would be sent", "rejected", "deferred"]
    assert PHONE not in json.dumps(data)


def test_each_way_a_try_can_stand_is_said(site: Site, store: Store, known: None) -> None:
    """Running; failed with the task's message; failed elsewhere; green without rows; an empty source; gone after a day."""
    editor = site("OP")
    run_id = begun(editor)
    put(run_id, "running")
    shown = page(editor, run_id)
    assert "A worker reads the rows" in shown and 'data-live="2"' in shown
    put(run_id, "failed", ended=timedelta(0))
    assert "the log of the task that failed says why" in page(editor, run_id)
    trials.put(store, Owner(SYNC, "submit", run_id), Tried(error=f"no file matches leads.csv {XSS}"))
    shown = page(editor, run_id)
    assert "no file matches leads.csv" in shown and XSS not in shown
    put(run_id, "success", ended=timedelta(0))
    trials.put(store, Owner(SYNC, "submit", run_id), Tried("leads.csv"))
    assert "The source has no row." in page(editor, run_id)
    trials.forget(store, SYNC, run_id)
    assert "No row was tried." in page(editor, run_id)
    put(run_id, "success", ended=timedelta(days=2))
    assert "What it found is gone." in page(editor, run_id)
    assert site("OP").post(url(f"/workflows/DAG/try-rows?run={run_id}"), headers=ACTION).status_code == 404


def test_a_try_waits_for_the_runs_before_it(site: Site, store: Store, known: None) -> None:
    """A sync has one run at a time: the page says what it waits for."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.get(DagModel, SYNC).max_active_runs = 1
    first = begun(site("ADMIN"))
    put(first, "running")
    assert "It waits for another run of this DAG to end: it has 1 at a time at most." in page(
        site("OP"), begun(site("OP"))
    )


def test_what_another_version_kept_is_said_to_be_so(site: Site, store: Store, known: None) -> None:
    """Not an error page."""
    import sqlalchemy as sa

    run_id = ended(store, site("OP"), Tried("leads.csv", ROWS))
    with store.write() as connection:
        connection.execute(sa.text("UPDATE trials SET found = '{\"rows\": 3}'"))
    assert "of another version" in page(site("OP"), run_id)
