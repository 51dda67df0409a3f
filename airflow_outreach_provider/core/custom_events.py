"""Events a DAG makes itself, read into the same form as those that platforms send."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import CONTACT_FIELDS, Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.times import read_time

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_KINDS = {kind.value for kind in EventKind}
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def made_events(
    values: Iterable[Mapping[str, Any]], *, unique: str, source: str, now: datetime
) -> list[ContactEvent]:
    """The events of a list, each by what it says and not by its place: a task that is cleared may be given another list.

    :raises ConfigurationError: as :func:`made_event`.
    """
    seen = Counter[str]()
    events = []
    for value in values:
        event = made_event(value, unique=unique, source=source, now=now)
        seen[event.id] += 1
        if seen[event.id] > 1 and not value.get("id"):  # it happened twice
            event = replace(event, id=_hashed(f"{event.id}\x1f{seen[event.id]}"))
        events.append(event)
    return events


def made_event(value: Mapping[str, Any], *, unique: str, source: str, now: datetime) -> ContactEvent:
    """The event that a DAG describes.

    :param value: ``type`` is needed; ``id``, ``kind``, ``occurred_at`` (ISO 8601), ``contact``,
        ``campaign_id`` and ``data`` may be there. Without ``data`` the whole value is the data.
    :param unique: names its list among all, the same on every try; the id is made from it and from what the event says,
        unless the value has an ``id``: that names it in every list.
    :param source: which DAG made it.
    :raises ConfigurationError: a value that cannot be an event, and what it lacks.
    """
    value = _in_order(storable(value))  # as the receiver does with what others send
    kind = str(value.get("kind", EventKind.OTHER.value))
    event_type = value.get("type", value.get("kind"))
    contact = value.get("contact") or {}
    if not isinstance(event_type, str) or not event_type:
        raise ConfigurationError("an event to deliver has no 'type'", "say what happened, e.g. 'lead.won'")
    if kind not in _KINDS:
        raise ConfigurationError(f"an event to deliver has the kind {kind!r}", f"known are {sorted(_KINDS)}")
    if not isinstance(contact, Mapping):
        raise ConfigurationError("an event's 'contact' is no mapping", f"use the keys {list(CONTACT_FIELDS)}")
    said = ContactEvent(
        id="",
        source=source,
        platform="airflow",
        type=event_type,
        kind=EventKind(kind),
        occurred_at=_time(value.get("occurred_at"), _BEFORE_ALL),
        received_at=_BEFORE_ALL,
        contact=Contact(**{name: _text(contact.get(name)) for name in CONTACT_FIELDS}),
        campaign_id=_text(value.get("campaign_id")),
        data=value["data"] if "data" in value else dict(value),
    )
    occurred_at = now if said.occurred_at == _BEFORE_ALL else said.occurred_at
    id_ = _id(str(value.get("id") or ""), unique, said)
    return replace(said, id=id_, occurred_at=occurred_at, received_at=now)


def _id(given: str, unique: str, said: ContactEvent) -> str:
    if given:
        return given if _PLAIN_ID.fullmatch(given) else _hashed(given)
    try:
        content = json.dumps(json.loads(said.to_json()), sort_keys=True)
    except ValueError as error:
        raise ConfigurationError(
            f"an event to deliver cannot be written as JSON: {error}",
            "let a task give the whole list of events, of texts, numbers, times, lists and mappings",
        ) from error
    return _hashed(f"{unique}\x1f{content}")


def _in_order(value: Any) -> Any:
    """The value with a list for each set, whose order is another one in each process."""
    match value:
        case Mapping():
            return {name: _in_order(each) for name, each in value.items()}
        case list():
            return [_in_order(each) for each in value]
        case set() | frozenset():
            return sorted(map(_in_order, value), key=repr)
        case _:
            return value


def _hashed(text: str) -> str:
    return "evt_" + hashlib.sha256(text.encode()).hexdigest()[:32]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _time(value: object, now: datetime) -> datetime:
    if value is None:
        return now
    with contextlib.suppress(OverflowError):
        if moment := read_time(value if isinstance(value, datetime) else str(value)):
            return moment.astimezone(UTC)
    raise ConfigurationError(
        f"an event's occurred_at {str(value)[:40]!r} is no time", "write ISO 8601, e.g. 2026-03-25T18:30:00Z"
    )
