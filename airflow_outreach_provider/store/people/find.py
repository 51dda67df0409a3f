"""Everything about one person, found through their own leads and events too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.emails import hash_email, normalise_email
from airflow_outreach_provider.core.events import CONTACT_FIELDS, Contact, ContactEvent
from airflow_outreach_provider.core.masking import mask_email, mask_phone
from airflow_outreach_provider.core.person import MOST_LINES, Judge, KnownPerson, Link, Seen, is_office
from airflow_outreach_provider.core.platforms import OUTREACH
from airflow_outreach_provider.store.audit import audit
from airflow_outreach_provider.store.deliveries.tables import deliveries, delivery_attempts, saved_answers
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger.tables import attempts, consents, leads
from airflow_outreach_provider.store.people.texts import TextPlace, every_text
from airflow_outreach_provider.store.suppressions_write import EMAIL, in_every_writing, suppressions

Row = dict[str, Any]
_AT_ONCE = 500
_E = inbox_events.c
_SEEN = (
    _E.row_id, _E.event_id, _E.source, _E.platform, _E.headers, _E.body, *(_E[name] for name in CONTACT_FIELDS),
)  # fmt: skip


@dataclass
class Found:
    """A person, and the rows about them: whole, as they are stored, oldest first.

    :ivar named: places outside of those rows that name them, in what is about others.
    :ivar masked: ids of audit rows whose masked subject may be the person.
    """

    person: KnownPerson
    leads: list[Row] = field(default_factory=list)
    attempts: list[Row] = field(default_factory=list)
    consents: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    delivery_attempts: list[Row] = field(default_factory=list)
    saved: list[Row] = field(default_factory=list)
    listed: list[Row] = field(default_factory=list)
    audit: list[Row] = field(default_factory=list)
    named: list[TextPlace] = field(default_factory=list, repr=False)


def find_person(store: Store, person: KnownPerson) -> Found:
    """Follow what the person's leads and events bear until nothing more is known, and read it all.

    Addresses and ids that go with more than ``MOST_LINES`` lines, and addresses of a role, lead no further unless they
    were asked for.
    """
    size, events, made = -1, set[int](), set[int]()
    while size != person.size:
        size = person.size
        _follow_leads(store, person)
        events = _follow_events(store, person)
        made = _follow_made(store, person)
    found = Found(person)
    found.leads = _rows(store, leads, _leads_of(person))
    own = [row["id"] for row in found.leads]
    found.attempts = _by(store, attempts.c.lead_id, own)
    found.consents = _by(store, consents.c.lead_id, own)
    found.events = _by(store, _E.row_id, events)
    of_events = _by(store, deliveries.c.event_id, [row["event_id"] for row in found.events])
    others = made.difference(row["id"] for row in of_events)
    found.deliveries = sorted(
        [*of_events, *_by(store, deliveries.c.id, others)], key=lambda row: int(row["id"])
    )
    found.delivery_attempts = _by(
        store, delivery_attempts.c.delivery_id, [row["id"] for row in found.deliveries]
    )
    found.saved = _by(store, saved_answers.c.lane, sorted({row["lane"] for row in found.deliveries}))
    found.listed = listed(store, person)
    found.audit = _audit(store, found)
    found.named = list(_named(store, found))
    return found


def _leads_of(person: KnownPerson) -> sa.ColumnElement[bool]:
    return sa.or_(
        leads.c.phone.in_(person.lines),
        leads.c.email_hash.in_(person.email_hashes),
        leads.c.contact_id.in_(person.outreach_ids),
    )


def _follow_leads(store: Store, person: KnownPerson) -> None:
    for row in _rows(store, leads, _leads_of(person)):
        learn_lead(store, person, row)


def learn_lead(store: Store, person: KnownPerson, row: Mapping[str, Any]) -> None:
    """What a lead of the person's tells of them. :param row: its phone, contact_id and email_hash."""
    if row["phone"]:
        person.numbers.add(row["phone"])
    if row["contact_id"]:
        person.lead_contacts.add(row["contact_id"])
    known = row["email_hash"]
    if known and known not in person.email_hashes and _lines_of(store, email_hash=known) <= MOST_LINES:
        person.email_hashes.add(known)


def _follow_events(store: Store, person: KnownPerson) -> set[int]:
    """Learn from the events about the person; their row ids."""
    judge, about = Judge(person), set()
    for row in _every_event(store):
        contact = Contact(*(getattr(row, name) for name in CONTACT_FIELDS))
        seen = Seen(row.source, row.platform, contact, row.headers, bytes(row.body))
        if judge.link(seen) is Link.ABOUT:
            about.add(row.row_id)
            learn(store, person, seen)
    return about


def _follow_made(store: Store, person: KnownPerson) -> set[int]:
    """The same of events that DAGs made: they are kept with their deliveries; the ids of those."""
    judge, about = Judge(person), set()
    query = sa.select(deliveries.c.id, deliveries.c.payload).where(deliveries.c.payload.is_not(None))
    for row in _pages(store, query, deliveries.c.id):
        try:
            event = ContactEvent.from_json(row.payload)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        seen = Seen(event.source, event.platform, event.contact, "", row.payload.encode())
        if judge.link(seen) is Link.ABOUT:
            about.add(row.id)
            learn(store, person, seen)
    return about


