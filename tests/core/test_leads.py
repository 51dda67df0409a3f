"""A row of any source becomes exactly the JSON the outreach API documents, or a reason why it cannot."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.leads import (
    CONFIGURATION_SPELLINGS,
    PayloadFormat,
    build_lead,
    build_mapper,
    check_format,
    check_target,
    read_lead,
)
from airflow_outreach_provider.core.rules import LeadRules

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
PHONE = "+14165550123"


def payload(values: dict[str, Any], payload_format: PayloadFormat = "raw", **rules: Any) -> dict[str, Any]:
    """The body that would be sent for a row."""
    options: dict[str, Any] = {"configuration_id": "conf", "default_region": "US", **rules}
    draft = LeadRules(payload_format=payload_format, **options).draft(values, NOW)
    return json.loads(draft.payload)


def refusal(values: dict[str, Any], payload_format: PayloadFormat = "raw", **rules: Any) -> str:
    with pytest.raises(LeadRejected) as caught:
        payload(values, payload_format, **rules)
    return caught.value.reason


ROW = {
    "Phone": "(416) 555-0123",
    "First Name": " Ann ",
    "last_name": "Lee",
    "E-Mail": "a@b.c",
    "company": "Acme",
}


def test_the_raw_format_is_flat() -> None:
    """Raw: the four contact fields and every custom property at the root."""
    assert payload(ROW) == {
        "configurationId": "conf", "phoneNumber": PHONE, "firstName": "Ann", "lastName": "Lee", "email": "a@b.c",
        "company": "Acme",
    }  # fmt: skip


def test_the_fixed_format_nests() -> None:
    """Fixed: contacts, and applications and conversations only where something is in them."""
    assert payload(ROW, "fixed") == {
        "configurationId": "conf",
        "contacts": {"phoneNumber": PHONE, "firstName": "Ann", "lastName": "Lee", "email": "a@b.c", "company": "Acme"},
    }  # fmt: skip
    row = {
        **ROW,
        "applications.jobTitle": "Nurse",
        "conversations": {"channelType": "sms"},
        "applications": {},
    }
    got = payload(row, "fixed")
    assert got["applications"] == {"jobTitle": "Nurse"}
    assert got["conversations"] == {"channelType": "sms"}


@pytest.mark.parametrize("spelling", CONFIGURATION_SPELLINGS)
@pytest.mark.parametrize("payload_format", ["raw", "fixed"])
def test_a_row_may_name_its_configuration_in_three_spellings(
    spelling: str, payload_format: PayloadFormat
) -> None:
    """The row's own configuration id wins over the task's, and is the campaign unless one is named."""
    got = payload({"phone": PHONE, spelling: " own "}, payload_format)
    assert got["configurationId"] == "own"
    assert [key for key in CONFIGURATION_SPELLINGS if key in got] == ["configurationId"]
    draft = LeadRules(payload_format=payload_format).draft({"phone": PHONE, spelling: "own"}, NOW)
    assert draft.campaign == "own"
    named = LeadRules(campaign="spring").draft({"phone": PHONE, spelling: "own"}, NOW)
    assert named.campaign == "spring"


@pytest.mark.parametrize("payload_format", ["raw", "fixed"])
def test_an_empty_configuration_id_in_a_row_is_none(payload_format: PayloadFormat) -> None:
    """An empty cell does not overrule the task's configuration; without either the row is rejected."""
    assert payload({"phone": PHONE, "configuration_id": " "}, payload_format)["configurationId"] == "conf"
    assert refusal({"phone": PHONE}, payload_format, configuration_id=None) == "configuration_id_missing"


def test_two_configuration_ids_in_one_row_are_a_conflict() -> None:
    """Nobody guesses which configuration was meant; the same id twice is no conflict."""
    assert (
        refusal({"phone": PHONE, "configurationId": "a", "CONFIGURATION_ID": "b"})
        == "configuration_id_conflict"
    )
    assert (
        payload({"phone": PHONE, "configurationId": "a", "configuration_id": "a"})["configurationId"] == "a"
    )
    assert refusal({"phone": PHONE, "configurationId": "a" * 201}) == "configuration_id_invalid"


@pytest.mark.parametrize("payload_format", ["raw", "fixed"])
@pytest.mark.parametrize(
    "nested",
    [
        {"contacts": {"configurationId": "b"}},
        {"contacts.configurationId": "b"},
        {"contacts": {"configuration_id": "b"}},
    ],
)
def test_a_nested_configuration_id_never_overrules_silently(
    nested: dict[str, Any], payload_format: PayloadFormat
) -> None:
    """The configuration a lead is sent to is always the one the ledger knows it under."""
    assert (
        refusal({"phone": PHONE, "configurationId": "a", **nested}, payload_format)
        == "configuration_id_conflict"
    )
    assert payload({"phone": PHONE, **nested}, payload_format)["configurationId"] == "b"


