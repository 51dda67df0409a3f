"""Writing into the inbox: many events in one transaction, each of them once.

On PostgreSQL the rows travel as one JSON parameter and are taken apart by the server; on SQLite they are one
statement. Either way a group of a few hundred events is one call, which is what a receiver lives on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.events import CONTACT_FIELDS, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.opt_outs import OptOut, opt_out_of
from airflow_outreach_provider.core.platforms import OUTREACH
from airflow_outreach_provider.core.request_headers import find_header, stored_headers
from airflow_outreach_provider.store import suppressions, suppressions_said, suppressions_write
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import fingerprints
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.schema import to_ms
from airflow_outreach_provider.store.suppressions_said import OptedOutId, Stop

_TEXTS = ("event_id", "source", "platform", "type", "kind", "origin", "campaign_id", "headers")
# Of the ledger, which stands beside this room.
_LEADS_BY_ID = sa.text("SELECT phone, email_hash FROM leads WHERE contact_id = :id")
# More numbers than that under one id, and it is not a person's.
_NUMBERS_OF_ONE = 10
_COLUMNS = (*_TEXTS, *CONTACT_FIELDS, "occurred_at", "received_at")
_NAMES = ", ".join((*_COLUMNS, "body"))


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of one event.

    :param event_id: its id; for a duplicate the id it was first stored under.
    """

    event_id: str
    duplicate: bool


def append(store: Store, incoming: Sequence[Incoming]) -> list[AppendResult]:
    """Store the events in their order in one transaction; when this returns they are durable.

    :return: one answer for each, in the same order.
    :raises StoreError: nothing was stored.
    """
    if not incoming:
        return []
    answers = store.retrying(lambda connection: _append(connection, incoming))
    store.added("inbox_events", len(incoming))
    return answers


def _append(connection: sa.Connection, incoming: Sequence[Incoming]) -> list[AppendResult]:
    original = fingerprints.claim(connection, incoming)
    fresh: dict[str, Incoming] = {}
    answers: list[AppendResult] = []
    moved: dict[str, str] = {}
    signed_before: set[int] = set()
    for place, each in enumerate(incoming):
        if each.signed is not None and original[each.signed] != each.event.id:
            signed_before.add(place)
        claimed = (original[name] for name in each.fingerprints)
        event_id = next((found for found in claimed if found != each.event.id), each.event.id)
        if event_id != each.event.id:  # what else it claimed stands for the event it repeats
            moved |= {name: event_id for name in each.fingerprints if original[name] == each.event.id}
            original |= moved
        answers.append(AppendResult(event_id, duplicate=event_id != each.event.id or event_id in fresh))
        if not answers[-1].duplicate:
            fresh[event_id] = each
    fingerprints.move(connection, moved)
    stored = _insert(connection, fresh.values()) if fresh else set()
    answers = [
        answer
        if answer.duplicate or answer.event_id in stored
        else AppendResult(answer.event_id, duplicate=True)
        for answer in answers
    ]
    keep_opt_outs(connection, _to_keep(connection, incoming, answers, signed_before))
    new = [each.event for name, each in fresh.items() if name in stored and each.opt_out is None]
    keep_told(connection, new)
    return answers


def _to_keep(
    connection: sa.Connection,
    incoming: Sequence[Incoming],
    answers: Sequence[AppendResult],
    signed_before: Collection[int],
) -> Iterator[Incoming]:
    """What is new, and of what is not the opt-outs that may have been said again, in the order they came.

    :param signed_before: places of those whose signature with its time came before.
    """
    for place, (each, answer) in enumerate(zip(incoming, answers, strict=True)):
        if not answer.duplicate:
            yield each
        elif place not in signed_before and _may_be_said_again(connection, each, answer.event_id):
            yield replace(each, event=replace(each.event, id=answer.event_id))


def _may_be_said_again(connection: sa.Connection, each: Incoming, first: str) -> bool:
    """Whether what repeats an event may be a person's no, said again after they took the first back.

    A yes that is said again is not kept: the platform's retry of one would lift a no that came after it.
    """
    said = each.opt_out
    if not each.repeatable or said is None or said.lifts:
        return False
    if each.delivery is None:
        return True
    header, delivery = each.delivery
    query = sa.select(inbox_events.c.headers).where(inbox_events.c.event_id == first)
    stored = connection.execute(query).scalar_one_or_none()
    return stored is None or find_header(stored_headers(stored), header) != delivery


def keep_opt_outs(connection: sa.Connection, incoming: Iterable[Incoming]) -> None:
    """No means no on receipt: who opted out is on the list in the transaction that stores their event."""
    for each in incoming:
        said = each.opt_out or opt_out_of(each.event)
        if said is not None:
            keep_opt_out(connection, each.event, said)


