"""A line that has several numbers in use is one lead, in whichever of them a row writes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

from airflow_outreach_provider.core.phone_lines import one_line
from airflow_outreach_provider.core.rules import Draft
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.ledger.staging import Known, StagingLedger

_TEXTED = frozenset({LeadState.ACCEPTED.value, LeadState.SENDING.value, LeadState.HELD.value})
_Found = tuple[dict[int, Known], dict[int, str]]


class Drafted(Protocol):
    """What holds the draft of a row."""

    draft: Draft


async def join_numbers(
    items: Sequence[Drafted],
    ledger: StagingLedger,
    in_thread: Callable[[Callable[[], _Found]], Awaitable[_Found]],
) -> None:
    """Give the draft of such a line the number that its lead is known by; most lines have one number.

    It is that which the ledger has, or else the number of today: so that two runs that both find nothing write one lead.
    """
    lines = {item.draft.phone: one_line(item.draft.phone) for item in items}
    several = [item for item in items if len(lines[item.draft.phone]) > 1]
    if not several:
        return
    asked = [(item, phone) for item in several for phone in lines[item.draft.phone]]
    found, _ = await in_thread(partial(ledger.find, [(item.draft.campaign, phone) for item, phone in asked]))
    known: dict[tuple[str, str], dict[str, Known]] = {}
    for position, lead in found.items():
        item, phone = asked[position]
        known.setdefault((item.draft.campaign, item.draft.phone), {})[phone] = lead
    for item in several:
        campaign, written = item.draft.campaign, item.draft.phone
        phone = _number_of(lines[written], known.get((campaign, written), {}), written)
        item.draft = item.draft._replace(phone=phone)


def _number_of(line: Sequence[str], known: Mapping[str, Known], written: str) -> str:
    """One that was only ever refused may be right in another writing: somebody mended it."""
    if not known:
        return line[0]
    there = [
        phone
        for phone, lead in known.items()
        if lead.state != LeadState.REJECTED or lead.accepted_at is not None
    ]
    return min(there, key=lambda phone: (known[phone].state not in _TEXTED, known[phone].id), default=written)
