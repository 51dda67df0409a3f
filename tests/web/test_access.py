"""Who gets what from which route, by Airflow's own log-in, under each auth manager, with the whole API server around."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(400)

# Who may look at all of it, and who of those may act. Everybody else is refused everywhere.
LOOKS = {
    "simple": {"viewer", "user", "op", "admin"},
    "teams": {"admin"},
    "fab": {"every_dag", "edits_connections", "viewer", "user", "op", "admin"},
}
ACTS = {"simple": {"op", "admin"}, "teams": {"admin"}, "fab": {"edits_connections", "op", "admin"}}


@pytest.fixture(scope="module", params=["simple", "teams", "fab"])
def table(request: pytest.FixtureRequest) -> tuple[str, dict[str, dict[str, int]]]:
    """The auth manager, and what each person got from each route."""
    if request.param == "fab" and find_spec("airflow.providers.fab") is None:
        pytest.skip("needs apache-airflow-providers-fab")
    script = Path(__file__).with_name("whole_airflow.py")
    done = subprocess.run(
        [sys.executable, str(script), request.param], capture_output=True, text=True, timeout=380, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, json.loads(done.stdout.splitlines()[-1])


def test_every_route_asks_for_the_right_to_all_dags(table: tuple[str, dict[str, dict[str, int]]]) -> None:
    """One DAG, tasks of none, a team's rights or no right at all open no page, export or API; all DAGs open each."""
    manager, got = table
    assert got.keys() >= LOOKS[manager]
    for person, answers in got.items():
        looks = {
            route: status for route, status in answers.items() if route.startswith("GET") and ours(route)
        }
        assert len(looks) > 25
        if person in LOOKS[manager]:
            assert not {route for route, status in looks.items() if status not in (200, 404)}, person
        else:
            assert set(looks.values()) == {401 if person == "nobody" else 403}, (person, looks)


def test_every_action_asks_for_the_right_to_all_connections(
    table: tuple[str, dict[str, dict[str, int]]],
) -> None:
    """Whoever may look may not act by it: acting and personal data take edit rights on connections."""
    manager, got = table
    for person, answers in got.items():
        acts = {route: status for route, status in answers.items() if route.startswith("POST")}
        assert len(acts) > 14
        if person in ACTS[manager]:
            assert not {401, 403} & set(acts.values()), (person, acts)
        else:
            assert set(acts.values()) == {401 if person == "nobody" else 403}, (person, acts)


def test_a_tasks_own_tab_asks_for_its_dag(table: tuple[str, dict[str, dict[str, int]]]) -> None:
    """Who may read one DAG sees the tab of its tasks, as Airflow shows them, and of no other, however asked for."""
    manager, got = table
    for person, answers in got.items():
        for dag in ("mine", "theirs"):
            refused = answers[f"GET /api/v2/dags/{dag}/dagRuns/r/taskInstances/t"] in (401, 403)
            for page in ("/task", "/api/task"):
                assert (answers[f"GET {page} of {dag}"] in (401, 403)) is refused, (person, page, dag)
        for dag in ("", "~"):
            assert {answers[f"GET {page} of {dag}"] for page in ("/task", "/api/task")} <= {401, 403, 422}
    if manager == "fab":
        assert got["one_dag"]["GET /task of mine"] == 200
        assert got["one_dag"]["GET /task of theirs"] == 403


def ours(route: str) -> bool:
    return "/api/v2/" not in route and " of " not in route
