"""The ledger: which lead is in which state, and who may change it.

Nobody is texted twice because a lead is sent only by the run that moved it from *planned* to *sending*, in a
transaction committed before the request, and never leaves *sending* towards *planned* unless it is certain
that the request was not processed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.core.rules import Gate
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.bulk import rows_param, values_param, valueset
from airflow_outreach_provider.store.by_index import probe, walk
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import opted_out, texts
from airflow_outreach_provider.store.ledger.staging import Contested, StagingLedger
from airflow_outreach_provider.store.ledger.statements import LISTED, SUPPRESSED, claim_statements
from airflow_outreach_provider.store.one_trip import Step, one_trip
from airflow_outreach_provider.store.schema import to_ms


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


@dataclass(frozen=True, slots=True)
class Leftover:
    """A lead that an earlier run left to be sent.

    :ivar zone: the time zone that its row names. :ivar run: whose: DAG and run, '' where nobody knows.
    """

    id: int
    phone: str
    payload: str
    zone: str | None = None
    run: str = ""


# Seconds, and leads: whoever opted out in between is in nobody's list for so long.
_LISTED_EVERY, _MOST_NAMED = 1.0, 2_000

_DUE = sa.text(
    "UPDATE leads SET state = 'planned', reason = '', detail = '', updated_at = :now, rev = rev + 1 "
    "WHERE state = 'deferred' AND state <> 'accepted' AND campaign = :campaign AND not_before <= :now"
)
_SUPPRESS_WAITING = sa.text(
    f"UPDATE leads SET {SUPPRESSED} WHERE state IN ('planned', 'deferred') AND state <> 'accepted' AND campaign = :campaign AND {LISTED}"
)
# Of one campaign: in the order of an index, as far as it is wanted.
_LEFTOVERS = sa.text(
    "SELECT id, phone, payload, time_zone FROM leads WHERE state = 'planned' AND state <> 'accepted' AND campaign = :campaign AND id > :after "
    "AND payload IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = leads.run_id "
    "AND runs.state = 'running' AND runs.id <> :run) AND id % :shards = :shard ORDER BY id LIMIT :limit"
)
# The same as a look: what a run would find there, without a change.
_WAITING = (
    "SELECT leads.id, leads.phone, leads.payload, leads.time_zone, "
    "TRIM(COALESCE(r.dag_id, '') || ' ' || COALESCE(r.airflow_run_id, '')) "
    "FROM leads LEFT JOIN runs r ON r.id = leads.run_id WHERE leads.state = :state AND leads.state <> 'accepted' AND leads.campaign IN :campaigns "
    "AND leads.id > :after AND leads.payload IS NOT NULL AND (leads.state <> 'deferred' OR leads.not_before <= :now) "
    f"AND NOT (COALESCE(r.state, '') = 'running' AND r.id <> :run) AND NOT {LISTED} ORDER BY leads.id LIMIT :limit"
)
_LOOK = sa.text(_WAITING).bindparams(sa.bindparam("campaigns", expanding=True))
_CLOSE = sa.text(
    "UPDATE leads SET state = :state, reason = :reason, detail = :detail, not_before = CAST(:until AS bigint), "
    "payload = CASE WHEN CAST(:until AS bigint) IS NULL THEN NULL ELSE payload END, "
    "time_zone = CASE WHEN CAST(:until AS bigint) IS NULL THEN NULL ELSE time_zone END, "
    "updated_at = :now, rev = rev + 1 "
    "WHERE id = :id AND state = 'planned'"
)


class Ledger(StagingLedger):
    """Reads and writes of leads; each method is one short transaction.

    :param store: the outreach store.
    :param run_id: the run on whose behalf leads are staged, claimed and settled.
    :param per_person: how many texts a person may get: whoever has had them is not claimed.
    """

    def __init__(self, store: Store, run_id: int, per_person: PerPerson | None = None) -> None:
        super().__init__(store, run_id, per_person)
        self._claims = claim_statements(store.dialect, per_person is not None)
        self._named: list[int] = []
        self._listed_at = time.monotonic()

    def turn(self, settlements: Sequence[Settlement], claim: Sequence[int]) -> set[int]:
        """Settle some leads and claim others, in one commit.

        :return: the ids that were claimed; the others are no longer planned, or this run was superseded.
        """

        def all_of_them(connection: sa.Connection) -> set[int]:
            params = self._moment(connection, claim)
            for statement, settled in self._settling(params, settlements):
                self.store.execute(connection, statement, settled)
            if claim and self.store.execute(connection, self._claims.claim_all, params).rowcount != len(
                claim
            ):
                raise Contested
            return set(claim)

        def what_is_free(connection: sa.Connection) -> set[int]:
            return self._settle_and_claim(connection, settlements, claim)

        claimed = self._optimistic(all_of_them, what_is_free)
        self._named += [each.id for each in settlements if each.contact_id]
        if time.monotonic() - self._listed_at > _LISTED_EVERY or len(self._named) > _MOST_NAMED:
            with suppress(StoreError):  # what is claimed is, and has to be told
                self.list_opted_out()
        missed = [each for each in claim if each not in claimed]
        with suppress(StoreError):  # what is claimed is, and has to be told
            if missed and suppressions.spread(self.store):
                claimed |= self.store.retrying(partial(self._settle_and_claim, settlements=(), claim=missed))
        return claimed

    def list_opted_out(self) -> None:
        """List who of those settled since the last time opted out under the id that is known of them now."""
        if self._named:
            opted_out.list_opted_out(self.store, self._named)
        self._named, self._listed_at = [], time.monotonic()

    def _settle_and_claim(
        self, connection: sa.Connection, settlements: Sequence[Settlement], claim: Sequence[int]
    ) -> set[int]:
        """:return: which of them were claimed."""
        params = self._moment(connection, claim)
        steps = self._settling(params, settlements)
        if claim:
            steps.append((self._claims.claim, params))
        rows = one_trip(self.store, connection, *steps) if steps else []
        return {row[0] for row in rows[-1]} if claim else set()

    def _moment(self, connection: sa.Connection, claim: Sequence[int]) -> dict[str, Any]:
        """:return: the parameters of a turn."""
        params = {"run": self.run_id, "now": self.store.moment(), "values": values_param(claim)}
        if self.per_person is None or not claim:
            return params
        now = self.store.now_ms_value(connection)
        texts.wait_for_others(self.store, connection)
        since = texts.counted_from(self.per_person, now)
        return params | {"now": now, "most": self.per_person.most, "since": since}

    def _settling(self, params: dict[str, Any], settlements: Sequence[Settlement]) -> list[Step]:
        if not settlements:
            return []
        settled = params | {"rows": rows_param(settlements)}
        return [(self._claims.settle, settled), (self._claims.record_attempts, settled)]

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
            if after_id == 0:
                probe(connection)
                now = self.store.now_ms_value(connection)
                for name in names:
                    connection.execute(_DUE, {"now": now, "campaign": name})
                    connection.execute(_SUPPRESS_WAITING, {"now": now, "campaign": name})
            walk(connection)
            params = {"after": after_id, "limit": limit, "run": self.run_id, "shard": shard, "shards": shards}
            found = (connection.execute(_LEFTOVERS, {**params, "campaign": name}) for name in names)
            return [Leftover(*row) for row in sorted(row for rows in found for row in rows)[:limit]]

        return self.store.retrying(work) if names else []

    def waiting(
        self, state: LeadState, campaigns: Iterable[str], after_id: int, limit: int
    ) -> list[Leftover]:
        """What a run would take over from earlier ones, only looked at: planned, deferred and due, or held; by id."""
        names = sorted(campaigns)
        if after_id == 0:
            suppressions.spread(self.store)
        params = {
            "campaigns": names,
            "after": after_id,
            "limit": limit,
            "run": self.run_id,
            "state": state.value,
        }
        with self.store.read() as connection:
            probe(connection)
            params["now"] = self.store.now_ms_value(connection)
            return [Leftover(*row) for row in connection.execute(_LOOK, params)] if names else []

    def payloads(self, ids: Sequence[int]) -> dict[int, Leftover]:
        """What is still to be sent of these leads, by id."""
        query = (
            f"SELECT id, phone, payload, time_zone FROM leads WHERE payload IS NOT NULL "
            f"AND id IN (SELECT v FROM {valueset(self.store.dialect, 'int')} AS r)"
        )
        with self.store.read() as connection:
            [rows] = one_trip(self.store, connection, (sa.text(query), {"values": values_param(ids)}))
        return {row[0]: Leftover(*row) for row in rows}

    def close(self, leads: Sequence[tuple[int, Gate]]) -> None:
        """Turn planned leads back to deferred or suppressed: (id, what closes it)."""
        self.store.retrying(lambda connection: self._close(connection, leads))

    def _close(self, connection: sa.Connection, leads: Sequence[tuple[int, Gate]]) -> None:
        now = self.store.now_ms_value(connection)
        for lead_id, gate in leads:
            until = to_ms(gate.not_before) if gate.not_before else None
            connection.execute(
                _CLOSE,
                {"id": lead_id, "state": gate.state, "reason": gate.reason, "detail": gate.detail, "now": now,
                 "until": until},
            )  # fmt: skip

    def states(self, ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """(state, reason) by id; planned people who are on the do-not-contact list are suppressed first, and those who
        had as many texts as they may deferred."""

        def work(connection: sa.Connection) -> dict[int, tuple[str, str]]:
            params = {"values": values_param(ids)}
            now = self.store.now_ms_value(connection)
            ids_sql = f"(SELECT v FROM {valueset(self.store.dialect, 'int')} AS r)"
            connection.execute(
                sa.text(
                    f"UPDATE leads SET {SUPPRESSED} WHERE state = 'planned' AND id IN {ids_sql} AND {LISTED}"
                ),
                {**params, "now": now},
            )
            if self.per_person is not None:
                waiting = connection.execute(
                    sa.text(f"SELECT id, phone FROM leads WHERE state = 'planned' AND id IN {ids_sql}"),
                    params,
                ).all()
                phones, at = [phone for _, phone in waiting], self.store.now(connection)
                full = self._full(self._texted(connection, self.per_person, phones, at), at)
                self._close(connection, [(row[0], full[row[1]]) for row in waiting if row[1] in full])
            rows = connection.execute(
                sa.text(f"SELECT id, state, reason FROM leads WHERE id IN {ids_sql}"), params
            )
            return {row[0]: (row[1], row[2]) for row in rows}

        return self.store.retrying(work)
