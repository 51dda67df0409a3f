"""One person: all that is known of them on one time line, found by number, address or id.

Their page is named by something of theirs that has an id, so that no number is in a URL, a history or a log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from airflow_outreach_provider.core.masking import mask_id
from airflow_outreach_provider.core.person import KnownPerson
from airflow_outreach_provider.core.standing import Standing, in_order, sentence, standing
from airflow_outreach_provider.services import actions, people
from airflow_outreach_provider.services.person_search import is_personal, search
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.people.look import PersonRows, asked_by_event, asked_by_lead, look_up
from airflow_outreach_provider.store.suppressions import EMAIL
from airflow_outreach_provider.web import schemas
from airflow_outreach_provider.web.access import Editor, Person, Reader, SomeReader, StoreDep, editor
from airflow_outreach_provider.web.action_models import ActionRequest, ActionResult, amount
from airflow_outreach_provider.web.params import Blank, Line, RowId, Short
from airflow_outreach_provider.web.rendering import render

router = APIRouter()
QUIET = 30
Who = Annotated[Line | None, Blank]


class Anchor(StrEnum):
    """What names a person's page."""

    LEAD = "lead"
    EVENT = "event"
    ENTRY = "entry"


class TimelineItem(BaseModel):
    """Something that happened to a person. ``path`` is its page, below this application."""

    at: datetime
    what: str = Field(description="lead, event, delivery, consent, list")
    state: str
    says: str
    detail: str = ""
    campaign: str | None = None
    path: str | None = None
    task: schemas.TaskRef | None = None


class Clause(BaseModel):
    """What holds in one campaign; ``says`` in words, times UTC."""

    campaign: str
    word: str
    at: datetime | None
    why: str
    until: datetime | None
    says: str


class PersonDetail(BaseModel):
    """A person: what holds, and their time line, the latest first."""

    anchor: Anchor
    id: str
    known_as: list[str] = Field(description="numbers, addresses, masked unless revealed")
    ids: list[str] = Field(description="at platforms, with the source each is of")
    sentence: str
    clauses: list[Clause]
    listed: dict[str, str] = Field(description="campaign, empty for all → why, of the do-not-contact list")
    leads: list[schemas.LeadSchema]
    timeline: list[TimelineItem]
    cut: bool = Field(description="earlier leads or events are left out")
    revealed: bool = False


class PersonQuestion(BaseModel):
    """``who``: a number in any writing, an e-mail address, or an id."""

    model_config = ConfigDict(extra="forbid")
    who: Annotated[Line, Field(min_length=1)]


class PersonFound(BaseModel):
    """``path``: the person's page, below this application; null where nobody is known."""

    path: str | None
    says: str


class Forget(ActionRequest):
    """The person of a lead, an event, or an entry of the do-not-contact list."""

    anchor: Anchor
    id: Short


_NOBODY = "Nobody is known by that: not texted, no event, not on the do-not-contact list."


def person(
    store: Store, anchor: Anchor, key: str, dags: frozenset[str] | None, *, reveal: bool = False
) -> PersonDetail:
    """What is known of the person that something is of.

    :raises HTTPException: 404, there is no such thing.
    """
    return _detail(_rows(store, anchor, key, dags), anchor, key, reveal=reveal)


def _rows(store: Store, anchor: Anchor, key: str, dags: frozenset[str] | None) -> PersonRows:
    known: KnownPerson | None = None
    lead = int(key) if anchor is Anchor.LEAD and key.isascii() and key.isdigit() and len(key) < 19 else None
    if lead is not None:
        known = asked_by_lead(store, lead, dags)
    elif anchor is Anchor.EVENT and dags is None:
        known = asked_by_event(store, key)
    elif anchor is Anchor.ENTRY and dags is None and key.isascii() and key.isdigit() and len(key) < 19:
        known = _of_entry(store, int(key))
    if known is None:
        raise HTTPException(404, f"there is no {anchor.value} {key}; it may have been purged or forgotten")
    return look_up(store, known, lead=lead, event=key if anchor is Anchor.EVENT else None, dags=dags)


def _of_entry(store: Store, entry: int) -> KnownPerson | None:
    rows = suppressions.find(store, [entry])
    if not rows:
        return None
    if rows[0].phone.startswith(EMAIL):
        return KnownPerson(email_hashes={rows[0].phone.removeprefix(EMAIL)})
    return KnownPerson.asked_for((rows[0].phone,), ())