def keep_opt_out(connection: sa.Connection, event: ContactEvent, said: OptOut) -> None:
    """Write what one event says about being contacted into the do-not-contact list of all campaigns.

    What it does not say of whom it is about, earlier events and leads tell by the platform's id, and later ones will
    (:func:`keep_told`).
    """
    listed, contact = _who(connection, event, said), event.contact.external_id
    about = (event.source, contact, event.platform) if contact else None
    ids = suppressions_said.every_contact_id(*about) if about else []
    source, now = suppressions_write.event_source(event.id, event.source), to_ms(event.received_at)
    if said.lifts or said.by_stop_word:
        stops = _spoken_of(connection, [*listed, *ids], event.occurred_at)
        if said.lifts:
            theirs = [stop for stop, lines in stops.items() if _is_theirs(stop, lines, _numbers(listed))]
            suppressions_said.lift(connection, theirs, source=source, now_ms=now)
            return
        suppressions_said.renew(connection, stops, source=source)
    reason = EventKind.UNSUBSCRIBED.value
    alone = about and not said.numbers and len(_numbers(listed)) <= _NUMBERS_OF_ONE
    by_id = suppressions_said.contact_ids(*about) if about and alone else []
    suppressions_write.insert(
        connection, now, [*listed, *by_id], reason=reason, source=source, by_stop_word=said.by_stop_word
    )
    for name in by_id:
        suppressions_said.attach(connection, name, _numbers(listed))


def keep_late_opt_out(connection: sa.Connection, event: ContactEvent, said: OptOut, now: datetime) -> None:
    """The same of an event that is read again: who was taken off the list since it came stays off."""
    who = _who(connection, event, said)
    off = suppressions.taken_off_since(connection, who, event.received_at, now)
    if not off:
        keep_opt_out(connection, event, said)
        return
    left = [each for each in who if each not in off]
    reason, source = EventKind.UNSUBSCRIBED.value, suppressions_write.event_source(event.id, event.source)
    suppressions_write.insert(connection, to_ms(now), left, reason=reason, source=source)


def _who(connection: sa.Connection, event: ContactEvent, said: OptOut) -> list[str]:
    """Numbers and addresses it is about. A START that names a number is about no other that is known for the id."""
    named = [*said.numbers, *(suppressions_write.EMAIL + each for each in said.email_hashes)]
    contact = event.contact.external_id
    if not contact or (said.lifts and said.numbers):
        return named
    known = _known_by_id(connection, event, contact)
    if said.numbers and len(_numbers(known)) > _NUMBERS_OF_ONE:
        return named
    return sorted({*named, *known})


def _numbers(listed: Iterable[str]) -> list[str]:
    return [each for each in listed if suppressions_said.is_number(each)]


def _spoken_of(connection: sa.Connection, listed: Sequence[str], at: datetime) -> dict[Stop, set[str]]:
    """What stop words had set before this time that a message about these speaks of, with the lines they came from.

    Of a line that is what was set of it, and of addresses beside it. What a message of another line had set of an
    address is only that of the address.
    """
    numbers = _numbers(listed)
    of_lines = suppressions_said.stops_of(connection, numbers)
    beside = suppressions_said.set_by(connection, {each.source for each in of_lines})
    named = suppressions_said.stops_of(connection, [each for each in listed if each not in numbers])
    found = {*of_lines}
    found |= {
        each for each in (*beside, *named) if not numbers or not suppressions_said.is_number(each.phone)
    }
    said = _messages(connection, found)
    lines: dict[str, set[str]] = {each.source: set() for each in found}
    for each in suppressions_said.set_by(connection, lines):
        lines[each.source] |= {*_numbers([each.phone])}
    first = {}
    for each in found:
        said_at, phone = said.get(each.event_id, (at, None))
        if said_at <= at:
            first[each] = lines[each.source] | ({phone} if phone else set())
    return first


def _is_theirs(stop: Stop, lines: Collection[str], numbers: Collection[str]) -> bool:
    """Whether START from these numbers lifts what was set: of an address only what no other line's message had set."""
    if suppressions_said.is_number(stop.phone) or not numbers or not lines:
        return True
    return not suppressions_write.all_writings(numbers).isdisjoint(lines)


def keep_told(connection: sa.Connection, events: Iterable[ContactEvent]) -> None:
    """Who opted out by the platform's id alone is on the list once an event tells a number or an address for the id."""
    told: dict[str, list[ContactEvent]] = {}
    for event in events:
        contact = event.contact
        if contact.external_id and (contact.phone or contact.email):
            about = (event.source, contact.external_id, event.platform)
            for name in suppressions_said.every_contact_id(*about):
                told.setdefault(name, []).append(event)
    if not told:
        return
    now = {each.id for some in told.values() for each in some}
    for opted_out in suppressions_said.opted_out(connection, told):
        for event in told[opted_out.name]:
            _list_told(connection, event, opted_out, now)


