"""Events a DAG makes itself, read into the same form as those that platforms send."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import CONTACT_FIELDS, Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.times import read_time

_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_KINDS = {kind.value for kind in EventKind}


def made_event(value: Mapping[str, Any], *, unique: str, source: str, now: datetime) -> ContactEvent:
    """The event that a DAG describes.

    :param value: ``type`` is needed; ``id``, ``kind``, ``occurred_at`` (ISO 8601), ``contact``,
        ``campaign_id`` and ``data`` may be there. Without ``data`` the whole value is the data.
    :param unique: names this event among all, the same on every try; the id is made from it unless the
        value has one.
    :param source: which DAG made it.
    :raises ConfigurationError: a value that cannot be an event, and what it lacks.
    """
    value = storable(value)  # as the receiver does with what others send
    kind = str(value.get("kind", EventKind.OTHER.value))
    event_type = value.get("type", value.get("kind"))
    contact = value.get("contact") or {}
    if not isinstance(event_type, str) or not event_type:
        raise ConfigurationError("an event to deliver has no 'type'", "say what happened, e.g. 'lead.won'")
    if kind not in _KINDS:
        raise ConfigurationError(f"an event to deliver has the kind {kind!r}", f"known are {sorted(_KINDS)}")
    if not isinstance(contact, Mapping):
        raise ConfigurationError("an event's 'contact' is no mapping", f"use the keys {list(CONTACT_FIELDS)}")
    given = str(value.get("id") or "")
    named = given if _PLAIN_ID.fullmatch(given) else ""
    return ContactEvent(
        id=named or "evt_" + hashlib.sha256(f"{unique}\x1f{given}".encode()).hexdigest()[:32],
        source=source,
        platform="airflow",
        type=event_type,
        kind=EventKind(kind),
        occurred_at=_time(value.get("occurred_at"), now),
        received_at=now,
        contact=Contact(**{name: _text(contact.get(name)) for name in CONTACT_FIELDS}),
        campaign_id=_text(value.get("campaign_id")),
        data=value["data"] if "data" in value else dict(value),
    )


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
