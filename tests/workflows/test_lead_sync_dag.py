"""A lead sync of a workflow file as a real DAG, run by Airflow against the simulator."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import trials

LEADS = "phone,first_name,opt_in\n(212) 555-0123,Ada,yes\n+14165550199,Grace,yes\n+12125550177,Alan,no\n"
SYNC = """\
lead_syncs:
  website:
    description: Website leads.
    leads: {csv: leads.csv}
    map: {phoneNumber: phone, firstName: "{{ row.first_name | upper }}"}
    rules: {default_region: US, consent: opt_in}
"""
APPROVED = SYNC + "    retries: 0\n"
APPROVED = APPROVED.replace("consent: opt_in", "consent: opt_in, approve_above: 1, approval_timeout: 1s")
DAG_ID = "outreach_lead_sync__website"


@pytest.mark.slow
def test_a_sync_texts_each_person_once(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store
) -> None:
    """A path beside the workflow file, a map, the rules: and a second run texts nobody."""
    dags = load_dags(**{"sync.yaml": SYNC, "leads.csv": LEADS})
    assert dags.import_errors == {}
    assert dags.run(DAG_ID) == {("submit", -1): "success"}
    assert simulator.texts() == {"+12125550123": 1, "+14165550199": 1}
    assert simulator.texts("+12125550123")["last_payload"]["firstName"] == "ADA"
    assert dags.run(DAG_ID) == {("submit", -1): "success"}
    assert simulator.texts() == {"+12125550123": 1, "+14165550199": 1}


@pytest.mark.slow
def test_the_trigger_form_takes_another_file_a_limit_and_a_dry_run(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """What the form says holds for this run alone; every field has a help text."""
    other = tmp_path / "other.csv"
    other.write_text("phone,first_name,opt_in\n+14165550101,Edsger,yes\n+14165550102,Barbara,yes\n")
    dags = load_dags(**{"sync.yaml": SYNC, "leads.csv": LEADS})
    params = dags[DAG_ID].params
    assert all(params.get_param(name).description for name in ("leads", "limit", "dry_run"))
    assert dags.run(DAG_ID, leads=str(other), dry_run=True) == {("submit", -1): "success"}
    assert simulator.texts() == {}
    assert dags.run(DAG_ID, leads=str(other), limit=1) == {("submit", -1): "success"}
    assert simulator.texts() == {"+14165550101": 1}


@pytest.mark.slow
def test_up_to_the_limit_no_approval_is_asked(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store
) -> None:
    """``approve_above: 2`` with two people: the run goes through."""
    text = APPROVED.replace("approve_above: 1", "approve_above: 2")
    dags = load_dags(**{"sync.yaml": text, "leads.csv": LEADS})
    assert set(dags.run(DAG_ID).values()) == {"success"}
    assert len(simulator.texts()) == 2


@pytest.mark.slow
def test_a_dry_run_asks_nobody_however_it_is_said(
    load_dags: Callable[..., Any], simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template that says so is one too: a person would be asked about a run that texts nobody."""
    monkeypatch.setenv("AIRFLOW_VAR_DRY", "yes")
    dags = load_dags(**{"sync.yaml": APPROVED + '    dry_run: "{{ var.value.dry }}"\n', "leads.csv": LEADS})
    assert set(dags.run(DAG_ID).values()) == {"success"}
    assert simulator.texts() == {}


@pytest.mark.slow
def test_above_the_limit_a_person_sees_the_plan_and_approves(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store
) -> None:
    """The run waits in Airflow's own "required actions" with the masked plan, and then sends."""
    dags = load_dags(**{"sync.yaml": APPROVED, "leads.csv": LEADS})
    with _person(lambda: _answer("Approve")) as seen:
        states = dags.run(DAG_ID)
    assert states == {
        ("approval.plan", -1): "success",
        ("approval.approve", -1): "success",
        ("submit", -1): "success",
    }
    assert seen["texted"] is None
    assert "2 people" in seen["subject"]
    body = seen["body"]
    assert "**Approve** texts 2 people in campaign" in body and "2 of 3 rows read" in body
    assert re.search(r"^\| suppressed +\| `no_consent` +\| +1 \| line 4 ", body, re.MULTILINE)
    assert re.search(r"^\| `firstName` +\| `A•••` +\| `G•••` +\|$", body, re.MULTILINE)
    assert re.search(r"Answer by \d{4}-\d\d-\d\d \d\d:\d\d UTC", body)
    assert f"(/plugin/outreach/outreach/task?dag_id={DAG_ID}&run_id=" in body
    assert f"`airflow outreach plan {DAG_ID}`" in body
    assert not [whole for whole in ("2125550123", "4165550199", "ADA", "GRACE") if whole in body]
    assert simulator.texts() == {"+12125550123": 1, "+14165550199": 1}


