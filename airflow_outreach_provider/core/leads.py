"""A lead: from a row of any source to the JSON the outreach API takes.

The two payload formats are Tether's (seed documents ``000`` and ``001``): *raw* is flat, *fixed* nests under
``contacts``, ``applications`` and ``conversations``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json, to_json

from airflow_outreach_provider.core.arguments import check_mapping
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.expressions.compile import written_for
from airflow_outreach_provider.core.mapping import (
    NULL,
    SECTIONS,
    Getter,
    compile_mapped,
    flat_mapping,
    meant_section,
)
from airflow_outreach_provider.core.missing import is_missing
from airflow_outreach_provider.core.phone_columns import (
    Column,
    PhoneCells,
    phone_cells,
    phone_columns,
    read_cells,
)
from airflow_outreach_provider.core.phones import STRICT, Phone, PhoneReading, parse_phone
from airflow_outreach_provider.core.same_number import refuse_same_number

PayloadFormat = Literal["raw", "fixed"]
CONFIGURATION_SPELLINGS = ("configurationId", "configuration_id", "CONFIGURATION_ID")
_CONTACT_FIELDS = ("phoneNumber", "firstName", "lastName", "email")
OWN_TEXT = frozenset({"phoneNumber", *CONFIGURATION_SPELLINGS})
"""Who a lead is and where it goes is a text of the row, never a number or a list."""

# Column names, letters and digits only, that stand for a field where no mapping says otherwise.
_ALIASES: dict[str, str] = {
    **dict.fromkeys(("firstname", "first", "givenname", "forename"), "firstName"),
    **dict.fromkeys(("lastname", "last", "surname", "familyname"), "lastName"),
    **dict.fromkeys(("email", "emailaddress", "mail"), "email"),
    "configurationid": "configurationId",
}  # fmt: skip

_MAX_ID = 200
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_\- ]*")


class Lead(BaseModel):
    """One person to reach.

    :param phone: E.164.
    :param configuration_id: the platform's outreach configuration.
    :param contact: further contact fields under the platform's names (``firstName``, ``lastName``, ``email``
        and any custom property).
    :param application: fields of the application, e.g. ``jobTitle``.
    :param conversation: fields of the conversation, e.g. ``channelType``.
    """

    model_config = ConfigDict(frozen=True)

    phone: str = Field(pattern=r"^\+[1-9]\d{4,14}$")
    configuration_id: str = Field(min_length=1, max_length=_MAX_ID)
    contact: dict[str, Any] = Field(default_factory=dict)
    application: dict[str, Any] = Field(default_factory=dict)
    conversation: dict[str, Any] = Field(default_factory=dict)

    def payload(self, payload_format: PayloadFormat) -> dict[str, Any]:
        """The body of the submission, in one of the platform's two formats."""
        return _payload(
            payload_format,
            self.phone,
            self.configuration_id,
            self.contact,
            self.application,
            self.conversation,
        )

    def body(self, payload_format: PayloadFormat) -> str:
        """The payload as compact JSON.

        :raises LeadRejected: it holds text that is no Unicode.
        """
        return _to_json(self.payload(payload_format))


class ReadLead(NamedTuple):
    """What :class:`Lead` holds, once read from a row: checked already, and a tenth as dear to make."""

    phone: Phone
    configuration_id: str
    contact: dict[str, Any]
    application: dict[str, Any]
    conversation: dict[str, Any]

    def body(self, payload_format: PayloadFormat) -> str:
        """The payload as compact JSON.

        :raises LeadRejected: it holds text that is no Unicode.
        """
        payload = _payload(
            payload_format,
            self.phone.e164,
            self.configuration_id,
            self.contact,
            self.application,
            self.conversation,
        )
        return _to_json(payload)


def _to_json(payload: dict[str, Any]) -> str:
    try:
        return to_json(payload).decode()
    except ValueError:
        raise LeadRejected("value_not_json", "a value holds text that is no Unicode") from None


def _payload(
    payload_format: PayloadFormat,
    phone: str,
    configuration_id: str,
    contact: dict[str, Any],
    application: dict[str, Any],
    conversation: dict[str, Any],
) -> dict[str, Any]:
    if payload_format == "raw":
        return {"configurationId": configuration_id, "phoneNumber": phone, **contact}
    body = {"configurationId": configuration_id, "contacts": {"phoneNumber": phone, **contact}}
    if application:
        body["applications"] = application
    if conversation:
        body["conversations"] = conversation
    return body


_SENT_TO = re.compile(rb'\{"configurationId":("(?:[^"\\]|\\.)*")')


def configuration_of(body: bytes) -> str:
    """The configuration id of a payload as :meth:`ReadLead.body` writes it, which puts it first; '' of another's."""
    match = _SENT_TO.match(body)
    return str(from_json(match[1])) if match else ""


