"""One person in bounded time: what indexes find while somebody waits. What is removed or exported is `find`'s."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.events import CONTACT_FIELDS, Contact
from airflow_outreach_provider.core.person import KnownPerson, Seen
from airflow_outreach_provider.core.platforms import OUTREACH
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter, DeliveryRow, list_deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.lists import EventRow
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger.lists import LeadAttempt, LeadConsent, LeadRow, touched_last_by
from airflow_outreach_provider.store.ledger.tables import attempts, consents, leads, runs
from airflow_outreach_provider.store.paging import Branch, Condition, Few, Scan
from airflow_outreach_provider.store.people.find import learn, learn_lead, listed
from airflow_outreach_provider.store.suppressions import SuppressionRow

MOST = 100
"""Leads, events and deliveries of a person that are shown, the latest; attempts ten times as many."""
_ROUNDS = 4
_E, _L = inbox_events.c, leads.c
_EVENT = [_E[name] for name in dict.fromkeys([*EventRow.__slots__, *CONTACT_FIELDS])]
_LEAD = [_L[name] for name in (*LeadRow.__slots__, "email_hash")]
_EVENTS = Scan(inbox_events, [_E.row_id], _EVENT)
_LEADS = Scan(leads, [_L.id], _LEAD)
_TASK = (runs.c.dag_id, runs.c.task_id, runs.c.airflow_run_id, runs.c.map_index, runs.c.try_number)


@dataclass
class PersonRows:
    """A person and their rows, each kind the latest first.

    :ivar consents: with the lead each belongs to. :ivar cut: there is more of them than ``MOST``.
    """

    person: KnownPerson
    leads: list[LeadRow] = field(default_factory=list)
    attempts: list[LeadAttempt] = field(default_factory=list)
    consents: list[tuple[int, LeadConsent]] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    deliveries: list[DeliveryRow] = field(default_factory=list)
    listed: list[SuppressionRow] = field(default_factory=list)
    cut: bool = False

    @property
    def known(self) -> bool:
        """Whether there is anything about them."""
        return bool(self.leads or self.events or self.listed)


def look_up(
    store: Store,
    person: KnownPerson,
    *,
    lead: int | None = None,
    event: str | None = None,
    dags: frozenset[str] | None = None,
) -> PersonRows:
    """What is known of a person, through their own leads and events too.

    :param person: who is asked for; it grows. :param lead: the id of one that is theirs, whatever it bears.
    :param event: likewise.
    :param dags: the leads that these touched last, and what these did to them alone: nothing that is everybody's.
    """
    events: list[Any] = []
    cut = False
    for _ in range(_ROUNDS):
        size = person.size
        found, more = _leads(store, person, lead, dags)
        if dags is not None:
            break
        for row in found:
            learn_lead(store, person, row._asdict())
        events, most = _events(store, person, event)
        for row in events:
            contact = Contact(*(getattr(row, name) for name in CONTACT_FIELDS))
            learn(store, person, Seen(row.source, row.platform, contact, "", b""))
        cut = more or most
        if person.size == size:
            break
    rows = PersonRows(person, [LeadRow(*row[:-1]) for row in found], cut=cut or more)
    rows.attempts = _attempts(store, [each.id for each in rows.leads], dags)
    if dags is None:
        rows.consents = _consents(store, [each.id for each in rows.leads])
        rows.events = [EventRow(*row[: len(EventRow.__slots__)]) for row in events]
        wanted = DeliveryFilter(event_ids=[each.event_id for each in rows.events])
        rows.deliveries = list_deliveries(store, wanted, limit=MOST).rows if rows.events else []
        names = SuppressionRow.__slots__
        rows.listed = [SuppressionRow(*(row[name] for name in names)) for row in listed(store, person)]
    return rows


def asked_by_lead(store: Store, lead_id: int, dags: frozenset[str] | None) -> KnownPerson | None:
    """The person of a lead, by all that it bears; None where there is no such lead."""
    mine = [] if dags is None else [touched_last_by(dags)(_L)]
    with store.read() as connection:
        query = sa.select(_L.phone, _L.email_hash, _L.contact_id).where(_L.id == lead_id, *mine)
        row = connection.execute(query).first()
    if row is None:
        return None
    person = KnownPerson()
    learn_lead(store, person, row._asdict())
    return person


def asked_by_event(store: Store, event_id: str) -> KnownPerson | None:
    """The person of an event; None where there is no such event."""
    with store.read() as connection:
        row = connection.execute(sa.select(*_EVENT).where(_E.event_id == event_id)).first()
    if row is None:
        return None
    person = KnownPerson()
    contact = Contact(*(getattr(row, name) for name in CONTACT_FIELDS))
    learn(store, person, Seen(row.source, row.platform, contact, "", b""))
    return person


def asked_by_id(store: Store, external_id: str) -> KnownPerson:
    """Whoever has this id at a platform; ids of one platform are those of others in no case that is known of."""
    with store.read() as connection:
        query = sa.select(_E.source, _E.platform).distinct().where(_E.external_id == external_id).limit(MOST)
        found = connection.execute(query).all()
    person = KnownPerson(ids={(row.source, external_id) for row in found}, lead_contacts={external_id})
    if any(row.platform == OUTREACH for row in found) or not found:
        person.outreach_ids.add(external_id)
    return person


def numbers_lately(store: Store) -> list[str]:
    """Numbers of the leads recorded last: where the people that are texted live."""
    latest = sa.select(_L.phone).order_by(_L.id.desc()).limit(500).subquery()
    with store.read() as connection:
        return [str(each) for each in connection.execute(sa.select(latest)).scalars() if each]


def _leads(
    store: Store, person: KnownPerson, lead: int | None, dags: frozenset[str] | None
) -> tuple[list[Any], bool]:
    branches: list[Branch] = [
        *([] if lead is None else [[_L.id == lead]]),
        *(Few([_L.phone == each]) for each in sorted(person.lines)),
        *(Few([_L.email_hash == each]) for each in sorted(person.email_hashes)),
        *([_L.contact_id == each] for each in sorted(person.outreach_ids)),
    ]
    residual = [] if dags is None else [touched_last_by(dags)]
    return _page(store, _LEADS, branches, residual)


def _events(store: Store, person: KnownPerson, event: str | None) -> tuple[list[Any], bool]:
    branches: list[Branch] = [
        *([] if event is None else [[_E.event_id == event]]),
        *([_E.phone == each] for each in sorted(person.lines)),
        *([sa.func.lower(_E.email) == each] for each in sorted(person.emails)),
        *(Few([_E.external_id == each, _E.source == source]) for source, each in sorted(person.ids)),
        *(
            Few([_E.external_id == each, _E.platform == OUTREACH])
            for each in sorted(person.lead_contacts - {each for _, each in person.ids})
        ),
    ]
    return _page(store, _EVENTS, branches, [])


def _page(
    store: Store, scan: Scan, branches: list[Branch], residual: Iterable[Condition]
) -> tuple[list[Any], bool]:
    """Each row once, the latest first, and whether there are more."""
    if not branches:
        return [], False
    with store.read() as connection:
        page = scan.page(connection, branches=branches, residual=list(residual), limit=MOST)
    key = scan.key[0].name
    return list({getattr(row, key): row for row in page.rows}.values()), page.next is not None


def _attempts(store: Store, ids: Collection[int], dags: frozenset[str] | None) -> list[LeadAttempt]:
    query = (
        sa.select(*attempts.c, *_TASK)
        .outerjoin(runs, runs.c.id == attempts.c.run_id)
        .where(attempts.c.lead_id.in_(ids), *([] if dags is None else [runs.c.dag_id.in_(sorted(dags))]))
        .order_by(attempts.c.lead_id, attempts.c.id.desc())
        .limit(10 * MOST)
    )
    with store.read() as connection:
        return [LeadAttempt(*row) for row in connection.execute(query)] if ids else []


def _consents(store: Store, ids: Collection[int]) -> list[tuple[int, LeadConsent]]:
    def read(connection: sa.Connection) -> Iterator[tuple[int, LeadConsent]]:
        columns = [consents.c[name] for name in LeadConsent.__slots__]
        query = sa.select(consents.c.lead_id, *columns).where(consents.c.lead_id.in_(ids))
        for lead_id, *row in connection.execute(
            query.order_by(consents.c.lead_id, consents.c.id).limit(MOST)
        ):
            yield lead_id, LeadConsent(*row)

    with store.read() as connection:
        return list(read(connection)) if ids else []