def _detail(rows: PersonRows, anchor: Anchor, key: str, *, reveal: bool) -> PersonDetail:
    known = rows.person
    listed = {each.campaign: each.reason for each in rows.listed}
    clauses = [
        standing(
            each.campaign, each.state, reason=each.reason, texted_at=each.accepted_at or each.sent_at,
            not_before=each.not_before, listed=listed.get("", listed.get(each.campaign)),
        )
        for each in rows.leads
    ]  # fmt: skip
    return PersonDetail(
        anchor=anchor, id=key,
        known_as=[*sorted(known.numbers), *sorted(known.emails)] if reveal else known.shown(),
        ids=[
            f"{source}: {external if reveal else mask_id(external, known.numbers)}"
            for source, external in sorted(known.ids)
        ],
        sentence=sentence(clauses, listed), clauses=[_clause(each) for each in in_order(clauses)], listed=listed,
        leads=[schemas.lead(each, reveal=reveal) for each in rows.leads],
        timeline=sorted(_timeline(rows, reveal=reveal), key=lambda each: each.at, reverse=True),
        cut=rows.cut, revealed=reveal,
    )  # fmt: skip


def _clause(each: Standing) -> Clause:
    return Clause(
        campaign=each.campaign, word=each.word, at=each.at, why=each.why, until=each.until, says=each.says()
    )


def _timeline(rows: PersonRows, *, reveal: bool) -> Iterator[TimelineItem]:
    campaigns = {each.id: each.campaign for each in rows.leads}
    tried = {each.lead_id for each in rows.attempts}
    for one in rows.attempts:
        shown = schemas.attempt(one, reveal=reveal)
        yield TimelineItem(
            at=one.at, what="lead", state=one.outcome, says=shown.reason.replace("_", " "), detail=shown.detail,
            campaign=campaigns.get(one.lead_id), path=f"/leads/{one.lead_id}", task=shown.task,
        )  # fmt: skip
    for lead in (each for each in rows.leads if each.id not in tried):
        seen = schemas.lead(lead, reveal=reveal)
        yield TimelineItem(
            at=lead.updated_at, what="lead", state=lead.state, says=lead.reason.replace("_", " "),
            detail=seen.detail, campaign=lead.campaign, path=f"/leads/{lead.id}",
        )  # fmt: skip
    for event in rows.events:
        told = schemas.event(event, reveal=reveal)
        yield TimelineItem(
            at=event.occurred_at, what="event", state=event.kind, says=f"{told.type} from {event.source}",
            campaign=told.campaign_id, path=f"/events/{event.event_id}",
        )  # fmt: skip
    for delivery in rows.deliveries:
        sent = schemas.delivery(delivery)
        to = f"{sent.route} to {sent.endpoint}" if sent.endpoint else sent.route
        yield TimelineItem(
            at=sent.delivered_at or sent.updated_at, what="delivery", state=sent.state, says=f"{sent.kind}, {to}",
            detail=sent.last_error, path=f"/deliveries/{sent.id}",
        )  # fmt: skip
    for lead_id, consent in rows.consents:
        agreed = schemas.consent(consent, reveal=reveal)
        line = f", line {agreed.line:,}" if agreed.line is not None else ""
        yield TimelineItem(
            at=consent.at, what="consent", state="consent", says=f"{agreed.column}: {agreed.value}",
            detail=f"{agreed.source}{line}", campaign=campaigns.get(lead_id), path=f"/leads/{lead_id}",
        )  # fmt: skip
    for row in rows.listed:
        entry = schemas.suppression(row, reveal=reveal)
        yield TimelineItem(
            at=entry.added_at, what="list", state="do not contact", says=f"{entry.phone}: {entry.reason}, by {entry.source}",
            detail="every campaign" if not entry.campaign else "", campaign=entry.campaign or None,
        )  # fmt: skip


@router.post("/api/person/find", tags=["look"])
def find_person(_who: Editor, store: StoreDep, asked: PersonQuestion) -> PersonFound:
    """Whose page it is; takes edit rights, as masked numbers could be guessed digit by digit with it."""
    return _found(store, asked.who)


@router.get("/api/person/find", tags=["look"])
def find_person_by_id(_who: Reader, store: StoreDep, who: Who = None) -> PersonFound:
    """The same by the id of a lead, an event, or a contact at a platform; a number or address is refused."""
    if who is not None and is_personal(who):
        raise HTTPException(
            403, "looking for a number or an address takes edit rights on connections; ids do not"
        )
    return _found(store, who) if who else PersonFound(path=None, says="Say an id.")


def _found(store: Store, text: str) -> PersonFound:
    anchor = search(store, text)
    if anchor is None:
        return PersonFound(path=None, says=_NOBODY)
    return PersonFound(path=f"/person/{anchor.what}/{anchor.id}", says="Found.")