def _list_told(connection: sa.Connection, event: ContactEvent, who: OptedOutId, now: Collection[str]) -> None:
    """What was told for the id before was on the list: where it is not any more, somebody took it off."""
    contact, listed = event.contact, []
    if contact.phone and (who.alone or not _told_before(connection, event, "phone", contact.phone, now)):
        listed.append(contact.phone)
    if contact.email and not _told_before(connection, event, "email", contact.email, now):
        listed.append(_hashed(contact.email))
    suppressions_write.insert(
        connection, to_ms(event.received_at), listed, reason=who.reason, source=who.source, by_stop_word=who.by_stop_word
    )  # fmt: skip
    suppressions_said.attach(connection, who.name, _numbers(listed))


def _told_before(
    connection: sa.Connection, event: ContactEvent, column: str, value: str, now: Collection[str]
) -> bool:
    events = inbox_events.c
    one: sa.ColumnElement[int] = sa.literal_column("1")
    query = sa.select(one).where(
        events.source == event.source,
        events.external_id == event.contact.external_id,
        sa.func.lower(events[column]) == value.lower(),
        events.event_id.not_in(now),
    )
    return connection.execute(query.limit(1)).first() is not None


def _known_by_id(connection: sa.Connection, event: ContactEvent, external_id: str) -> list[str]:
    found = set()
    for phone, email in connection.execute(_said_of(event.source, external_id)):
        found |= {*([phone] if phone else []), *([_hashed(email)] if email else [])}
    if event.platform == OUTREACH:
        for phone, email_hash in connection.execute(_LEADS_BY_ID, {"id": external_id}):
            found |= {
                *([phone] if phone else []),
                *([suppressions_write.EMAIL + email_hash] if email_hash else []),
            }
    return sorted(found)


def _said_of(source: str, external_id: str) -> sa.Select[Any]:
    """Numbers and addresses that the source's events bear beside this id; found by an index of ids."""
    events = inbox_events.c
    query = sa.select(events.phone, events.email)
    return query.where(events.source == source, events.external_id == external_id).distinct()


def _hashed(email: str) -> str:
    return suppressions_write.EMAIL + hash_email(email)


def _messages(connection: sa.Connection, stops: Collection[Stop]) -> dict[str, tuple[datetime, str | None]]:
    """When the messages were said that set these, and from which number."""
    events = inbox_events.c
    ids = {each.event_id for each in stops}
    if not ids:
        return {}
    query = sa.select(events.event_id, events.occurred_at, events.phone).where(events.event_id.in_(ids))
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}


def _insert(connection: sa.Connection, events: Iterable[Incoming]) -> set[str]:
    """Insert what is not there yet; the ids of what was inserted."""
    rows = [_row(each) for each in events]
    if connection.dialect.name == "postgresql":
        return set(connection.execute(_POSTGRES_INSERT, {"rows": to_json(rows).decode()}).scalars())
    # SQLite works row by row in this process, and each call into it is a chance to wait for the interpreter
    # lock: so one statement writes them all. The write lock is ours, so asking first is as good as RETURNING.
    ids = [row["event_id"] for row in rows]
    stored = set(ids).difference(connection.execute(_SQLITE_KNOWN, {"ids": to_json(ids).decode()}).scalars())
    new = [row for row in rows if row["event_id"] in stored]
    for start in range(0, len(new), _SQLITE_ROWS):
        some = new[start : start + _SQLITE_ROWS]
        values = ", ".join([_SQLITE_VALUES] * len(some))
        parameters = tuple(row[name] for row in some for name in (*_COLUMNS, "body"))
        connection.exec_driver_sql(f"{_SQLITE_INSERT} VALUES {values}", parameters)
    return stored


def _row(incoming: Incoming) -> dict[str, Any]:
    event = incoming.event
    return {
        "event_id": event.id,
        "source": event.source,
        "platform": event.platform,
        "type": event.type,
        "kind": event.kind.value,
        "origin": incoming.origin.value,
        "campaign_id": event.campaign_id,
        "headers": incoming.headers,
        **{name: getattr(event.contact, name) for name in CONTACT_FIELDS},
        "occurred_at": to_ms(event.occurred_at),
        "received_at": to_ms(event.received_at),
        # A body that was read as JSON is UTF-8, so this is the same bytes.
        "body": incoming.body.decode(),
    }


_POSTGRES_INSERT = sa.text(
    f"INSERT INTO inbox_events ({_NAMES}) "
    f"SELECT {', '.join(_COLUMNS)}, convert_to(body, 'UTF8') FROM json_to_recordset(CAST(:rows AS json)) AS r("
    f"{', '.join(f'{name} text' for name in (*_TEXTS, *CONTACT_FIELDS))}, "
    "occurred_at bigint, received_at bigint, body text) "
    "ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
)
_SQLITE_INSERT = f"INSERT INTO inbox_events ({_NAMES})"
_SQLITE_VALUES = f"({', '.join('?' * len(_COLUMNS))}, CAST(? AS BLOB))"
_SQLITE_ROWS = 500  # far below the number of parameters SQLite takes
_SQLITE_KNOWN = sa.text(
    "SELECT event_id FROM inbox_events WHERE event_id IN (SELECT value FROM json_each(:ids))"
)