Mapper = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From a row to values by target name (``phoneNumber``, ``applications.jobTitle``, …)."""


def build_mapper(mapping: Mapping[str, Any] | None, compile_value: Callable[[str], Getter]) -> Mapper:
    """How a row becomes a lead's fields.

    :param mapping: target → what it is made of, see :mod:`core.mapping`. None takes every column: the usual
        names of the four contact fields are recognised, all others are custom properties.
    :param compile_value: what compiles a template.
    :raises ConfigurationError: a target or a template cannot be.
    """
    if mapping is None:
        return _map_by_alias
    getters: list[tuple[str, Getter]] = []
    for target, source in flat_mapping(mapping).items():
        check_target(target)
        if (section := meant_section(target, source)) is not None:
            raise ConfigurationError(
                f"mapping target {target!r} is no section of a lead", f"did you mean {section!r}?"
            )
        if target.rpartition(".")[2] in OWN_TEXT and not isinstance(source, str):
            raise ConfigurationError(
                f"mapping for {target!r} is {type(source).__name__}", "write a column name or a template"
            )
        refuse_same_number(target, source)
        with written_for(f"mapping for {target!r}"):
            getters.append((target, compile_mapped(source, compile_value)))
    if not any(target in ("phoneNumber", "contacts.phoneNumber") for target, _ in getters):
        raise ConfigurationError(
            "the mapping has no phoneNumber", "map phoneNumber to the column that holds it"
        )

    def mapper(row: Mapping[str, Any]) -> dict[str, Any]:
        return {target: get(row) for target, get in getters}

    return mapper


def check_target(target: str) -> None:
    """:raises ConfigurationError: the target of a mapping is not a field the platform can take."""
    section, dot, key = target.partition(".")
    name = key if dot else section
    if (dot and section not in SECTIONS) or not _KEY.fullmatch(name) or (not dot and section in SECTIONS):
        raise ConfigurationError(
            f"mapping target {target!r} is not a field of a lead",
            "use phoneNumber, firstName, lastName, email, a custom name, or contacts.…, applications.…, conversations.…",
        )


def check_format(mapping: Mapping[str, Any] | None, payload_format: str) -> None:
    """:raises ConfigurationError: the format does not exist, or cannot hold what the mapping fills."""
    if payload_format not in get_args(PayloadFormat):
        raise ConfigurationError(f"payload_format {payload_format!r} does not exist", "use 'raw' or 'fixed'")
    check_mapping("mapping", mapping, 'write fields and their columns, e.g. {"phoneNumber": "mobile"}')
    nested = [t for t in flat_mapping(mapping or {}) if t.startswith(("applications.", "conversations."))]
    if nested and payload_format == "raw":
        raise ConfigurationError(
            f"mapping target {nested[0]!r} needs the fixed format", "set payload_format='fixed'"
        )


def build_lead(
    values: Mapping[str, Any],
    *,
    configuration_id: str | None,
    region: str | None,
    payload_format: PayloadFormat,
) -> tuple[Lead, Phone]:
    """:func:`read_lead` as a model."""
    read = read_lead(values, configuration_id=configuration_id, region=region, payload_format=payload_format)
    return Lead(**(read._asdict() | {"phone": read.phone.e164})), read.phone


def read_lead(
    values: Mapping[str, Any],
    *,
    configuration_id: str | None,
    region: str | None,
    payload_format: PayloadFormat,
    how: PhoneReading = STRICT,
) -> ReadLead:
    """Read a lead from values by target name.

    :param configuration_id: taken where the values hold none of its three spellings.
    :param region: default region of numbers without country code.
    :param how: how strictly the number is read.
    :raises LeadRejected: the phone cannot be read, there is no configuration id, or a value is not JSON.
    """
    sections: dict[str, dict[str, Any]] = {"contacts": {}, "applications": {}, "conversations": {}}
    contact = sections["contacts"]
    raw_phone = nested_phone = None  # the platform reads contacts.phoneNumber where contacts are sent
    found_id = None
    for target, value in values.items():
        if target == "phoneNumber":
            raw_phone = value
        elif target in CONFIGURATION_SPELLINGS:
            found_id = _one_id(found_id, value)
        elif target in sections and isinstance(value, Mapping):
            for inner, inner_value in value.items():
                if target == "contacts" and inner == "phoneNumber":
                    nested_phone = inner_value
                else:
                    _put(sections[target], str(inner), inner_value)
        elif target == "contacts.phoneNumber":
            nested_phone = value
        elif "." in target and (split := target.partition("."))[0] in sections:
            _put(sections[split[0]], split[2], value)
        else:
            _put(contact, target, value)
    if not contact.keys().isdisjoint(
        CONFIGURATION_SPELLINGS
    ):  # in the raw format it would overrule the lead's own
        for spelling in CONFIGURATION_SPELLINGS:
            found_id = _one_id(found_id, contact.pop(spelling, None))
    phone = _read_phone(raw_phone if nested_phone in (None, "") else nested_phone, region, how, contact)
    identifier = found_id or configuration_id
    if not identifier:
        raise LeadRejected("configuration_id_missing", "neither the row nor the task names a configurationId")
    if len(identifier) > _MAX_ID:
        raise LeadRejected(
            "configuration_id_invalid", f"the configurationId is longer than {_MAX_ID} characters"
        )
    if payload_format == "raw" and (sections["applications"] or sections["conversations"]):
        raise LeadRejected("format_mismatch", "applications and conversations need payload_format='fixed'")
    return ReadLead(phone, identifier, contact, sections["applications"], sections["conversations"])


def names_configuration(values: Mapping[str, Any]) -> bool:
    """Whether values by target name hold a configuration id where :func:`read_lead` looks for one."""
    contacts = values.get("contacts")
    inner = contacts if isinstance(contacts, Mapping) else {}
    places = [(values, ""), (values, "contacts."), (inner, "")]
    return any(
        place.get(prefix + spelling) not in (None, "")
        for place, prefix in places
        for spelling in CONFIGURATION_SPELLINGS
    )


def names_phone(values: Mapping[str, Any]) -> bool:
    """Whether values by target name have a phone number's place where :func:`read_lead` looks for one, be it empty."""
    contacts = values.get("contacts")
    inner = isinstance(contacts, Mapping) and "phoneNumber" in contacts
    return inner or "phoneNumber" in values or "contacts.phoneNumber" in values