@pytest.mark.parametrize("order", [1, -1])
def test_the_nested_phone_wins_as_on_the_platform(order: int) -> None:
    """contacts.phoneNumber counts where contacts are sent, in whatever order the keys come; empty counts as absent."""
    rows = [("phoneNumber", "+16475550199"), ("contacts", {"phoneNumber": PHONE})][::order]
    assert payload(dict(rows), "fixed")["contacts"]["phoneNumber"] == PHONE
    rows = [("phoneNumber", PHONE), ("contacts", {"phoneNumber": None})][::order]
    assert payload(dict(rows), "fixed")["contacts"]["phoneNumber"] == PHONE


def test_sections_do_not_fit_the_raw_format() -> None:
    """Raw has nowhere to put applications and conversations: the row says so instead of losing them."""
    assert refusal({"phone": PHONE, "applications.jobTitle": "Nurse"}) == "format_mismatch"
    assert refusal({"phone": PHONE, "conversations": {"channelType": "sms"}}) == "format_mismatch"
    assert payload({"phone": PHONE, "applications.jobTitle": " "}) == {
        "configurationId": "conf",
        "phoneNumber": PHONE,
    }


@pytest.mark.parametrize(
    "column",
    [
        "phone",
        "Phone",
        "PHONE NUMBER",
        "phone_number",
        "Mobile",
        "mobile phone",
        "Cell",
        "Tel.",
        "Telephone",
        "phone-no",
    ],
)
def test_usual_column_names_are_known(column: str) -> None:
    """Without a mapping the usual names of the phone column are recognised."""
    assert payload({column: PHONE})["phoneNumber"] == PHONE


def test_the_exact_name_wins_over_an_alias_and_the_rest_stays_custom() -> None:
    """Of several columns that could be the phone, the exact one or else the first counts; none is lost."""
    assert payload({"phone": "+16475550199", "phoneNumber": PHONE}) == {
        "configurationId": "conf", "phoneNumber": PHONE, "phone": "+16475550199"
    }  # fmt: skip
    got = payload({"mobile": PHONE, "phone": "+16475550199"})
    assert (got["phoneNumber"], got["phone"]) == (PHONE, "+16475550199")


VALUES = [
    ("text", " x ", "x"),
    ("int", 7, 7),
    ("bool", False, False),
    ("float", 1.5, 1.5),
    ("decimal", Decimal("12.30"), "12.30"),
    ("uuid", UUID(int=1), str(UUID(int=1))),
    ("datetime", NOW, "2026-03-25T18:30:00+00:00"),
    ("date", date(2026, 3, 25), "2026-03-25"),
    ("time", time(8, 30), "08:30:00"),
    ("list", [1, None, Decimal(2), (3,)], [1, None, "2", [3]]),
    ("dict", {1: {"at": date(2026, 3, 25)}}, {"1": {"at": "2026-03-25"}}),
    ("unicode", "Zoë 🙂", "Zoë 🙂"),
]


@pytest.mark.parametrize(("name", "value", "sent"), VALUES, ids=[v[0] for v in VALUES])
def test_values_of_sql_become_json(name: str, value: object, sent: object) -> None:
    """Dates, decimals, UUIDs, arrays and JSON columns are sent as text, numbers and lists."""
    assert payload({"phone": PHONE, "custom": value})["custom"] == sent


def test_a_str_enum_is_text() -> None:
    """A subclass of str is sent as its text."""

    class Colour(StrEnum):
        RED = "red"

    assert payload({"phone": PHONE, "custom": Colour.RED})["custom"] == "red"


@pytest.mark.parametrize("section", ["contact", "application", "Applications", "CONVERSATIONS"])
def test_a_section_that_is_nearly_one_is_no_custom_object(section: str) -> None:
    """What was to be an application's field would be an object of the contact, and nobody would hear of it."""
    with pytest.raises(ConfigurationError, match=f"{section!r} is no section of a lead — did you mean"):
        build_mapper({"phoneNumber": "phone", section: {"jobTitle": "title"}}, lambda text: lambda row: text)
    build_mapper({"phoneNumber": "phone", section: "a_column"}, lambda text: lambda row: text)
    build_mapper({"phoneNumber": "phone", "location": {"city": "city"}}, lambda text: lambda row: text)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_empty_cells_are_not_sent(value: object) -> None:
    """An update must not overwrite what the platform knows with nothing."""
    assert "custom" not in payload({"phone": PHONE, "custom": value})


DEEP: Any = []
for _ in range(12):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [b"bytes", memoryview(b"x"), timedelta(1), {1, 2}, object(), float("nan"), float("inf"), [float("nan")], DEEP],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_is_no_json_rejects_the_row(value: object) -> None:
    """A value that cannot be sent as JSON rejects its row with the column, and never the batch."""
    assert refusal({"phone": PHONE, "custom": value}) == "value_not_json"


