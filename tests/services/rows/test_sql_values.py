"""Whatever type a database's column has, its row is no worse for it."""

from __future__ import annotations

import ipaddress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.dialects.postgresql import Range

from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.rows.sql_values import plain_values

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (ipaddress.ip_address("192.0.2.1"), "192.0.2.1"),
        (ipaddress.ip_network("192.0.2.0/24"), "192.0.2.0/24"),
        (timedelta(days=1, hours=2), "P1DT2H"),
        (b"\x89PNG\x00", None),
        (memoryview(b"\xff\xfe"), None),
        (memoryview(b"text"), "text"),
        (["a", ipaddress.ip_address("192.0.2.1")], ["a", "192.0.2.1"]),
        ([Decimal("1.50"), None, float("nan")], [Decimal("1.50"), None, None]),
        (Range(1, 5), "[1,5)"),
        (UUID(int=7), UUID(int=7)),
        (Decimal("1.50"), Decimal("1.50")),
        (date(2026, 1, 2), date(2026, 1, 2)),
        (float("inf"), None),
        ({"a": {1}}, {"a": [1]}),
        ((1, "x"), [1, "x"]),
    ],
    ids=lambda value: repr(value.tobytes() if isinstance(value, memoryview) else value),
)
def test_a_columns_type_becomes_text_or_is_left_out(value: Any, wanted: Any) -> None:
    """Networks, spans, bytes, arrays, ranges: as text or nothing, and the row is a lead."""
    got = plain_values(["+14165550123", value])
    assert got[1] == wanted
    (row,) = read_list([dict(zip(["phone", "extra"], got, strict=True))])
    assert row.error is None
    assert LeadRules(configuration_id="conf").draft(row.values, NOW).phone == "+14165550123"
