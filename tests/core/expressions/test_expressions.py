"""Expressions: what they compute, what they refuse and where, and that nothing makes them raise or hang."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_value, compile_where
from airflow_outreach_provider.core.expressions.scope import EVENT, ROW_CONDITION

EVENT_SEEN: dict[str, Any] = {
    "id": "evt-1",
    "kind": "replied",
    "type": "reply",
    "source": "supersend",
    "platform": "supersend",
    "campaign_id": "c-9",
    "occurred_at": datetime(2026, 3, 25, 18, 30, tzinfo=UTC),
    "received_at": datetime(2026, 3, 25, 18, 31, tzinfo=UTC),
    "contact": {"email": "ada@example.com", "phone": None, "first_name": "Ada"},
    "data": {"score": "7", "tags": ["vip", "eu"], "amount": 1250, "nested": {"deep": True}, "items": 3},
}


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ("kind == 'replied'", True),
        ("kind != 'replied'", False),
        ("kind in ['opened', 'replied']", True),
        ("kind not in ('opened', 'clicked')", True),
        ("contact.email", True),
        ("contact.phone", False),
        ("contact.phone is defined", False),
        ("contact.phone is not defined and contact.email is defined", True),
        ("data.score | int > 5", True),
        ("data.score > 5", False),
        ("data.missing.deeper == none", True),
        ("data.missing > 5 or data.missing <= 5", False),
        ("data['nested'].deep is true", True),
        ("data.tags[0] == 'vip' and 'eu' in data.tags", True),
        ("data.items == 3", True),
        ("data.amount / 100 >= 12.5", True),
        ("1000 < data.amount < 2000", True),
        ("occurred_at >= '2026-03-01'", True),
        ("occurred_at < '2026-03-25T18:30:00+00:00'", False),
        ("'@EXAMPLE.com' | lower in contact.email", True),
        ("(contact.first_name ~ '!') == 'Ada!'", True),
        ("not (kind == 'replied' and platform == 'varda')", True),
        ("data.amount / 0 == none", True),
    ],
)
def test_conditions_match_what_they_say(where: str, matches: bool) -> None:
    """A condition selects the events it describes; what is missing compares as false."""
    assert compile_where(where)(EVENT_SEEN) is matches


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ row.title | trim }}", "Engineer"),
        ("{{ row['First name'] }}", "Ada"),
        ("{{ row.first }} {{ row.last }}", " Lovelace"),
        ("{{ row.amount }}", 12),
        ("n={{ row.amount }}", "n=12"),
        ("{{ row.empty }}", None),
        ("{{ row.nothing | default('unknown') }}", "unknown"),
        ("{{ row.empty | lower }}", None),
        ("{{ 'website' }}", "website"),
        ("website", "website"),
        ("{{ row.name | split | first }}", "Ada"),
        ("{{ row.name | split(' ') | last | upper }}", "LOVELACE"),
        ("{{ row.name | replace('Ada', 'A.') | truncate(4) }}", "A. …"),
        ("{{ 'yes' if row.amount > 10 else 'no' }}", "yes"),
        ("{{ row.amount * 2 + 1 }}", 25),
        ("{{ -row.amount | abs }}", 12),
        ("{{ row.price | float | round(1) }}", 9.9),
        ("{{ row.braces | default('}}') }}", "}}"),
    ],
)
def test_templates_compute_the_value_of_a_row(template: str, value: object) -> None:
    """One expression keeps its type, text around it makes text, and a missing cell is none or empty."""
    row = {
        "title": "  Engineer ",
        "First name": "Ada",
        "last": "Lovelace",
        "amount": 12,
        "empty": None,
        "name": "Ada Lovelace",
        "price": "9.94",
    }
    result = compile_value(template)(row)
    assert result == value
    assert type(result) is type(value)


def test_a_template_knows_its_columns() -> None:
    """Lint asks a template which columns it reads."""
    value = compile_value("{{ row.title | default(row['Job title']) }} {{ row.city }}")
    assert value.columns == {"title", "Job title", "city"}
    assert compile_value("{{ contact.phone }}", EVENT)(EVENT_SEEN) is None


@pytest.mark.parametrize(
    ("where", "offset", "message"),
    [
        ("knd == 'x'", 0, "unknown name 'knd'.*did you mean 'kind'"),
        ("contact.emial == 'x'", 8, "contact has no field 'emial'.*did you mean 'email'"),
        ("email == 'x'", 0, "did you mean contact.email"),
        ("kind = 'x'", 5, "= does not compare.*write =="),
        ("kind == 'x' && type == 'y'", 12, "write and"),
        ("kind == 'opened' or 'clicked'", 20, "always true.*repeat the comparison"),
        ("kind == 5", 8, "kind is text, 5 is a number: they never compare.*quotes"),
        ("kind", 0, "every event would match"),
        ("kind == 'x", 8, "never closed"),
        ("kind ==", 7, "ends too early"),
        ("kind == 'opened' 'x' )", 21, "left over|cannot be read"),
        ("kind.lower() == 'x'", 4, "cannot be called.*\\| lower"),
        ("kind | lowr == 'x'", 7, "unknown filter 'lowr'.*'lower'"),
        ("contact.email is defned", 14, "unknown test 'defned'.*'defined'"),
        ("occurred_at > 'yesterday'", 14, "not a time.*ISO 8601"),
        ("occurred_at > 5", 14, "never compare"),
        ("contact == 'x'", 0, "contact is not a value"),
        ("{{ kind == 'x' }}", 0, "leave out"),
        ("occurred_at > '{{ ds }}'", 15, "compared as it stands.*write ds without quotes and braces"),
        ("data.x == 'a {{ var.value.x }}'", 13, "write var.value.x without"),
        ("data.x == '{% if a %}'", 11, "compared as it stands"),
        ("  ", 0, "empty"),
        ("data.x ** 9 == 1", 0, "powers"),
        ("{'a': 1}", 0, "dictionaries"),
        ("data[data.x] == 1", 4, "must be a text or a whole number"),
        ("null == kind", 0, "none"),
        ("kind | replace('a') == 'b'", 7, "takes old, new"),
        ("data.x | truncate(size=4) == 'b'", 9, "no argument 'size'"),
        ("kind - 1 == 2", 0, "kind is text, - needs numbers"),
        ("1 or kind", 0, "always true.*leave it out"),
        ("[1] | lower == 'x'", 6, "cannot take that.*it takes"),
        ("data.x is defined(1)", 7, "takes no arguments.*write is defined"),
        ("data.x == 1e19", 10, "too big.*at most"),
        ("data.x == none - none", 10, "- needs numbers.*write a number"),
        ("event.kind == 'replied'", 0, "leave out event"),
        ("type IN ('reply', 'open')", 5, "write in, in small letters"),
        ("data.x IS NOT NULL", 7, "write data.x is not none"),
        ("data.x LIKE 'Nur%'", 7, "write 'part' in name"),
        ("data.x BETWEEN 1 AND 5", 7, "low <= name <= high"),
        ("data.x in ('IN', 'like') and", 28, "ends too early"),
        ("type in ('reply')", 9, r"a part of 'reply'.*write a list, in \['reply'\].*'reply' in type"),
        ("data.x not in 'a b'", 14, "which an empty text is of any"),
        ("data.x ~ 'Nur.*'", 0, "every event would match"),
        ("kind == 'replied' and data.x ~ '^1'", 22, "always true.*compare it"),
        ("kind == 'replied' and 'clicked'", 22, "always true"),
        ("not data.x ~ 'a'", 4, "always true"),
        ("kind == " + "' ' ~ " * 400 + "'x'", 0, "2000 at most.*shorter"),
        ("'type' != 'x'", 10, "written out.*same for all.*without quotes: type != 'x'"),
        (
            'type == \'x\' and "source" not in ["a"]',
            32,
            r"written out.*without quotes: source not in \['a'\]",
        ),
        ("type == 'x' or not 'source' == 'a'", 31, "written out"),
        ("1 == 1 and type == 'x'", 5, "written out.*leave it out"),
        ("type != 'x' or type != 'y'", 23, r"always true.*write and.*not in \['x', 'y'\]"),
        ("type != 'x' or data.a or 'y' != type", 32, "always true"),
        ("not type == 'x' or type not in ['y', 'z']", 40, r"always true.*not in \['x', 'y', 'z'\]"),
        ("type == 'x' and type == 'y'", 24, r"never both true.*write or.*in \['x', 'y'\]"),
        ("type == 'x' and type in ['y', 'z']", 33, "never both true"),
        ("data.score > '9'", 13, r"letter by letter.*write data.score \| float > 9"),
        ("'7.5' <= data.score", 13, r"letter by letter.*write 7.5 <= data.score \| float"),
    ],
)
def test_mistakes_are_found_with_their_position(where: str, offset: int, message: str) -> None:
    """Every mistake is a ConfigurationError that says what, where and what to write instead."""
    with pytest.raises(ConfigurationError, match=f"(?s){message}") as caught:
        compile_where(where)
    assert isinstance(caught.value, ExpressionError)
    assert caught.value.offset == offset


def test_what_may_be_meant_is_no_slip() -> None:
    """Two of the same, an empty cell, what the run gives, and texts of one length in their order are conditions."""
    given = {"params": {"region": "QC"}}
    row = {"state": "QC", "zip": "90210", "seen": "2026-03-01", "note": ""}
    for where in (
        "state != 'ON' or state != 'ON'",
        "state in ['QC', 'ON'] and state not in ['ON']",
        "note == none and note == ''",
        "not (note != none or note != '')",
        "params.region == 'QC' and 'QC' in [params.region] and -1 < 2 - params.region | length",
        "zip >= '90000' and zip < '96200' and seen >= '2026' and seen > '2026-02-28'",
    ):
        assert compile_where(where, ROW_CONDITION.over_texts(), given)(row), where


def test_a_part_of_a_text_that_a_record_or_the_run_holds_may_be_asked_for() -> None:
    """Only of a text that stands there is it surely meant otherwise; a template may end in a text."""
    assert compile_where("'urs' in title", ROW_CONDITION)({"title": "Nurse"})
    assert compile_where("title in params.some", ROW_CONDITION, {"params": {"some": "Nurse"}})(
        {"title": "Nurse"}
    )
    assert compile_value("{{ row.vip and 'dear' }}")({"vip": True}) == "dear"


def test_a_column_is_not_called_null() -> None:
    """Nobody has it: ``email != null`` would be true of everybody."""
    with pytest.raises(ExpressionError, match="did you mean none"):
        compile_where("email != null", ROW_CONDITION)
    assert compile_where("row['null'] == 'x'", ROW_CONDITION)({"null": "x"})


def test_a_condition_on_rows_has_no_templates_in_its_texts() -> None:
    """Nobody renders them: ``created < '{{ ds }}'`` is true of every date, and everybody would be texted."""
    with pytest.raises(ExpressionError, match="write ds without quotes and braces"):
        compile_where("created < '{{ ds }}'", ROW_CONDITION)
    assert compile_where("created < ds", ROW_CONDITION, {"ds": "2026-01-31"})({"created": "2026-01-30"})
    assert not compile_where("'{{' not in name", ROW_CONDITION)({"name": "{{ first_name }}"})


@pytest.mark.parametrize(
    ("template", "offset", "message"),
    [
        ("{{ title }}", 3, "a column is written row.title"),
        ("{{ row.First Name }}", 3, r"ends at its first blank.*row\['First name'\]"),
        ("Dear {{ rwo.name }}", 8, "did you mean 'row'"),
        ("{{ row }}", 3, "name a column"),
        ("a {{ row.x", 2, "never closed"),
        ("a }} b", 2, "closes nothing"),
        ("{% for x in y %}", 0, "statements"),
        ("{{ row.a }}{# hm #}", 11, "comments"),
        ("{{ row.__class__() }}", 6, "cannot be called"),
    ],
)
def test_template_mistakes_are_found_with_their_position(template: str, offset: int, message: str) -> None:
    """The offset counts from the start of the whole template."""
    with pytest.raises(ExpressionError, match=message) as caught:
        compile_value(template)
    assert caught.value.offset == offset


def test_nothing_of_python_can_be_reached() -> None:
    """Attributes are look-ups in the data, never Python's: the classic escapes find nothing."""
    for escape in (
        "data.__class__.__mro__",
        "data['__class__']['__init__']['__globals__']",
        "contact.email.__class__",
        "data.items.__self__",
    ):
        try:
            assert compile_where(escape)(EVENT_SEEN) is False
        except ExpressionError:
            continue
    for name in ("self", "config", "cycler", "lipsum", "range", "dict", "var", "conn"):
        with pytest.raises(ExpressionError, match="unknown name"):
            compile_where(f"{name} == 1")


