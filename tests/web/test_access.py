"""Who gets what from which route, by Airflow's own log-in, under each auth manager, with the whole API server around."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(950)]

# Who may look at all of it, and who of those may act; who sees what belongs to some DAGs. Everybody else is refused
# everywhere.
LOOKS = {
    "simple": {"viewer", "user", "op", "admin"},
    "teams": {"admin"},
    "fab": {"every_dag", "edits_connections", "viewer", "user", "op", "admin"},
}
SOME = {
    "simple": {},
    "teams": {role: {"mine"} for role in ("viewer", "user", "op")},
    "fab": {
        **{key: {"mine"} for key in ("one_dag", "one_dag_to_edit", "reads_connections")},
        "both_dags": {"mine", "theirs"},
    },
}
# What belongs to a DAG. "/" sends on to it.
ROWS = ("/runs", "/leads", "/deliveries", "/person/lead")
OF_A_DAG = (*ROWS, "/workflows", "/campaigns")
ACTS = {"simple": {"op", "admin"}, "teams": {"admin"}, "fab": {"edits_connections", "op", "admin"}}

FAB_IS_HERE = find_spec("airflow.providers.fab") is not None

Table = tuple[str, dict[str, dict[str, tuple[int, set[str]]]]]


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, Any]]:
    """What each person got from each route under each auth manager that is installed."""
    kinds = [kind for kind in LOOKS if kind != "fab" or FAB_IS_HERE]
    script = Path(__file__).with_name("whole_airflow.py")
    done = subprocess.run(
        [sys.executable, str(script), *kinds], capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    got: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return got


@pytest.fixture(scope="module", params=["simple", "teams", "fab"])
def table(request: pytest.FixtureRequest, tables: dict[str, dict[str, Any]]) -> Table:
    """The auth manager, and what each person got from each route: the status, and whose words were in it."""
    if request.param == "fab" and not FAB_IS_HERE:
        pytest.skip("needs apache-airflow-providers-fab")
    told = {
        person: {route: (status, set(whose)) for route, (status, whose) in answers.items()}
        for person, answers in tables[request.param].items()
    }
    return request.param, told


def looks_of(answers: dict[str, tuple[int, set[str]]]) -> dict[str, int]:
    """The statuses of all pages, exports and API calls that look."""
    looks = {route: said[0] for route, said in answers.items() if route.startswith("GET") and ours(route)}
    assert len(looks) > 25
    return looks


def test_every_route_asks_for_the_right_to_all_dags(table: Table) -> None:
    """Tasks of no DAG, another team's rights or no right at all open no page, export or API; all DAGs open each."""
    manager, got = table
    assert got.keys() >= LOOKS[manager] | SOME[manager].keys()
    for person, answers in got.items():
        looks = looks_of(answers)
        if person in LOOKS[manager]:
            assert looks.pop("GET /") == 303  # to the first page there is
            assert not {route for route, status in looks.items() if status not in (200, 404)}, person
            for path in ("/api/leads", "/api/workflows", "/api/campaigns"):
                assert answers[f"GET {path}"][1] == {"mine", "theirs", "nobody"}
        elif person not in SOME[manager]:
            assert set(looks.values()) == {401 if person == "nobody" else 403}, (person, looks)


def test_who_may_read_some_dags_sees_what_belongs_to_them(table: Table) -> None:
    """Workflows, runs, leads, deliveries, and campaigns by their runs, as pages, exports and data; every other route takes
    the right to all, trying a route too: it reads events."""
    manager, got = table
    for person in SOME[manager]:
        for route, status in looks_of(got[person]).items():
            path = route.removeprefix("GET ").removeprefix("/api")
            if path == "/":
                assert status == 303
            elif path.startswith(OF_A_DAG) and not path.endswith(("/try", "/try-rows")):
                assert status == 200, (person, route)
            else:
                assert status == 403, (person, route)


