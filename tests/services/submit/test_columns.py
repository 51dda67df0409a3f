"""Whether a source has what a sync takes from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.columns import checked, part_checker

NAMES = ("phone", "optout", "opt_out", "name")
RULES = LeadRules(
    configuration_id="on", mapping={"phoneNumber": "phone", "firstName": "name"}, where="optout != 'yes'"
)


def table(columns: frozenset[str], count: int, bad: int) -> Iterator[Row]:
    """Rows that share their columns, after some that cannot be read."""
    yield from (Row(number, {}, "row_ragged") for number in range(bad))
    yield from (Row(number, dict.fromkeys(columns, "x")) for number in range(count))


def read(rows: Callable[[], Iterator[Row]]) -> list[Row] | None:
    """All of them; None where they are refused."""
    try:
        return list(rows())
    except ConfigurationError:
        return None


@given(columns=st.frozensets(st.sampled_from(NAMES)), count=st.integers(0, 3), bad=st.integers(0, 2))
@settings(max_examples=examples(60))
def test_a_part_is_refused_where_it_would_be_alone(columns: frozenset[str], count: int, bad: int) -> None:
    """But for a field of a lead, which may be missing; and of one that is taken each row comes, once and in order."""
    alone = read(lambda: checked(table(columns | {"name"}, count, bad), RULES))
    part = read(lambda: part_checker(RULES)(table(columns, count, bad), "b.csv", True))
    assert part == (None if alone is None else list(table(columns, count, bad)))
    assert alone is None or len(alone) == count + bad


def test_a_table_is_known_by_its_first_row() -> None:
    """Of its others no more is read ahead than of a source that has everything."""
    rows = table(frozenset({"phone", "optout", "name"}), 100, 0)
    next(part_checker(RULES)(rows, "b.csv", True))
    assert next(rows).number == 1


@pytest.mark.parametrize(
    "mapping", [None, {"phoneNumber": "phone"}, {"phoneNumber": "call +1 416 555 0123 mobile"}]
)
def test_names_of_columns_that_are_somebodys_data_are_masked(mapping: dict[str, str] | None) -> None:
    """Where a first row stands in the place of the names, the error holds no whole address and no whole number."""
    names = ("A@B.C, c@d.example", "call +14165550123 mobile", "phone of a@b.example")
    row = Row(1, dict.fromkeys(names, "x"))
    with pytest.raises(ConfigurationError, match="•••") as raised:
        list(checked(iter([row]), LeadRules(configuration_id="on", mapping=mapping)))
    told = str(raised.value).replace("call +1 416 555 0123 mobile", "")
    assert not re.search(r"A@B|c@d|a@b|14165550123", told)
