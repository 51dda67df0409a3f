"""``airflow outreach doctor`` in an Airflow whose connections are in its database alone."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from servers import free_port, scripted

from airflow_outreach_provider.simulator.process import RunningSimulator

_SECRET = "whsec_of_the_platform_1234"


@pytest.fixture(scope="module")
def airflow(own_airflow: Any, _simulator: RunningSimulator) -> Any:
    """With an API that answers, one that does not, a source, and one of each that cannot be used."""
    gone = f"http://127.0.0.1:{free_port()}"
    for name, fields in {
        "outreach_default": {"conn_type": "outreach", "host": _simulator.url, "password": "user_test"},
        "wrong_key": {"conn_type": "outreach", "host": _simulator.url, "password": "user_hunter2"},
        "gone": {"conn_type": "outreach", "host": gone, "password": "user_test"},
        "supersend": {"conn_type": "outreach_source", "password": _SECRET, "extra": json.dumps({"platform": "supersend"})},
        "misspelt": {"conn_type": "outreach_source", "password": _SECRET, "extra": json.dumps({"platform": "superspend"})},
        "crm": {"conn_type": "outreach_endpoint", "host": "https://93.184.215.14/hooks/secret-path"},
        "nobody": {"conn_type": "outreach_endpoint", "host": "https://crm.no-such.invalid/hooks/secret-path"},
        "inner": {"conn_type": "outreach_endpoint", "host": "https://10.0.0.7/hooks/secret-path"},
        "in_clear": {"conn_type": "outreach_endpoint", "host": "http://93.184.215.14/hooks/secret-path"},
    }.items():  # fmt: skip
        ended = own_airflow.run("connections", "add", name, "--conn-json", json.dumps(fields))
        assert ended.code == 0, ended.output
    return own_airflow


def _checks(
    airflow: Any, *argv: str, env: dict[str, str] | None = None
) -> tuple[int, dict[str, list[dict[str, str]]]]:
    ended = airflow.run("outreach", "doctor", "--json", *argv, env=env)
    assert "Traceback" not in ended.output
    document = json.loads(ended.output[ended.output.index("{\n") :])
    found: dict[str, list[dict[str, str]]] = {}
    for each in document["checks"]:
        found.setdefault(each["name"], []).append(each)
    return ended.code, found


def _state(found: dict[str, list[dict[str, str]]], name: str) -> str:
    return found[name][0]["state"]


@pytest.mark.slow
def test_every_connection_is_tried_and_nobody_is_texted(airflow: Any, sim: RunningSimulator) -> None:
    """A good key, a bad one, a host where nobody is, a misspelt platform; each with what to do, no secret told."""
    code, found = _checks(airflow)
    assert code == 1
    assert _state(found, "connection outreach_default") == "ok"
    assert "Nobody was texted" in found["connection outreach_default"][0]["found"]
    assert _state(found, "connection wrong_key") == "fail"
    assert "does not take this key" in found["connection wrong_key"][0]["found"]
    assert _state(found, "connection gone") == "fail"
    assert "supersend" in found["connection misspelt"][0]["remedy"]
    assert _state(found, "connection supersend") == "ok"
    assert _state(found, "connection crm") == "ok"
    assert _state(found, "connection nobody") == "unknown"
    for name, remedy in (("inner", "allow_networks"), ("in_clear", "allow_http")):
        assert _state(found, f"connection {name}") == "fail"
        assert remedy in found[f"connection {name}"][0]["remedy"]
    said = json.dumps(found)
    for secret in (_SECRET, "hunter2", "user_test", "secret-path"):
        assert secret not in said
    assert sim.report()["people"] == 0
    for each in (each for checks in found.values() for each in checks):
        assert each["found"]
        assert each["remedy"] or each["state"] in ("ok", "unknown"), each


@pytest.mark.slow
def test_without_tests_nobody_is_asked(airflow: Any, sim: RunningSimulator) -> None:
    """The fields alone are read; the bad key is not known to be one."""
    _, found = _checks(airflow, "--no-tests")
    for name in ("wrong_key", "inner", "nobody"):
        assert _state(found, f"connection {name}") == "ok"
    assert _state(found, "connection misspelt") == "fail"


@pytest.mark.slow
def test_who_has_died_is_told_by_the_sign_of_life(airflow: Any) -> None:
    """Airflow's own heartbeats: one that beats, one that has stopped, one that never was."""
    now = datetime.now(UTC)
    with sqlite3.connect(airflow.home / "airflow.db") as database:
        for kind, at in (("SchedulerJob", now), ("TriggererJob", now - timedelta(hours=1))):
            database.execute(
                "INSERT INTO job (job_type, state, latest_heartbeat, start_date, hostname) VALUES (?, 'running', ?, ?, 'h')",
                (kind, at.isoformat(sep=" "), at.isoformat(sep=" ")),
            )
    code, found = _checks(airflow, "--no-tests")
    assert code == 1
    assert _state(found, "scheduler") == "ok"
    assert _state(found, "triggerer") == "fail"
    assert "no sign of life since" in found["triggerer"][0]["found"]
    assert found["triggerer"][0]["remedy"] == "start it: airflow triggerer"
    assert "none was ever started" in found["dag processor"][0]["found"]


