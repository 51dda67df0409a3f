"""Forget a person everywhere, and purge what is old: ledger, inbox and deliveries alike."""

from __future__ import annotations

from datetime import datetime

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.store import (
    deliveries_admin,
    inbox_housekeeping,
    ledger_housekeeping,
    suppressions,
)
from airflow_outreach_provider.store.engine import Store


def forget(
    store: Store, *, phone: str | None = None, email: str | None = None, actor: str, suppress: bool = True
) -> dict[str, int]:
    """Remove a person from ledger, inbox and deliveries.

    :param phone: E.164.
    :param suppress: keep the number, and nothing else, on the do-not-contact list: without it the next sync
        whose source still lists the person would text them as somebody new.
    :return: rows removed, by where.
    """
    address = hash_email(email) if email else None
    phones = sorted(
        {*([phone] if phone else []), *(suppressions.phones_of(store, address) if address else [])}
    )
    done = {"do-not-contact": 0}
    if suppress:
        done["do-not-contact"] = suppressions.suppress(store, phones, reason="forgotten", source=actor)
    done["leads"] = ledger_housekeeping.forget_leads(store, phones, address)
    events = [
        event_id
        for number in [*phones, None]
        for event_id in inbox_housekeeping.events_of_contact(
            store, phone=number, email=email if number is None else None
        )
    ]
    done["deliveries"] = deliveries_admin.forget(store, sorted(set(events)))
    done["events"] = sum(inbox_housekeeping.forget_contact(store, phone=number) for number in phones)
    if email:
        done["events"] += inbox_housekeeping.forget_contact(store, email=email)
    return done


def purge(store: Store, before: datetime) -> dict[str, int]:
    """Remove what is settled and older than a time; who was texted and the do-not-contact list stay known.

    :return: rows by where, and how many old events are kept because a consumer or a delivery needs them.
    """
    done = ledger_housekeeping.purge_leads(store, before)
    done["deliveries removed"] = deliveries_admin.purge(store, before)
    done["events removed"] = inbox_housekeeping.purge_events(store, received_before=before)
    done["old events kept, not read or not delivered"] = inbox_housekeeping.needed_events(
        store, received_before=before
    )
    return done
