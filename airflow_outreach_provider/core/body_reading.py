"""What a proven body says: as an event of its platform, as several, or as none, in which a no is heard all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.platforms import Parsed, tether
from airflow_outreach_provider.core.platforms.envelopes import is_sealed, opened
from airflow_outreach_provider.core.platforms.messages import message
from airflow_outreach_provider.core.platforms.parts import checked_number
from airflow_outreach_provider.core.platforms.persons import completed, names_anybody, opted_out
from airflow_outreach_provider.core.platforms.places import walk
from airflow_outreach_provider.core.platforms.reading import kind_of, text
from airflow_outreach_provider.core.sources import SourceSettings

_NO_TYPE = EventKind.UNRECOGNISED.value
# Where a relay, or a flow that collects, puts the events of one request.
_LISTS = ("events", "data", "items", "records", "Records", "batch")
_MOST_REPEATED = 4_000_000  # bytes of what stands beside a list, repeated for each of it
# Whose type may be that of what passed an event on.
_MAY_BE_WRAPPED = frozenset({EventKind.OTHER, EventKind.UNRECOGNISED, EventKind.UNSUBSCRIBED})
_TYPES = ("event", "type", "event_type", "eventType", "event_name", "eventName", "trigger", "kind")


def parse(source: SourceSettings, value: Any, headers: Mapping[str, str] | None = None) -> Parsed:
    """What a JSON value says as an event of the source's platform; ``unrecognised`` where it says nothing.

    :param headers: of the request it came in, for a custom source that reads some.
    """
    parsed = _own(source, value, headers) or _unrecognised(value, source.default_region)
    parsed = _with_stop(source, parsed)
    if source.custom is not None or parsed.kind in _MAY_BE_WRAPPED:
        body = value if isinstance(value, dict) else {"data": value}
        if is_sealed(body):
            return _unwrapped(source, parsed, body, headers)
    return parsed


def _own(source: SourceSettings, value: Any, headers: Mapping[str, str] | None) -> Parsed | None:
    """What it says as an event of the source's platform; None where it is none."""
    read = source.facts.parse if source.custom is None else source.custom.reader(headers or {})
    try:
        return read(value, source.default_region) if isinstance(value, dict) else None
    except Exception:  # noqa: BLE001 - it is proven, so it is kept; a parser's fault is mended by an upgrade
        return None


def _with_stop(source: SourceSettings, parsed: Parsed) -> Parsed:
    if any(said in source.stop_words for said in parsed.said):
        return replace(parsed, kind=EventKind.UNSUBSCRIBED, stopped=True)
    return parsed


def _unwrapped(
    source: SourceSettings, parsed: Parsed, body: dict[str, Any], headers: Mapping[str, str] | None
) -> Parsed:
    """The same with what stands in the body as text: the event, where that alone is one, and whoever says no in it.

    A START in it takes nothing back, unless it is an event of the platform.
    """
    beside = {name: each for name, each in body.items() if name not in _TYPES}
    inner = [each if names_anybody(walk(each)) else {**beside, **each} for each in opened(body)]
    own = _own(source, inner[0], headers) if len(inner) == 1 else None
    if own is not None and (parsed.type == _NO_TYPE or (own.type == parsed.type and _is_nobody(parsed))):
        return _with_stop(source, replace(own, data=parsed.data))
    if not inner or (_says_no(parsed) and names_anybody(parsed.places)):
        return parsed
    readings = [_with_stop(source, _any_event(each, source.default_region)) for each in inner]
    noes = [each for each in readings if _says_no(each)]
    if len(noes) > 1:
        within = _of_several(noes)
    elif noes or len(readings) == 1:
        within = (noes or readings)[0]
    else:
        return parsed
    contact = within.contact if _is_nobody(parsed) else parsed.contact
    if not noes and not _says_no(parsed):
        return replace(parsed, contact=contact)
    refused = _says_no(parsed) or within.kind is EventKind.UNSUBSCRIBED
    return replace(
        within, type=parsed.type, kind=EventKind.UNSUBSCRIBED if refused else parsed.kind, occurred_at=parsed.occurred_at,
        contact=contact, campaign_id=parsed.campaign_id, data=parsed.data, id=parsed.id,
    )  # fmt: skip


