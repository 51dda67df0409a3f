"""Who says that they are not to be contacted again: what suppresses on receipt, and what a route may suppress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_outreach_provider.core.emails import email_hashes, hash_email
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.phone_listed import listed_numbers
from airflow_outreach_provider.core.platforms import Parsed, persons
from airflow_outreach_provider.core.platforms.places import BodyObject
from airflow_outreach_provider.core.platforms.reading import text
from airflow_outreach_provider.core.platforms.varda import CallOutcome
from airflow_outreach_provider.core.stop_words import is_start_word

_KINDS = frozenset({EventKind.BOUNCED, EventKind.UNSUBSCRIBED, EventKind.NOT_INTERESTED})
_CALL_OUTCOMES = frozenset({CallOutcome.SPAM, CallOutcome.WRONG_NUMBER, CallOutcome.NOT_INTERESTED})


@dataclass(frozen=True, slots=True)
class OptOut:
    """What an event says about being contacted, to be kept in the transaction that stores the event.

    :param numbers: the person's, E.164 as far as they can be read, generously.
    :param email_hashes: of the person's addresses.
    :param by_stop_word: said by a message that is nothing but a stop word, to us or to the carrier: START takes it back.
    :param lifts: the message is START: it takes back what a stop word said, and nothing else.
    """

    numbers: tuple[str, ...] = field(default=(), repr=False)
    email_hashes: tuple[str, ...] = ()
    by_stop_word: bool = False
    lifts: bool = False


def read_opt_out(parsed: Parsed, region: str | None) -> OptOut | None:
    """What a parsed body says about being contacted; None for nothing.

    :param region: of numbers without country code.
    """
    flagged = persons.opted_out(parsed.places)
    opted_out = bool(flagged) or parsed.kind is EventKind.UNSUBSCRIBED
    lifts = (
        not opted_out and parsed.kind is not EventKind.UNRECOGNISED and any(map(is_start_word, parsed.said))
    )
    if not (opted_out or lifts):
        return None
    everybodys = parsed.kind is EventKind.UNSUBSCRIBED or lifts or len(flagged) == len(parsed.places)
    places = parsed.places if everybodys else flagged
    if lifts:  # who of several took it back, nobody knows
        places = tuple(place for place in places if place.element is None)
    by_carrier = bool(flagged) and persons.is_refused(parsed.places)
    refused = by_carrier and not parsed.stopped  # who says STOP themselves is who wrote
    numbers, emails = _named(parsed, places, region, refused=refused)
    # A text of ours failed: a source that takes whoever sends for the person takes us.
    contact = parsed.contact if everybodys and not (refused and numbers) else Contact()
    if everybodys and not (numbers or emails or contact.phone or contact.email):
        numbers = _plain_numbers(parsed, region)
    return OptOut(
        tuple(dict.fromkeys([*([contact.phone] if contact.phone else []), *numbers])),
        email_hashes([*([contact.email] if contact.email else []), *emails]),
        by_stop_word=by_carrier if flagged else parsed.stopped,
        lifts=lifts,
    )


def _named(
    parsed: Parsed, places: tuple[BodyObject, ...], region: str | None, *, refused: bool
) -> tuple[list[str], list[str]]:
    """The person's numbers and addresses; who was written to counts where nothing else says whose an opt-out is."""
    inbound = persons.is_inbound(parsed.kind, parsed.type, parsed.places, parsed.said)
    ways = (inbound,) if parsed.said or inbound is False else (True, False)
    if refused:
        ways = (False,)
    for where in (places, parsed.named) if refused else (parsed.named, places):
        for way in ways:
            written = persons.numbers_said(where, way)
            numbers = [number for each in written for number in listed_numbers(each, region)]
            emails = list(persons.emails_said(where, way))
            if numbers or emails:
                return numbers, emails
    return [], []


def _plain_numbers(parsed: Parsed, region: str | None) -> list[str]:
    """What stands under ``number`` alone: an order's or a flat's, but where one person says no and nothing else says who."""
    body = parsed.data if isinstance(parsed.data, Mapping) else {}
    inner = body.get("data")
    records = (parsed.person, body, inner if isinstance(inner, Mapping) else {})
    cells = (text(record.get(name)) for record in records for name in ("number", "Number"))
    return list(dict.fromkeys(each for cell in cells for each in listed_numbers(cell, region)))


def opt_out_of(event: ContactEvent) -> OptOut | None:
    """The same of an event that was made without a body."""
    if event.kind is not EventKind.UNSUBSCRIBED:
        return None
    contact = event.contact
    return OptOut(
        (contact.phone,) if contact.phone else (), (hash_email(contact.email),) if contact.email else ()
    )


def is_opt_out(event: ContactEvent) -> bool:
    """Bounce, unsubscribe, no interest; of a call's outcomes also spam and wrong number."""
    if event.kind in _KINDS:
        return True
    outcome = event.data.get("outcome_type") if isinstance(event.data, Mapping) else None
    return event.kind is EventKind.CALL_OUTCOME and outcome in _CALL_OUTCOMES
