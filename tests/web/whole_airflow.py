"""Run alone: Airflow's whole API server application with our plugin in it, and who gets what from each route.

``python whole_airflow.py simple|teams|fab`` prints ``{person: {route: status}}`` as JSON in its last line. An auth manager
is chosen once a process, so each has one of its own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
    "no_right": [],
}  # fmt: skip


def main(kind: str) -> None:
    """Build it, ask it, print the table."""
    home = Path(tempfile.mkdtemp())
    os.environ |= {
        "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}", "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64, "AIRFLOW__API__SECRET_KEY": "y" * 32, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "AIRFLOW_CONN_CRM": json.dumps({"conn_type": "outreach_endpoint", "host": "https://crm.example.com/x"}),
    }  # fmt: skip
    if kind == "fab":
        os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = FAB
    if kind == "teams":
        os.environ["AIRFLOW__CORE__MULTI_TEAM"] = "True"
    from airflow.utils.db import initdb

    initdb()
    from airflow.api_fastapi.app import create_app

    app = create_app(apps="core")
    people = fab_people(app) if kind == "fab" else simple_people(["red"] if kind == "teams" else [])
    print(json.dumps({name: table(app, user) for name, user in people.items()}))


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
                name, name, "Example", f"{name}@example.com", security.find_role(name), "a long password"
            )
            people[name.lower()] = user
    return people | {"nobody": None}


def table(app: Any, user: Any) -> dict[str, int]:
    """Each of our routes, and the like of Airflow itself, with the status somebody gets."""
    from fastapi.testclient import TestClient

    cookies = {"_token": app.state.auth_manager.generate_jwt(user)} if user is not None else {}
    browser = TestClient(app, cookies=cookies, raise_server_exceptions=False)
    action = {"X-Outreach-Action": "1"}
    tasks = [f"/api/v2/dags/{dag}/dagRuns/r/taskInstances/t" for dag in ("mine", "theirs")]
    found = {f"GET {path}": browser.get(path).status_code for path in tasks}
    for method, path in routes(app):
        url = f"/outreach{path}"
        answer = browser.get(url) if method == "GET" else browser.post(url, json={}, headers=action)
        found[f"{method} {path}"] = answer.status_code
    for dag in ("mine", "theirs", "~", ""):
        for page in ("/task", "/api/task"):
            query = {"dag_id": dag, "run_id": "r", "task_id": "t"}
            found[f"GET {page} of {dag}"] = browser.get(f"/outreach{page}", params=query).status_code
    return found


def routes(_app: Any) -> Iterable[tuple[str, str]]:
    """Every route of ours behind the log-in, from the application itself."""
    from airflow_outreach_provider.web.app import create_app

    for route in create_app().routes:
        path = getattr(route, "path", "")
        if path.startswith(("/in/", "/static")) or path in ("/task", "/api/task"):
            continue
        for method in sorted(getattr(route, "methods", None) or ()):
            if method in ("GET", "POST"):
                filled = path.replace("{connection_id:path}", "crm")
                yield method, "/".join("1" if part.startswith("{") else part for part in filled.split("/"))


if __name__ == "__main__":
    main(sys.argv[1])
