"""An event as a source's platform would send it, about nobody: for trying a route without the platform."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pydantic_core import to_json

from airflow_outreach_provider.core import signing
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import EventKind, write_time
from airflow_outreach_provider.core.intake import challenge, read_events
from airflow_outreach_provider.core.platforms.custom import CustomSource
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.core.sources import SourceSettings

# A number that telephone companies give to nobody, and an address of a domain that is nobody's.
PHONE, EMAIL, NAME = "+12125550123", "trial@example.com", "Trial event"
TEXT = "This is a trial."
# One key after another below ``body``, or one element of a list that has a key of some value.
_STEP = r"\.\w+|\['[^']*'\]|\[\d+\]"
_PATH = re.compile(rf"\b(body|headers)((?:{_STEP})+)")
_SELECTED = re.compile(
    rf"\(\s*body((?:{_STEP})+)\s*\|\s*selectattr\(\s*'([^']*)'\s*,\s*'[^']*'\s*,\s*'([^']*)'\s*\)\s*"
    r"\|\s*first\s*\)\.(\w+)"
)
# What decides between two values is none itself: ``'moved' if body.rescheduled else body.event``.
_CONDITION = re.compile(r"\bif\b(?:(?!\belse\b|\}\}).)*")
_KEY = re.compile(r"\.(\w+)|\['([^']*)'\]|\[(\d+)\]")
_MOST_ELEMENTS = 20


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """What is sent to a source when it is tried."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def trial_request(
    source: SourceSettings, kind: EventKind, now: datetime, unique: str, *, body: bytes | None = None
) -> TrialRequest:
    """A signed request that is one event of this kind.

    :param unique: a text that no event before had.
    :param body: a request of the platform's own, to be signed as it is; ``kind`` is not looked at then.
    :raises ConfigurationError: no event of this kind can be made for this source, or the source takes none.
    :raises SignatureError: its secret can only verify, as a public key can.
    """
    if not source.secrets and not source.allow_unsigned:
        raise ConfigurationError(
            f"source {source.name!r} has no secret, so every event is refused",
            "put one into the connection's password",
        )
    if body is not None:
        return TrialRequest(body, _headers(source, body, kind, now, unique))
    body = _body(source, kind, now, unique)
    made = TrialRequest(body, _headers(source, body, kind, now, unique))
    found = _read_back(source, made, now)
    if kind is EventKind.UNRECOGNISED or found is not kind:
        nothing = found is None or found is EventKind.UNRECOGNISED
        said = "nothing could be made" if nothing else f"what could be made is '{found}'"
        raise ConfigurationError(
            f"source {source.name!r}: no event of kind {kind.value!r} can be made ({said})",
            "name another kind, or give a request of the platform's own: --body FILE",
        )
    return made


def _read_back(source: SourceSettings, made: TrialRequest, now: datetime) -> EventKind | None:
    """What the receiver will read in it; None where that is no event, or several."""
    try:
        events = read_events(source, made.body, made.headers, received_at=now)
    except ValueError:
        return None
    return events[0].event.kind if len(events) == 1 and challenge(source, made.body) is None else None


def _body(source: SourceSettings, kind: EventKind, now: datetime, unique: str) -> bytes:
    custom = source.custom
    if custom is None:
        return to_json(_platform_body(source, kind, now, unique))
    item: dict[str, Any] = _custom_request(custom, kind, now, unique)["body"]
    if custom.section.form:
        return urlencode({name: str(value) for name, value in item.items()}).encode()
    for key in reversed(custom.events):
        item = {key: [item]}
    return to_json(item)


def _headers(
    source: SourceSettings, body: bytes, kind: EventKind, now: datetime, unique: str
) -> dict[str, str]:
    """The headers that make the source take ``body``, signed with the newest of its secrets.

    :param kind: which a custom source may read from a header.
    """
    facts = source.facts
    form = source.custom is not None and source.custom.section.form
    headers = _placed_headers(source, kind, now, unique)
    headers["content-type"] = "application/x-www-form-urlencoded" if form else "application/json"
    if facts.delivery_header:
        headers[facts.delivery_header] = unique
    if not source.secrets:
        return headers
    if facts.proof is not None:
        return headers | facts.proof.headers(body, source.secrets[0], unique, now)
    if facts.scheme is Scheme.NONE:
        return headers | {"x-outreach-token": source.secrets[0]}
    signed = signing.sign(facts.scheme, body, source.secrets[:1], message_id=unique, now=now)
    usual = signing.SIGNATURE_HEADER[facts.scheme]
    return headers | {
        facts.signature_header or usual if name == usual else name: value for name, value in signed.items()
    }


