"""A contact asks not to be contacted, or cannot be: what an event route does about it."""

from __future__ import annotations

from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.rules import hash_email
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.suppressions import phones_of, suppress


def suppress_contact(store: Store, event: ContactEvent) -> int:
    """Put the event's contact on the do-not-contact list of all campaigns.

    A platform that knows only an e-mail address means the numbers we have sent to with that address.

    :return: how many numbers of the contact are known; 0 where there is nobody we could text.
    """
    phones = {event.contact.phone} if event.contact.phone else set()
    if event.contact.email:
        phones |= set(phones_of(store, hash_email(event.contact.email)))
    suppress(store, phones, reason=event.kind.value, source=f"event {event.id} of {event.source}")
    return len(phones)
