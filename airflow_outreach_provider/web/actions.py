"""What people do by hand. Every action counts first; ``go: true`` does it, and leaves an audit row."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.phones import parse_phone
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.hooks.sources import OutreachSourceHook
from airflow_outreach_provider.services import resolve as resolving
from airflow_outreach_provider.services.deliver import send_test
from airflow_outreach_provider.store import audit, deliveries_admin, endpoints, inbox, suppressions
from airflow_outreach_provider.store.endpoints import Release
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.views_leads import LeadFilter, lead_story
from airflow_outreach_provider.web.access import Editor, StoreDep, editor, edits_connection
from airflow_outreach_provider.web.asked import _blank, _moment
from airflow_outreach_provider.web.connections import get_endpoint

router = APIRouter(prefix="/api", tags=["act"], dependencies=[Depends(editor)])

_B = BeforeValidator(_blank)
Ids = Annotated[list[int], Field(max_length=1000)]
Words = Annotated[str | None, _B, Field(max_length=250)]
When = Annotated[AwareDatetime | None, BeforeValidator(_moment)]


class Answer(BaseModel):
    """What an action would do, or did. ``count``: how many rows it is about."""

    says: str
    count: int = 0
    done: bool = False


class Go(BaseModel):
    """``go``: do it; without it the action only counts."""

    go: bool = False


class Resolve(Go):
    """Held leads, by id or by filter (an empty filter is every held lead)."""

    to: str
    ids: Ids = []
    campaign: Words = None
    reason: Words = None
    run: Annotated[int | None, _B] = None
    phone: Words = None


class Redeliver(Go):
    """Deliveries, by id or by filter; only dead ones unless ``state`` says otherwise."""

    ids: Ids = []
    state: Annotated[DeliveryState | None, _B] = None
    route: Words = None
    endpoint: Words = None
    kind: Annotated[EventKind | None, _B] = None
    event: Words = None
    since: When = None


class Replay(Go):
    """Events for a consumer to read again."""

    consumer: str
    event_ids: Annotated[list[str] | None, Field(max_length=1000)] = None
    source: Words = None
    kind: Annotated[EventKind | None, _B] = None
    since: When = None
    until: When = None


class Suppress(Go):
    """Numbers, separated by line ends, commas or semicolons, or those of leads; ``campaign`` empty for all."""

    phones: str = ""
    lead_ids: Ids = []
    campaign: Annotated[str, Field(max_length=250)] = ""
    reason: Annotated[str, Field(max_length=100)] = "manual"


class Unsuppress(Go):
    """Entries of the do-not-contact list, by id."""

    ids: Ids


class Enable(Go):
    """``release``: which held deliveries are sent: all, the latest of each contact, or none."""

    release: Release = Release.ALL


class Disable(Go):
    """``reason``: for those who find it disabled."""

    reason: Annotated[str, Field(max_length=250)] = ""


@router.post("/actions/resolve")
def resolve(who: Editor, store: StoreDep, asked: Resolve) -> Answer:
    """Settle held leads: ``accepted`` (they were texted) or ``planned`` (send them again)."""
    to = resolving.check_target(asked.to)
    wanted: LeadFilter | list[int] = asked.ids or LeadFilter(
        campaign=asked.campaign,
        state=LeadState.HELD,
        reason=asked.reason,
        run_id=asked.run,
        phone=parse_phone(asked.phone).e164 if asked.phone else None,
    )
    if not asked.go:
        found = resolving.count(store, wanted)
        if to is LeadState.PLANNED:
            lost = found.held - found.sendable
            kept = f" {_n(lost, 'has', 'have')} no payload any more and would stay held." if lost else ""
            return Answer(
                says=f"{_n(found.sendable, 'held lead')} will be sent by the next run. Anybody who was texted "
                f"already is texted twice.{kept}",
                count=found.sendable,
            )
        return Answer(
            says=f"{_n(found.held, 'held lead')} will count as texted and not be sent again.",
            count=found.held,
        )
    done = resolving.resolve(store, wanted, to, actor=who.name)
    return Answer(says=f"{_n(done, 'lead')} resolved as {to.value}.", count=done, done=True)


@router.post("/actions/redeliver")
def redeliver(who: Editor, store: StoreDep, asked: Redeliver) -> Answer:
    """Make deliveries pending again; the next run of their route takes them."""
    wanted = deliveries_admin.Filter(
        ids=asked.ids,
        event_ids=[asked.event] if asked.event else [],
        route=asked.route,
        endpoint=asked.endpoint,
        states=[asked.state] if asked.state else ([] if asked.ids else [DeliveryState.DEAD]),
        kinds=[asked.kind.value] if asked.kind else [],
        since=asked.since,
    )
    again = (DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.IGNORED)
    counts = deliveries_admin.count(store, wanted)
    count = sum(counts.get(state.value, 0) for state in again)
    if not asked.go:
        delivered = counts.get(DeliveryState.DELIVERED.value, 0)
        twice = f" {_n(delivered, 'of them was', 'of them were')} delivered before." if delivered else ""
        return Answer(
            says=f"{_n(count, 'delivery', 'deliveries')} will be sent by the next run of the route.{twice}",
            count=count,
        )
    subject = (
        f"ids {asked.ids[:20]}"
        if asked.ids
        else _said(asked, "state", "route", "endpoint", "kind", "event", "since")
    )
    done = _audited(
        store, who.name, "redeliver", subject, count, lambda: deliveries_admin.redeliver(store, wanted)
    )
    return Answer(says=f"{_n(done, 'delivery', 'deliveries')} pending again.", count=done, done=True)


@router.post("/actions/replay")
def replay(who: Editor, store: StoreDep, asked: Replay) -> Answer:
    """Let one consumer read events again."""
    chosen: dict[str, Any] = {
        "since": asked.since, "until": asked.until, "source": asked.source,
        "kinds": [asked.kind.value] if asked.kind else None, "event_ids": asked.event_ids,
    }  # fmt: skip
    count = inbox.replay(store, asked.consumer, **chosen, dry_run=True)
    if not asked.go:
        return Answer(
            says=f"{_n(count, 'event')} will be read again by {asked.consumer}. A route that delivered them before "
            "keeps its deliveries: use redeliver for those.",
            count=count,
        )
    subject = f"{asked.consumer}: " + (
        ", ".join(asked.event_ids[:5])
        if asked.event_ids
        else _said(asked, "source", "kind", "since", "until")
    )
    done = _audited(
        store, who.name, "replay", subject, count, lambda: inbox.replay(store, asked.consumer, **chosen)
    )
    return Answer(says=f"{_n(done, 'event')} will be read again.", count=done, done=True)


@router.post("/actions/suppress")
def suppress(who: Editor, store: StoreDep, asked: Suppress) -> Answer:
    """Put numbers on the do-not-contact list."""
    words = [word for word in re.split(r"[\n,;]+", asked.phones) if word.strip()]
    phones = [parse_phone(word).e164 for word in words]
    for lead_id in asked.lead_ids:
        story = lead_story(store, lead_id)
        if story is not None and story.lead.phone:
            phones.append(story.lead.phone)
    phones = list(dict.fromkeys(phones))
    if not phones:
        raise ConfigurationError("there is no number", "write at least one, with its country code")
    where = f"the campaign {asked.campaign}" if asked.campaign else "every campaign"
    if not asked.go:
        return Answer(
            says=f"{_n(len(phones), 'number')} will not be contacted in {where}.", count=len(phones)
        )
    new = suppressions.add(
        store, phones, actor=who.name, reason=asked.reason or "manual", campaign=asked.campaign
    )
    return Answer(
        says=f"{_n(new, 'number')} added for {where}; {len(phones) - new} were on the list.",
        count=new,
        done=True,
    )


@router.post("/actions/unsuppress")
def unsuppress(who: Editor, store: StoreDep, asked: Unsuppress) -> Answer:
    """Take entries off the do-not-contact list."""
    rows = suppressions.find(store, asked.ids)
    if not asked.go:
        return Answer(
            says=f"{_n(len(rows), 'entry', 'entries')} will be removed: these people may be texted again.",
            count=len(rows),
        )
    gone = sum(
        suppressions.remove(
            store, [row.phone], actor=who.name, campaign=row.campaign, note=f"was {row.reason}"
        )
        for row in rows
    )
    return Answer(says=f"{_n(gone, 'entry', 'entries')} removed.", count=gone, done=True)


@router.post("/endpoints/{connection_id}/enable", dependencies=[edits_connection])
def enable(who: Editor, store: StoreDep, connection_id: str, asked: Enable) -> Answer:
    """Let deliveries to an endpoint go on."""
    held = deliveries_admin.count(
        store, deliveries_admin.Filter(endpoint=connection_id, states=[DeliveryState.HELD])
    )
    waiting = held.get(DeliveryState.HELD.value, 0)
    if not asked.go:
        fate = {
            Release.ALL: "all are sent",
            Release.LATEST: "the latest of each contact is sent",
            Release.NONE: "none is sent",
        }
        return Answer(
            says=f"{connection_id} will get deliveries again. {_n(waiting, 'delivery waits', 'deliveries wait')}: "
            f"{fate[asked.release]}.",
            count=waiting,
        )
    _must_be_known(store, connection_id)
    sent = _audited(
        store, who.name, "enable endpoint", f"{connection_id} ({asked.release.value})", waiting,
        lambda: endpoints.enable(store, connection_id, asked.release),
    )  # fmt: skip
    return Answer(
        says=f"{connection_id} is enabled; {_n(sent, 'held delivery is', 'held deliveries are')} pending.",
        count=sent,
        done=True,
    )


@router.post("/endpoints/{connection_id}/disable", dependencies=[edits_connection])
def disable(who: Editor, store: StoreDep, connection_id: str, asked: Disable) -> Answer:
    """Stop deliveries to an endpoint; they are held."""
    _must_be_known(store, connection_id)
    if not asked.go:
        return Answer(says=f"Deliveries to {connection_id} will be held, not lost.", count=1)
    reason = asked.reason or f"disabled by {who.name}"
    _audited(
        store, who.name, "disable endpoint", connection_id, 1,
        lambda: int(endpoints.disable(store, connection_id, reason=reason, by=who.name)),
    )  # fmt: skip
    return Answer(says=f"{connection_id} is disabled; its deliveries are held.", count=1, done=True)


@router.post("/endpoints/{connection_id}/test", dependencies=[edits_connection])
def test(who: Editor, store: StoreDep, connection_id: str, asked: Go) -> Answer:
    """Send one signed test event that names no person."""
    endpoint = get_endpoint(connection_id)
    if not asked.go:
        return Answer(
            says=f"One signed test event, without any person in it, goes to {connection_id}.", count=1
        )
    audit.record(store, who.name, "test endpoint", subject=connection_id)
    ok, said = send_test(endpoint, datetime.now(UTC))
    return Answer(says=f"{connection_id} {'answered' if ok else 'failed'}: {said}", count=1, done=True)


@router.post("/sources/{connection_id}/check", dependencies=[edits_connection])
def check_source(who: Editor, store: StoreDep, connection_id: str, asked: Go) -> Answer:
    """Check a source's connection, and its contact list where that is set up. Sends nothing to anybody."""
    if not asked.go:
        return Answer(
            says=f"The fields of {connection_id} are checked, and its contact list is read if it has one.",
            count=1,
        )
    audit.record(store, who.name, "check source", subject=connection_id)
    _ok, said = OutreachSourceHook(connection_id).test_connection()
    return Answer(says=said, count=1, done=True)


def _must_be_known(store: Store, name: str) -> None:
    """An endpoint that is neither a connection nor ever got a delivery is a typing mistake."""
    if any(status.conn_id == name for status in endpoints.statuses(store)):
        return
    try:
        get_endpoint(name)
    except ConfigurationError as error:
        raise HTTPException(404, str(error)) from error


def _audited(store: Store, actor: str, action: str, subject: str, count: int, do: Callable[[], int]) -> int:
    """Write down, do, and correct what was written by what was done."""
    written = audit.record(store, actor, action, subject=subject, count=count, note="begun")
    done = do()
    audit.settle(store, written, count=done, note="done")
    return done


def _said(asked: BaseModel, *names: str) -> str:
    parts = [f"{name} {value}" for name in names if (value := getattr(asked, name)) is not None]
    return ", ".join(parts) or "all"


def _n(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
