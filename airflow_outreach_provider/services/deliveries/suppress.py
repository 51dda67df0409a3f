"""A contact asks not to be contacted, or cannot be: what an event route does about it."""

from __future__ import annotations

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.events import ContactEvent, EventKind
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.lists import phones_of
from airflow_outreach_provider.store.suppressions import suppress
from airflow_outreach_provider.store.suppressions_write import event_source


def suppress_contact(store: Store, event: ContactEvent) -> int:
    """Put the event's contact on the do-not-contact list of all campaigns.

    A platform that knows only an e-mail address means the numbers we have sent to with that address, and whoever
    comes with it later; a bounced address says nothing about those.

    :return: how many numbers of the contact are known; 0 where there is nobody we could text yet.
    """
    phones = {event.contact.phone} if event.contact.phone else set()
    address = hash_email(event.contact.email) if event.contact.email else None
    if address:
        phones |= set(phones_of(store, address))
    suppress(
        store,
        phones,
        reason=event.kind.value,
        source=event_source(event.id, event.source),
        email_hashes=[address] if address and event.kind is not EventKind.BOUNCED else [],
    )
    return len(phones)
