"""What a person does by hand, from page or command line: one place, and nothing without its audit row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from airflow_outreach_provider.core.deliveries import DeliveryState, word_of
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.services.audited import audited, audited_as, counted
from airflow_outreach_provider.services.events.ingest import read_unrecognised_again
from airflow_outreach_provider.services.submit.reconcile import ContactSearch, Reconciled
from airflow_outreach_provider.services.submit.reconcile import reconcile as look_up_held
from airflow_outreach_provider.store import audit, housekeeping, suppressions
from airflow_outreach_provider.store.deliveries import endpoints, fan_out
from airflow_outreach_provider.store.deliveries import lists as deliveries_lists
from airflow_outreach_provider.store.deliveries import redeliver as deliveries_redeliver
from airflow_outreach_provider.store.deliveries.endpoints import Release, Released
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import consumers, progress, sources
from airflow_outreach_provider.store.inbox.lists import EventFilter
from airflow_outreach_provider.store.inbox.progress import Consumer
from airflow_outreach_provider.store.ledger import held as ledger_held
from airflow_outreach_provider.store.ledger.held import Target
from airflow_outreach_provider.store.ledger.lists import LeadFilter, every_lead, lead_story
from airflow_outreach_provider.store.people import erase

_BY_HAND = "by hand"
REDELIVER = "redeliver"
REDELIVERABLE = (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.IGNORED)


def note(store: Store, action: str, subject: str, *, actor: str) -> None:
    """Write down what somebody looks at or tries, before they do: ``reveal lead``, ``test endpoint``."""
    audit.record(store, actor, action, subject=subject)


def note_export(store: Store, action: str, subject: str, *, actor: str) -> Callable[[int], None]:
    """Write down an export before it begins. :return: what is to be told how many rows were given out."""
    written = audit.record(store, actor, action, subject=subject, count=0, note="begun")
    return lambda count: audit.settle(store, written, count=count, note="done")


def start_trial(store: Store, dag_id: str, rows: int, start: Callable[[], str], *, actor: str) -> str:
    """Begin a dry run of a sync in Airflow; the id of its run. :param start: does it, and says the id."""
    return audited(store, actor, "try rows", f"{dag_id}: {rows} rows", rows, start, lambda run: (rows, run))


def named_in_leads(store: Store, phone: str) -> str:
    """A number for the audit: masked, with the ids of its leads, as many numbers look alike then.

    :param phone: E.164.
    """
    return _with_ids(phone, "lead", (each.id for each in every_lead(store, LeadFilter(phone=phone))))


def named_in_list(store: Store, phone: str) -> str:
    """The same with the ids of its entries of the do-not-contact list."""
    return _with_ids(phone, "entry", (each.id for each in suppressions.every_entry(store, phone=phone)))


def _with_ids(phone: str, of: str, ids: Iterable[int]) -> str:
    known = _some([f"{of} {each}" for each in sorted(ids)])
    return mask_phone(phone) + (f" ({known})" if known else "")


def suppress(
    store: Store, phones: Iterable[str], *, actor: str, reason: str = "manual", campaign: str = ""
) -> int:
    """Put numbers on the do-not-contact list of a campaign or of all, an audit row a thousand; how many were new.

    :param phones: E.164, or ``suppressions.EMAIL`` and the hash of an address.
    :raises ConfigurationError: one is neither; nothing after the thousand before it was written.
    """
    return suppressions.add(store, phones, actor=actor, reason=reason, campaign=campaign)


def unsuppress(store: Store, phones: Iterable[str], *, actor: str, campaign: str = "", note: str = "") -> int:
    """Take entries off the list of this campaign (or, where empty, of all); how many were on it."""
    return suppressions.remove(store, phones, actor=actor, campaign=campaign, note=note)


def suppressed(store: Store, phones: Iterable[str], *, campaign: str = "") -> int:
    """How many entries :func:`unsuppress` would take off the list."""
    return suppressions.count(store, phones, campaign=campaign)


def reparse(store: Store, sources: Callable[[str], SourceSettings | None], *, actor: str) -> int:
    """Read stored unrecognised events again with the parsers of this version; how many are recognised now."""
    read = partial(read_unrecognised_again, store, sources)
    return counted(store, actor, "reparse", "unrecognised events", 0, read)


def replayable(store: Store, consumer: str, wanted: EventFilter) -> int:
    """How many events a replay for this consumer would bring."""
    return consumers.replay(store, consumer, **_fields(wanted), dry_run=True)


def replay(store: Store, consumer: str, wanted: EventFilter, *, actor: str, expected: int) -> int:
    """Let the consumer read events again; how many. :param expected: what :func:`replayable` said."""
    kinds = ", ".join(sorted(wanted.kinds)) if wanted.kinds else None
    which = said(kind=kinds, **_fields(replace(wanted, kinds=None, event_ids=None)))
    if wanted.event_ids is not None:
        which = _some(sorted(wanted.event_ids))
    work = partial(consumers.replay, store, consumer, **_fields(wanted))
    return counted(store, actor, "replay", f"{consumer}: {which}", expected, work)


def _fields(wanted: EventFilter) -> dict[str, Any]:
    return {each.name: getattr(wanted, each.name) for each in fields(wanted)}


def consumer(store: Store, name: str) -> Consumer:
    """A consumer's progress.

    :raises ConfigurationError: there is no such consumer.
    """
    known = {each.name: each for each in progress.consumers(store)}
    if name not in known:
        raise ConfigurationError(
            f"there is no consumer {name!r}", "airflow outreach events consumers lists them"
        )
    return known[name]


def remove_consumer(store: Store, known: Consumer, *, actor: str) -> None:
    """Remove a consumer's progress; what waited for it can be purged then."""
    waiting = known.behind + known.pending
    counted(
        store, actor, "remove consumer", known.name, waiting,
        lambda: waiting if consumers.forget_consumer(store, known.name) else 0,
    )  # fmt: skip


