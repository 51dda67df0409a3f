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


@pytest.mark.slow
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


OF_TEXTS = [
    ("opted_out != true", "opted_out | lower != 'true'"), ("not (opted_out == true)", "opted_out | lower == 'true'"),
    ("opted_out is not true", "opted_out | lower == 'true'"), ("row['Opted out'] == false", "row['Opted out'] | lower == 'false'"),
    ("score > 9", "score | float > 9"), ("9 < score", "9 < score | float"), ("1 < score < 9", "score | float"), ("score not in [1, 2]", "in quotes"),
    ("score | default(0) >= 9", "score | float >= 9"), ("title == 'x' or score != 1", "score | float != 1"), ("score - 1 > 9", "score | float"),
    ("true in opted_out", "in quotes"), ("score >= params.least", "score | float >= params.least"), ("score not in params.scores", "in quotes"),
    ("city.name == 'x'", "row['city.name']"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "said"), OF_TEXTS, ids=[each[0] for each in OF_TEXTS])
def test_what_a_text_never_is_is_not_asked_of_one(where: str, said: str) -> None:
    """A CSV file's columns are never true and no numbers: a condition that would take all rows, or none, is a mistake."""
    run = {**RUN, "params": {"least": 60, "scores": [1, 2]}}
    RowReading(None, where, run)  # rows of other sources hold values of every kind
    with pytest.raises(ExpressionError) as caught:
        RowReading(None, where, run, texts=True)
    assert said in (caught.value.remedy or "")


@pytest.mark.parametrize(("where", "taken"), CONDITIONS, ids=[each[0] for each in CONDITIONS])
def test_a_condition_on_texts_takes_the_rows_it_took(where: str, taken: bool) -> None:
    """What is right for rows of every kind is right for texts, the same."""
    assert compile_where(where, ROW_CONDITION.over_texts(), RUN)(ROW) is taken


@pytest.mark.slow
@given(
    cell=st.sampled_from([None, "", " ", "\t", "yes", "none", "0"]),
    column=st.sampled_from(["consent", "row['consent']", "row.consent", "consent | default('')"]),
    asked=st.sampled_from(["is none", "== none", "is undefined", "in [none, 'x']"]),
)
def test_an_empty_cell_is_none(cell: str | None, column: str, asked: str) -> None:
    """A CSV knows no other way to say it: ``consent is not none`` takes nobody whose cell is empty. A row of another source
    holds an empty text where it holds one."""
    empty = cell is None or not cell.strip()
    row = {"consent": cell}
    negated = asked.replace("is ", "is not ", 1).replace("==", "!=")
    negated = f"not {asked}" if asked.startswith("in") else negated
    over_texts = ROW_CONDITION.over_texts()
    assert compile_where(f"{column} {asked}", over_texts, RUN)(row) is empty
    assert compile_where(f"{column} {negated}", over_texts, RUN)(row) is not empty
    assert compile_where(f"{column} {asked} or {column} == ''", over_texts, RUN)(row) is empty
    if "default" not in column:
        assert compile_where(f"{column} {asked}", ROW_CONDITION, RUN)(row) is (cell is None)


@given(
    st.sampled_from(["false", "No", " 0 ", "n", "OFF", "", " ", "f", "0.0"]),
    st.sampled_from(["true", "yes", "1", "x", "2026-01-31"]),
)
def test_texts_that_say_no_are_no(no: str, yes: str) -> None:
    """Asked for yes or no alone, a column of texts means what stands in it: alone, negated, joined, as a choice; not of other rows."""
    for said, is_yes in ((no, False), (yes, True)):
        row = {"active": said, "on": yes}
        for where in ("active", "active and on", "on and active", "row.active | trim", "not not active"):
            takes = compile_where(where, ROW_CONDITION.over_texts(), RUN)
            assert takes(row) is is_yes, where
        assert compile_where("not active or active", ROW_CONDITION.over_texts(), RUN)(row)
        reading = RowReading({"phoneNumber": "phone", "x": "{{ 'a' if row.active else 'b' }}"}, texts=True)
        assert reading.values({**row, "phone": "1"})["x"] == ("a" if is_yes else "b")
        assert compile_where("active", ROW_CONDITION, RUN)(row) is (said != "")


def test_a_param_that_a_run_does_not_have_is_a_mistake() -> None:
    """As none it would let everybody through; who writes that it may be missing has thought of that."""
    run = {**RUN, "params": {"blocked": ["NYC"]}}
    for where in ("city not in params.blockd", "city not in params['blockd']"):
        with pytest.raises(
            ExpressionError, match=r"this run has no param 'blockd'.*did you mean 'blocked'\?"
        ):
            RowReading(None, where, run)
    with pytest.raises(ExpressionError, match="this run has no param 'nope'"):
        RowReading({"phoneNumber": "phone", "x": ["{{ params.nope }}"]}, None, run)
    for where in (
        "city not in params.blocked",
        "city not in params.gone | default(['x'])",
        "params.gone is not defined",
    ):
        assert compile_where(where, ROW_CONDITION, run)(ROW) is True
