"""Nobody is texted at a number that the mapping says itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import compile_value
from airflow_outreach_provider.core.leads import build_mapper
from airflow_outreach_provider.core.same_number import same_for_all

SAME = [
    "+14165550199",
    "416-555-0199",
    "tel:+1 (416) 555-0199",
    "'+14165550199'",
    "'phone'",
    "{{ '+14165550199' }}",
    "{{ 14165550199 }}",
    "{{ row.phone or '+14165550199' }}",
    "{{ row.phone | default('+1 416 555 0199') }}",
    '{{ row.phone | default("4165550199", true) }}',
    "{{ row.phone if row.test != 'yes' else '+14165550199' }}",
    "{{ (row.mobile or ('+14165550199')) | trim }}",
]
OWN = [
    "phone",
    "Phone 2",
    "phone_2024",
    "{{ row.phone }}",
    "+1{{ row.phone }}",
    "{{ '+1' ~ row.phone }}",
    "{{ '+1416555' ~ row.extension }}",
    "{{ ('+1416555' + row.extension) if row.extension else row.phone }}",
    "{{ row.mobile or row.phone }}",
    "{{ row.phone | replace('0000000000', '') }}",
    "{{ row.phone if row.phone != '9999999999' else row.mobile }}",
    "{{ row.phone if not ('0000000000' in row.phone) else none }}",
    "{{ row['4165550199'] }}",
    "{{ row.phone | default('none') }}",
    "{{ params.phone }}",
]


@pytest.mark.parametrize("source", SAME)
def test_a_number_of_the_mapping_is_nobodys_own(source: str) -> None:
    """Refused in Python too, and the number is not repeated in what is said."""
    for target in ("phoneNumber", "contacts.phoneNumber"):
        with pytest.raises(ConfigurationError, match="number for every row") as raised:
            build_mapper({target: source}, compile_value)
        assert "555" not in str(raised.value)
    with pytest.raises(ConfigurationError):
        build_mapper({"contacts": {"phoneNumber": source}}, compile_value)


@pytest.mark.parametrize("source", OWN)
def test_a_number_of_the_row_is_its_own(source: str) -> None:
    """What is compared, replaced or put before it is no number to text."""
    build_mapper({"phoneNumber": source}, compile_value)


@pytest.mark.parametrize("source", ["contact.phone", "{{ contact.phone }}", "data.phone or contact.phone"])
def test_an_event_has_its_own(source: str) -> None:
    """A field of the event, with or without braces."""
    assert same_for_all(source, "event") is None


@pytest.mark.parametrize(
    "source", ["'+14165550199'", "{{ '+14165550199' }}", "contact.phone or '+14165550199'", "+14165550199"]
)
def test_an_event_is_not_answered_at_a_number_of_the_route(source: str) -> None:
    """Whoever's event it is."""
    assert same_for_all(source, "event") is not None


@given(st.text(alphabet="{}'\"\\ +()0123456789orelsdefaultrow.phone|", max_size=60))
def test_any_text_is_judged(text: str) -> None:
    """Whatever stands there."""
    same_for_all(text)
