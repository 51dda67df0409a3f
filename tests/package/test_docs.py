"""Documents that are made from the code say what the code does."""

from __future__ import annotations

from pathlib import Path

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.platforms import platform_rows, platform_table

DOCS = Path(__file__).parents[2] / "airflow_outreach_provider" / "docs"


def test_the_table_of_events_is_the_codes() -> None:
    """docs/events.md holds exactly the table the parsers yield."""
    assert platform_table().strip() in (DOCS / "events.md").read_text("utf-8")


def test_every_kind_of_the_table_exists() -> None:
    """No row of the table names a kind that is not one."""
    kinds = {kind.value for kind in EventKind}
    for row in platform_rows():
        assert set(str(row[2]).replace("`", "").split()) <= kinds | {"…"}, row
