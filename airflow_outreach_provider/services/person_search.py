"""Whom somebody means by what they type: a number in any writing, an e-mail address, an id."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.person import KnownPerson
from airflow_outreach_provider.core.phone_cells import plainly
from airflow_outreach_provider.core.phone_lines import regions_of
from airflow_outreach_provider.core.phone_listed import read_listed
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.people.look import (
    PersonRows,
    asked_by_event,
    asked_by_id,
    asked_by_lead,
    look_up,
    numbers_lately,
)

_LEAD = re.compile(r"(?:lead\s*)?#?\s*(\d{1,18})", re.IGNORECASE)
_NUMBER = re.compile(r"[\d\s+()./\-]{7,40}")
_FEWEST_DIGITS = 7


@dataclass(frozen=True, slots=True)
class PersonAnchor:
    """Something of a person's that has an id, so that their page can be named without saying who they are.

    :ivar what: ``lead``, ``event``, ``entry``.
    """

    what: str
    id: str


def is_personal(text: str) -> bool:
    """Whether what was typed may be a number or an address, rather than an id."""
    plain = plainly(text)
    digits = sum(each.isdigit() for each in plain)
    return "@" in text or (digits >= _FEWEST_DIGITS and _NUMBER.fullmatch(plain) is not None)


def search(store: Store, text: str) -> PersonAnchor | None:
    """Who is meant; None where nobody is known of.

    :raises LeadRejected: a number that cannot be read.
    """
    text = text.strip()
    if "@" in text:
        return _anchor(look_up(store, KnownPerson.asked_for((), (text,))))
    if is_personal(text):
        for number in _readings(store, text):
            found = _anchor(look_up(store, KnownPerson.asked_for((number,), ())))
            if found is not None:
                return found
        return None
    if (named := _LEAD.fullmatch(text)) and asked_by_lead(store, int(named.group(1)), None) is not None:
        return PersonAnchor("lead", str(int(named.group(1))))
    if asked_by_event(store, text) is not None:
        return PersonAnchor("event", text)
    return _anchor(look_up(store, asked_by_id(store, text)))


def _readings(store: Store, text: str) -> list[str]:
    """Without a country code, a number of one of the countries that were texted lately."""
    try:
        return list(read_listed(text))
    except LeadRejected as error:
        if error.reason != "region_unknown":
            raise
        unknown = error
    found: list[str] = []
    for region in regions_of(numbers_lately(store)):
        try:
            found += read_listed(text, region)
        except LeadRejected:
            continue
    if not found:
        raise unknown
    return list(dict.fromkeys(found))


def _anchor(rows: PersonRows) -> PersonAnchor | None:
    if rows.leads:
        return PersonAnchor("lead", str(rows.leads[0].id))
    if rows.events:
        return PersonAnchor("event", rows.events[0].event_id)
    return PersonAnchor("entry", str(rows.listed[0].id)) if rows.listed else None