@pytest.mark.slow
def test_a_try_of_a_sync_asks_nobody_and_rings_nobody(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, monkeypatch: Any
) -> None:
    """Called a try, the run plans its rows, waits for no approval, sends nothing, and no workflow that follows begins."""
    from airflow.models.asset import AssetEvent
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    followed = APPROVED + "  after:\n    leads: {csv: leads.csv}\n    depends_on: [website]\n"
    dags = load_dags(**{"sync.yaml": followed, "leads.csv": LEADS})
    assert dags.import_errors == {}
    run_id = "outreach_try__2__by_hand"
    monkeypatch.setattr(DagRun, "generate_run_id", staticmethod(lambda **_: run_id))
    with create_session() as session:
        rung = session.scalar(select(func.count()).select_from(AssetEvent))
    assert set(dags.run(DAG_ID).values()) == {"success"}
    assert simulator.texts() == {}
    with create_session() as session:
        assert session.scalar(select(func.count()).select_from(AssetEvent)) == rung
    (plan,) = trials.find(outreach_store, DAG_ID, run_id, most=9)
    assert plan.found is not None
    assert plan.task_id == "approval.plan"
    assert [row.state for row in plan.found.rows] == ["planned", "planned"]


@pytest.mark.slow
def test_rejected_sends_nothing(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store
) -> None:
    """A person says no: what comes after is skipped."""
    dags = load_dags(**{"sync.yaml": APPROVED, "leads.csv": LEADS})
    with _person(lambda: _answer("Reject")):
        states = dags.run(DAG_ID)
    assert states[("submit", -1)] == "skipped"
    assert simulator.texts() == {}


@pytest.mark.slow
def test_no_answer_in_time_sends_nothing(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store
) -> None:
    """After ``approval_timeout`` the run fails."""
    dags = load_dags(**{"sync.yaml": APPROVED, "leads.csv": LEADS})
    with _person(_time_out):
        states = dags.run(DAG_ID)
    assert states[("approval.approve", -1)] == "failed"
    assert states[("submit", -1)] == "upstream_failed"
    assert simulator.texts() == {}