def _read_phone(raw: Any, region: str | None, how: PhoneReading, contact: dict[str, Any]) -> Phone:
    if type(raw) is not PhoneCells:
        return parse_phone(raw, region, how)
    phone, column = read_cells(raw, region, how)
    for name, value in raw:
        if name != column:
            _put(contact, name, value)
    return phone


def _map_by_alias(row: Mapping[str, Any]) -> dict[str, Any]:
    names, phones = layout_of(tuple(row))
    values = dict(zip(names, row.values(), strict=True))
    if phones:
        for column in phones:
            values.pop(column.name, None)
        values["phoneNumber"] = phone_cells(row, phones)
    return values


class Layout(NamedTuple):
    """:param names: target names for the columns. :param phones: where several columns may hold the number."""

    names: tuple[str, ...]
    phones: tuple[Column, ...]


_layouts: dict[tuple[str, ...], Layout] = {}


def layout_of(columns: tuple[str, ...]) -> Layout:
    """How a row with these columns is read; the exact name wins over an alias, the first alias over the next."""
    cached = _layouts.get(columns)
    if cached is not None:
        return cached
    phones = phone_columns(columns)
    taken = {column for column in columns if column in _CONTACT_FIELDS or column in CONFIGURATION_SPELLINGS}
    names = []
    for column in columns:
        target = _ALIASES.get(re.sub(r"[^a-z0-9]", "", column.lower()))
        if len(phones) == 1 and column == phones[0].name and phones[0].label is None:
            names.append("phoneNumber")
        elif column in taken or target is None or target in taken or target == "configurationId":
            names.append(column)
        else:
            taken.add(target)
            names.append(target)
    several = len(phones) > 1 or any(column.label for column in phones)
    if len(_layouts) > 1000:
        _layouts.clear()
    _layouts[columns] = found = Layout(tuple(names), phones if several else ())
    return found


def _one_id(found: str | None, value: Any) -> str | None:
    text = str(value).strip() if value is not None else ""
    if text and found and text != found:
        raise LeadRejected("configuration_id_conflict", "the row names two different configuration ids")
    return text or found


def _put(section: dict[str, Any], key: str, value: Any) -> None:
    if type(value) is str:
        value = value.strip()
        if value:
            section[key] = value
    elif value is not None:
        section[key] = _json_value(key, value)


def _json_value(key: str, value: Any, depth: int = 0) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise LeadRejected("value_not_json", f"the value of {key!r} is not a number")
        return value
    if value is None or value is NULL or is_missing(value):
        return None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if depth < 8 and isinstance(value, Mapping):
        return {str(k): _json_value(key, v, depth + 1) for k, v in value.items()}
    if depth < 8 and isinstance(value, list | tuple):
        return [_json_value(key, item, depth + 1) for item in value]
    raise LeadRejected(
        "value_not_json", f"the value of {key!r} ({type(value).__name__}) cannot be sent as JSON"
    )
