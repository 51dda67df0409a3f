"""What counts as a change of a lead."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.changes import (
    columns_hash,
    is_outdated,
    is_same,
    payload_hash,
    values_hash,
    version_of,
)
from airflow_outreach_provider.core.rules import LeadRules

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
PHONE = "+14165550123"


def hash_of(row: dict[str, Any], **rules: Any) -> str:
    return (
        LeadRules(configuration_id="c", default_region="CA", **rules)
        .draft({"phone": PHONE, **row}, NOW)
        .content_hash
    )


SAME = [
    (1, "1"), (1, 1.0), (1, "1.0"), (1, " 1 "), ("1.50", "1.5"), (1234.5, "1,234.50"), (Decimal("10.00"), 10), (0, "-0.0"),
    ("1000000", "1,000,000"), (1e3, "1000"), (True, "true"), (False, "FALSE"), (date(2026, 1, 31), "2026-01-31"),
    (datetime(2026, 1, 31), "2026-01-31 00:00:00"), ("2026-01-31T09:00:00Z", "2026-01-31 10:00+01:00"),
    ("(416) 555-0199", "416.555.0199"), ("416-555-0199", 4165550199), ("Nurse", "  Nurse "), ("", None),
    ({"b": 1, "a": 2}, {"a": "2", "b": "1.0"}), (1000, "1,000.0"), ("2026-01-31 09:00:00+00", "2026-01-31T09:00Z"),
    ("2026-01-31 09:00:00 UTC", "2026-01-31T10:00:00.000000000+01:00"), ("2026-01-31 09:00 +0000", "2026-01-31 09:00Z"),
]  # fmt: skip
OTHER = [
    (1, 2), (1, "1.5"), ("1", "-1"), ("007", "7"), ("Nurse", "nurse"), ("Nurse", "Doctor"), ("1.2.3", "1.23"), (True, 1),
    ("2026-01-31", "2026-02-01"), ("416-555-0199", "416-555-0198"), ("12 34", "1234"), (["a", "b"], ["b", "a"]), ("x", None),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), SAME, ids=repr)
def test_another_writing_of_a_value_is_no_change(one: object, two: object) -> None:
    """Numbers, times, phones, blanks and empty fields may be written as any export writes them."""
    assert hash_of({"field": one}) == hash_of({"field": two})


@pytest.mark.parametrize(("one", "two"), OTHER, ids=repr)
def test_another_value_is_a_change(one: object, two: object) -> None:
    """What says something else is seen."""
    assert hash_of({"field": one}) != hash_of({"field": two})


@pytest.mark.parametrize(
    "writing", ["(416) 555-0123", "416.555.0123", "1 416 555 0123", "+1-416-555-0123", 14165550123.0]
)
def test_the_writing_of_the_phone_is_no_change(writing: object) -> None:
    """One line is one person, however a list writes it."""
    assert hash_of({"phone": writing, "name": "Ann"}) == hash_of({"name": "Ann"})


@pytest.mark.parametrize("name", ["assistantPhone", "Company phone", "fax", "tel2", "Spouse mobile"])
def test_the_writing_of_another_number_is_no_change(name: str) -> None:
    """A second number of the person is one line in every writing, with its country or without."""
    writings: list[object] = ["+14165550199", "(416) 555-0199", 4165550199, "1-416-555-0199", "416 555 0199"]
    assert len({hash_of({name: writing}) for writing in writings}) == 1
    assert hash_of({name: "416-555-0198"}) != hash_of({name: writings[0]})
    assert hash_of({name: "ask Ann"}) != hash_of({name: "ask Bob"})


def test_columns_that_count_are_all_that_counts() -> None:
    """``changed_on``: other columns may change as they like; those named count by value."""
    rules: dict[str, Any] = {"changed_on": frozenset({"status", "score"})}
    one = hash_of({"status": "new", "score": "1,000", "note": "a"}, **rules)
    assert one == hash_of({"note": "b", "score": 1000.0, "status": " new "}, **rules)
    assert one != hash_of({"status": "old", "score": 1000}, **rules)
    assert one == hash_of({"status": "new", "score": 1000, "configurationId": "c"}, **rules)
    by_phone: dict[str, Any] = {"changed_on": frozenset({"phone"})}
    assert hash_of({"phone": "(416) 555-0123"}, **by_phone) == hash_of({"phone": PHONE}, **by_phone)


@pytest.mark.slow
@given(st.frozensets(st.sampled_from("abcd"), min_size=1), st.frozensets(st.sampled_from("abcd"), min_size=1))
def test_hashes_of_other_columns_are_never_compared(one: frozenset[str], two: frozenset[str]) -> None:
    """A sync whose ``changed_on`` is changed texts nobody again for a guess."""
    row = dict.fromkeys("abcd", "x")
    first, second = columns_hash(row, one), columns_hash(row, two)
    assert is_outdated(first, version_of(two)) is (one != two)
    assert is_outdated(first) and is_outdated(values_hash("c", row), version_of(one))
    assert is_same(first, second, "", texted=True)


def test_the_format_of_the_payload_is_no_change() -> None:
    """A sync that moves from the raw to the fixed format texts nobody again."""
    raw = hash_of({"first_name": "Ann", "jobTitle": "Nurse"})
    nested = {"phoneNumber": "phone", "firstName": "first_name", "applications.jobTitle": "jobTitle"}
    assert raw == hash_of({"first_name": "Ann", "jobTitle": "Nurse"}, payload_format="fixed", mapping=nested)


def test_another_configuration_is_a_change() -> None:
    """The same person for another configuration is another submission."""
    assert hash_of({"configurationId": "a"}) != hash_of({"configurationId": "b"})


def test_what_was_remembered_by_its_text_is_not_a_change_after_the_upgrade() -> None:
    """An upgrade never re-texts: the old comparison still holds, and where it cannot tell, who was texted is the same."""
    old, new = payload_hash('{"a":1}'), values_hash("c", {"a": 1})
    assert is_outdated(old) and not is_outdated(new) and not is_outdated(None)
    assert is_same(old, new, '{"a":1}', texted=False)
    assert not is_same(old, new, '{"a":2}', texted=False)
    assert is_same(old, new, '{"a":2}', texted=True)
    assert not is_same(values_hash("c", {"a": 2}), new, '{"a":1}', texted=True)


ROWS = st.dictionaries(
    st.sampled_from(["first_name", "last_name", "city", "score", "when", "note"]),
    st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.dates(),
              st.text(st.characters(exclude_categories=["Cs"]), max_size=12)),
    max_size=6,
)  # fmt: skip


@given(row=ROWS, data=st.data())
def test_the_order_of_the_columns_is_never_a_change(row: dict[str, Any], data: st.DataObject) -> None:
    """Whatever the values, columns may come in any order."""
    shuffled = dict(data.draw(st.permutations(list(row.items()))))
    assert hash_of(row) == hash_of(shuffled)


@given(row=ROWS)
def test_what_a_csv_file_makes_of_a_row_is_no_change(row: dict[str, Any]) -> None:
    """A source that moves from SQL to CSV, where all is text, texts nobody again."""
    assert hash_of(row) == hash_of({name: str(value) for name, value in row.items()})


@given(row=ROWS, name=st.sampled_from(["city", "score"]), value=st.text("abcxyz", min_size=1, max_size=8))
def test_another_text_is_always_a_change(row: dict[str, Any], name: str, value: str) -> None:
    """No two words are taken for one another."""
    assert hash_of({**row, name: value + "q"}) != hash_of({**row, name: value})
