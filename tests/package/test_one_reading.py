"""A number is read by one function, whoever asks: leads, events, contact lists, imports, commands, filters, forms."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_outreach_provider.cli.common import parse_listed, parse_number
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.phone_listed import listed_numbers
from airflow_outreach_provider.core.platforms import reading
from airflow_outreach_provider.core.rules import LeadRules

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "core" / "data" / "phone_writings.csv"
WRITINGS = list(csv.DictReader(TABLE.open(encoding="utf-8", newline="")))
NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)


def lead(written: str, region: str | None) -> str:
    try:
        return LeadRules(configuration_id="c", default_region=region).draft({"phone": written}, NOW).phone
    except LeadRejected as error:
        return error.reason


@pytest.mark.parametrize("row", WRITINGS, ids=lambda row: f"{row['written']!r}-{row['region']}")
def test_everybody_reads_a_writing_as_the_table_says(row: dict[str, str]) -> None:
    """A lead, an event's contact and an entry of the do-not-contact list in one writing are one person."""
    written, region, wanted = row["written"], row["region"] or None, row["wanted"]
    assert lead(written, region) == wanted
    if wanted.startswith("+"):
        assert listed_numbers(written, region) == (wanted,)
        assert (parse_number(written, region), parse_listed(written, region)) == (wanted, (wanted,))
        assert len(written) > 60 or reading.phone(written, region) == wanted
    elif wanted != "phone_unknown_range":
        assert reading.phone(written, region) in (None, written)
        with pytest.raises(ConfigurationError):
            parse_number(written, region)


def test_numbers_are_read_in_one_place() -> None:
    """Nothing but the modules of numbers knows the library, and nobody else picks digits out of a text."""
    used = {
        path.name
        for path in (ROOT / "airflow_outreach_provider").rglob("*.py")
        if re.search(r"^\s*(?:import|from) phonenumbers", path.read_text("utf-8"), re.MULTILINE)
    }
    readers = {
        "phones.py", "phone_countries.py", "phone_lines.py", "phone_listed.py", "phone_other_values.py", "numbering.py",
    }  # fmt: skip
    # Zones of a number are looked up, the demo makes up numbers, and a known number is taken apart to find it in texts:
    # none of them reads a writing.
    assert used == readers | {"quiet_hours.py", "messy.py", "person_texts.py"}
