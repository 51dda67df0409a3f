"""A person removed from the store, from its free pages too."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.masking import HIDDEN, mask_email, mask_phone
from airflow_outreach_provider.core.person import KnownPerson
from airflow_outreach_provider.store import suppressions, suppressions_said
from airflow_outreach_provider.store.audit import audit
from airflow_outreach_provider.store.deliveries import redeliver as deliveries_redeliver
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import housekeeping as inbox_housekeeping
from airflow_outreach_provider.store.inbox.tables import inbox_events
from airflow_outreach_provider.store.ledger import housekeeping as ledger_housekeeping
from airflow_outreach_provider.store.ledger import trials
from airflow_outreach_provider.store.people.find import Found, Row, find_person
from airflow_outreach_provider.store.people.texts import TextPlace, rewrite
from airflow_outreach_provider.store.tables import metadata

_AT_ONCE = 500
_LOOKS = 3
FORGOTTEN = "forgotten"


def forget_person(
    store: Store, numbers: Iterable[str], emails: Iterable[str], *, suppressed_by: str | None
) -> dict[str, int]:
    """Remove everything about a person; what only names them beside others loses their part alone.

    It looks again until it finds nothing: events may come in meanwhile.

    :param numbers: E.164. :param emails: in any writing.
    :param suppressed_by: who puts their numbers on the do-not-contact list (of somebody without a number the
        addresses' hashes), and nothing else; None for nobody.
    :return: rows by where: added to the list, removed elsewhere. Where something names the person among others,
        also how many texts were blanked.
    """
    trials.forget(store)  # rows of a source, which may name them in any column; they are gone in a day anyhow
    done = {"do-not-contact": 0, "leads": 0, "deliveries": 0, "events": 0}
    more = {"texts of others, blanked": 0, "audit rows, blanked": 0}
    person = KnownPerson.asked_for(numbers, emails)
    asked = list(person.emails)
    for _ in range(_LOOKS):
        found = find_person(store, person)
        done["do-not-contact"] += _list_numbers(store, found)
        if suppressed_by is not None:
            done["do-not-contact"] += _list(store, person, asked, suppressed_by)
        _hash_ids(store, found)
        removed = _remove(store, found)
        for name, count in removed.items():
            kept = done if name in done else more
            kept[name] += count
        if not any(removed.values()):
            break
    return done | {name: count for name, count in more.items() if count}


def _list_numbers(store: Store, found: Found) -> int:
    """Whose address is on the list stays on it by number: the two are about to be parted."""
    return sum(
        suppressions.suppress(
            store, sorted(found.person.numbers), reason=row["reason"], source=row["source"], campaign=row["campaign"]
        )
        for row in found.listed
        if row["phone"].startswith(suppressions.EMAIL) and found.leads
    )  # fmt: skip


def _hash_ids(store: Store, found: Found) -> None:
    """A no under an id stays one, and the id is told by nothing where it is an address."""
    named = found.person.texts().__contains__
    store.retrying(lambda connection: suppressions_said.hash_addresses(connection, named))


def _list(store: Store, person: KnownPerson, asked: list[str], actor: str) -> int:
    hashes = [hash_email(each) for each in asked] if person.numbers else sorted(person.email_hashes)
    return suppressions.suppress(
        store, sorted(person.numbers), email_hashes=hashes, reason=FORGOTTEN, source=actor
    )


def _remove(store: Store, found: Found) -> dict[str, int]:
    texts = found.person.texts()
    removed = {
        "leads": ledger_housekeeping.forget_leads(store, [row["id"] for row in found.leads]),
        "deliveries": deliveries_redeliver.forget(store, [row["id"] for row in found.deliveries]),
        "events": _remove_events(store, [row["row_id"] for row in found.events]),
    }
    removed["texts of others, blanked"] = 0
    for place in found.named:
        rewrite(store, place, {name: texts.blank(text) for name, text in place.texts.items()})
        removed["texts of others, blanked"] += len(place.texts)
    removed["audit rows, blanked"] = _blank_audit(store, found.person, found.audit)
    return removed


def _remove_events(store: Store, row_ids: list[int]) -> int:
    return sum(
        inbox_housekeeping.remove_events(store, inbox_events.c.row_id.in_(row_ids[start : start + _AT_ONCE]))
        for start in range(0, len(row_ids), _AT_ONCE)
    )


def _blank_audit(store: Store, person: KnownPerson, rows: list[Row]) -> int:
    """Take numbers and addresses out of what was done by hand, masked ones too: nine digits of them tell a lot."""
    masked = [*map(mask_phone, person.lines), *map(mask_email, person.emails)]
    hashed = [f"{each[:8]}…" for each in person.email_hashes]
    pattern, texts = re.compile("|".join(map(re.escape, [*masked, *hashed]))), person.texts()
    changed = 0
    for row in rows:
        said: dict[str, str] = {name: row[name] for name in ("subject", "note")}
        values = {name: texts.blank(pattern.sub(HIDDEN, text)) for name, text in said.items()}
        if values != said:
            rewrite(store, TextPlace(audit, (row["id"],), said), values)
            changed += 1
    return changed


def scrub(store: Store) -> None:
    """Leave nothing of what was removed in the database's files.

    SQLite is written anew without its free pages, and its log emptied. On PostgreSQL VACUUM makes removed rows
    unreachable, and their place is written over as it is used again; ``VACUUM FULL``, which locks its table, does that
    at once. Backups and archived logs are as they were.

    :raises StoreError: others were at work all the time; what was removed is removed, but may be in free pages.
    """
    try:
        if store.dialect == "sqlite":
            _scrub_sqlite(store)
        else:
            store.outside_transactions(*(f"VACUUM {table.name}" for table in metadata.sorted_tables))
    except StoreError as error:
        raise StoreError(
            "everything was removed, but the database's files could not be cleaned of what they held: "
            f"{error} — run the command again when no task is writing"
        ) from error


def _scrub_sqlite(store: Store) -> None:
    *_, [(busy, *_)] = store.outside_transactions("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
    if busy:
        raise StoreError("its write-ahead log is being read")
