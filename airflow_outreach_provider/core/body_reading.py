"""What a proven body says: as an event of its platform, as several, or as none, in which a no is heard all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.platforms import Parsed
from airflow_outreach_provider.core.platforms.custom import checked_number
from airflow_outreach_provider.core.platforms.messages import message
from airflow_outreach_provider.core.platforms.persons import completed
from airflow_outreach_provider.core.platforms.places import walk
from airflow_outreach_provider.core.sources import SourceSettings

_NO_TYPE = EventKind.UNRECOGNISED.value
# Where a relay, or a flow that collects, puts the events of one request.
_LISTS = ("events", "data", "items", "records", "batch")


def parse(source: SourceSettings, value: Any, headers: Mapping[str, str] | None = None) -> Parsed:
    """What a JSON value says as an event of the source's platform; ``unrecognised`` where it says nothing.

    :param headers: of the request it came in, for a custom source that reads some.
    """
    read = source.facts.parse if source.custom is None else source.custom.reader(headers or {})
    try:
        parsed = read(value, source.default_region) if isinstance(value, dict) else None
    except Exception:  # noqa: BLE001 - it is proven, so it is kept; a parser's fault is mended by an upgrade
        parsed = None
    if parsed is None:
        parsed = _unrecognised(value, source.default_region)
    if any(said in source.stop_words for said in parsed.said):
        return replace(parsed, kind=EventKind.UNSUBSCRIBED, stopped=True)
    return parsed


def _unrecognised(value: Any, region: str | None) -> Parsed:
    """What is no event of its platform; whoever says no in it is heard all the same."""
    kind, type_ = EventKind.UNRECOGNISED, _NO_TYPE
    try:
        places = walk(value if isinstance(value, dict) else {"data": value})
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
    """The events that a body holds which is none itself; none where no element of its list is one either."""
    value = whole.data
    if whole.type != _NO_TYPE or not isinstance(value, dict | list):
        return []
    if isinstance(value, dict):
        lists = [found for name in _LISTS if isinstance(found := value.get(name), list)]
        value = lists[0] if len(lists) == 1 else []
    items = checked_number([each for each in value if each is not None])
    return items if any(parse(source, each).type != _NO_TYPE for each in items) else []
