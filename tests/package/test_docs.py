"""Documents that are made from the code say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.exports import COLUMNS, DataSet
from airflow_outreach_provider.core.notices import NoticeKind
from airflow_outreach_provider.core.outcomes import (
    CLASS_RULINGS,
    FAULT_RULINGS,
    STATUS_RULINGS,
    SubmitOutcome,
)
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


@pytest.mark.parametrize("data", DataSet)
def test_the_columns_of_an_export_are_the_codes(data: DataSet) -> None:
    """docs/events.md names them, in their order."""
    row = f"| `{data}` | {', '.join(f'`{name}`' for name in COLUMNS[data])} |"
    assert row in (DOCS / "events.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_operational_event_says_what_to_do(kind: NoticeKind) -> None:
    """Each has a row in docs/operations.md: what happened, and a remedy."""
    page = (DOCS / "operations.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{kind.value}` |")]
    assert all(cell.strip() for cell in row.strip("|").split("|"))


def test_the_reasons_of_held_leads_are_the_codes() -> None:
    """What docs/operations.md names, and settles by its example, are reasons of leads whose outcome nobody knows."""
    page = (DOCS / "operations.md").read_text("utf-8")
    section = page.partition("## Held leads")[2].partition("\n## ")[0]
    rulings = [*STATUS_RULINGS.values(), *CLASS_RULINGS.values(), *FAULT_RULINGS.values()]
    held = {each.reason for each in rulings if each.outcome is SubmitOutcome.UNKNOWN} | {"worker_died"}
    named = {
        *re.findall(r"--reason (\w+)", section),
        *re.findall(r"`(\w+)`", section.partition("is its reason")[2].partition("\n\n")[0]),
    }
    assert len(named) > 5
    assert named <= held


def test_every_card_of_the_overview_says_what_to_do() -> None:
    """What the template can put below *Needs attention* is in the page's table, in its words."""
    template = (DOCS.parent / "web" / "templates" / "overview.html").read_text("utf-8")
    cards = template.partition('class="cards"')[2].partition("</ul>")[0]
    table = (
        (DOCS / "operations.md").read_text("utf-8").partition("## On the Overview")[2].partition("\n## ")[0]
    )
    assert cards.count("<li ") == 8
    for words in (
        "Approval",
        "is broken",
        "is stuck",
        "held leads",
        "failed deliveries",
        "unrecognised events",
        "*Run",
    ):
        assert words in table
        assert words.strip("*") in cards
    # "a source or endpoint is …": every health that is trouble.
    code = (DOCS.parent / "web" / "connections.py").read_text("utf-8")
    for health in ("off", "refusing", "broken", "failing", "resting", "disabled", "not read", "abandoned"):
        assert f'"{health}"' in code
        assert health in table
