"""Rows against the ledger: what is known of their people, and what is decided about them, written in groups."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.core.phone_lines import other_writings
from airflow_outreach_provider.core.rules import Gate, gate_person
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.bulk import rows_param, values_param
from airflow_outreach_provider.store.by_index import probe
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import texts
from airflow_outreach_provider.store.ledger.statements import staging_statements
from airflow_outreach_provider.store.one_trip import Step, one_trip
from airflow_outreach_provider.store.schema import to_ms
from airflow_outreach_provider.store.suppressions_write import UNSPREAD

T = TypeVar("T")
Key = tuple[str, str]
"""(campaign, phone)."""

# Two who write leads of one address would not see each other's on PostgreSQL: they come one after the other.
_ADDRESSES = sa.text("SELECT pg_advisory_xact_lock(7361205518264410958)")


class Remembered(NamedTuple):
    """What the ledger knows of a lead when the very same row is read again."""

    id: int
    state: str
    reason: str
    content_hash: str | None


class Known(NamedTuple):
    """What the ledger knows of a lead when a row for it is read again."""

    id: int
    state: str
    reason: str
    content_hash: str | None
    rev: int
    accepted_at: int | None
    run_id: int | None
    row_hash: str | None
    not_before: int | None = None
    texted_hash: str | None = None
    time_zone: str | None = None


class Entry(NamedTuple):
    """What staging writes for one row; a tuple in the order of its statement's columns.

    :param rev: the revision the decision was made on; -1 where the ledger knew nothing.
    :param not_before: milliseconds since the epoch. :param time_zone: that its row names, for as long as it waits.
    """

    campaign: str
    phone: str | None
    row_hash: str | None
    content_hash: str | None
    state: LeadState
    reason: str
    detail: str
    payload: str | None
    email_hash: str | None
    line: int | None
    not_before: int | None
    time_zone: str | None = None
    rev: int = -1


class Consent(NamedTuple):
    """What a row said that a lead was planned from.

    :param column: of the source that had to say yes. :param value: what it said.
    """

    campaign: str
    phone: str
    column: str
    value: str
    line: int | None


class RowRefusal(NamedTuple):
    """A row's no. :param detail: where it says so."""

    campaign: str
    phone: str
    detail: str


