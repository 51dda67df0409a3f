"""Who says that they are not to be contacted again: what suppresses on receipt, and what a route may suppress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_outreach_provider.core.emails import email_hashes, hash_email
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.core.phone_listed import listed_numbers
from airflow_outreach_provider.core.platforms import Parsed
from airflow_outreach_provider.core.platforms.reading import emails_said, phones_said, says_opted_out
from airflow_outreach_provider.core.platforms.varda import CallOutcome
from airflow_outreach_provider.core.stop_words import is_start_word

_KINDS = frozenset({EventKind.BOUNCED, EventKind.UNSUBSCRIBED, EventKind.NOT_INTERESTED})
_CALL_OUTCOMES = frozenset({CallOutcome.SPAM, CallOutcome.WRONG_NUMBER, CallOutcome.NOT_INTERESTED})


@dataclass(frozen=True, slots=True)
class OptOut:
    """What an event says about being contacted, to be kept in the transaction that stores the event.

    :param numbers: the person's, E.164 as far as they can be read, generously.
    :param email_hashes: of the person's addresses.
    :param by_stop_word: said by a message that is nothing but a stop word: START takes it back.
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
    flagged = says_opted_out(parsed.person)
    opted_out = flagged or parsed.kind is EventKind.UNSUBSCRIBED
    lifts = not opted_out and any(map(is_start_word, parsed.said))
    if not (opted_out or lifts):
        return None
    contact = parsed.contact
    numbers = dict.fromkeys([contact.phone] if contact.phone else [])
    for written in phones_said(parsed.person):
        numbers |= dict.fromkeys(listed_numbers(written, region))
    emails = [*([contact.email] if contact.email else []), *emails_said(parsed.person)]
    return OptOut(
        tuple(numbers),
        email_hashes(emails),
        by_stop_word=parsed.stopped and not flagged,
        lifts=lifts,
    )


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
