"""Rows of the inbox as events, and the filters every reader shares."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import CONTACT_FIELDS, Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.platforms import PLATFORMS
from airflow_outreach_provider.store.inbox.tables import inbox_events

_C = inbox_events.c
_KINDS = frozenset(kind.value for kind in EventKind)
EVENT_COLUMNS = (
    _C.row_id,
    _C.seq,
    _C.event_id,
    _C.source,
    _C.platform,
    _C.type,
    _C.kind,
    _C.occurred_at,
    _C.received_at,
    _C.campaign_id,
    _C.body,
    *(_C[name] for name in CONTACT_FIELDS),
)


def to_event(row: Any) -> ContactEvent:
    """The event of a row that has the EVENT_COLUMNS."""
    return ContactEvent(
        id=row.event_id,
        source=row.source,
        platform=row.platform,
        type=row.type,
        kind=EventKind(row.kind) if row.kind in _KINDS else EventKind.OTHER,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        contact=Contact(row.name, row.first_name, row.last_name, row.email, row.phone, row.external_id),
        campaign_id=row.campaign_id,
        data=_data(row.platform, row.body),
        seq=row.seq,
    )


def _data(platform: str, body: bytes) -> Any:
    """What the platform sent about it. A row that cannot be read has none: it must not stop the others."""
    try:
        value = read_json(body)
    except ValueError:
        return None
    facts = PLATFORMS.get(platform)
    try:
        parsed = facts.parse(value, None) if facts and isinstance(value, dict) else None
    except Exception:  # noqa: BLE001 - as when it came in: a parser's fault is mended by an upgrade
        parsed = None
    return value if parsed is None else parsed.data


def matching(
    *,
    source: str | None = None,
    kinds: Collection[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[sa.ColumnElement[bool]]:
    """The conditions of a filter.

    :raises ConfigurationError: a kind that does not exist: it would wait for ever.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    if source is not None:
        conditions.append(_C.source == source)
    if kinds is not None:
        conditions.append(_C.kind.in_(check_kinds(kinds)))
    if since is not None:
        conditions.append(_C.received_at >= since)
    if until is not None:
        conditions.append(_C.received_at < until)
    return conditions


def check_kinds(kinds: Collection[str]) -> list[str]:
    """The kinds as text, sorted.

    :raises ConfigurationError: one that does not exist.
    """
    given = {kinds} if isinstance(kinds, str) else {str(kind) for kind in kinds}
    if unknown := sorted(given - _KINDS):
        raise ConfigurationError(
            f"there is no event kind {', '.join(map(repr, unknown))}",
            f"known kinds are {', '.join(sorted(_KINDS))}",
        )
    return sorted(given)