@pytest.mark.parametrize(
    "source",
    [
        "(" * 900 + "kind" + ")" * 900,
        "not " * 450 + "data.x",
        "data" + ".a" * 900,
        "-" * 1500 + "1",
        "[" * 1900,
        "data.x" + "|lower" * 300,
        "a" * 100_000,
        "'" * 1999,
        "{{" * 900,
    ],
)
def test_hostile_source_is_refused_at_once(source: str) -> None:
    """Deep, long and broken sources are an error in a moment, not a crash of the parser."""
    started = time.process_time()
    with pytest.raises(ExpressionError):
        compile_where(source)
    with pytest.raises(ExpressionError):
        compile_value("{{" + source + "}}", EVENT)
    assert time.process_time() - started < 5


def test_results_do_not_explode() -> None:
    """Repeated replacing cannot build a huge text: what would grow too long is none."""
    bomb = "{{ row.x" + " | replace('a', 'aaaaaaaaaa')" * 40 + " }}"
    assert compile_value(bomb)({"x": "a" * 10}) is None
    assert compile_value("{{ row.x * row.x * row.x * row.x }}")({"x": 10**30}) is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_TEMPLATES = [
    "{{ row.x + row.a }}",
    "{{ row.x - row.a }}",
    "{{ row.x // row.a }}",
    "{{ row.x % row.a }}",
    "{{ row.x * row.a }}",
    "{{ row.x / row.a }}",
    "{{ row.x < row.a }}",
    "{{ row.x in row.a }}",
    "{{ row.x == row.a }}",
    "{{ row.x ~ row.a }}",
    "{{ -row.x }}",
    "{{ row.x.b[0] }}",
    "{{ row.x | int(row.a) }}",
    "{{ row.x | float | round(row.a) }}",
    "{{ row.x | replace(row.a, row.x) | truncate(row.a, row.x) }}",
    "{{ row.x | split(row.a) | join(row.x) }}",
    "{{ row.x | trim(row.a) | title | capitalize | upper }}",
    "{{ row.x | length + row.x | abs }}",
    "{{ row.x | first }}{{ row.x | last }}{{ row.x | default(row.a, row.a) }}",
]


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(st.fixed_dictionaries({"x": _json, "a": _json}), st.sampled_from(_TEMPLATES))
def test_evaluating_never_raises(row: dict[str, Any], template: str) -> None:
    """Whatever stands in a row or an event, an expression gives a value; what cannot be computed is none."""
    compile_value(template)(row)


_PIECES = st.sampled_from(
    ["kind", "data", "contact", ".", "a", "'x'", "'", '"', "(", ")", "[", "]", "{{", "}}", "|", "lower", "replace", ",", "=",
     "==", "in", "not", "is", "and", "or", "if", "else", "~", "-", "**", "1", "1e9", ":", "{", "%", "#", "\n", "é", "\x00", "9" * 30]
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(st.lists(_PIECES, max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_source_compiles_or_is_an_expression_error(source: str) -> None:
    """Whatever a person types: a function, or an error whose position is within the source, and what to do about it."""
    for compile_it in (compile_where, lambda text: compile_value(text, EVENT)):
        offset = 0
        try:
            compile_it(source)(EVENT_SEEN)
        except ExpressionError as error:
            offset = error.offset
            assert str(error).endswith(f" — {error.remedy}")
            assert error.remedy
        assert 0 <= offset <= len(source)