@pytest.mark.slow
@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(st.characters(), max_size=8)
            | st.binary(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=6,
    ),
    st.sampled_from(["raw", "fixed"]),
)
def test_any_row_is_a_payload_or_a_rejection(row: dict[str, Any], payload_format: PayloadFormat) -> None:
    """Law: of any row comes either JSON with the E.164 phone and one configuration id, or a reason."""
    try:
        body = payload({**row, "phoneNumber": PHONE}, payload_format)
    except LeadRejected:
        return
    holder = body["contacts"] if payload_format == "fixed" else body
    sent = holder["phoneNumber"]
    assert isinstance(sent, str)
    assert sent.startswith("+")
    assert isinstance(body["configurationId"], str)


def test_a_mapping_takes_only_what_it_names() -> None:
    """With a mapping, columns it does not name are not sent; templates see the row."""
    mapping = {
        "phoneNumber": "tel", "firstName": "{{ row.name | trim | title }}", "applications.jobTitle": "title",
        "Custom Key": "secret",
    }  # fmt: skip
    row = {
        "tel": "416 555 0123",
        "name": " ann ",
        "title": "Nurse",
        "secret": 1,
        "other": 2,
        "phone": "+16475550199",
    }
    assert payload(row, "fixed", mapping=mapping) == {
        "configurationId": "conf",
        "contacts": {"phoneNumber": PHONE, "firstName": "Ann", "Custom Key": 1},
        "applications": {"jobTitle": "Nurse"},
    }


def test_a_mapped_column_that_a_row_lacks_is_empty() -> None:
    """JSON lines may lack a key: the field is not sent, a missing phone rejects the row."""
    mapping = {"contacts.phoneNumber": "tel", "firstName": "name"}
    assert "firstName" not in payload({"tel": PHONE}, mapping=mapping)
    assert refusal({"name": "Ann"}, mapping=mapping) == "phone_missing"


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({}, "no phoneNumber"),
        ({"firstName": "name"}, "no phoneNumber"),
        ({"phoneNumber": "tel", "contact.firstName": "n"}, "contact.firstName"),
        ({"phoneNumber": "tel", "contacts": "n"}, "contacts"),
        ({"phoneNumber": "tel", "": "n"}, "''"),
        ({"phoneNumber": "tel", "a.b.c": "n"}, "a.b.c"),
        ({"phoneNumber": 3}, "phoneNumber"),
        ({5: "tel"}, "mapping has the key 5, which is no text — "),
        ({"phoneNumber": "{{ row.tel"}, "row.tel"),
    ],
)
def test_a_mapping_that_cannot_be_is_a_configuration_fault(mapping: Any, says: str) -> None:
    """A mistake in the mapping fails at once and not once a row."""
    with pytest.raises(ConfigurationError, match=says):
        LeadRules(mapping=mapping).check()


def test_a_mapping_and_its_format_have_to_fit() -> None:
    """A nested target needs the fixed format, and a format has to exist."""
    with pytest.raises(ConfigurationError, match="fixed"):
        check_format({"phoneNumber": "tel", "applications.jobTitle": "t"}, "raw")
    with pytest.raises(ConfigurationError, match="'xml'"):
        check_format(None, "xml")
    check_format({"phoneNumber": "tel", "applications.jobTitle": "t"}, "fixed")
    check_target("contacts.Custom Key-1")


def test_a_mapper_without_mapping_changes_nothing_it_does_not_know() -> None:
    """Custom columns keep their names and values."""
    mapper = build_mapper(None, lambda text: lambda row: text)
    assert mapper({"Plan": "A", "phone": PHONE}) == {"Plan": "A", "phoneNumber": PHONE}
    lead = read_lead(
        {"phoneNumber": PHONE, "Plan": "A"}, configuration_id="c", region=None, payload_format="raw"
    )
    assert lead.contact == {"Plan": "A"}


def test_a_member_of_an_enum_goes_out_as_its_value() -> None:
    """At any depth, and as a phone number too."""

    class Tier(str, Enum):  # noqa: UP042 - what people write
        GOLD = "gold"

    class Line(str, Enum):  # noqa: UP042 - what people write
        HOME = "+14165550123"

    lead, _ = build_lead(
        {"phoneNumber": Line.HOME, "tier": Tier.GOLD, "list": [Tier.GOLD]},
        configuration_id="c",
        region=None,
        payload_format="raw",
    )
    assert json.loads(lead.body("raw")) == {
        "configurationId": "c", "phoneNumber": "+14165550123", "tier": "gold", "list": ["gold"],
    }  # fmt: skip
