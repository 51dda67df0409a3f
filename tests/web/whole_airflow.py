"""Run alone: Airflow's whole API server application with our plugin in it, and who gets what from each route.

``python whole_airflow.py simple teams fab`` prints ``{kind: {person: {route: [status, words]}}}`` as JSON in its last line:
which of the words that stand in what belongs to the DAGs ``mine`` and ``theirs``, and to nobody, were in the answer. An auth
manager is chosen once a process, so each has one of its own, forked from one that has imported Airflow.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

# What stands in texts of everything that belongs to each DAG, and in nothing else.
WORDS = {"mine": "word-of-mine", "theirs": "word-of-theirs", "nobody": "word-of-nobody"}
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
READS_TASKS = [
    ("can_read", "Task Instances"),
    ("can_read", "DAG Runs"),
    ("can_read", "Website"),
    ("can_read", "XComs"),
]
# What somebody may do under FAB who has one DAG, or all of them without what is in them, or only connections.
FAB_ROLES = {
    "one_dag": [*READS_TASKS, ("can_read", "DAG:mine"), ("menu_access", "DAGs")],
    "one_dag_to_edit": [*READS_TASKS, ("can_read", "DAG:mine"), ("can_edit", "DAG:mine"), ("can_delete", "DAG:mine"), ("can_edit", "Task Instances")],
    "every_dag_but_no_tasks": [("can_read", "DAGs"), ("can_read", "Website")],
    "tasks_of_no_dag": READS_TASKS,
    "every_dag": [*READS_TASKS, ("can_read", "DAGs")],
    "reads_connections": [("can_read", "Connections"), ("can_read", "DAG:mine"), *READS_TASKS],
    "edits_connections": [("can_edit", "Connections")],
    "both_dags": [*READS_TASKS, ("can_read", "DAG:mine"), ("can_read", "DAG:theirs")],
    "no_right": [],
}  # fmt: skip


def main(kinds: list[str]) -> None:
    """Build each, ask it, print the tables."""
    with tempfile.TemporaryDirectory() as home:
        print(json.dumps(tables_of(kinds, Path(home))))


def tables_of(kinds: list[str], home: Path) -> dict[str, Any]:
    """The table of each; what all need is imported once."""
    os.environ |= {
        "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}", "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64, "AIRFLOW__API__SECRET_KEY": "y" * 32, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW_CONN_CRM": json.dumps({"conn_type": "outreach_endpoint", "host": "https://crm.example.com/x"}),
    }  # fmt: skip
    import airflow.api_fastapi.core_api.routes.public
    import airflow.api_fastapi.core_api.routes.ui
    import airflow.utils.db  # noqa: F401

    routes()
    gc.freeze()  # what is imported stays: nobody looks through it for garbage
    return {kind: in_a_fork(kind, home) for kind in kinds}


def in_a_fork(kind: str, home: Path) -> dict[str, Any]:
    """What a process of its own says of an Airflow with this auth manager and databases that are new."""
    for each in home.glob("*.db*"):
        each.unlink()
    forking = multiprocessing.get_context("fork")
    ours, its = forking.Pipe(duplex=False)
    child = forking.Process(target=lambda: its.send(asked(kind)))
    child.start()
    its.close()
    told: dict[str, Any] = ours.recv()
    child.join()
    return told


def asked(kind: str) -> dict[str, Any]:
    """Build it, ask it."""
    if kind == "fab":
        os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = FAB
    if kind == "teams":
        os.environ["AIRFLOW__CORE__MULTI_TEAM"] = "True"
    from airflow.utils.db import initdb

    initdb()
    from airflow.api_fastapi.app import create_app

    app = create_app(apps="core")
    add_dags(teams=kind == "teams")
    fill_store()
    people = fab_people(app) if kind == "fab" else simple_people(["red"] if kind == "teams" else [])
    return asyncio.run(tables(app, people))


def simple_people(teams: list[str]) -> dict[str, Any]:
    """One of each role of the simple auth manager, in these teams."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    roles = ("VIEWER", "USER", "OP", "ADMIN")
    people = {role.lower(): SimpleAuthManagerUser(username=role, role=role, teams=teams) for role in roles}
    return people | {"no_role": SimpleAuthManagerUser(username="x", role=None, teams=teams), "nobody": None}