@router.get("/person", include_in_schema=False)
def person_search_page(
    request: Request, who: Reader, store: StoreDep, wanted: Annotated[PersonFound, Depends(find_person_by_id)]
) -> Response:
    """Where the search leads; a page that says so where it leads nowhere."""
    if wanted.path:
        return RedirectResponse(f"{request.scope.get('root_path', '')}{wanted.path}", 303)
    return render(request, "person_none.html", who, at="", says=wanted.says)  # fmt: skip


@router.get("/api/person/lead/{lead_id}", tags=["look"])
def get_person_of_lead(who: SomeReader, store: StoreDep, lead_id: RowId) -> PersonDetail:
    """The person of a lead: what holds of them in each campaign, and their time line."""
    return person(store, Anchor.LEAD, str(lead_id), who.dags)


@router.get("/api/person/event/{event_id}", tags=["look"])
def get_person_of_event(_who: Reader, store: StoreDep, event_id: Short) -> PersonDetail:
    """The person of an event."""
    return person(store, Anchor.EVENT, event_id, None)


@router.get("/api/person/entry/{entry_id}", tags=["look"])
def get_person_of_entry(_who: Reader, store: StoreDep, entry_id: RowId) -> PersonDetail:
    """The person of an entry of the do-not-contact list."""
    return person(store, Anchor.ENTRY, str(entry_id), None)


def _page(request: Request, who: Person, found: PersonDetail) -> HTMLResponse:
    return render(request, "person.html", who, live=0 if found.revealed else QUIET, at="", found=found)


@router.get("/person/lead/{lead_id}", include_in_schema=False)
def person_of_lead(
    request: Request, who: SomeReader, found: Annotated[PersonDetail, Depends(get_person_of_lead)]
) -> HTMLResponse:
    """A person's page; of who may see some DAGs, what these did to them."""
    return _page(request, who, found)


@router.get("/person/event/{event_id}", include_in_schema=False)
def person_of_event(
    request: Request, who: Reader, found: Annotated[PersonDetail, Depends(get_person_of_event)]
) -> HTMLResponse:
    """The same, found by an event."""
    return _page(request, who, found)


@router.get("/person/entry/{entry_id}", include_in_schema=False)
def person_of_entry(
    request: Request, who: Reader, found: Annotated[PersonDetail, Depends(get_person_of_entry)]
) -> HTMLResponse:
    """The same, found by an entry of the do-not-contact list."""
    return _page(request, who, found)


@router.post("/person/{anchor}/{key}", include_in_schema=False)
def person_revealed(
    request: Request, who: Editor, store: StoreDep, anchor: Anchor, key: Short
) -> HTMLResponse:
    """The same with its personal data; audited before it is read."""
    actions.note(store, "reveal person", f"{anchor.value} {key}", actor=who.name)
    return _page(request, who, person(store, anchor, key, None, reveal=True))


@router.post("/person/{anchor}/{key}/export", include_in_schema=False)
def person_export(who: Editor, store: StoreDep, anchor: Anchor, key: Short) -> Response:
    """All that is known of the person as JSON, whole; audited."""
    known = _rows(store, anchor, key, None).person
    document: Any = people.export(store, people.find(store, known.numbers, known.emails), actor=who.name)
    headers = {"Content-Disposition": 'attachment; filename="person.json"'}
    return Response(json.dumps(document, ensure_ascii=False, indent=2), media_type="application/json", headers=headers)  # fmt: skip


@router.post("/api/actions/forget", tags=["act"], dependencies=[Depends(editor)])
def forget(who: Editor, store: StoreDep, asked: Forget) -> ActionResult:
    """Remove everything about a person for good; the number alone stays on the do-not-contact list."""
    rows = _rows(store, asked.anchor, asked.id, None)
    known = rows.person
    if not (known.numbers or known.emails):
        raise HTTPException(
            400, "they are known by no number and no address: airflow outreach person forget takes one"
        )
    count = len(rows.leads) + len(rows.events) + len(rows.deliveries)
    more = "at least " if rows.cut else ""
    plan = ActionResult(
        says=f"{', '.join(known.shown())}: {more}{amount(len(rows.leads), 'lead')}, {amount(len(rows.events), 'event')} "
        f"and {amount(len(rows.deliveries), 'delivery', 'deliveries')} will be removed for good, and what names them "
        "elsewhere. The number alone stays on the do-not-contact list. This reads the whole store and may take minutes.",
        count=max(1, count),
    )
    if not asked.agreed(plan):
        return plan
    done = actions.forget(store, phone=sorted(known.numbers), email=sorted(known.emails), actor=who.name)
    told = ", ".join(f"{n:,} {where}" for where, n in done.items())
    return ActionResult(says=f"Forgotten: {told}.", count=sum(done.values()), done=True)
