"""CSV of what is filtered, streamed page by page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, every_delivery
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import EventFilter, every_event
from airflow_outreach_provider.store.ledger.lists import LeadFilter, every_lead
from airflow_outreach_provider.web import schemas

# A spreadsheet would run a cell that begins like this.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_AT_ONCE = 500
# What a list page finds out for each of its rows, and an export of many does not.
_NOT_EXPORTED = frozenset({"task", "latency_ms", "next_try", "next_try_at", "made"})


def leads_csv(
    store: Store, wanted: LeadFilter, *, reveal: bool, done: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    """Leads as CSV, UTF-8, with a header line. :param done: told how many rows were given out, at the end."""
    return _csv(
        schemas.LeadSchema.model_fields,
        (schemas.lead(row, reveal=reveal) for row in every_lead(store, wanted)),
        done,
    )


def deliveries_csv(store: Store, wanted: DeliveryFilter) -> Iterator[bytes]:
    """Deliveries as CSV, UTF-8, with a header line; they hold no whole personal data."""
    return _csv(
        schemas.DeliverySchema.model_fields, (schemas.delivery(row) for row in every_delivery(store, wanted))
    )


def events_csv(store: Store, wanted: EventFilter) -> Iterator[bytes]:
    """Events as CSV without their bodies, personal data masked, UTF-8, with a header line."""
    return _csv(schemas.Event.model_fields, (schemas.event(row) for row in every_event(store, wanted)))


def suppressions_csv(
    store: Store,
    *,
    phone: str | None,
    campaign: str | None,
    reveal: bool,
    done: Callable[[int], None] | None = None,
) -> Iterator[bytes]:
    """The do-not-contact list as CSV, UTF-8, with a header line. :param done: as in :func:`leads_csv`."""
    rows = suppressions.every_entry(store, phone=phone, campaign=campaign)
    return _csv(
        suppressions.SuppressionRow.__slots__, (schemas.suppression(row, reveal=reveal) for row in rows), done
    )


def _csv(
    columns: Iterable[str], rows: Iterable[object], done: Callable[[int], None] | None = None
) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    names = [name for name in columns if name not in _NOT_EXPORTED]
    writer.writerow(names)
    place = 0
    try:
        for place, row in enumerate(rows, start=1):
            writer.writerow([cell(name, getattr(row, name)) for name in names])
            if place % _AT_ONCE == 0:
                yield text.getvalue().encode()
                text.seek(0)
                text.truncate()
        yield text.getvalue().encode()
    finally:
        if done is not None:
            done(place)


def cell(name: str, value: Any) -> str:
    """A value as no spreadsheet runs it."""
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    harmless = name == "phone" and text[1:].replace("•", "").isdigit()
    return "'" + text if text.startswith(_FORMULA) and not harmless else text


def as_it_was(text: str) -> str:
    """What :func:`cell` made of a text, undone."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text
