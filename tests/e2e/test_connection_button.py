"""Airflow's own *Test* button, clicked in its list of connections, for every type of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("world"),
    pytest.mark.lasts(350),
    pytest.mark.chromium,
    pytest.mark.timeout(500),
]

SAID = {
    "outreach": "The outreach API answers and takes this key. Nobody was texted.",
    "outreach_source": "/outreach/in/button_outreach_source into",
    "outreach_endpoint": "HTTP 200 in",
}


@pytest.fixture
def saved(world: Any) -> Iterator[None]:
    """One connection of each type in Airflow's database, as its form saves them: without a port."""
    declared = world.airflow.environment
    for conn_type, name in (
        ("outreach", "OUTREACH_DEFAULT"), ("outreach_source", "SUPERSEND_DEMO"), ("outreach_endpoint", "OUTREACH_ENDPOINT_DEFAULT"),
    ):  # fmt: skip
        fields = json.loads(declared[f"AIRFLOW_CONN_{name}"])
        fields |= {"connection_id": f"button_{conn_type}", "extra": json.dumps(fields.get("extra", {}))}
        world.airflow.api("POST", "connections", fields)
    yield
    for conn_type in SAID:
        world.airflow.api("DELETE", f"connections/button_{conn_type}")


def row_of(page: Any, conn_type: str) -> Any:
    """The connection's row in Airflow's list."""
    return page.get_by_role("row").filter(
        has=page.get_by_role("cell", name=f"button_{conn_type}", exact=True)
    )


def press(page: Any, conn_type: str) -> None:
    """Click *Test* in the connection's row; its answer must be the good one."""
    with page.expect_response("**/api/v2/connections/test") as answered:
        row_of(page, conn_type).get_by_role("button", name="Test Connection").click()
    answer = answered.value
    assert answer.status == 200, answer.text()
    assert answer.json()["status"] is True, answer.json()
    assert SAID[conn_type] in answer.json()["message"]
    expect(page.get_by_text("Test Connection Successful").first).to_be_visible()


def test_the_button_works_for_every_type_new_and_edited(world: Any, ada: Any, saved: None) -> None:
    """As it was saved, and edited in Airflow's form with its secrets left as they are, a connection can be tested."""
    for conn_type in SAID:
        ada.goto(f"{world.airflow.url}/connections?search=button_{conn_type}")
        press(ada, conn_type)
        row_of(ada, conn_type).get_by_role("button", name="Edit Connection").click()
        form = ada.get_by_role("dialog")
        form.locator("[name=description]").fill("edited in the form")
        with ada.expect_response("**/api/v2/connections/button_*") as patched:
            form.get_by_role("button", name="Save").click()
        assert patched.value.status == 200, patched.value.text()
        ada.goto(f"{world.airflow.url}/connections?search=button_{conn_type}")
        edited = world.airflow.api("GET", f"connections/button_{conn_type}")
        assert edited["description"] == "edited in the form"
        press(ada, conn_type)
