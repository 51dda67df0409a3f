"""What a lead sync makes of a row: columns, templates, values of every kind, and what the run gives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_where
from airflow_outreach_provider.core.expressions.scope import ROW_CONDITION
from airflow_outreach_provider.core.leads import read_lead
from airflow_outreach_provider.core.row_reading import RowReading
from airflow_outreach_provider.core.rules import LeadRules

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROW = {
    "phone": "+12125550123",
    "title": " Nurse ",
    "city": "Bonn",
    "score": "70",
    "at": "2026-01-31T09:00:00Z",
}
RUN = {"ds": "2026-01-31", "data_interval_start": NOW.replace(hour=8), "params": {"least": 60, "who": {"x": "y"}},
       "var": {"value": {"tier": "gold"}, "json": {}}}  # fmt: skip


def contact_of(mapping: dict[str, Any], row: dict[str, Any] = ROW, run: Any = RUN) -> dict[str, Any]:
    values = RowReading({"phoneNumber": "phone", **mapping}, None, run).values(row)
    return read_lead(values, configuration_id="c", region=None, payload_format="raw").contact


VALUES = [
    (42, 42), (1.5, 1.5), (True, True), (False, False), (None, None), ("'sms'", "sms"), ('"it\'s"', "it's"),
    ("{{ 'sms' }}", "sms"), ([1, "vip", "{{ row.city }}", None], [1, "vip", "Bonn", None]),
    ({"city": "city", "from": "'web'", "deep": {"title": "{{ row.title | trim }}", "no": None}},
     {"city": "Bonn", "from": "web", "deep": {"title": "Nurse", "no": None}}),
    ({"city": "city", "gone": "nowhere"}, {"city": "Bonn"}), ("{{ ds }}", "2026-01-31"),
    ("since {{ ds }}", "since 2026-01-31"), ("{{ params.least }}", 60), ("{{ params.who.x }}", "y"),
    ("{{ var.value.tier | upper }}", "GOLD"), ("{{ data_interval_start }}", "2026-01-31T08:00:00+00:00"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "sent"), VALUES, ids=[str(value[0]) for value in VALUES])
def test_each_kind_of_value_is_sent_as_it_is_meant(written: Any, sent: Any) -> None:
    """Numbers, booleans, null, lists and objects are themselves; what stands in them is computed."""
    assert contact_of({"field": written}) == {"field": sent}


@pytest.mark.parametrize("written", ["nowhere", "{{ row.nowhere }}", {"a": "nowhere"}, "'  '"])
def test_what_has_no_value_is_left_out(written: Any) -> None:
    """Only a null that the mapping itself says is sent."""
    assert contact_of({"field": written}) == {}


def test_sections_may_be_written_as_mappings() -> None:
    """``contacts: {phoneNumber: phone}`` says what ``contacts.phoneNumber: phone`` says."""
    nested = {
        "contacts": {"phoneNumber": "phone", "firstName": "title"},
        "applications": {"jobTitle": "title"},
    }
    dotted = {
        "contacts.phoneNumber": "phone",
        "contacts.firstName": "title",
        "applications.jobTitle": "title",
    }
    assert RowReading(nested).values(ROW) == RowReading(dotted).values(ROW)


@pytest.mark.parametrize("mapping", [{"phoneNumber": 5}, {"phoneNumber": "p", "x": object()}, {"x": "y"},
                                     {"phoneNumber": "p", "configurationId": None}])  # fmt: skip
def test_what_no_lead_can_hold_is_said_before_a_row_is_read(mapping: dict[str, Any]) -> None:
    """A mistake of the mapping is the DAG's, not the rows'."""
    with pytest.raises(ConfigurationError):
        RowReading(mapping)


CONDITIONS = [
    ("title | trim == 'Nurse'", True), ("row.title | trim == 'Nurse'", True), ("row['city'] in ['Bonn', 'Köln']", True),
    ("score | int >= params.least", True), ("score | int >= 71", False), ("at >= data_interval_start", True),
    ("at < data_interval_start", False), ("gone == 'x'", False), ("gone is not defined", True),
    ("var.value.tier == 'gold' and city != 'Köln'", True), ("ds == '2026-01-31'", True), ("not title", False),
]  # fmt: skip


@pytest.mark.parametrize(("where", "taken"), CONDITIONS, ids=[each[0] for each in CONDITIONS])
def test_a_condition_is_over_columns_and_the_run(where: str, taken: bool) -> None:
    """A name is a column; what the run gives is known by Airflow's names."""
    assert compile_where(where, ROW_CONDITION, RUN)(ROW) is taken


@given(st.dictionaries(st.text(max_size=6), st.none() | st.text(max_size=6) | st.integers() | st.booleans()))
def test_where_never_raises_and_splits_rows_in_two(row: dict[str, Any]) -> None:
    """Whatever a row holds, either the condition takes it or its opposite does."""
    for where in ("score | int > 5", "title == 'x' or a", "at >= data_interval_start", "a in ['b', 1]"):
        takes = compile_where(where, ROW_CONDITION, RUN)(row)
        assert takes is not compile_where(f"not ({where})", ROW_CONDITION, RUN)(row)


def test_a_run_without_what_is_named_says_so() -> None:
    """A run that an asset began has no data interval: nobody is turned away for a missing name."""
    with pytest.raises(ExpressionError, match="this run has no ds"):
        RowReading({"phoneNumber": "phone", "day": "{{ ds }}"}, None, {"params": {}})
    with pytest.raises(ExpressionError, match="this run has no data_interval_start"):
        RowReading(None, "at >= data_interval_start", {"params": {}})


def test_another_day_is_no_change_of_a_lead() -> None:
    """What is made of the run does not count as news; what is made of the row does."""

    def rules(day: str) -> LeadRules:
        mapping = {
            "phoneNumber": "phone",
            "title": "title",
            "day": "{{ ds }}",
            "both": "{{ row.city }} {{ ds }}",
        }
        return LeadRules(configuration_id="c", mapping=mapping, given={**RUN, "ds": day})

    first, second = rules("2026-01-31").draft(ROW, NOW), rules("2026-02-01").draft(ROW, NOW)
    assert first.payload != second.payload and first.content_hash == second.content_hash
    assert rules("2026-01-31").draft({**ROW, "title": "Doctor"}, NOW).content_hash != first.content_hash
    assert rules("2026-01-31").row_hash(ROW) != rules("2026-02-01").row_hash(ROW)
    assert rules("2026-01-31").row_hash(ROW) == rules("2026-01-31").row_hash(ROW)
