"""Whatever type a database's column has, its row is no worse for it."""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.dialects.postgresql import Range

from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.operators.lead_source import open_source
from airflow_outreach_provider.services.rows.columnar import frame_rows
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
        (b"\x01", True),
        (memoryview(b"\x00"), False),
        (["a", ipaddress.ip_address("192.0.2.1")], ["a", "192.0.2.1"]),
        ([Decimal("1.50"), None, float("nan")], [Decimal("1.50"), None, None]),
        (Range(1, 5), "[1,5)"),
        (UUID(int=7), UUID(int=7)),
        (Decimal("1.50"), Decimal("1.50")),
        (date(2026, 1, 2), date(2026, 1, 2)),
        (float("inf"), None),
        (float("nan"), None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (Decimal("-Infinity"), None),
        (Decimal("1E+400"), Decimal("1E+400")),
        ([Decimal("Infinity")], [None]),
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


def test_a_bit_that_says_no_is_heard() -> None:
    """MySQL's BIT(1) comes as a byte: whoever opted out is nobody to text, and nobody else is kept back by it."""
    columns = ["phone", "opted_out"]
    for bit, state in ((b"\x01", "suppressed"), (b"\x00", "planned")):
        row = dict(zip(columns, plain_values(["+14165550123", bit]), strict=True))
        assert LeadRules(configuration_id="conf").draft(row, NOW).state == state


class NaTType(datetime):
    """As pandas writes a time that is missing."""

    __module__ = "pandas._libs.tslibs.nattype"

    def __str__(self) -> str:
        return "NaT"

    isoformat = __str__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = datetime.__hash__


class NAType:
    """As pandas writes any other value that is missing."""

    __module__ = "pandas._libs.missing"

    def __str__(self) -> str:
        return "<NA>"

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = object.__hash__


def people(kind: str) -> Any:
    """A person of whom two things are missing, as pandas writes it, or what stands for pandas where it is not installed."""
    if kind.startswith("pandas"):
        pandas = pytest.importorskip("pandas", reason="needs pandas: pip install pandas")
        nobody = pandas.array([None], dtype="string")
        frame = pandas.DataFrame({"phone": ["+14165550123"], "firstName": nobody, "lastSeen": [pandas.NaT]})
        return frame if kind == "pandas frame" else frame.to_dict("records")
    person = {"phone": "+14165550123", "firstName": NAType(), "lastSeen": NaTType(1970, 1, 1)}
    return [person] if kind == "list" else frame_rows(person, [person.values()])


@pytest.mark.parametrize("kind", ["list", "frame", "pandas list", "pandas frame"])
def test_what_pandas_calls_missing_is_none(kind: str) -> None:
    """Nobody is greeted as <NA>."""
    (row,) = open_source(people(kind)).rows() or ()
    assert row.values == {"phone": "+14165550123", "firstName": None, "lastSeen": None}
    draft = LeadRules(configuration_id="conf").draft(row.values, NOW)
    assert json.loads(draft.payload) == {"configurationId": "conf", "phoneNumber": "+14165550123"}


def test_what_is_missing_inside_a_value_is_none_too() -> None:
    """In lists and objects, of a data frame and of a list of leads."""
    inside = {"at": [NaTType(1970, 1, 1), 1], "of": {"city": NAType()}}
    wanted = {"at": [None, 1], "of": {"city": None}}
    assert plain_values([inside]) == [wanted]
    (row,) = read_list([{"phone": "+14165550123", "extra": inside}])
    draft = LeadRules(configuration_id="conf").draft(row.values, NOW)
    assert json.loads(draft.payload)["extra"] == wanted