@pytest.mark.slow
def test_the_plugin_and_the_receiver_are_called(airflow: Any) -> None:
    """Whatever answers under [api] base_url and is not the receiver is told; nobody there is no failure of the plugin."""
    with scripted(lambda *_: (404, b"nothing here", {})) as url:
        _, found = _checks(airflow, env={"AIRFLOW__API__BASE_URL": url})
    assert (_state(found, "plugin"), "answers 404" in found["plugin"][0]["found"]) == ("fail", True)
    assert [each["state"] for each in found["receiver"]] == ["warn", "fail"]
    assert f"{url}/outreach/in/misspelt" in found["receiver"][0]["found"]
    with scripted(lambda *_: (405, b"", {"Allow": "POST"})) as url:
        _, found = _checks(airflow, env={"AIRFLOW__API__BASE_URL": url})
    assert [each["state"] for each in found["receiver"]] == ["warn"]  # not public
    _, found = _checks(airflow)
    assert _state(found, "plugin") == "unknown"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "value", "check"),
    [
        ("OUTREACH__LEASE_SECONDS", "1", "settings"),
        ("OUTREACH__RETENTION_DAYS", "soon", "settings"),
        ("OUTREACH__AUTO_UPGRADE", "maybe", "settings"),
        ("OUTREACH__SQL_ALCHEMY_CONN", "nonsense", "store"),
        ("OUTREACH__SQL_ALCHEMY_CONN", "postgresql://a:hunter2@127.0.0.1:1/db", "store"),
    ],
)
def test_whatever_is_wrong_the_others_are_told(airflow: Any, option: str, value: str, check: str) -> None:
    """One broken setting fails its own check, with a remedy; the versions are still there, and no traceback is."""
    code, found = _checks(airflow, "--no-tests", env={f"AIRFLOW__{option}": value})
    assert code == 1
    assert _state(found, check) == "fail"
    assert found[check][0]["remedy"]
    assert found[check][0]["remedy"] not in found[check][0]["found"]
    assert _state(found, "versions") == "ok"
    assert "hunter2" not in json.dumps(found)


@pytest.mark.slow
def test_an_airflow_without_a_database_is_told_so(empty_airflow: Any) -> None:
    """What cannot be known is unknown, with what to run; the store is looked at all the same."""
    code, found = _checks(empty_airflow)
    assert code == 1
    assert found["airflow"][0]["remedy"].endswith("run 'airflow db migrate'")
    assert [_state(found, name) for name in ("dags", "connections")] == ["unknown", "unknown"]
    assert _state(found, "store") in ("warn", "ok")  # a command of another test may have made it


@pytest.mark.slow
def test_for_people_it_is_text(airflow: Any) -> None:
    """State, what was found, what to do below it; the sum in the last line."""
    ended = airflow.run("outreach", "doctor", "--no-tests", env={"COLUMNS": "80"})
    assert ended.code == 1
    assert "→ start it: airflow dag-processor" in ended.output
    assert ended.output.rstrip().splitlines()[-1].endswith("unknown")
