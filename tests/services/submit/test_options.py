"""What a task asks for, as people and templates write it, becomes options that can be kept, or an error that names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import JSON, examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.services.submit.options import SubmitArguments, SubmitOptions

People = Callable[..., list[dict[str, object]]]

CONNECTION: Any = SimpleNamespace(
    configuration_id="of-the-connection", default_region=None, max_concurrency=8, requests_per_second=None
)


def read(**said: Any) -> SubmitOptions:
    return SubmitArguments.of(said).options(CONNECTION, conn_id="", lease=timedelta(minutes=5))


NOTHING = ["None", "None\n", " None ", "null", "null\n"]


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("campaign", "configuration_id", "default_region") for value in NOTHING]
    + [("campaign", "spring-None"), ("campaign", "None_spring"), ("campaign", "spring None 2026")],
)
def test_a_template_that_has_lost_its_value_names_nothing(name: str, value: str) -> None:
    """It is no campaign, no configuration and no region: the same people would be texted again in another campaign."""
    with pytest.raises(ConfigurationError, match=f"{name} came out as .*or ''"):
        read(**{name: value})


@pytest.mark.parametrize(
    "value", ["Nonesuch", "nonetheless", "Noneofthem", "nullius", "SpringNone", "None1", "none", "NULL"]
)
def test_a_name_that_only_looks_like_nothing_is_a_name(value: str) -> None:
    """Part of a longer word says nothing of a template."""
    assert read(campaign=value).rules.campaign == value


@given(
    name=st.text("abcXY 9-_.", min_size=1, max_size=12).filter(str.strip),
    blanks=st.tuples(*[st.text(" \t\r\n\u00a0", max_size=3)] * 2),
)
@settings(max_examples=examples(50))
def test_blanks_around_a_name_make_no_other_name(name: str, blanks: tuple[str, str]) -> None:
    """Of two campaigns that nobody can tell apart each person would be texted twice."""
    rules = read(campaign=name.join(blanks), configuration_id=name.join(blanks)).rules
    assert (rules.campaign, rules.configuration_id) == (name.strip(), name.strip())


@pytest.mark.parametrize("value", ["", " ", "\n", None])
def test_an_empty_name_is_the_default(value: str | None) -> None:
    """As a template writes it that means the default: the connection's configuration, and its id as the campaign."""
    rules = read(campaign=value, configuration_id=value, default_region=value).rules
    assert (rules.campaign, rules.configuration_id, rules.default_region) == (None, "of-the-connection", None)


def test_a_campaign_that_a_template_made_a_number_is_its_text() -> None:
    """``{{ ds_nodash }}``, where Airflow renders native objects, is the campaign that it is elsewhere."""
    assert read(campaign=20260325).rules.campaign == "20260325"


@pytest.mark.parametrize(
    ("value", "rows"),
    [(0, 0), ("0", 0), (" 0\n", 0), (0.0, 0), (0.9, 0), ("00", 0), (7, 7), ("7", 7), (7.9, 7), (None, None), ("", None), ("None", None)],
)  # fmt: skip
def test_a_limit_of_no_rows_is_a_limit(value: object, rows: int | None) -> None:
    """A quota that has run out lets nobody through; only where nothing says how many all are read."""
    assert read(max_rows=value).max_rows == rows


@pytest.mark.parametrize(
    "value", [-1, "-1", -0.5, True, "7.5", "three", float("nan"), float("inf"), "٣", "1e3", [0], "false"]
)
def test_what_is_no_number_of_rows_is_refused(value: object) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigurationError, match="max_rows is"):
        read(max_rows=value)


@pytest.mark.parametrize("limit", [0, "0"])
def test_a_run_with_a_limit_of_no_rows_reads_none_and_says_so(
    sqlite_api: Any, people: People, limit: object
) -> None:
    """Nobody is texted, and the log says why."""
    got = sqlite_api.send(people(20), max_rows=read(max_rows=limit).max_rows)
    assert (got.error, got.states, sqlite_api.texts()) == (None, {}, {})
    assert "max_rows is 0" in got.tally.table()


@pytest.mark.parametrize(
    ("value", "looks"),
    [(True, True), (1, True), ("true", True), (" True\n", True), ("YES", True), ("1", True),
     (False, False), (0, False), ("false", False), ("No", False), ("0", False), ("off", False), (None, False)],
)  # fmt: skip
def test_a_flag_is_true_or_false(value: object, looks: bool) -> None:
    """Also as a template writes it; a None that is written is the default."""
    assert read(dry_run=value).dry_run is looks


@pytest.mark.parametrize("value", ["None", "none", "null", "", "  ", "\n", "of", "undefined", 2, [], {}, 0.0])
def test_a_flag_that_says_neither_is_refused(value: object) -> None:
    """A dry run whose template lost its value would text everybody."""
    with pytest.raises(ConfigurationError, match="dry_run"):
        read(dry_run=value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("configuration_id", 5), ("campaign", 5.0), ("campaign", True), ("default_region", 1), ("where", True),
        ("where", lambda row: True), ("where", {"a": 1}), ("order_by", 5), ("order_by", [1]), ("unique", 5), ("incremental", ["at"]),
        ("require_consent", True), ("require_consent", ["opt_in"]), ("time_zone", 5), ("mapping", {"phoneNumber": "phone", 1: "x"}),
        ("mapping", "phone"), ("line_types", []), ("line_types", ()), ("line_types", 5), ("line_types", [5]), ("line_types", {"mobile": True}),
        ("changed_on", []), ("changed_on", [5]), ("changed_on", b"at"), ("shard", "0"), ("shard", -1), ("shard", None), ("shards", "1"), ("shards", 0),
        ("patience", -1), ("patience", 0), ("patience", "30"), ("patience", float("nan")), ("patience", True), ("concurrency", "5"),
        ("payload_format", 5), ("on_unknown", ["hold"]), ("several_phones", 5), ("unknown_ranges", None), ("resubmit", 5), ("per_person", 5),
    ],
)  # fmt: skip
def test_an_argument_of_another_kind_is_named(name: str, value: object) -> None:
    """It is a mistake of the DAG, and not whatever a function deep below makes of it."""
    with pytest.raises(ConfigurationError, match=name):
        read(**{name: value})


@pytest.mark.slow
@given(name=st.sampled_from(sorted(SubmitArguments.__dataclass_fields__)), value=JSON | st.binary(max_size=3))
@settings(max_examples=examples(200))
def test_whatever_an_argument_is_the_fault_is_one_of_the_dag(name: str, value: Any) -> None:
    """Read, or refused with words; nothing else is raised."""
    try:
        read(**{name: value})
    except ConfigurationError as error:
        assert " — " in str(error)


@pytest.mark.parametrize(
    ("name", "value"),
    [("where", ")"), ("where", "title ="), ("mapping", {"phoneNumber": "{{ row.phone | lowr }}"}),
     ("mapping", {"phoneNumber": "phone", "notes": ["{{ row."]})],
)  # fmt: skip
def test_an_expression_that_cannot_be_read_is_named_by_its_argument(name: str, value: object) -> None:
    """Who wrote several has to know which."""
    with pytest.raises(ConfigurationError, match=f"^{name}.*character.* — "):
        read(**{name: value})


def test_an_order_by_nothing_is_none() -> None:
    """A computed list of columns may be empty; rows come as they do."""
    assert read(order_by=[], unique=()).order_by == ()
    assert read(line_types="mobile", changed_on={"at": 1}.keys()).rules.changed_on == {"at"}