class StagingLedger:
    """The ledger as staging sees it; each method is one short transaction.

    :param run_id: the run on whose behalf leads are staged. :param per_person: how many texts a person may get.
    """

    def __init__(self, store: Store, run_id: int, per_person: PerPerson | None = None) -> None:
        self.store = store
        self.run_id = run_id
        self.per_person = per_person
        self._staging = staging_statements(store.dialect)

    def find_by_row_hash(self, hashes: Sequence[str]) -> dict[int, Remembered]:
        """Leads that were last staged from exactly these rows, by position in ``hashes``."""
        param = {"values": values_param(hashes)}
        with self.store.read() as connection:
            [found] = one_trip(self.store, connection, (self._staging.by_row_hash, param))
        if self.store.dialect == "sqlite":
            found = json.loads(found[0][0])
        return {row[0]: Remembered._make(row[1:]) for row in found}

    def find(
        self,
        keys: Sequence[Key],
        email_hashes: Sequence[str | None] = (),
        other_hashes: Sequence[tuple[str, ...]] = (),
    ) -> tuple[dict[int, Known], dict[int, str]]:
        """What is known of these people: leads, and reasons on the do-not-contact list, by position in ``keys``.

        :param email_hashes: of their addresses, in the order of ``keys``, or none at all.
        :param other_hashes: of further addresses of theirs, likewise.
        """
        staging, param = self._staging, {"rows": rows_param(keys)}
        further = [(index, email) for index, hashes in enumerate(other_hashes) for email in hashes]
        whose = [*range(len(keys)), *(index for index, _ in further)]
        asked = chain(zip_longest(keys, email_hashes), ((keys[index], email) for index, email in further))
        people = {"rows": rows_param((*key, email) for key, email in asked)}
        steps: tuple[Step, ...] = (UNSPREAD, {}), (staging.by_phone, param), (staging.suppressed, people)
        while True:
            with self.store.read() as connection:
                unspread, known, suppressed = one_trip(self.store, connection, *steps)
            if not unspread:
                break
            suppressions.spread(self.store)
        return {row[0]: Known._make(row[1:]) for row in known}, {whose[row[0]]: row[1] for row in suppressed}

    def sharing(self, keys: Sequence[Key], email_hashes: Sequence[str | None]) -> set[int]:
        """Whose address another lead of the campaign has that was texted or is to be, by position in ``keys``."""
        with self.store.read() as connection:
            return self._sharing(
                connection, [(*key, email) for key, email in zip(keys, email_hashes, strict=True)]
            )

    def texted(self, phones: Sequence[str], now: datetime) -> dict[str, list[datetime]]:
        """When these people had texts that count, or may have had; nobody where there is no rule."""
        if self.per_person is None or not phones:
            return {}
        with self.store.read() as connection:
            probe(connection)
            return self._texted(connection, self.per_person, phones, now)

    def full(self, phones: Sequence[str], now: datetime) -> dict[str, Gate]:
        """Who of these people has had as many texts as they may, and until when; nobody where there is no rule."""
        return self._full(self.texted(phones, now), now)

    def _texted(
        self, connection: sa.Connection, rule: PerPerson, phones: Sequence[str], now: datetime
    ) -> dict[str, list[datetime]]:
        # What was sent to an old writing of a line was sent to whoever has it now.
        writings = {phone: (phone, *other_writings(phone)) for phone in phones}
        every = [each for some in writings.values() for each in some]
        found = texts.texted(self.store, connection, every, texts.counted_from(rule, to_ms(now)))
        times = {
            phone: [at for each in some for at in found.get(each, ())] for phone, some in writings.items()
        }
        return {phone: some for phone, some in times.items() if some}

    def _full(self, texted: Mapping[str, Sequence[datetime]], now: datetime) -> dict[str, Gate]:
        rule = self.per_person
        gates = {} if rule is None else {phone: gate_person(rule, at, now) for phone, at in texted.items()}
        return {phone: gate for phone, gate in gates.items() if gate is not None}

    def stage(
        self, entries: Sequence[Entry], consents: Sequence[Consent] = (), alone: Collection[Key] = ()
    ) -> dict[Key, int]:
        """Write what was decided for rows with a phone.

        :param consents: what some of these rows said, kept with those leads that are written.
        :param alone: whose address no other lead of the campaign may have that was texted or is to be.
        :return: lead id by key. A key that is missing was changed by somebody else since it was read: look again.
        """
        # In one order for everybody, so that two writers wait for each other instead of dead-locking. SQLite has
        # one writer: there the order of the rows makes neighbours of leads that are claimed together.
        if self.store.dialect != "sqlite":
            entries = sorted(entries, key=lambda e: (e.campaign, e.phone or ""))

        def all_of_them(connection: sa.Connection) -> dict[Key, int]:
            if len(self._alone(connection, entries, alone)) != len(entries):
                raise Contested
            written = self.store.execute(connection, self._staging.stage_all, self._params(entries)).rowcount
            if written != len(entries):
                raise Contested
            keys = [(e.campaign, e.phone or "") for e in entries]
            [[ids]] = self.store.execute(connection, self._staging.staged, {"rows": rows_param(keys)})
            staged = dict(zip(keys, json.loads(ids), strict=True))
            self._keep(connection, consents, staged)
            return staged

        def what_is_free(connection: sa.Connection) -> dict[Key, int]:
            params = self._params(self._alone(connection, entries, alone))
            if consents:  # kept in the same transaction, by ids that are not known before
                result: Iterable[Any] = self.store.execute(connection, self._staging.stage, params)
            else:
                [result] = one_trip(self.store, connection, (self._staging.stage, params))
            staged = {(row[1], row[2]): row[0] for row in result}
            self._keep(connection, consents, staged)
            return staged

        staged = self._optimistic(all_of_them, what_is_free)
        self.store.added("leads", len(staged))
        return staged

    def _alone(
        self, connection: sa.Connection, entries: Sequence[Entry], alone: Collection[Key]
    ) -> Sequence[Entry]:
        """All but those who are to be alone under their address and no longer are; who is stays so until the commit."""
        asked = [each for each in entries if (each.campaign, each.phone) in alone]
        if not asked:
            return entries
        if self.store.dialect == "postgresql":
            connection.execute(_ADDRESSES)
        shared = self._sharing(connection, [(e.campaign, e.phone or "", e.email_hash) for e in asked])
        others = {asked[position] for position in shared}
        return [each for each in entries if each not in others]

    def _sharing(self, connection: sa.Connection, people: Iterable[tuple[str, str, str | None]]) -> set[int]:
        probe(connection)
        found = self.store.execute(connection, self._staging.sharing, {"rows": rows_param(people)})
        return {row[0] for row in found}

    def _keep(self, connection: sa.Connection, consents: Sequence[Consent], staged: dict[Key, int]) -> None:
        rows = [(lead, *each[2:]) for each in consents if (lead := staged.get(each[:2])) is not None]
        if rows:
            self.store.execute(connection, self._staging.keep_consents, self._params(rows))

    def stage_without_phone(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Write rejected rows that have no readable phone; the same row is kept once. :return: id by row hash."""
        ordered = sorted(entries, key=lambda e: e.row_hash or "")

        def work(connection: sa.Connection) -> dict[str, int]:
            result = connection.execute(self._staging.stage_without_phone, self._params(ordered))
            return {row[1]: row[0] for row in result}

        return self.store.retrying(work)

    def update_hashes(self, rows: Sequence[tuple[int, int, str, str]]) -> None:
        """Remember other hashes of leads that are as they were seen: (id, rev, row hash, content hash) each."""
        param = {"rows": rows_param(rows)}
        self.store.retrying(
            lambda connection: self.store.execute(connection, self._staging.update_hashes, param)
        )

    def withdraw(self, refusals: Collection[RowRefusal]) -> list[int]:
        """Whoever of these waits is not texted; of who is held nothing is left to be sent again.

        :return: the ids of all leads of theirs.
        """
        ordered = sorted(refusals)  # for everybody, as in ``stage``
        params, keys = self._params(ordered), {"rows": rows_param(each[:2] for each in ordered)}

        def work(connection: sa.Connection) -> list[int]:
            self.store.execute(connection, self._staging.withdraw, params)
            return [row[1] for row in self.store.execute(connection, self._staging.by_phone, keys)]

        return self.store.retrying(work)

    def _optimistic(
        self, all_of_them: Callable[[sa.Connection], T], what_is_free: Callable[[sa.Connection], T]
    ) -> T:
        """Write as if nobody else were at work, and look row by row only where somebody is.

        SQLite hands over each row with a grab at Python's global lock, which a busy event loop holds.
        """
        if self.store.dialect == "sqlite":
            try:
                return self.store.retrying(all_of_them)
            except Contested:
                pass
        return self.store.retrying(what_is_free)

    def _params(self, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
        return {"rows": rows_param(rows), "run": self.run_id, "now": self.store.moment()}


class Contested(Exception):
    """Some rows are no longer as they were seen; the transaction is rolled back."""