@pytest.mark.slow
def test_more_people_than_approved_are_not_texted(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """The source grows while a person thinks: nothing is sent, and the run asks to plan again."""
    dags = load_dags(**{"sync.yaml": APPROVED, "leads.csv": LEADS})
    leads = tmp_path / "dags" / "workflows" / "leads.csv"

    def grow_and_approve() -> dict[str, Any] | None:
        if not _somebody_is_asked():  # before that the file is still to be planned
            return None
        leads.write_text(LEADS + "+14165550111,Late,yes\n")
        return _answer("Approve")

    with _person(grow_and_approve):
        states = dags.run(DAG_ID)
    assert states[("submit", -1)] == "failed"
    assert simulator.texts() == {}


WITH_LEFTOVERS = (
    APPROVED.replace("approve_above: 1,", "approve_above: 4,") + "    outreach: {campaign: spring}\n"
)


@pytest.mark.slow
def test_what_earlier_runs_left_is_approved_by_name_and_number(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """Two are listed and twenty left: a person is asked for 22, sees whose they are, and 22 are texted; the second run
    has nobody left to ask about; in the third somebody comes in while a person thinks, and only who was counted goes out.
    """
    dags = load_dags(**{"sync.yaml": WITH_LEFTOVERS, "leads.csv": LEADS})
    _leave(outreach_store, simulator, range(15), "monday")
    _leave(outreach_store, simulator, range(15, 20), "tuesday")
    with _person(lambda: _answer("Approve")) as seen:
        states = dags.run(DAG_ID)
    assert set(states.values()) == {"success"}
    assert "Text 22 people?" in seen["subject"]
    assert re.search(r"^\| `outreach_lead_sync__early monday` +\| +15 \|$", seen["body"], re.MULTILINE)
    assert re.search(r"^\| `outreach_lead_sync__early tuesday` +\| +5 \|$", seen["body"], re.MULTILINE)
    assert len(simulator.texts()) == 22

    assert set(dags.run(DAG_ID).values()) == {"success"}
    assert len(simulator.texts()) == 22

    _leave(outreach_store, simulator, range(20, 25), "wednesday")

    def leave_more_and_approve() -> dict[str, Any] | None:
        if not _somebody_is_asked():
            return None
        _leave(outreach_store, simulator, range(25, 60), "thursday")
        return _answer("Approve")

    with _person(leave_more_and_approve) as seen:
        states = dags.run(DAG_ID)
    assert "Text 5 people?" in seen["subject"] and states[("submit", -1)] == "failed"
    assert len(simulator.texts()) == 22
    with _person(lambda: _answer("Approve")) as seen:
        states = dags.run(DAG_ID)
    assert "Text 40 people?" in seen["subject"] and states[("submit", -1)] == "success"
    assert len(simulator.texts()) == 62 and set(simulator.texts().values()) == {1}


@pytest.mark.slow
def test_a_source_that_cannot_be_meant_asks_nobody(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """Too few rows beside the last run's, or nobody let through: the plan fails, before a person is asked."""
    text = WITH_LEFTOVERS.replace(
        "consent: opt_in,", 'consent: opt_in, min_rows: "60% of last run", max_suppressed: 50%,'
    )
    dags = load_dags(**{"sync.yaml": text, "leads.csv": LEADS})
    assert set(dags.run(DAG_ID).values()) == {"success"}  # up to four need no approval
    leads = tmp_path / "dags" / "workflows" / "leads.csv"
    leads.write_text(LEADS.splitlines()[0] + "\n+14165550150,Late,yes\n")
    assert dags.run(DAG_ID)[("approval.plan", -1)] == "failed"
    leads.write_text(LEADS.replace("yes", "no").replace("01", "02"))
    assert dags.run(DAG_ID)[("approval.plan", -1)] == "failed"
    assert len(simulator.texts()) == 2


def _leave(store: Store, simulator: RunningSimulator, numbers: range, run: str) -> None:
    """People of the campaign whom an earlier run of another DAG planned and did not get to."""
    from airflow_outreach_provider.core.owner import Owner
    from airflow_outreach_provider.core.rules import LeadRules
    from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
    from airflow_outreach_provider.services.rows.open import read_list
    from airflow_outreach_provider.services.submit.options import SubmitOptions
    from airflow_outreach_provider.services.submit.run import SubmitRun
    from airflow_outreach_provider.services.submit.runner import run_to_the_end

    rules = LeadRules(configuration_id=simulator.connection["extra"]["configuration_id"], campaign="spring")
    rows = read_list([{"phone": f"+1416{2_000_000 + n}"} for n in numbers])
    client = OutreachClient(ApiSettings(simulator.url, simulator.api_key, trust_env=False))
    owner = Owner("outreach_lead_sync__early", "submit", run)
    run_to_the_end(SubmitRun(store, client, rows, SubmitOptions(rules, stage_only=True), owner=owner))


@contextmanager
def _person(act: Callable[[], dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
    """Somebody who acts as soon as the run waits; ``seen`` holds what was shown."""
    seen: dict[str, Any] = {}

    def wait() -> None:
        deadline = time.monotonic() + 40
        try:
            while time.monotonic() < deadline and not seen:
                time.sleep(0.2)
                seen.update(act() or {})
        except Exception as error:  # noqa: BLE001 - told below, where the test can see it
            seen["error"] = repr(error)
        if not seen or "error" in seen:
            _give_up()  # a waiting run would wait for ever

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield seen
    thread.join(5)
    assert seen, "nobody was asked"
    assert "error" not in seen, seen["error"]


def _give_up() -> None:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        ti = _waiting(session)
        if ti is not None:
            ti.state = "failed"


def _somebody_is_asked() -> bool:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        return _waiting(session) is not None


def _waiting(session: Any) -> Any:
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload

    # dag.test() writes once more that it waits: an answer within the same moment would be overwritten.
    asked_for_a_while = datetime.now(UTC) - timedelta(seconds=0.5)
    found = (
        select(TaskInstance)
        .where(TaskInstance.state == "awaiting_input", TaskInstance.updated_at < asked_for_a_while)
        .options(joinedload(TaskInstance.hitl_detail))
    )
    return session.scalars(found).first()


def _answer(option: str) -> dict[str, Any] | None:
    """Answer as the UI does, by Airflow's own API function."""
    from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
    from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
    from airflow.models.dagbag import DBDagBag
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        ti = _waiting(session)
        if ti is None:
            return None
        shown = {"subject": ti.hitl_detail.subject, "body": ti.hitl_detail.body, "texted": None}
        payload = UpdateHITLDetailPayload(chosen_options=[option])
        user = SimpleNamespace(**dict.fromkeys(("get_id", "get_name", "get_display_name"), lambda: "ada"))
        # Airflow 3.4 asks for what the API server keeps of the DAGs too.
        more = {"dag_bag": DBDagBag()} if "dag_bag" in signature(update_hitl_detail).parameters else {}
        update_hitl_detail(ti.dag_id, ti.run_id, ti.task_id, payload, user, session, **more)
        return shown


def _time_out() -> dict[str, Any] | None:
    """What the scheduler does with tasks whose time is up."""
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        waiting = _waiting(session)
        if waiting is None or waiting.trigger_timeout.timestamp() > time.time():
            return None
        scheduler = SimpleNamespace(log=logging.getLogger(__name__))
        SchedulerJobRunner.check_awaiting_input_timeouts(scheduler, session=session)  # type: ignore[arg-type]
        return {"timed_out": True}


@pytest.mark.parametrize("where", ["opted_out != true", "score > 9", "area not in params.blockd"])
def test_what_a_text_never_is_texts_nobody(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, where: str
) -> None:
    """A condition that would take everybody of a CSV file, or nobody, is an import error: the person who said true is not texted."""
    text = SYNC.replace("    map:", f"    where: {where}\n    params: {{blocked: [NYC]}}\n    map:")
    dags = load_dags(**{"sync.yaml": text, "leads.csv": LEADS})
    assert "sync.yaml:5:12" in "".join(dags.import_errors.values())
    assert simulator.texts() == {}


@pytest.mark.slow
def test_a_file_of_texts_in_place_of_another_kind_is_not_asked_for_numbers(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, tmp_path: Path
) -> None:
    """Rows of JSON are compared by what they are; the form's other file may be a CSV, and then the run says so before it sends."""
    rows = '{"phone": "+12125550123", "opted_out": true}\n{"phone": "+14165550199", "opted_out": false}\n'
    sync = "lead_syncs:\n  website:\n    leads: {jsonl: leads.jsonl}\n    where: opted_out != true\n    retries: 0\n"
    dags = load_dags(**{"sync.yaml": sync, "leads.jsonl": rows})
    other = tmp_path / "other.csv"
    other.write_text("phone,opted_out\n+12125550177,true\n")
    assert dags.run(DAG_ID, leads=str(other)) == {("submit", -1): "failed"}
    assert simulator.texts() == {}
    assert dags.run(DAG_ID) == {("submit", -1): "success"}
    assert simulator.texts() == {"+14165550199": 1}


@pytest.mark.slow
def test_a_column_of_texts_is_asked_for_yes_or_no(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store
) -> None:
    """``where: active and not opted_out`` of a CSV file: false, 0 and no are no, whatever their capitals."""
    said = [
        ("true", "no", "0123"),
        ("False", "", "0124"),
        ("0", "", "0125"),
        ("no", "", "0126"),
        ("1", "yes", "0177"),
        ("x", "0", "0178"),
    ]
    rows = "".join(f"+1212555{end},{active},{out}\n" for active, out, end in said)
    sync = "lead_syncs:\n  website:\n    leads: {csv: leads.csv}\n    where: active and not opted_out\n"
    dags = load_dags(**{"sync.yaml": sync, "leads.csv": f"phone,active,opted_out\n{rows}"})
    assert dags.run(DAG_ID) == {("submit", -1): "success"}
    assert simulator.texts() == {"+12125550123": 1, "+12125550178": 1}


@pytest.mark.slow
@pytest.mark.parametrize("approved", [False, True])
def test_a_dry_run_begins_nothing_that_depends_on_its_sync(
    load_dags: Callable[..., Any], simulator: RunningSimulator, outreach_store: Store, approved: bool
) -> None:
    """What depends on a sync would text for real: only a real run rings for it. Assets that a person named hear of both."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    def rung() -> list[str]:
        with create_session() as session:
            found = session.scalars(
                select(AssetModel.uri).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
            )
            return sorted(uri.rstrip("/") for uri in found if "website" in uri)

    text = SYNC.replace("consent: opt_in", "consent: opt_in, approve_above: 9") if approved else SYNC
    text += "    outlets: [x://website]\n  after:\n    leads: {csv: leads.csv}\n    depends_on: website\n"
    dags = load_dags(**{"sync.yaml": text, "leads.csv": LEADS})
    before = rung()
    assert set(dags.run(DAG_ID, dry_run=True).values()) <= {"success"}
    assert simulator.texts() == {}
    dry = rung()
    assert [dry.count(uri) - before.count(uri) for uri in ("outreach-workflow://website", "x://website")] == [
        0,
        1,
    ]
    assert set(dags.run(DAG_ID).values()) <= {"success"}
    real = rung()
    assert [real.count(uri) - dry.count(uri) for uri in ("outreach-workflow://website", "x://website")] == [
        1,
        1,
    ]