def test_nothing_of_other_dags_is_told(table: Table) -> None:
    """No word of another DAG's, nor of what is nobody's, in lists, exports, choices, filters, details or errors."""
    manager, got = table
    for person, dags in SOME[manager].items():
        for route, (_, whose) in got[person].items():
            assert whose <= dags, (person, route)
        for path in (
            "/leads",
            "/api/leads",
            "/leads.csv",
            "/runs",
            "/api/runs",
            "/deliveries",
            "/api/deliveries",
            "/deliveries.csv",
            "/workflows",
            "/api/workflows",
            "/campaigns",
            "/api/campaigns",
        ):
            assert got[person][f"GET {path}"][1] == dags, (person, path)


def test_what_is_of_another_dag_is_not_there(table: Table) -> None:
    """It is answered as what does not exist, by page and API; what another DAG touched before is there, its part not."""
    manager, got = table
    rows = {1: "mine", 2: "theirs", 3: "nobody", 4: "mine", 99: ""}
    for person, dags in (SOME[manager] | {each: {*rows.values()} for each in LOOKS[manager]}).items():
        for path in ROWS:
            for row, whose in rows.items():
                there = whose in dags and row != 99 and not (path == "/runs" and row == 4)
                for url in (f"{path}/{row}", f"/api{path}/{row}"):
                    assert got[person][f"GET {url} itself"][0] == (200 if there else 404), (person, url)
        for dag in ("mine", "theirs", "gone"):
            for url in (f"/workflows/{dag}", f"/api/workflows/{dag}"):
                status, whose = got[person][f"GET {url} itself"]
                assert (status, whose) == ((200, {dag}) if dag in dags else (404, set())), (person, url)


def test_asking_for_another_dags_finds_nothing(table: Table) -> None:
    """Neither the filter of a run nor of an event, nor a page further on, leads to what is not one's own."""
    manager, got = table
    for person in (each for each, dags in SOME[manager].items() if dags == {"mine"}):
        asked = {route: said for route, said in got[person].items() if route.endswith(" asked")}
        assert len(asked) == 5
        assert all(status == 200 and whose <= {"mine"} for status, whose in asked.values()), asked
        assert (
            asked["GET /api/leads?run=2 asked"][1] == asked["GET /api/deliveries?event=2 asked"][1] == set()
        )


def test_every_action_asks_for_the_right_to_all_connections(table: Table) -> None:
    """Whoever may look may not act by it: acting and personal data take edit rights on connections; to try rows of a sync,
    the right to trigger its DAG besides."""
    manager, got = table
    for person, answers in got.items():
        acts = {route: said[0] for route, said in answers.items() if route.startswith("POST")}
        assert len(acts) > 14
        if person in ACTS[manager]:
            begins = acts.pop("POST /api/workflows/mine/try-rows")
            assert (begins == 403) is (person == "edits_connections"), (person, begins)
            assert not {401, 403} & set(acts.values()), (person, acts)
        else:
            assert set(acts.values()) == {401 if person == "nobody" else 403}, (person, acts)


def test_a_tasks_own_tab_asks_for_its_dag(table: Table) -> None:
    """Who may read one DAG sees the tab of its tasks, as Airflow shows them, and of no other, however asked for."""
    manager, got = table
    for person, told in got.items():
        answers = {route: said[0] for route, said in told.items()}
        for dag in ("mine", "theirs"):
            refused = answers[f"GET /api/v2/dags/{dag}/dagRuns/r/taskInstances/t"] in (401, 403)
            for page in ("/task", "/api/task"):
                assert (answers[f"GET {page} of {dag}"] in (401, 403)) is refused, (person, page, dag)
        for dag in ("", "~"):
            assert {answers[f"GET {page} of {dag}"] for page in ("/task", "/api/task")} <= {401, 403, 422}
    if manager == "fab":
        assert got["one_dag"]["GET /task of mine"] == (200, {"mine"})
        assert got["one_dag"]["GET /task of theirs"][0] == 403


def ours(route: str) -> bool:
    return "/api/v2/" not in route and not route.endswith((" itself", " asked")) and " of " not in route
