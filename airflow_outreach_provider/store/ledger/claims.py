"""The ledger: which lead is in which state, and who may change it.

Nobody is texted twice because a lead is sent only by the run that moved it from *planned* to *sending*, in a
transaction committed before the request, and never leaves *sending* towards *planned* unless it is certain
that the request was not processed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from airflow_outreach_provider.core.rules import OPTED_OUT_EMAIL, Gate
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import suppressions, suppressions_write
from airflow_outreach_provider.store.bulk import rows_param, rowset, values_param, valueset
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.schema import to_ms

T = TypeVar("T")
Key = tuple[str, str]
"""(campaign, phone)."""


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


class Entry(NamedTuple):
    """What staging writes for one row; a tuple in the order of its statement's columns.

    :param rev: the revision the decision was made on; -1 where the ledger knew nothing.
    :param not_before: milliseconds since the epoch.
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
    rev: int = -1


class Settlement(NamedTuple):
    """What became of one claimed lead; a tuple in the order of its statement's columns."""

    id: int
    state: LeadState
    reason: str
    detail: str
    outcome: str
    status: int | None
    latency_ms: int
    contact_id: str | None = None
    conversation_id: str | None = None
    application_id: str | None = None


_KNOWN = "l.id, l.state, l.reason, l.content_hash, l.rev, l.accepted_at, l.run_id, l.row_hash, l.not_before"

_ENTRY_COLUMNS = (
    ("campaign", "text"), ("phone", "text"), ("row_hash", "text"), ("content_hash", "text"), ("state", "text"),
    ("reason", "text"), ("detail", "text"), ("payload", "text"), ("email_hash", "text"), ("line", "int"),
    ("not_before", "int"), ("rev", "int"),
)  # fmt: skip

