"""Templates: what every page needs, and the words and links they share. Everything is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.filters import do_mark_safe

from airflow_outreach_provider import __version__
from airflow_outreach_provider.core.deliveries import DeliveryState, word_of
from airflow_outreach_provider.web.access import Person
from airflow_outreach_provider.web.middleware import own_path
from airflow_outreach_provider.web.schemas import TaskRef

NAV = (
    ("workflows", "/workflows", "Workflows"),
    ("overview", "/overview", "Overview"),
    ("leads", "/leads", "Leads"),
    ("campaigns", "/campaigns", "Campaigns"),
    ("events", "/events", "Events"),
    ("deliveries", "/deliveries", "Deliveries"),
    ("connections", "/connections", "Sources & endpoints"),
    ("do-not-contact", "/do-not-contact", "Do not contact"),
    ("audit", "/audit", "Audit"),
    ("setup", "/setup", "Setup"),
    ("help", "/help", "Help"),
)
# What somebody finds there who may see what belongs to some DAGs.
NAV_OF_SOME = frozenset({"workflows", "leads", "campaigns", "deliveries"})
# No entity that stands for an escaped character has one of these in it.
_MARKS = re.compile(r"[_./:-]+(?=[^_./:-])")
# State → how it is meant; the style sheet has a colour and a sign for each.
TONES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "accepted",
            "delivered",
            "succeeded",
            "handed",
            "success",
            "healthy",
            "resolved",
            "texted",
            "taken",
            "would be taken",
            "would be sent",
        ),
        "good",
    ),
    **dict.fromkeys(
        ("planned", "sending", "running", "pending", "new", "queued", "scheduled", "waiting", "not read yet"),
        "busy",
    ),
    **dict.fromkeys(
        (
            "held",
            "deferred",
            "up_for_retry",
            "retrying",
            "failing",
            "retry",
            "not_sent",
            "unknown",
            "awaiting_input",
            "where was false",
            "paused",
        ),
        "warn",
    ),
    **dict.fromkeys(
        ("rejected", "dead", "failed", "expired", "refused", "gone", "broken", "fault", "stuck"), "bad"
    ),
}
# Of deliveries as the store has them.
DELIVERY_WORDS: Mapping[str, str] = {state.value: word_of(state).value for state in DeliveryState}
MEANING: Mapping[str, str] = {
    "accepted": "the API took the lead", "unchanged": "texted before, nobody is texted twice",
    "duplicate": "an earlier row has the same number", "rejected": "a bad row, or the API refused this lead",
    "suppressed": "not to be contacted", "deferred": "quiet hours at the recipient's; a later run sends it",
    "held": "sent, outcome unknown; waits for reconcile or a person", "planned": "not sent yet; the next try or run does",
    "filtered": "its where turns the row away", "elsewhere": "another run is sending it", "sending": "in flight now", "superseded": "a later try took over",
    "expired": "no heartbeat: the worker died or hung", "retrying": "tried in vain; tried again by itself",
    "awaiting_input": "waits for a person in Airflow",
    "ignored": "the endpoint does not subscribe to this kind", "handed": "given to a task that does not report back",
}  # fmt: skip


def when(moment: datetime | None, now: datetime | None = None, clock: str = "") -> str:
    """``18:30:05`` today, else ``25 Mar 18:30``; UTC. :param clock: ``minute``: ``18:30`` today; ``hour``: any day."""
    if moment is None:
        return "–"
    moment, now = moment.astimezone(UTC), now or datetime.now(UTC)
    if clock == "hour":
        return f"{moment:%H:%M}"
    if moment.date() == now.date():
        return f"{moment:%H:%M}" if clock == "minute" else f"{moment:%H:%M:%S}"
    return f"{moment:%d %b %H:%M}" if moment.year == now.year else f"{moment:%d %b %Y %H:%M}"


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """``3 min ago``, ``in 20 s``."""
    if moment is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    words = span(abs(seconds))
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def span(seconds: float) -> str:
    """``850 ms``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def number(value: int | float | None) -> str:
    """``12,345``; a dash where there is none."""
    return "–" if value is None else f"{value:,.0f}"


def capped(value: int, most: int) -> str:
    """A count that was counted no further than ``most``."""
    return f"{most:,}+" if value > most else f"{value:,}"


def task_url(task: TaskRef, try_number: int | None = None) -> str:
    """The task instance's page in Airflow (its log), below the base URL; of another try where one is given."""
    path = f"/dags/{quote(task.dag_id, '')}/runs/{quote(task.run_id, '')}/tasks/{quote(task.task_id, '')}"
    if task.map_index >= 0:
        path += f"/mapped/{task.map_index}"
    return f"{path}?try_number={try_number or task.try_number}"


def breakable(name: str | None) -> str:
    """An id that a narrow cell breaks after a mark, never within a word; copied, it is whole."""
    return do_mark_safe(_MARKS.sub(r"\g<0><wbr>", html.escape(name or "")))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_outreach_provider.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": when, "ago": ago, "span": span, "number": number, "task_url": task_url, "breakable": breakable,
    }  # fmt: skip
    environment.globals |= {
        "nav": NAV,
        "of_some": NAV_OF_SOME,
        "tones": TONES,
        "meaning": MEANING,
        "delivery_words": DELIVERY_WORDS,
        "capped": capped,
        "version": __version__,
    }
    return environment


_TEMPLATES = _environment()


def _here(request: Request, base: str) -> str:
    """The address of what is seen, as Airflow's own page takes it behind ``/plugin/outreach``."""
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(base + own_path(request.scope)) + query


def render(
    request: Request, template: str, who: Person | None, *, status: int = 200, live: int = 0, **context: Any
) -> HTMLResponse:
    """:param live: seconds after which the page looks again; 0 for never."""
    base = str(request.scope.get("root_path", ""))
    asked = {name: value for name, value in request.query_params.items() if value}

    def with_query(**changes: str | None) -> str:
        merged = {name: value for name, value in (asked | changes).items() if value}
        return "?" + urlencode(merged) if merged else "?"

    page = _TEMPLATES.get_template(template).render(
        base=base,
        airflow=base.removesuffix("/outreach"),
        who=who,
        live=live,
        asked=asked,
        with_query=with_query,
        here=_here(request, base),
        problems=getattr(request.state, "problems", {}),
        **context,
    )
    return HTMLResponse(page, status)