def redeliverable(store: Store, wanted: DeliveryFilter) -> dict[str, int]:
    """How many deliveries a redelivery would make pending again, by the state they are in now."""
    counts = deliveries_lists.count(store, wanted)
    return {state.value: counts[state.value] for state in REDELIVERABLE if counts.get(state.value)}


@dataclass(frozen=True, slots=True)
class Resend:
    """:ivar count: deliveries that are sent again. :ivar id: by which that can be followed to its end."""

    count: int
    id: int


def redeliver(store: Store, wanted: DeliveryFilter, *, actor: str, expected: int) -> Resend:
    """Make deliveries pending again, with all their tries.

    :param expected: how many :func:`redeliverable` counted.
    """
    subject = _some([str(each) for each in wanted.ids]) if wanted.ids else said(
        state=", ".join(map(word_of, wanted.states)), route=wanted.route, endpoint=wanted.endpoint, kind=", ".join(wanted.kinds),
        event=_some(list(wanted.event_ids)), since=wanted.since, until=wanted.until, campaign=wanted.campaign,
        tried_since=wanted.tried_since, tried_until=wanted.tried_until, resend=wanted.resend,
        tried={True: "failed", False: "delivered", None: None}[wanted.tried_failed],
    )  # fmt: skip

    def work(written: int) -> Resend:
        return Resend(deliveries_redeliver.redeliver(store, wanted, written), written)

    return audited_as(store, actor, REDELIVER, subject, expected, work, lambda done: (done.count, "done"))


def cancel_resend(store: Store, resend: int, *, actor: str) -> int:
    """Take back what was sent again and has not gone yet; how many."""
    expected = deliveries_redeliver.cancellable(store, resend)
    work = partial(deliveries_redeliver.cancel, store, resend)
    return counted(store, actor, "cancel resend", f"resend {resend}", expected, work)


def send_to_route(store: Store, event: ContactEvent, route: str, *, actor: str) -> int:
    """Make a delivery of an event to a route that has none of it; how many."""
    subject = f"{event.id} to {route}"
    return counted(store, actor, "send to route", subject, 1, partial(fan_out.send, store, event, route))