def learn(store: Store, person: KnownPerson, seen: Seen) -> None:
    """What an event about the person tells of them."""
    contact = seen.contact
    full = contact.name or " ".join(filter(None, (contact.first_name, contact.last_name)))
    if full:
        person.names.add(full)
    if contact.phone:
        person.numbers.add(contact.phone)
    if contact.email and (address := normalise_email(contact.email)) not in person.emails | person.shared:
        known = hash_email(address)
        alone = known in person.email_hashes or (
            not is_office(address) and _lines_of(store, email=address, email_hash=known) <= MOST_LINES
        )
        (person.emails if alone else person.shared).add(address)
        if alone:
            person.email_hashes.add(known)
    if (
        contact.external_id
        and (own := (seen.source, contact.external_id)) not in person.ids | person.shared_ids
    ):
        mine = (_E.source == seen.source, _E.external_id == contact.external_id)
        alone = _lines(store, _E.phone, *mine) <= MOST_LINES
        (person.ids if alone else person.shared_ids).add(own)
        if alone and seen.platform == OUTREACH:
            person.outreach_ids.add(contact.external_id)


def _lines_of(store: Store, *, email_hash: str, email: str | None = None) -> int:
    found = _lines(store, leads.c.phone, leads.c.email_hash == email_hash)
    return max(found, _lines(store, _E.phone, sa.func.lower(_E.email) == email) if email else 0)


def _lines(store: Store, phone: sa.Column[Any], *where: sa.ColumnElement[bool]) -> int:
    """How many numbers go with it, counted no further than matters."""
    # Not the column itself: an index has all numbers in order, and a database without statistics would go through it.
    number = (phone + "").label("number")
    some = sa.select(number).where(*where, phone.is_not(None)).distinct().limit(MOST_LINES + 1).subquery()
    with store.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def listed(store: Store, person: KnownPerson) -> list[Row]:
    """Entries of the do-not-contact list, each once, in the writing that people see."""
    found = _by(store, suppressions.c.phone, [EMAIL + each for each in sorted(person.email_hashes)])
    seen = {row["id"] for row in found}
    for number in sorted(person.numbers):
        rows = _rows(store, suppressions, in_every_writing(number))
        found += [row for row in rows if row["row_of"] is None and row["id"] not in seen]
        seen |= {row["id"] for row in rows}
    return found


def _audit(store: Store, found: Found) -> list[Row]:
    """What was done to the person's leads by hand, or to somebody who is masked as they are."""
    own = {f"lead {row['id']}" for row in found.leads}
    masked = [
        *map(mask_phone, found.person.lines), *map(mask_email, found.person.emails),
        *(f"e-mail {each[:8]}…" for each in found.person.email_hashes),
    ]  # fmt: skip
    texts = found.person.texts()

    def names(row: Row) -> bool:
        said = f"{row['subject']} {row['note']}"
        return (
            " ".join(row["subject"].split()[:2]) in own
            or any(each in said for each in masked)
            or said in texts
        )

    return [row for row in _rows(store, audit) if names(row)]


def _named(store: Store, found: Found) -> Iterator[TextPlace]:
    """Places that name the person in rows that are not theirs."""
    texts = found.person.texts()
    own = {
        table.name: {row[key] for row in rows}
        for table, key, rows in (
            (leads, "id", found.leads), (attempts, "id", found.attempts), (consents, "id", found.consents),
            (inbox_events, "row_id", found.events),
            (deliveries, "id", found.deliveries), (delivery_attempts, "id", found.delivery_attempts),
            (saved_answers, "lane", found.saved), (audit, "id", found.audit),
        )
    }  # fmt: skip
    for place in every_text(store, texts.__contains__):
        if place.key[0] not in own.get(place.table.name, ()):
            yield place


def _every_event(store: Store) -> Iterator[Any]:
    return _pages(store, sa.select(*_SEEN), _E.row_id)


def _pages(store: Store, query: sa.Select[Any], key: sa.Column[Any]) -> Iterator[Any]:
    """Rows in the order of a key, a page a transaction: nobody waits for a reader of it all."""
    after = 0
    while True:
        with store.read() as connection:
            rows = connection.execute(query.where(key > after).order_by(key).limit(_AT_ONCE)).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = getattr(rows[-1], key.name)


def _rows(store: Store, table: sa.Table, *where: sa.ColumnElement[bool]) -> list[Row]:
    query = sa.select(table).where(*where).order_by(*table.primary_key)
    with store.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _by(store: Store, column: sa.Column[Any], values: Iterable[Any]) -> list[Row]:
    wanted: Sequence[Any] = sorted(values)
    return [
        row
        for start in range(0, len(wanted), _AT_ONCE)
        for row in _rows(store, column.table, column.in_(wanted[start : start + _AT_ONCE]))
    ]