def _platform_body(source: SourceSettings, kind: EventKind, now: datetime, unique: str) -> dict[str, Any]:
    type_ = next((row.types[0] for row in source.facts.rows if row.kind is kind), kind.value)
    person = {"id": unique, "name": NAME, "email": EMAIL, "phone": PHONE}
    at, inbound = write_time(now), kind is EventKind.REPLIED
    match source.platform:
        case "supersend":
            answer = {EventKind.INTERESTED: "interested", EventKind.NOT_INTERESTED: "not_interested"}
            more = {
                "interest": answer.get(kind, "later"),
                "appointment": kind is not EventKind.APPOINTMENT_CANCELLED,
            }
            return {"type": type_, "timestamp": at, "contact": {**person, **more}}
        case "varda":
            way = (
                {}
                if kind is EventKind.MESSAGE_CREATED
                else {"direction": "inbound" if inbound else "outbound"}
            )
            data = {"id": unique, **way, "outcome_type": "follow_up", "contact": person}
            return {"event": type_, "timestamp": at, "data": data}
        case "autoreach":
            return {"event": type_, "timestamp": at, "data": {"message_id": unique, "lead": person}}
        case _:
            return {"event": type_, "id": unique, "timestamp": at, "contact": person}


def _placed_headers(source: SourceSettings, kind: EventKind, now: datetime, unique: str) -> dict[str, str]:
    """The headers in which a custom source looks for something."""
    if source.custom is None:
        return {}
    placed = _custom_request(source.custom, kind, now, unique)["headers"]
    return {name.replace("_", "-").lower(): str(value) for name, value in placed.items()}


def _custom_request(custom: CustomSource, kind: EventKind, now: datetime, unique: str) -> dict[str, Any]:
    """Body and headers with everything where the source looks for it."""
    section = custom.section
    type_ = next((type_ for type_, each in section.types.items() if each is kind), kind.value)
    first, _, last = NAME.partition(" ")
    person = {
        "first_name": first,
        "last_name": last,
        "name": NAME,
        "email": EMAIL,
        "phone": PHONE,
        "external_id": unique,
    }
    sent: dict[str, Any] = {"body": {}, "headers": {}}
    _place(sent, section.template("type"), type_)
    _place(sent, section.template("time"), write_time(now))
    for name, value in person.items():
        _place(sent, section.template(name), value)
    _place(sent, section.template("person"), {"name": NAME, "email": EMAIL, "phone": PHONE})
    _place(sent, section.template("message"), TEXT)
    _place(sent, section.template("id"), unique)
    _place(sent, section.template("campaign"), "trial")
    return sent


def _place(sent: dict[str, Any], template: str, value: object) -> None:
    """Put ``value`` wherever the template looks and nothing stands yet."""
    template = _CONDITION.sub("", template)
    for path, key, wanted, attribute in _SELECTED.findall(template):
        element: dict[str, Any] = {}
        _set(element, key.split("."), wanted)
        _set(element, [attribute], value)
        listed = _get(sent["body"], _keys(path))
        if listed is None:
            _set(sent["body"], _keys(path), [element])
        elif isinstance(listed, list):
            listed.append(element)
    for where, path in _PATH.findall(_SELECTED.sub("", template)):
        _set(sent[where], _keys(path), value)


def _keys(path: str) -> list[str | int]:
    return [int(number) if number else name or quoted for name, quoted, number in _KEY.findall(path)]


def _get(value: Any, keys: list[str | int]) -> Any:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value


def _set(place: Any, keys: list[Any], value: object) -> None:
    for key, after in zip(keys, [*keys[1:], None], strict=True):
        if isinstance(key, int) != isinstance(place, list) or (
            isinstance(key, int) and key >= _MOST_ELEMENTS
        ):
            return
        if isinstance(key, int):
            place.extend({} for _ in range(key + 1 - len(place)))
        if after is None:
            if isinstance(key, int) or key not in place:
                place[key] = value
            return
        below = (
            place[key]
            if isinstance(key, int)
            else place.setdefault(key, [] if isinstance(after, int) else {})
        )
        place = below