def enable_endpoint(store: Store, conn_id: str, release: Release, *, actor: str) -> Released:
    """Let deliveries to an endpoint go on, and say what becomes of the held ones."""
    go, subject = partial(endpoints.enable, store, conn_id, release), f"{conn_id} ({release.value})"
    return audited(
        store, actor, "enable endpoint", subject, held(store, conn_id), go,
        lambda done: (sum(done), f"{done.sent} to be sent, {done.dropped} dead"),
    )  # fmt: skip


def held(store: Store, conn_id: str) -> int:
    """Deliveries that wait for an endpoint to be enabled."""
    waiting = DeliveryFilter(endpoint=conn_id, states=[DeliveryState.HELD])
    return deliveries_lists.count(store, waiting).get(DeliveryState.HELD.value, 0)


def disable_endpoint(store: Store, conn_id: str, *, reason: str, actor: str) -> bool:
    """Stop deliveries to an endpoint; they are held. Whether it was enabled before."""
    off = partial(endpoints.disable, store, conn_id, reason=reason or _BY_HAND, by=actor)
    return _switched(store, actor, "disable endpoint", conn_id, off)


def enable_source(store: Store, conn_id: str, *, actor: str) -> bool:
    """Take events of a source again. Whether it was off before."""
    return _switched(store, actor, "enable source", conn_id, partial(sources.enable, store, conn_id))


def disable_source(store: Store, conn_id: str, *, reason: str, actor: str) -> bool:
    """Take no more events of a source. Whether it was on before."""
    disable = partial(sources.disable, store, conn_id, reason=reason or _BY_HAND, by=actor)
    return _switched(store, actor, "disable source", conn_id, disable)


def _switched(store: Store, actor: str, action: str, conn_id: str, switch: Callable[[], bool]) -> bool:
    return bool(counted(store, actor, action, conn_id, 1, lambda: int(switch())))