_SETTLEMENT_COLUMNS = (
    ("id", "int"), ("state", "text"), ("reason", "text"), ("detail", "text"), ("outcome", "text"), ("status", "int"),
    ("latency_ms", "int"), ("contact_id", "text"), ("conversation_id", "text"), ("application_id", "text"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Statements:
    by_row_hash: sa.TextClause
    by_phone: sa.TextClause
    suppressed: sa.TextClause
    stage: sa.TextClause
    stage_all: sa.TextClause
    staged: sa.TextClause
    stage_without_phone: sa.TextClause
    update_hashes: sa.TextClause
    claim: sa.TextClause
    claim_all: sa.TextClause
    settle: sa.TextClause
    record_attempts: sa.TextClause


@lru_cache(maxsize=2)
def _statements(dialect: str) -> _Statements:
    entries = rowset(dialect, _ENTRY_COLUMNS)
    settlements = rowset(dialect, _SETTLEMENT_COLUMNS)
    hashes = rowset(dialect, (("id", "int"), ("rev", "int"), ("row_hash", "text"), ("content_hash", "text")))
    keys = rowset(dialect, (("campaign", "text"), ("phone", "text")))
    people = rowset(dialect, (("campaign", "text"), ("phone", "text"), ("email_hash", "text")))
    columns = ", ".join(name for name, _ in _ENTRY_COLUMNS if name != "rev")
    taken = ", ".join(
        f"{name} = excluded.{name}" for name, _ in _ENTRY_COLUMNS if name not in {"campaign", "phone", "rev"}
    )
    insert = (
        f"INSERT INTO leads ({columns}, run_id, rev, created_at, updated_at) "
        f"SELECT {', '.join('r.' + c.strip() for c in columns.split(','))}, "
        f"CAST(:run AS bigint), r.rev + 1, CAST(:now AS bigint), CAST(:now AS bigint) FROM {entries} AS r WHERE true "
    )
    lock = " ORDER BY id FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else ""
    share = " FOR SHARE" if dialect == "postgresql" else ""
    # SQLite would walk all leads of a state or a run, by their indexes, rather than look up a few by id.
    state, run_id = (
        ("+leads.state", "+leads.run_id") if dialect == "sqlite" else ("leads.state", "leads.run_id")
    )
    # The second half is a claim of our own whose commit was not acknowledged: it was never sent.
    claimable = f"{state} = 'planned' OR ({state} = 'sending' AND {run_id} = :run)"
    upsert = (
        insert + f"ON CONFLICT (phone, campaign) DO UPDATE SET {taken}, run_id = excluded.run_id, "
        "rev = excluded.rev, updated_at = excluded.updated_at "
        "WHERE leads.rev = excluded.rev - 1 AND leads.state <> 'sending'"
    )
    claim = (
        "UPDATE leads SET state = 'sending', run_id = :run, sent_at = :now, updated_at = :now, tries = tries + 1, "
        "rev = rev + 1, not_before = NULL WHERE id IN ("
        f"SELECT id FROM leads WHERE id IN (SELECT v FROM {valueset(dialect, 'int')} AS r) AND ({claimable}){lock}) "
        f"AND ({claimable}) AND NOT {_LISTED} AND NOT EXISTS ({suppressions_write.UNSPREAD.text}) "
        f"AND EXISTS (SELECT 1 FROM runs WHERE runs.id = :run AND runs.state = 'running'{share})"
    )
    text = sa.text
    return _Statements(
        by_row_hash=text(
            f"SELECT r.ord, {_KNOWN} FROM {valueset(dialect, 'text')} AS r JOIN leads l ON l.row_hash = r.v"
        ),
        by_phone=text(
            f"SELECT r.ord, {_KNOWN} FROM {keys} AS r JOIN leads l ON l.campaign = r.campaign AND l.phone = r.phone"
        ),
        # Numbers last: they tell more than an address.
        suppressed=text(
            f"SELECT r.ord, '{OPTED_OUT_EMAIL}' FROM {people} AS r JOIN suppressions s "
            f"ON s.phone = '{suppressions_write.EMAIL}' || r.email_hash AND s.campaign IN ('', r.campaign) "
            f"UNION ALL SELECT r.ord, '{OPTED_OUT_EMAIL}' FROM {people} AS r JOIN leads p ON p.phone = r.phone "
            f"JOIN suppressions s ON s.phone = '{suppressions_write.EMAIL}' || p.email_hash "
            "AND s.campaign IN ('', r.campaign) "
            f"UNION ALL SELECT r.ord, s.reason FROM {people} AS r "
            "JOIN suppressions s ON s.phone = r.phone AND s.campaign IN ('', r.campaign)"
        ),
        stage=text(upsert + " RETURNING id, campaign, phone"),
        stage_all=text(upsert),
        staged=text(
            f"SELECT json_group_array(id) FROM (SELECT l.id FROM {keys} AS r "
            "JOIN leads l ON l.campaign = r.campaign AND l.phone = r.phone ORDER BY r.ord)"
        ),
        stage_without_phone=text(
            insert + f"ON CONFLICT (row_hash) WHERE phone IS NULL DO UPDATE SET {taken}, run_id = excluded.run_id, "
            "rev = leads.rev + 1, updated_at = excluded.updated_at RETURNING id, row_hash"
        ),
        update_hashes=text(
            "UPDATE leads SET row_hash = r.row_hash, content_hash = r.content_hash "
            f"FROM {hashes} AS r WHERE leads.id = r.id AND leads.rev = r.rev"
        ),
        claim=text(claim + " RETURNING id"),
        claim_all=text(claim),
        settle=text(
            "UPDATE leads SET state = r.state, reason = r.reason, detail = r.detail, updated_at = :now, rev = rev + 1, "
            "payload = CASE WHEN r.state IN ('planned', 'held') THEN payload END, "
            "accepted_at = CASE WHEN r.state = 'accepted' THEN :now ELSE accepted_at END, "
            "contact_id = COALESCE(r.contact_id, leads.contact_id), "
            "conversation_id = COALESCE(r.conversation_id, leads.conversation_id), "
            "application_id = COALESCE(r.application_id, leads.application_id) "
            f"FROM {settlements} AS r WHERE leads.id = r.id AND {run_id} = :run "
            f"AND {state} IN ('sending', 'held')"
        ),
        record_attempts=text(
            "INSERT INTO attempts (lead_id, run_id, at, outcome, reason, status, latency_ms, detail) "
            f"SELECT r.id, CAST(:run AS bigint), CAST(:now AS bigint), r.outcome, r.reason, r.status, r.latency_ms, r.detail "
            f"FROM {settlements} AS r"
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leftover:
    """A lead that an earlier run left to be sent. :ivar run: whose: DAG and run, '' where nobody knows."""

    id: int
    phone: str
    payload: str
    run: str = ""


_NUMBER_LISTED = (
    "EXISTS (SELECT 1 FROM suppressions s WHERE s.phone = leads.phone AND s.campaign IN ('', leads.campaign))"
)
# An address that came with the number counts in every campaign, also where this lead has none.
_LISTED = (
    f"({_NUMBER_LISTED} OR EXISTS (SELECT 1 FROM leads p JOIN suppressions s "
    f"ON s.phone = '{suppressions_write.EMAIL}' || p.email_hash "
    "WHERE p.phone = leads.phone AND s.campaign IN ('', leads.campaign)))"
)
_SUPPRESSED = (
    f"state = 'suppressed', reason = CASE WHEN {_NUMBER_LISTED} THEN 'do_not_contact' ELSE '{OPTED_OUT_EMAIL}' END, "
    "detail = '', payload = NULL, updated_at = :now, rev = rev + 1"
)
_DUE = sa.text(
    "UPDATE leads SET state = 'planned', reason = '', detail = '', updated_at = :now, rev = rev + 1 "
    "WHERE state = 'deferred' AND campaign = :campaign AND not_before <= :now"
)
_SUPPRESS_WAITING = sa.text(
    f"UPDATE leads SET {_SUPPRESSED} WHERE state IN ('planned', 'deferred') AND campaign = :campaign AND {_LISTED}"
)
_LEFTOVERS = sa.text(
    "SELECT id, phone, payload FROM leads WHERE state = 'planned' AND campaign IN :campaigns AND id > :after "
    "AND payload IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = leads.run_id "
    "AND runs.state = 'running' AND runs.id <> :run) AND id % :shards = :shard ORDER BY id LIMIT :limit"
).bindparams(sa.bindparam("campaigns", expanding=True))
# The same as a look: what a run would find there, without a change.
_WAITING = (
    "SELECT leads.id, leads.phone, leads.payload, TRIM(COALESCE(r.dag_id, '') || ' ' || COALESCE(r.airflow_run_id, '')) "
    "FROM leads LEFT JOIN runs r ON r.id = leads.run_id WHERE leads.state = :state AND leads.campaign IN :campaigns "
    "AND leads.id > :after AND leads.payload IS NOT NULL AND (leads.state <> 'deferred' OR leads.not_before <= :now) "
    f"AND NOT (COALESCE(r.state, '') = 'running' AND r.id <> :run) AND NOT {_LISTED} ORDER BY leads.id LIMIT :limit"
)
_LOOK = sa.text(_WAITING).bindparams(sa.bindparam("campaigns", expanding=True))
_CLOSE = sa.text(
    "UPDATE leads SET state = :state, reason = :reason, detail = :detail, not_before = CAST(:until AS bigint), "
    "payload = CASE WHEN CAST(:until AS bigint) IS NULL THEN NULL ELSE payload END, updated_at = :now, rev = rev + 1 "
    "WHERE id = :id AND state = 'planned'"
)


class Ledger:
    """Reads and writes of leads; each method is one short transaction.

    :param store: the outreach store.
    :param run_id: the run on whose behalf leads are staged, claimed and settled.
    """

    def __init__(self, store: Store, run_id: int) -> None:
        self.store = store
        self.run_id = run_id
        self._sql = _statements(store.dialect)

    def find_by_row_hash(self, hashes: Sequence[str]) -> dict[int, Known]:
        """Leads that were last staged from exactly these rows, by position in ``hashes``."""
        with self.store.read() as connection:
            result = self.store.execute(connection, self._sql.by_row_hash, {"values": values_param(hashes)})
            return {row[0]: Known._make(row[1:]) for row in result}

    def find(
        self, keys: Sequence[Key], email_hashes: Sequence[str | None] = ()
    ) -> tuple[dict[int, Known], dict[int, str]]:
        """What is known of these people: leads, and reasons on the do-not-contact list, by position in ``keys``.

        :param email_hashes: of their addresses, in the order of ``keys``, or none at all.
        """
        suppressions.spread(self.store)
        param = {"rows": rows_param(keys)}
        people = {"rows": rows_param((*key, email) for key, email in zip_longest(keys, email_hashes))}
        with self.store.read() as connection:
            known = {
                row[0]: Known._make(row[1:])
                for row in self.store.execute(connection, self._sql.by_phone, param)
            }
            suppressed = {
                row[0]: row[1] for row in self.store.execute(connection, self._sql.suppressed, people)
            }
        return known, suppressed

    def stage(self, entries: Sequence[Entry]) -> dict[Key, int]:
        """Write what was decided for rows with a phone.

        :return: lead id by key. A key that is missing was changed by somebody else since it was read: look again.
        """
        # In one order for everybody, so that two writers wait for each other instead of dead-locking. SQLite has
        # one writer: there the order of the rows makes neighbours of leads that are claimed together.
        if self.store.dialect != "sqlite":
            entries = sorted(entries, key=lambda e: (e.campaign, e.phone or ""))

        def all_of_them(connection: sa.Connection) -> dict[Key, int]:
            written = self.store.execute(connection, self._sql.stage_all, self._params(entries)).rowcount
            if written != len(entries):
                raise _Contested
            keys = [(e.campaign, e.phone or "") for e in entries]
            [[ids]] = self.store.execute(connection, self._sql.staged, {"rows": rows_param(keys)})
            return dict(zip(keys, json.loads(ids), strict=True))

        def what_is_free(connection: sa.Connection) -> dict[Key, int]:
            result = self.store.execute(connection, self._sql.stage, self._params(entries))
            return {(row[1], row[2]): row[0] for row in result}

        return self._all_or(all_of_them, what_is_free)

    def stage_without_phone(self, entries: Sequence[Entry]) -> dict[str, int]:
        """Write rejected rows that have no readable phone; the same row is kept once. :return: id by row hash."""
        ordered = sorted(entries, key=lambda e: e.row_hash or "")

        def work(connection: sa.Connection) -> dict[str, int]:
            result = connection.execute(self._sql.stage_without_phone, self._params(ordered))
            return {row[1]: row[0] for row in result}

        return self.store.retrying(work)

    def update_hashes(self, rows: Sequence[tuple[int, int, str, str]]) -> None:
        """Remember other hashes of leads that are as they were seen: (id, rev, row hash, content hash) each."""
        param = {"rows": rows_param(rows)}
        self.store.retrying(lambda connection: self.store.execute(connection, self._sql.update_hashes, param))

    def turn(self, settlements: Sequence[Settlement], claim: Sequence[int]) -> set[int]:
        """Settle some leads and claim others, in one commit.

        :return: the ids that were claimed; the others are no longer planned, or this run was superseded.
        """

        def all_of_them(connection: sa.Connection) -> set[int]:
            params = self._settle(connection, settlements, claim)
            if claim and self.store.execute(connection, self._sql.claim_all, params).rowcount != len(claim):
                raise _Contested
            return set(claim)

        def what_is_free(connection: sa.Connection) -> set[int]:
            params = self._settle(connection, settlements, claim)
            if not claim:
                return set()
            claimed = {row[0] for row in self.store.execute(connection, self._sql.claim, params)}
            if len(claimed) < len(claim) and suppressions_write.spread(connection):
                while suppressions_write.spread(connection):
                    pass
                claimed = {row[0] for row in self.store.execute(connection, self._sql.claim, params)}
            return claimed

        return self._all_or(all_of_them, what_is_free)

    def _settle(
        self, connection: sa.Connection, settlements: Sequence[Settlement], claim: Sequence[int]
    ) -> dict[str, Any]:
        """:return: the parameters of a claim at the same moment."""
        params = {"run": self.run_id, "now": self.store.now_ms_value(connection)}
        if settlements:
            settled = params | {"rows": rows_param(settlements)}
            self.store.execute(connection, self._sql.settle, settled)
            self.store.execute(connection, self._sql.record_attempts, settled)
        return params | {"values": values_param(claim)}

    def _all_or(
        self, all_of_them: Callable[[sa.Connection], T], what_is_free: Callable[[sa.Connection], T]
    ) -> T:
        """Write as if nobody else were at work, and look row by row only where somebody is.

        SQLite hands over each row with a grab at Python's global lock, which a busy event loop holds.
        """
        if self.store.dialect == "sqlite":
            try:
                return self.store.retrying(all_of_them)
            except _Contested:
                pass
        return self.store.retrying(what_is_free)

    def leftovers(
        self, campaigns: Iterable[str], after_id: int, limit: int, shard: int = 0, shards: int = 1
    ) -> list[Leftover]:
        """What earlier runs left planned, or deferred and now due; by id, people on the do-not-contact list left out.

        What a run that is still alive has planned is left to it.

        :param shard: only ids that leave this remainder when divided by ``shards``.
        """
        names = sorted(campaigns)
        if after_id == 0:
            suppressions.spread(self.store)

        def work(connection: sa.Connection) -> list[Leftover]:
            now = self.store.now_ms_value(connection)
            if after_id == 0:
                for name in names:
                    connection.execute(_DUE, {"now": now, "campaign": name})
                    connection.execute(_SUPPRESS_WAITING, {"now": now, "campaign": name})
            params = {"campaigns": names, "after": after_id, "limit": limit, "run": self.run_id}
            params |= {"shard": shard, "shards": shards}
            return [Leftover(*row) for row in connection.execute(_LEFTOVERS, params)]

        return self.store.retrying(work) if names else []

    def waiting(
        self, state: LeadState, campaigns: Iterable[str], after_id: int, limit: int
    ) -> list[Leftover]:
        """What a run would take over from earlier ones, only looked at: planned, deferred and due, or held; by id."""
        names = sorted(campaigns)
        params = {
            "campaigns": names,
            "after": after_id,
            "limit": limit,
            "run": self.run_id,
            "state": state.value,
        }
        with self.store.read() as connection:
            params["now"] = self.store.now_ms_value(connection)
            return [Leftover(*row) for row in connection.execute(_LOOK, params)] if names else []

    def close(self, leads: Sequence[tuple[int, Gate]]) -> None:
        """Turn planned leads back to deferred or suppressed: (id, what closes it)."""

        def work(connection: sa.Connection) -> None:
            now = self.store.now_ms_value(connection)
            for lead_id, gate in leads:
                until = to_ms(gate.not_before) if gate.not_before else None
                connection.execute(
                    _CLOSE,
                    {"id": lead_id, "state": gate.state, "reason": gate.reason, "detail": gate.detail, "now": now,
                     "until": until},
                )  # fmt: skip

        self.store.retrying(work)

    def states(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """(state, reason) by id; planned people who are on the do-not-contact list are suppressed first."""

        def work(connection: sa.Connection) -> dict[int, tuple[str, str]]:
            params = {"values": values_param(ids)}
            now = self.store.now_ms_value(connection)
            ids_sql = f"(SELECT v FROM {valueset(self.store.dialect, 'int')} AS r)"
            connection.execute(
                sa.text(
                    f"UPDATE leads SET {_SUPPRESSED} WHERE state = 'planned' AND id IN {ids_sql} AND {_LISTED}"
                ),
                {**params, "now": now},
            )
            rows = connection.execute(
                sa.text(f"SELECT id, state, reason FROM leads WHERE id IN {ids_sql}"), params
            )
            return {row[0]: (row[1], row[2]) for row in rows}

        return self.store.retrying(work)

    def _params(self, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
        return {"rows": rows_param(rows), "run": self.run_id, "now": self.store.now_ms_value()}


class _Contested(Exception):
    """Some rows are no longer as they were seen; the transaction is rolled back."""
