"""Airflow's *Test* button, by the request that its page sends, for every connection type of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from servers import scripted

from airflow_outreach_provider.get_provider_info import get_provider_info

SECRET = "Ab/+c:d@e?f#g h&i=jklmnop"
TEST = "/api/v2/connections/test"


@pytest.fixture
def platform() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An outreach API that takes one key, which is an endpoint too; its base URL, and what it was sent."""
    seen: list[dict[str, Any]] = []

    def answer(_method: str, path: str, headers: Mapping[str, str], _body: bytes) -> Any:
        seen.append({"path": path, **headers})
        good = headers.get("Authorization") == f"Bearer {SECRET}"
        return (400 if good else 401) if "/api/webhook" in path else 204, b"", {}

    with scripted(answer) as url:
        yield url, seen


@pytest.fixture(scope="module")
def application(airflow_db: None) -> Any:
    """Airflow's API server with our plugin around it."""
    from airflow.api_fastapi.app import create_app

    from airflow_outreach_provider.plugins.outreach import OutreachPlugin

    app = create_app(apps="core")
    (declared,) = OutreachPlugin.fastapi_root_middlewares
    app.add_middleware(declared["middleware"])
    return app


@pytest.fixture
def airflow(application: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An administrator who asks it, where connections may be tested."""
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    token = application.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username="ada", role="ADMIN"))
    client = TestClient(application, headers={"Authorization": f"Bearer {token}"})
    yield client
    for each in ("mine", "Mixed.Case-1"):
        client.delete(f"/api/v2/connections/{each}")


def as_the_button_asks(row: dict[str, Any]) -> dict[str, Any]:
    """The body that Airflow's page makes of a connection in its list: every null is empty, a port of null is 0."""
    return {
        "conn_type": row["conn_type"], "connection_id": row["connection_id"], "description": row["description"] or "",
        "extra": row["extra"] or "{}", "host": row["host"] or "", "login": row["login"] or "",
        "password": row["password"] or "", "port": row["port"] or 0, "schema": row["schema"] or "",
    }  # fmt: skip


def saved(airflow: Any, **fields: Any) -> dict[str, Any]:
    """A connection as somebody saves it, and as the list gives it afterwards: secrets masked."""
    body = {"connection_id": "mine", **fields, "extra": json.dumps(fields.get("extra", {}))}
    answer = airflow.post("/api/v2/connections", json=body)
    assert answer.status_code == 201, answer.text
    return dict(airflow.get(f"/api/v2/connections/{body['connection_id']}").json())


def pressed(airflow: Any, row: dict[str, Any]) -> dict[str, Any]:
    answer = airflow.post(TEST, json=as_the_button_asks(row))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_every_type_of_ours_is_known(airflow: Any) -> None:
    """A connection type that is declared is one whose button works."""
    from airflow_outreach_provider.web.connection_test import CONNECTION_TYPES

    assert {each["connection-type"] for each in get_provider_info()["connection-types"]} == CONNECTION_TYPES


def test_a_value_that_contains_a_secret_is_tested_as_it_is_stored(
    airflow: Any, platform: tuple[str, list[dict[str, Any]]]
) -> None:
    """The page has it masked in part, and Airflow would test the masks."""
    url, seen = platform
    secret = "a-secret-that-stands-elsewhere-too"
    row = saved(
        airflow, conn_type="outreach_endpoint", host=url, password=secret,
        extra={"signature": "autoreach", "headers": {"X-Team": f"team of {secret}"}, "allow_http": True, "allow_networks": ["127.0.0.0/8"]},
    )  # fmt: skip
    assert "team of ***" in row["extra"]
    said = pressed(airflow, row)
    assert said["status"] is True, said["message"]
    assert seen[-1]["X-Team"] == f"team of {secret}"


@pytest.mark.slow
def test_the_outreach_api(airflow: Any, platform: tuple[str, list[dict[str, Any]]]) -> None:
    """The stored key is used though the page knows it masked only; a wrong one is told; an edit is what is tested."""
    url, seen = platform
    row = saved(
        airflow, conn_type="outreach", host=url, password=SECRET, extra={"headers": {"X-Token": "x" * 20}}
    )
    assert "***" in row["password"]
    assert pressed(airflow, row) == {
        "status": True,
        "message": "The outreach API answers and takes this key. Nobody was texted.",
    }
    edit = {**as_the_button_asks(row), "port": None, "host": f"{url}/", "description": "edited"}
    assert (
        airflow.patch(
            "/api/v2/connections/mine?update_mask=host&update_mask=description", json=edit
        ).status_code
        == 200
    )
    assert pressed(airflow, airflow.get("/api/v2/connections/mine").json())["status"] is True
    wrong = {**edit, "password": "another key, long enough"}
    assert airflow.patch("/api/v2/connections/mine?update_mask=password", json=wrong).status_code == 200
    said = pressed(airflow, airflow.get("/api/v2/connections/mine").json())
    assert (said["status"], "does not take this key" in said["message"]) == (False, True)
    assert len(seen) == 3


def test_a_connection_with_a_port(airflow: Any, platform: tuple[str, list[dict[str, Any]]]) -> None:
    """A port that is stored is the port that is tested."""
    url, _ = platform
    host, _, port = url.rpartition(":")
    row = saved(airflow, conn_type="outreach", host=host, port=int(port), password=SECRET)
    assert pressed(airflow, row)["status"] is True


@pytest.mark.parametrize("name", ["mine", "Mixed.Case-1"])
def test_a_source(airflow: Any, name: str) -> None:
    """What is to be pasted where names the connection, and never the made-up id that Airflow tests it under."""
    row = saved(
        airflow,
        connection_id=name,
        conn_type="outreach_source",
        password=SECRET.replace(" ", ""),
        extra={"platform": "supersend"},
    )
    said = pressed(airflow, row)
    assert said["status"] is True, said
    assert f"/outreach/in/{name} " in said["message"]
    row = {**row, "extra": json.dumps({"platform": "supresend"})}
    said = pressed(airflow, row)
    assert said["status"] is False
    assert repr(name) in said["message"]


@pytest.mark.slow
def test_an_endpoint(airflow: Any, platform: tuple[str, list[dict[str, Any]]]) -> None:
    """The whole URL, the secrets and the extra arrive as they are stored; a refusal names the connection."""
    url, seen = platform
    extra = {
        "signature": "github",
        "allow_networks": "127.0.0.0/8",
        "allow_http": True,
        "headers": '{"X-Api-Key": "abc"}',
        "timeout": 5,
    }
    row = saved(
        airflow,
        conn_type="outreach_endpoint",
        host=f"{url}/Hooks/In?Token=Ab-c",
        password="a secret of length-of-16 another-one-of-16ch",
        extra=extra,
    )
    said = pressed(airflow, {**row, "extra": json.dumps(extra)})
    assert said["status"] is False  # the first secrets are too short
    assert "'mine'" in said["message"]
    edit = {**as_the_button_asks(row), "port": None, "password": "a-secret-of-length-16 another-one-of-16ch"}
    assert airflow.patch("/api/v2/connections/mine?update_mask=password", json=edit).status_code == 200
    said = pressed(airflow, airflow.get("/api/v2/connections/mine").json())
    assert said["status"] is True, said
    assert (seen[0]["path"], seen[0]["X-Api-Key"]) == ("/Hooks/In?Token=Ab-c", "abc")


def test_what_is_not_ours_goes_through_as_it_came(airflow: Any) -> None:
    """Connections of others, and requests that are no JSON, are answered as Airflow answers them."""
    row = saved(airflow, conn_type="http", host="http://127.0.0.1:1", password="x" * 16)
    theirs = airflow.post(TEST, json=as_the_button_asks(row))
    # It depends on its provider whether port 0 is refused or tried.
    assert theirs.status_code in (200, 400) and "outreach" not in theirs.text
    for body in (b"", b"{", b"[]", b"null", b'{"conn_type": ["outreach"]}', b"\xff", b"[" * 100_000):
        answer = airflow.post(TEST, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body[:40]
    assert airflow.post(TEST, json={}, headers={"Authorization": "Bearer x"}).status_code in (401, 403)
    assert airflow.get("/api/v2/connections").status_code == 200