def _some(names: list[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def said(**conditions: object) -> str:
    """A filter in words, for the audit: ``state dead, route crm``; ``all`` where nothing restricts."""
    return ", ".join(f"{name} {value}" for name, value in conditions.items() if value) or "all"


_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class HeldCount:
    """:ivar held: leads that are held. :ivar sendable: those of them whose payload is still kept."""

    held: int
    sendable: int


def resolve_target(word: str) -> Target:
    """``accepted`` or ``planned``.

    :raises ConfigurationError: any other word.
    """
    if word == LeadState.ACCEPTED:
        return LeadState.ACCEPTED
    if word == LeadState.PLANNED:
        return LeadState.PLANNED
    raise ConfigurationError(
        f"a held lead cannot become {word[:40]!r}",
        "use 'accepted' (it was texted) or 'planned' (send it again)",
    )


def count_held(store: Store, wanted: LeadFilter | Collection[int]) -> HeldCount:
    """How many held leads are meant."""
    total = sendable = 0
    for group in _groups(store, wanted):
        total += len(group)
        sendable += ledger_held.sendable(store, group)
    return HeldCount(total, sendable)


def resolve(store: Store, wanted: LeadFilter | Collection[int], to: Target, *, actor: str) -> int:
    """Settle held leads, in groups of 500 with an audit row each; how many.

    :param wanted: a filter, whose ``state`` is taken for *held*, or ids of leads.
    :param actor: who decided it: kept in the audit and in each lead's history.
    """
    # Read before the first is settled: settling takes leads out of the list that is being read.
    return sum(
        ledger_held.settle(store, group, to, actor=actor, subject=_subject(store, wanted, group))
        for group in list(_groups(store, wanted))
    )


def _groups(store: Store, wanted: LeadFilter | Collection[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for lead_id in _ids(store, wanted):
        group.append(lead_id)
        if len(group) == _AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _ids(store: Store, wanted: LeadFilter | Collection[int]) -> Iterator[int]:
    if isinstance(wanted, LeadFilter):
        yield from (lead.id for lead in every_lead(store, replace(wanted, state=LeadState.HELD)))
        return
    for lead_id in dict.fromkeys(wanted):
        story = lead_story(store, lead_id)
        if story is not None and story.lead.state == LeadState.HELD:
            yield lead_id


def _subject(store: Store, wanted: LeadFilter | Collection[int], group: list[int]) -> str:
    if len(group) == 1:
        story = lead_story(store, group[0])
        return f"lead {group[0]} {mask_phone(story.lead.phone if story else None)}"
    if not isinstance(wanted, LeadFilter):
        return f"{len(group)} leads by id"
    parts = [f"campaign {wanted.campaign}"] if wanted.campaign else []
    parts += [f"reason {wanted.reason}"] if wanted.reason else []
    parts += [f"run {wanted.run_id}"] if wanted.run_id is not None else []
    parts += (
        [f"{mask_phone(wanted.phone)} ({_some([f'lead {each}' for each in group])})"] if wanted.phone else []
    )
    return f"{len(group)} held leads: {', '.join(parts) or 'all'}"


def reconcile(
    store: Store,
    contacts: AbstractAsyncContextManager[ContactSearch],
    *,
    actor: str,
    conn_id: str,
    delay: timedelta,
    campaign: str | None = None,
    limit: int = 500,
) -> Reconciled:
    """Ask a connection's contact list what became of the held leads that were sent through it.

    :param delay: how old an attempt must be. :param limit: look up at most so many.
    """

    def work() -> Reconciled:
        wanted = look_up_held(store, contacts, conn_id=conn_id, delay=delay, campaign=campaign, limit=limit)
        return asyncio.run(wanted)

    def told(done: Reconciled) -> tuple[int, str]:
        return done.accepted + done.planned, f"{done.accepted} accepted, {done.planned} planned"

    return audited(
        store, actor, "reconcile", f"held leads, {said(connection=conn_id, campaign=campaign)}", 0, work, told
    )


def forget(
    store: Store,
    *,
    phone: str | Iterable[str] | None = None,
    email: str | Iterable[str] | None = None,
    actor: str,
    suppress: bool = True,
) -> dict[str, int]:
    """Remove a person from ledger, inbox and deliveries, found through their own events too.

    :param phone: E.164. :param email: in any writing. Either may be several of one person's.
    :param suppress: keep the number, and nothing else, on the do-not-contact list: without it the next sync
        whose source still lists the person would text them as somebody new.
    :return: rows removed, by where.
    :raises StoreError: everything was removed, but others kept the database's files from being cleaned.
    """
    numbers = [phone] if isinstance(phone, str) else list(phone or ())
    emails = [email] if isinstance(email, str) else list(email or ())
    by = [*(["number"] if numbers else []), *(["e-mail address"] if emails else [])]

    work = partial(erase.forget_person, store, numbers, emails, suppressed_by=actor if suppress else None)
    done = audited(
        store, actor, "forget", f"a person, by {' and '.join(by)}", 0, work,
        lambda done: (sum(done.values()) - done["do-not-contact"], _by_where(done)),
    )  # fmt: skip
    erase.scrub(store)
    return done


def purge(
    store: Store, before: datetime, *, actor: str, abandoned_after: timedelta = housekeeping.ABANDONED_AFTER
) -> dict[str, int]:
    """Remove what is settled and older than a time; who was texted and the do-not-contact list stay known.

    :param abandoned_after: a consumer that has not looked for so long keeps no event.
    :return: rows by where, and how many old events are kept because a consumer or a delivery needs them.
    """
    before = min(before, store.now())  # or it would remove its own row
    subject = f"settled before {before:%Y-%m-%d %H:%M} UTC"
    work = partial(housekeeping.purge, store, before, abandoned_after)
    done = audited(
        store, actor, "purge", subject, 0, work, lambda done: (sum(done.values()), _by_where(done))
    )
    kept = housekeeping.needed_events(store, received_before=before, abandoned_after=abandoned_after)
    return {**done, "old events kept, not read or not delivered": kept}


def _by_where(done: dict[str, int]) -> str:
    return ", ".join(f"{count} {where}" for where, count in done.items())