def fab_people(app: Any) -> dict[str, Any]:
    """One of each role that FAB brings, and of ours."""
    manager = app.state.auth_manager
    with manager.flask_app.app_context():
        security = manager.security_manager
        security.sync_roles()
        for name, rights in FAB_ROLES.items():
            role = security.add_role(name)
            for action, resource in rights:
                security.add_permission_to_role(role, security.create_permission(action, resource))
        people = {}
        for name in (*FAB_ROLES, "Viewer", "User", "Op", "Admin", "Public"):
            user = security.add_user(
                name, name, "Example", f"{name}@example.com", security.find_role(name), hashed_password="x"
            )
            people[name.lower()] = user
    return people | {"nobody": None}


def add_dags(*, teams: bool) -> None:
    """Two DAGs that Airflow knows, and where there are teams: one of red, one of blue. And a file of nobody's."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.errors import ParseImportError
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.team import Team
    from airflow.serialization.serialized_objects import LazyDeserializedDAG
    from airflow.utils.session import create_session

    with create_session() as session:
        for name, team in (("mine", "red"), ("theirs", "blue")):
            bundle = DagBundleModel(name=f"bundle-{name}")
            if teams:
                bundle.teams.append(Team(name=team))
            session.add(bundle)
            session.flush()
            session.add(
                DagModel(
                    dag_id=name,
                    bundle_name=f"bundle-{name}",
                    fileloc=name,
                    relative_fileloc=name,
                    is_stale=False,
                )
            )
            session.flush()
            SerializedDagModel.write_dag(
                LazyDeserializedDAG.from_dag(sync(name)), bundle_name=f"bundle-{name}", session=session
            )
        session.add(
            ParseImportError(filename="bad.yaml", bundle_name="bundle-mine", stacktrace=WORDS["nobody"])
        )


def sync(name: str) -> Any:
    """A DAG of ours."""
    from datetime import datetime

    from airflow.sdk import DAG

    from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator

    with DAG(name, schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        SubmitLeadsOperator(task_id="t", leads=f"/data/{WORDS[name]}.csv", campaign=WORDS[name])
    return dag


def fill_store() -> None:
    """Run, lead, attempt, event and delivery 1 of mine, 2 of theirs, 3 of a DAG that is gone or of nobody."""
    from datetime import UTC, datetime

    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.store.deliveries import tables as d
    from airflow_outreach_provider.store.inbox import tables as i
    from airflow_outreach_provider.store.ledger import tables as t
    from airflow_outreach_provider.store.suppressions_write import suppressions

    store, at = open_store(), datetime.now(UTC)
    with store.write() as connection:
        for n, (dag, word) in enumerate(WORDS.items(), start=1):
            task = {"dag_id": dag, "task_id": "t", "airflow_run_id": "r", "map_index": -1, "try_number": 1}
            lead = {"phone": f"+1416555010{n}", "created_at": at, "updated_at": at}
            event = {"event_id": str(n), "source": word, "kind": "replied"}
            for statement in (
                t.runs.insert().values(
                    **task, campaign=word, owner=f"{dag}/t/r/-1", state="failed", source=word, error=word, started_at=at,
                    heartbeat_at=at, lease_until=at, finished_at=at, counts={"held": n * 1111}, reasons={word: 1},
                ),
                t.leads.insert().values(**lead, campaign=word, state="held", reason=word, detail=word, run_id=n, payload=word),
                t.attempts.insert().values(lead_id=n, run_id=n, at=at, outcome="unknown", detail=word),
                i.inbox_events.insert().values(
                    **event, platform="varda", type=word, origin="webhook", occurred_at=at, received_at=at, headers="[]", body=b"{}"
                ),
                d.deliveries.insert().values(
                    **event, route=word, endpoint="crm", lane=dag, label=word, state="dead", last_error=word, created_at=at, updated_at=at
                ),
                d.delivery_attempts.insert().values(**task, delivery_id=n, at=at, verdict="refused", error=word, answer=word),
                suppressions.insert().values(
                    campaign=WORDS["nobody"], phone=lead["phone"], reason=WORDS["nobody"], source="x", added_at=at, spread=True
                ),
            ):  # fmt: skip
                connection.execute(statement)
        # What was theirs before it was mine: the latest touch says whose it is, and the others' stay theirs.
        for kind, of in ((t.leads, "leads"), (d.deliveries, "deliveries")):
            row = dict(connection.execute(kind.select().where(kind.c.id == 1)).mappings().one())
            row |= {"id": 4} | ({"phone": "+14165550104"} if of == "leads" else {"event_id": "4"})
            connection.execute(kind.insert().values(row))
        of_theirs = {
            "dag_id": "theirs",
            "task_id": "t",
            "airflow_run_id": "r",
            "map_index": -1,
            "try_number": 1,
        }
        word = WORDS["theirs"]
        for task, said in ((of_theirs, word), (of_theirs | {"dag_id": "mine"}, WORDS["mine"])):
            connection.execute(
                d.delivery_attempts.insert().values(
                    **task, delivery_id=4, at=at, verdict="refused", error=said
                )
            )
        for run, said in ((2, word), (None, WORDS["nobody"]), (1, WORDS["mine"])):
            connection.execute(
                t.attempts.insert().values(lead_id=4, run_id=run, at=at, outcome="unknown", detail=said)
            )
        connection.execute(
            t.consents.insert().values(lead_id=4, at=at, column="c", value=word, source=word, line=1)
        )
        # The same person in a campaign of theirs.
        row = dict(connection.execute(t.leads.select().where(t.leads.c.id == 2)).mappings().one())
        connection.execute(t.leads.insert().values(row | {"id": 5, "phone": "+14165550104"}))


async def tables(app: Any, people: dict[str, Any]) -> dict[str, dict[str, tuple[int, list[str]]]]:
    """What each person gets."""
    return {name: await table(app, user) for name, user in people.items()}


async def table(app: Any, user: Any) -> dict[str, tuple[int, list[str]]]:
    """Each of our routes, and the like of Airflow itself, with the status somebody gets, and whose words."""
    from httpx import ASGITransport, AsyncClient

    cookies = {"_token": app.state.auth_manager.generate_jwt(user)} if user is not None else {}
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://testserver", cookies=cookies) as browser:
        return {
            name: told(await browser.request(method, url, **more)) for name, method, url, more in questions()
        }


def told(answer: Any) -> tuple[int, list[str]]:
    """The status, and whose words are in it."""
    said = answer.text.replace("<wbr>", "")
    return answer.status_code, sorted(whose for whose, word in WORDS.items() if word in said)


def questions() -> Iterable[tuple[str, str, str, dict[str, Any]]]:
    """Everything that is asked: a name, the method, the URL, and what goes along."""
    for dag in ("mine", "theirs"):
        path = f"/api/v2/dags/{dag}/dagRuns/r/taskInstances/t"
        yield f"GET {path}", "GET", path, {}
    for method, path in routes():
        action = {"json": {}, "headers": {"X-Outreach-Action": "1"}} if method == "POST" else {}
        yield f"{method} {path}", method, f"/outreach{path}", action
    for path in ("runs", "leads", "deliveries", "person/lead"):
        for row in (1, 2, 3, 4, 99):
            for url in (f"/{path}/{row}", f"/api/{path}/{row}"):
                yield f"GET {url} itself", "GET", f"/outreach{url}", {}
    for dag in ("mine", "theirs", "gone"):
        for url in (f"/workflows/{dag}", f"/api/workflows/{dag}"):
            yield f"GET {url} itself", "GET", f"/outreach{url}", {}
    for query in (
        "leads?run=2",
        "deliveries?event=2",
        "leads?campaign=word-of",
        "runs?state=failed",
        "leads?cursor=99",
    ):
        yield f"GET /api/{query} asked", "GET", f"/outreach/api/{query}", {}
    for dag in ("mine", "theirs", "~", ""):
        for page in ("/task", "/api/task"):
            of = {"dag_id": dag, "run_id": "r", "task_id": "t"}
            yield f"GET {page} of {dag}", "GET", f"/outreach{page}", {"params": of}


@cache
def routes() -> list[tuple[str, str]]:
    """Every route of ours behind the log-in, from the application itself."""
    return list(_routes())


def _routes() -> Iterable[tuple[str, str]]:
    from airflow_outreach_provider.web.app import create_app

    for route in create_app(store=object()).routes:  # type: ignore[arg-type]
        path = getattr(route, "path", "")
        if path.startswith(("/in/", "/static")) or path in ("/task", "/api/task"):
            continue
        for method in sorted(getattr(route, "methods", None) or ()):
            if method in ("GET", "POST"):
                filled = path.replace("{connection_id:path}", "crm").replace("{dag_id}", "mine")
                yield method, "/".join("1" if part.startswith("{") else part for part in filled.split("/"))


if __name__ == "__main__":
    main(sys.argv[1:])
