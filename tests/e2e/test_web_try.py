"""*Try rows* in a real Airflow and a real browser: what would row 3 send? Nothing is sent, and the page waits by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from airflow_outreach_provider.store.tables import metadata

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("world"),
    pytest.mark.lasts(350),
    pytest.mark.chromium,
    pytest.mark.timeout(300),
]
SOON = 90_000
LIST = """phone,first_name,email
+14165551110,Lead 0,lead0@example.com
not a number,Nobody,
+14165559003,Third,third@example.com
+14165559004,Fourth,fourth@example.com
+14165559004,Fourth again,fourth@example.com
+14165559006,Sixth,sixth@example.com
"""


@pytest.fixture
def other_list(world: Any) -> Iterator[None]:
    """The source of the sync has other rows for a while."""
    path = world.airflow.home / "spring.csv"
    before = path.read_text()
    path.write_text(LIST)
    yield
    path.write_text(before)


def trace(world: Any) -> str:
    """All that is in the store, but runs that are only told of, what tries found, and who did what."""
    with world.store.read() as connection:
        return str(
            [
                [tuple(row) for row in connection.execute(sa.select(table))]
                for table in metadata.sorted_tables
                if table.name not in ("runs", "trials", "audit", "consumers", "notices", "rates")
            ]
        )


def test_what_would_row_three_send(world: Any, ada: Any, vic: Any, other_list: None) -> None:
    """From Workflows in two clicks, the page goes on by itself to the rows; whole for an editor, masked for others."""
    before = trace(world)
    ada.goto(f"{world.url}/workflows")
    ada.get_by_role("link", name="Try rows of spring").click()
    ada.get_by_role("button", name="Try it").click()
    ada.wait_for_url("**/try-rows?run=outreach_try__5__*")
    third = ada.locator("table.tried tbody tr").nth(2)
    expect(third).to_contain_text("would be sent", timeout=SOON)
    states = ada.locator("table.tried .badge").all_inner_texts()
    assert states == ["unchanged", "rejected", "would be sent", "would be sent", "duplicate"]
    expect(third).to_contain_text("phoneNumber")
    assert "Third" not in third.inner_text()
    assert "14165559003" not in ada.content()
    ada.get_by_role("button", name="Show personal data").click()
    ada.get_by_role("dialog").get_by_role("button", name="Show").click()
    expect(third).to_contain_text("+14165559003")
    expect(third).to_contain_text('"firstName": "Third"')
    assert world.last_audit()[:2] == ("ada", "reveal tried rows")
    assert trace(world) == before
    vic.goto(ada.url)
    expect(vic.locator("table.tried tbody tr")).to_have_count(5)
    assert "Third" not in vic.content()
    expect(vic.get_by_role("button", name="Try it")).to_have_count(0)


def test_a_wrong_number_is_told_beside_the_field(world: Any, ada: Any) -> None:
    """The field keeps what was typed, and no run is begun."""
    ada.goto(f"{world.url}/workflows/spring/try-rows")
    ada.get_by_label("Rows, at most 100").fill("1000")
    ada.get_by_role("button", name="Try it").click()
    expect(ada.get_by_role("alert")).to_contain_text("write a whole number from 1 to 100")
    expect(ada.get_by_label("Rows, at most 100")).to_have_value("1000")


def test_a_paused_dag_waits_until_somebody_unpauses_it(world: Any, ada: Any, other_list: None) -> None:
    """The page says so, unpauses nothing by itself, and goes on when somebody has; a second click is the same try."""
    world.airflow.api("PATCH", "dags/spring", {"is_paused": True})
    try:
        ada.goto(f"{world.url}/workflows/spring/try-rows")
        ada.get_by_label("Rows, at most 100").fill("1")
        ada.get_by_role("button", name="Try it").click()
        ada.wait_for_url("**/try-rows?run=outreach_try__1__*")
        expect(ada.get_by_text("begins this run when somebody unpauses it")).to_be_visible()
        run = ada.url
        ada.get_by_role("button", name="Try it").click()
        ada.wait_for_timeout(1500)
        assert ada.url == run
    finally:
        world.airflow.api("PATCH", "dags/spring", {"is_paused": False})
    expect(ada.locator("table.tried tbody tr")).to_have_count(1, timeout=SOON)
