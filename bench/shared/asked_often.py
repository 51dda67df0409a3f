"""Everything that is asked of the store for every poll, turn or batch, as work of the same size on any store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.delivery_rules import DeliveryVerdict
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.core.person import KnownPerson
from airflow_outreach_provider.core.states import LeadState, RunState
from airflow_outreach_provider.services.deliveries.fan_out import Reading, is_ready, take_in
from airflow_outreach_provider.services.events.doorbell import Doorbell
from airflow_outreach_provider.store import audit, rates, suppressions
from airflow_outreach_provider.store.deliveries import (
    attempts,
    claims,
    deliverable,
    endpoints,
    plans,
    reserved,
    rests,
    serving,
)
from airflow_outreach_provider.store.deliveries.attempts import Attempt
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import consumers, lists
from airflow_outreach_provider.store.ledger import held, runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement
from airflow_outreach_provider.store.ledger.staging import Entry
from airflow_outreach_provider.store.people import look
from shared.filled import FREE, HANDED, LATER, ROUTES, SLOW, Undone, waiting

GROUP = 100
# As many of each route wait in the smallest store that is measured.
SOME = 50
LEASE = timedelta(minutes=5)
LYING = timedelta(minutes=14)
OWNER = Owner("bench", "task")


@dataclass(frozen=True, slots=True)
class Asked:
    """:ivar name: what is asked. :ivar work: asks it, the same amount on a store of any size."""

    name: str
    work: Callable[[], object]


def asked_often(store: Undone, size: int) -> list[Asked]:
    """All of it."""
    parts = (_submit, _inbox, _lists, _planning, _claiming, _settling, _looking)
    return [Asked(name, work) for part in parts for name, work in part(store, size)]


Named = Iterator[tuple[str, Callable[[], object]]]


def _last(size: int, count: int = GROUP) -> list[int]:
    """The last rows, as far apart as makes each of its own contact and route."""
    return [each for each in range(size - 8 * count + 1, size + 1, 8) if each > 0]


def _submit(store: Undone, size: int) -> Named:
    ledger, ruled = Ledger(store, 1), Ledger(store, 1, PerPerson.parse("3 per 7 days"))
    planned = [each - each % 2 for each in _last(size) if each > 1]
    settled = [Settlement(each, LeadState.ACCEPTED, "", "", "accepted", 202, 5) for each in planned]
    phones = [("c0", f"+1416{1_000_000 + each}") for each in planned]
    new = [
        Entry(
            "c0", f"+1905{1_000_000 + n}", f"n{n}", "h", LeadState.PLANNED, "", "", "{}", None, n, None
        )
        for n in range(GROUP)
    ]  # fmt: skip
    yield "submit: claim", lambda: ledger.turn([], planned)
    yield "submit: claim, per person", lambda: ruled.turn([], planned)
    yield "submit: settle", lambda: ledger.turn(settled, [])
    yield "submit: find rows", lambda: ledger.find_by_row_hash([f"r{each}" for each in planned])
    yield "submit: find people", lambda: ledger.find(phones, [f"e{each}" for each in planned])
    yield "submit: sharing an address", lambda: ledger.sharing(phones, [f"e{each}" for each in planned])
    yield "submit: texted how often", lambda: ruled.full([each for _, each in phones], datetime.now(UTC))
    yield "submit: stage", lambda: ledger.stage(new)
    yield "submit: leftovers, next", lambda: ledger.leftovers(["c0"], 1, GROUP)
    yield "submit: waiting", lambda: ledger.waiting(LeadState.HELD, ["c1"], 0, GROUP)
    yield "submit: heartbeat", partial(runs.heartbeat, store, 1, lease=LEASE, read=1, counts={}, reasons={})
    yield "submit: begin", partial(runs.start, store, OWNER, campaign="c", source="s", lease=LEASE)
    yield (
        "submit: end",
        partial(runs.finish, store, 1, state=RunState.SUCCEEDED, read=1, counts={}, reasons={}),
    )
    # As many as are looked up at a time, of all that are held: the oldest, of which one in five went elsewhere.
    yield "submit: held ones", lambda: held.held_before(store, datetime.now(UTC), GROUP, "api")
    yield (
        "submit: held ones of a campaign",
        lambda: held.held_before(store, datetime.now(UTC), GROUP, "api", "c1"),
    )
    yield "submit: last run", lambda: runs.last_of(store, Owner("dag1"), "c")
    yield "submit: last run, none", lambda: runs.last_of(store, Owner("dag1"), "never")


def _inbox(store: Undone, size: int) -> Named:
    at = datetime.now(UTC)
    made = [
        ContactEvent(f"new_{n}", "s1", "varda", "reply", EventKind.REPLIED, at, at, Contact(external_id=f"p{n}", phone=f"+1416555{n:04}"))
        for n in range(GROUP)
    ]  # fmt: skip
    incoming = [Incoming(each, each.to_json(), "[]", fingerprint=each.id, window_seconds=9) for each in made]
    known = [f"evt_{each}" for each in _last(size)]
    after = size - waiting(size)
    yield "inbox: append", lambda: inbox_append.append(store, incoming)
    yield "inbox: read", lambda: consumers._after(store, after, [], GROUP)
    yield "inbox: waiting", lambda: consumers.waiting(store, FREE, limit=8)
    yield "inbox: load", lambda: lists.load(store, known)
    yield "inbox: register", lambda: consumers.register(store, FREE)
    yield "inbox: waiting, handed out", lambda: consumers.waiting(store, SLOW, limit=8)
    yield "inbox: take in what is new", lambda: take_in(store, Reading(FREE, (FREE,)))
    yield "inbox: take in what was handed out", lambda: take_in(store, Reading(SLOW, (FREE,)))


def _lists(store: Undone, size: int) -> Named:
    yield "rates: reserve", lambda: rates.reserve(store, f"k{size // 2}", 10, 1.0)
    yield "suppressions: add", lambda: suppressions.suppress(store, ["+15550001111"], reason="x", source="y")
    yield "suppressions: look for what is to be spread", lambda: suppressions.spread(store)
    yield "audit: write", lambda: audit.record(store, "a", "b")
    yield "audit: page", lambda: audit.entries(store)


def _planning(store: Undone, size: int) -> Named:
    for route in ROUTES:
        yield f"plan: {route}", partial(plans.plan, store, [route], "new", limit=SOME, lease=LEASE)
        yield f"ready: {route}", partial(plans.ready, store, [route])
        yield f"is busy: {route}", partial(plans.is_busy, store, [route], "new")
        yield (
            f"reserving: {route}",
            partial(reserved.reserving, store, [route], lease=LEASE, age=timedelta(seconds=10)),
        )
    yield "waiting runs", lambda: plans.waiting_runs(store, FREE, "new")
    yield "reserving", lambda: reserved.reserving(store, None, lease=LEASE, age=timedelta(seconds=10))
    yield "end plans", lambda: reserved.end(store, ["new"])
    yield "own plan", lambda: plans.own(store, "new")
    yield "sensor: is ready", lambda: is_ready(store, Reading(FREE, (FREE,)))


def _ring(store: Undone, route: str, seen: deliverable.Glance) -> None:
    """One look of a doorbell that is new: it has read nothing yet."""
    Doorbell(Reading(route, (route,)), own_filter=False).look(store, seen)


def _given(store: Undone, **asked: Any) -> None:
    """A claim that takes along no more than there is in the smallest store."""
    most = claims.MOST_TAKEN_ALONG
    claims.MOST_TAKEN_ALONG = GROUP
    try:
        claims.claim(store, **asked)
    finally:
        claims.MOST_TAKEN_ALONG = most


def _claiming(store: Undone, size: int) -> Named:
    ids = [f"evt_{each - each % 8}" for each in _last(size)]
    common: dict[str, Any] = {"owner": OWNER, "endpoint": "crm", "lease": LEASE}
    lanes = [f"lane{each // 32}.0" for each in _last(size)]
    for route, plan in ((FREE, "new"), (FREE, None), (HANDED, None), (LATER, None)):
        yield (
            f"claim: a batch of {route}, {'planned' if plan else 'given'}",
            partial(_given, store, route=route, event_ids=ids, plan=plan, revive=False, **common),
        )
    yield (
        "claim: what is freed",
        partial(claims.claim_freed, store, route=FREE, lanes=lanes, plan="new", **common),
    )
    for route in ROUTES:
        for too in (False, True):
            yield (
                f"claim: untried {route}{', planned too' if too else ''}",
                partial(
                    claims.claim_untried, store, route=route, plan="new", limit=SOME, lying=LEASE if too else None, **common
                ),
            )  # fmt: skip


def _settling(store: Undone, size: int) -> Named:
    at = datetime.now(UTC)
    ids = _last(size)
    tried = [Attempt(each, DeliveryState.DELIVERED, at, DeliveryVerdict.DELIVERED, 200, 5) for each in ids]
    yield "settle", lambda: attempts.settle(store, tried, OWNER)
    yield "renew", lambda: attempts.renew(store, OWNER, LEASE)
    yield "release", lambda: attempts.release(store, OWNER, LEASE, ["evt_1"])
    yield "hand on", lambda: attempts.hand_on(store, dict.fromkeys(ids), OWNER)
    yield "states of a batch", lambda: attempts.states_of(store, FREE, [f"evt_{each}" for each in ids])
    yield "missing", lambda: attempts.missing(store, FREE, [f"evt_{each}" for each in ids])
    yield (
        "endpoint: note",
        partial(
            endpoints.note,
            store,
            "crm",
            at=at,
            status=200,
            error="",
            failed_in_a_row=0,
            failing_from=None,
            succeeded=True,
        ),
    )
    yield "endpoint: leave", lambda: rests.leave(store, "crm")
    yield "endpoint: failing contacts", lambda: rests.failing_contacts(store, "crm", 3)
    yield "endpoint: own faults", lambda: rests.own_faults(store, "crm", range(1, 201))
    yield "endpoint: untried wait", lambda: plans.untried_wait(store, "crm", LYING)
    mine = [attempts.Delivery(1, "evt_1", "lane0.0", "replied", 0, None)]
    yield "behind a held one", lambda: claims.hold_behind(store, FREE, "crm", mine)


def _looking(store: Undone, size: int) -> Named:
    one = size - size % 4 - 4 if size > 8 else 4
    yield "person: by number", lambda: look.look_up(store, KnownPerson(numbers={f"+1416{1_000_000 + one}"}))
    yield "person: by address", lambda: look.look_up(store, KnownPerson(email_hashes={f"e{one}"}))
    yield "person: by id", lambda: look.look_up(store, look.asked_by_id(store, f"p{one}"))
    seen = deliverable.glance(store, size)
    lanes = [f"lane{each // 32}.0" for each in _last(size)]
    yield "doorbell: glance", lambda: deliverable.glance(store, size)
    for route in ROUTES:
        yield f"doorbell: {route}", partial(_ring, store, route, seen)
        yield f"serve: contacts of {route}", partial(serving.free_contacts, store, route, 2)
        yield f"serve: what lies of {route}", partial(serving.is_left_lying, store, route, LEASE)
    yield "doorbell: busy lanes", lambda: deliverable.busy_lanes(store, [FREE], lanes)
    yield "serve", lambda: serving.serve(store, FREE, OWNER, LEASE)
    yield "serve: by another", lambda: serving.by_another(store, FREE, OWNER)
