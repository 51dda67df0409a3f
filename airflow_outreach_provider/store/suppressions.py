"""The do-not-contact list: who must not be reached, in one campaign or in all (campaign ``""``).

Numbers are E.164, and count in every writing of the line; reading what people type is the caller's. Of e-mail
addresses only the hash is kept. A listed person is never claimed for sending,
whatever the ledger says, and a number that is taken off the list is reached again by the next run that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.store import audit, suppressions_write
from airflow_outreach_provider.store.by_index import walk
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.paging import PAGE_SIZE, Page, Scan, every
from airflow_outreach_provider.store.schema import to_ms
from airflow_outreach_provider.store.suppressions_write import EMAIL, suppressions

_AT_ONCE = 1000
# How the audit names whom a list of all campaigns lost.
_EVERYWHERE = " in all campaigns"
_HASHED = re.compile(f"{EMAIL}[0-9a-f]{{64}}")
_SEVERAL = re.compile(r"\d+ numbers in ")

__all__ = [
    "EMAIL", "SuppressionRow", "add", "entries", "every_entry", "find", "is_hashed", "remove", "shown", "spread", "suppress", "taken_off_since",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """A number, or the hash of an address after ``email:``, on the list.

    :ivar campaign: empty for every campaign. :ivar source: who or what added it.
    """

    id: int
    campaign: str
    phone: str
    reason: str
    source: str
    added_at: datetime


_SCAN = Scan(suppressions, [suppressions.c.id], [suppressions.c[name] for name in SuppressionRow.__slots__])


def suppress(
    store: Store,
    phones: Collection[str],
    *,
    reason: str,
    source: str,
    campaign: str = "",
    email_hashes: Collection[str] = (),
) -> int:
    """Put numbers and addresses on the list; what is on it keeps its first reason.

    :param phones: E.164.
    :param email_hashes: ``core.emails.hash_email`` of addresses.
    :param reason: a stable word, e.g. ``unsubscribed``.
    :param source: who or what said so.
    :param campaign: only for this one; all where empty.
    :return: how many were new.
    """
    listed = [*phones, *(EMAIL + each for each in email_hashes)]
    if not listed:
        return 0
    return store.retrying(
        lambda connection: _insert(connection, store, listed, reason=reason, source=source, campaign=campaign)
    )


def add(
    store: Store, phones: Iterable[str], *, actor: str, reason: str = "manual", campaign: str = ""
) -> int:
    """A person puts numbers on the list: in groups, with an audit row for each group; how many were new.

    :raises ConfigurationError: one is not E.164; nothing after the group before it was written.
    """
    total = 0
    for group in _groups(phones):

        def work(connection: sa.Connection, group: list[str] = group) -> int:
            new = _insert(connection, store, group, reason=reason, source=actor, campaign=campaign)
            subject = _subject(connection, group, campaign)
            now = store.now(connection)
            audit.record_with(connection, now, actor, "suppress", subject=subject, count=new, note=reason)
            return new

        total += store.retrying(work)
    return total


def remove(store: Store, phones: Iterable[str], *, actor: str, campaign: str = "", note: str = "") -> int:
    """A person takes entries off the list of this campaign (or, where empty, of all); how many were on it.

    :param phones: E.164 in any writing of the line, or an entry's ``email:`` and hash.
    """
    total = 0
    for group in _groups(phones):

        def work(connection: sa.Connection, group: list[str] = group) -> int:
            subject = _subject(connection, group, campaign)
            gone = suppressions_write.remove(connection, group, campaign)
            now = store.now(connection)
            audit.record_with(connection, now, actor, "unsuppress", subject=subject, count=gone, note=note)
            return gone

        total += store.retrying(work)
    return total


def count(store: Store, phones: Iterable[str], *, campaign: str = "") -> int:
    """How many entries :func:`remove` would take off the list."""
    found: set[int] = set()
    for group in _groups(phones):
        with store.read() as connection:
            found |= suppressions_write.entries_of(connection, group, campaign)
    return len(found)


def taken_off_since(
    connection: sa.Connection, listed: Collection[str], since: datetime, now: datetime
) -> set[str]:
    """Which of these a person may have taken off the list of all campaigns since then, as far as the audit tells.

    It names one by its masked number, and several by their number alone, who may be anybody; before what it keeps it
    names nobody.
    """
    if since < now - audit.KEPT:
        return set(listed)
    table = audit.audit.c
    rows = sa.select(table.subject).where(table.action == "unsuppress", table.at >= since, table.count > 0)
    subjects = [each for each in connection.execute(rows).scalars() if _EVERYWHERE in each]
    if any(_SEVERAL.match(each) for each in subjects):
        return set(listed)
    named = {each.partition(_EVERYWHERE)[0] for each in subjects}
    return {
        each for each in listed if not named.isdisjoint(map(shown, suppressions_write.all_writings([each])))
    }


def entries(
    store: Store,
    *,
    phone: str | None = None,
    campaign: str | None = None,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
) -> Page[SuppressionRow]:
    """The list, newest first. :param phone: E.164 in any writing of the line. :param campaign: None for any."""
    entry = suppressions.c.row_of.is_(None)
    branch = [entry, suppressions_write.in_every_writing(phone)] if phone else [entry]
    residual = [] if campaign is None else [lambda c: c.campaign == campaign]
    with store.read() as connection:
        page = _SCAN.page(connection, branches=[branch], residual=residual, cursor=cursor, limit=limit)
    return page.of(SuppressionRow)


def every_entry(
    store: Store, *, phone: str | None = None, campaign: str | None = None, chunk: int = 1000
) -> Iterator[SuppressionRow]:
    """All of them, read page by page: for an export."""
    return every(lambda cursor: entries(store, phone=phone, campaign=campaign, cursor=cursor, limit=chunk))


def shown(phone: str) -> str:
    """How an entry's number is shown to anybody: masked, and an address by the start of its hash."""
    if phone.startswith(EMAIL):
        return f"e-mail {phone.removeprefix(EMAIL)[:8]}… (hashed)"
    return mask_phone(phone)


