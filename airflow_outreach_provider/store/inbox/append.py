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
from airflow_outreach_provider.store import suppressions_write
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.schema import to_ms

_TEXTS = ("event_id", "source", "platform", "type", "kind", "origin", "campaign_id", "headers")
# Of the ledger, which stands beside this room.
_LEADS_BY_ID = sa.text("SELECT phone, email_hash FROM leads WHERE contact_id = :id")
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
    return store.retrying(lambda connection: _append(connection, incoming))


def _append(connection: sa.Connection, incoming: Sequence[Incoming]) -> list[AppendResult]:
    original = _claim_fingerprints(connection, incoming)
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
    if moved:
        connection.execute(_MOVE, [{"name": name, "to": event_id} for name, event_id in moved.items()])
    stored = _insert(connection, fresh.values()) if fresh else set()
    answers = [
        answer
        if answer.duplicate or answer.event_id in stored
        else AppendResult(answer.event_id, duplicate=True)
        for answer in answers
    ]
    keep_opt_outs(connection, _to_keep(connection, incoming, answers, signed_before))
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

    Where it tells whose it is by the platform's id alone, earlier events and leads tell number and address.
    """
    listed = [*said.numbers, *(suppressions_write.EMAIL + each for each in said.email_hashes)]
    if not listed and event.contact.external_id:
        listed = _known_by_id(connection, event, event.contact.external_id)
    source, now = suppressions_write.event_source(event.id, event.source), to_ms(event.received_at)
    if said.lifts or said.by_stop_word:
        stops = suppressions_write.stops_of(connection, listed)
        later = _said_after(connection, stops.values(), event.occurred_at)
        earlier = [each for each, event_id in stops.items() if event_id not in later]
        if said.lifts:
            suppressions_write.lift(connection, earlier, source=source, now_ms=now)
            return
        suppressions_write.renew(connection, earlier, source=source)
    suppressions_write.insert(
        connection,
        now,
        listed,
        reason=EventKind.UNSUBSCRIBED.value,
        source=source,
        by_stop_word=said.by_stop_word,
    )


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


def _said_after(connection: sa.Connection, event_ids: Iterable[str], at: datetime) -> set[str]:
    """Those of these events that happened later: what was said after START stands."""
    events = inbox_events.c
    query = sa.select(events.event_id).where(events.event_id.in_(list(event_ids)), events.occurred_at > at)
    return set(connection.execute(query).scalars())


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


def _field(name: str) -> str:
    return f"json_extract(value, '$.{name}')"


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


def _claim_fingerprints(connection: sa.Connection, incoming: Sequence[Incoming]) -> dict[str, str]:
    """Fingerprint → the id of the event it stands for: the new one, or one stored within the window.

    A row's own lock decides between processes that got the same body at the same moment.
    """
    claims: dict[str, dict[str, Any]] = {}
    for each in incoming:
        for name, seconds in each.fingerprints.items():
            claim = {
                "fingerprint": name, "event_id": each.event.id,
                "seen_at": to_ms(each.event.received_at), "window_ms": seconds * 1000,
            }  # fmt: skip
            claims.setdefault(name, claim)
    if not claims:
        return {}
    # Always in the same order, so that two processes cannot wait for each other.
    rows = [claims[name] for name in sorted(claims)]
    postgres = connection.dialect.name == "postgresql"
    connection.execute(_POSTGRES_CLAIM if postgres else _SQLITE_CLAIM, {"rows": to_json(rows).decode()})
    found = connection.execute(_CLAIMED, {"fingerprints": list(claims)})
    return {row.fingerprint: row.event_id for row in found}


_CLAIM = """
INSERT INTO inbox_fingerprints (fingerprint, event_id, seen_at, window_ms)
SELECT {columns} WHERE true
ON CONFLICT (fingerprint) DO UPDATE
SET event_id = excluded.event_id, seen_at = excluded.seen_at, window_ms = excluded.window_ms
WHERE excluded.seen_at - inbox_fingerprints.seen_at >= excluded.window_ms
"""
_POSTGRES_CLAIM = sa.text(
    _CLAIM.format(
        columns="fingerprint, event_id, seen_at, window_ms FROM json_to_recordset(CAST(:rows AS json)) "
        "AS r(fingerprint text, event_id text, seen_at bigint, window_ms bigint)"
    )
)
_SQLITE_CLAIM = sa.text(
    _CLAIM.format(
        columns=", ".join(map(_field, ("fingerprint", "event_id", "seen_at", "window_ms")))
        + " FROM json_each(:rows)"
    )
)
_MOVE = sa.text("UPDATE inbox_fingerprints SET event_id = :to WHERE fingerprint = :name")
_CLAIMED = sa.text(
    "SELECT fingerprint, event_id FROM inbox_fingerprints WHERE fingerprint IN :fingerprints"
).bindparams(sa.bindparam("fingerprints", expanding=True))