def _any_event(value: dict[str, Any], region: str | None) -> Parsed:
    """What it says as anybody writes it, in the keys that the owner of an automation may choose, or as no event."""
    try:
        return tether.parse(value, region) or _unrecognised(value, region)
    except Exception:  # noqa: BLE001 - as above
        return _unrecognised(value, region)


def _of_several(noes: list[Parsed]) -> Parsed:
    places = walk({"items": [each.data for each in noes]})
    kinds = {each.kind for each in noes}
    kind = EventKind.UNSUBSCRIBED if EventKind.UNSUBSCRIBED in kinds else EventKind.UNRECOGNISED
    return Parsed(type=_NO_TYPE, kind=kind, places=places, stopped=all(each.stopped for each in noes))


def _says_no(parsed: Parsed) -> bool:
    return parsed.kind is EventKind.UNSUBSCRIBED or bool(opted_out(parsed.places))


def _is_nobody(parsed: Parsed) -> bool:
    contact = parsed.contact
    return not (contact.phone or contact.email or contact.external_id)


def _unrecognised(value: Any, region: str | None) -> Parsed:
    """What is no event of its platform; whoever says no in it is heard all the same."""
    kind, type_ = EventKind.UNRECOGNISED, _NO_TYPE
    try:
        body = value if isinstance(value, dict) else {"data": value}
        places = walk(body)
        if any(kind_of({}, text(body.get(name)) or "") is EventKind.UNSUBSCRIBED for name in _TYPES):
            kind = EventKind.UNSUBSCRIBED
        said = message(kind, type_, places)
        contact = completed(Contact(), places, region, kind, type_, said)
    except Exception:  # noqa: BLE001 - as above
        return Parsed(type=type_, kind=kind, data=value)
    return Parsed(type=type_, kind=kind, contact=contact, data=value, places=places, said=said)


def read_parsed(source: SourceSettings, body: bytes, headers: Mapping[str, str] | None = None) -> Parsed:
    """What a raw body says, with the headers it came with.

    :raises ValueError: it is not JSON.
    """
    return parse(source, read_json(body), headers)


def listed(source: SourceSettings, whole: ContactEvent) -> list[Any]:
    """The events that a body holds which is none itself; none where no element of its list is one either, or says whose no it is.

    Who stands beside the list is who those are about that name nobody: each is given what stands there. A no there that
    none of these says is one element more.
    """
    value, beside = whole.data, {}
    if whole.type != _NO_TYPE or not isinstance(value, dict | list):
        return []
    if isinstance(value, dict):
        lists = [name for name in _LISTS if isinstance(value.get(name), list)]
        beside = {name: each for name, each in value.items() if name not in lists}
        value = value[lists[0]] if len(lists) == 1 else []
    items = checked_number([each for each in value if each is not None])
    told = items
    if beside and names_anybody(walk(beside)):
        if len(to_json(beside)) * len(items) > _MOST_REPEATED:
            return []
        told = [_told_who(each, beside) for each in items]
    if not any(_stands_alone(parse(source, each)) for each in told):
        return []
    no = no_beside(source, beside)
    if no and any(
        _says_no(parse(source, each)) for each, item in zip(told, items, strict=True) if each is not item
    ):
        return told
    return [*told, *no]


def no_beside(source: SourceSettings, beside: Mapping[str, Any]) -> list[Any]:
    """What stands beside the list of a body's events, where it says the no of somebody whom it names; none otherwise."""
    if not beside or not names_anybody(walk(beside)):
        return []
    return [beside] if _says_no(parse(source, beside)) else []


def _told_who(item: Any, beside: Mapping[str, Any]) -> Any:
    return {**beside, **item} if isinstance(item, dict) and not names_anybody(walk(item)) else item


def _stands_alone(part: Parsed) -> bool:
    """Whether a part of a body is an event by itself, or the no of somebody who is named in it."""
    return part.type != _NO_TYPE or (part.kind is EventKind.UNSUBSCRIBED and names_anybody(part.places))