def is_hashed(text: str) -> bool:
    """Whether it is an entry of an address, as the list has it."""
    return _HASHED.fullmatch(text) is not None


def find(store: Store, ids: Collection[int]) -> list[SuppressionRow]:
    """The rows with these ids."""
    query = sa.select(*_SCAN.columns).where(suppressions.c.id.in_(list(ids)))
    with store.read() as connection:
        return [SuppressionRow(*row) for row in connection.execute(query)]


def spread(store: Store) -> bool:
    """Give entries that were written by hand, or by a former version, their other writings. :return: were there any?"""
    with store.read() as connection:
        walk(connection)
        if connection.execute(suppressions_write.UNSPREAD).first() is None:
            return False
    return store.in_groups(suppressions_write.spread) > 0


def _insert(
    connection: sa.Connection,
    store: Store,
    listed: Collection[str],
    *,
    reason: str,
    source: str,
    campaign: str,
) -> int:
    now = to_ms(store.now(connection))
    return suppressions_write.insert(connection, now, listed, reason=reason, source=source, campaign=campaign)


def _groups(phones: Iterable[str]) -> Iterable[list[str]]:
    group: list[str] = []
    for phone in phones:
        if not phone.startswith(EMAIL) and not (
            phone.startswith("+") and phone[1:].isascii() and phone[1:].isdigit() and 8 <= len(phone) <= 16
        ):
            raise ConfigurationError(
                f"{mask_phone(phone)} is not E.164", "write + and the country code first"
            )
        group.append(phone)
        if len(group) == _AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _subject(connection: sa.Connection, listed: list[str], campaign: str) -> str:
    """For the audit: a number masked, with the id of its entry, as many numbers look alike then."""
    where = campaign or "all campaigns"
    if len(listed) > 1:
        return f"{len(listed)} numbers in {where}"
    query = sa.select(suppressions.c.id).where(
        suppressions_write.in_every_writing(listed[0]), suppressions.c.campaign == campaign, suppressions.c.row_of.is_(None)
    )  # fmt: skip
    ids = ", ".join(f"entry {each}" for each in sorted(connection.execute(query).scalars()))
    return f"{shown(listed[0])} in {where}{f' ({ids})' if ids else ''}"
