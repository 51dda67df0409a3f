"""The ledger's statements that a batch runs thousands of times, put together once for each database."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa

from airflow_outreach_provider.core.row_refusals import ROW_SAYS_NO
from airflow_outreach_provider.core.rules import OPTED_OUT_EMAIL
from airflow_outreach_provider.store import suppressions_write
from airflow_outreach_provider.store.bulk import rowset, valueset
from airflow_outreach_provider.store.ledger.texts import may_be_texted
from airflow_outreach_provider.store.schema import moment

_KNOWN = "l.id, l.state, l.reason, l.content_hash, l.rev, l.accepted_at, l.run_id, l.row_hash, l.not_before, l.texted_hash, l.time_zone"

ENTRY_COLUMNS = (
    ("campaign", "text"), ("phone", "text"), ("row_hash", "text"), ("content_hash", "text"), ("state", "text"),
    ("reason", "text"), ("detail", "text"), ("payload", "text"), ("email_hash", "text"), ("line", "int"),
    ("not_before", "int"), ("time_zone", "text"), ("rev", "int"),
)  # fmt: skip

CONSENT_COLUMNS = (("lead_id", "int"), ("said_in", "text"), ("value", "text"), ("line", "int"))

REFUSAL_COLUMNS = (("campaign", "text"), ("phone", "text"), ("detail", "text"))

SETTLEMENT_COLUMNS = (
    ("id", "int"), ("state", "text"), ("reason", "text"), ("detail", "text"), ("outcome", "text"), ("status", "int"),
    ("latency_ms", "int"), ("contact_id", "text"), ("conversation_id", "text"), ("application_id", "text"),
)  # fmt: skip


NUMBER_LISTED = (
    "EXISTS (SELECT 1 FROM suppressions s WHERE s.phone = leads.phone AND s.campaign IN ('', leads.campaign))"
)
# An address that came with the number counts in every campaign, also where this lead has none.
LISTED = (
    f"({NUMBER_LISTED} OR EXISTS (SELECT 1 FROM leads p JOIN suppressions s "
    f"ON s.phone = '{suppressions_write.EMAIL}' || p.email_hash "
    "WHERE p.phone = leads.phone AND s.campaign IN ('', leads.campaign)))"
)
SUPPRESSED = (
    f"state = 'suppressed', reason = CASE WHEN {NUMBER_LISTED} THEN 'do_not_contact' ELSE '{OPTED_OUT_EMAIL}' END, "
    "detail = '', payload = NULL, time_zone = NULL, updated_at = :now, rev = rev + 1"
)


@dataclass(frozen=True, slots=True)
class StagingStatements:
    """What rows are compared with, and written by."""

    by_row_hash: sa.TextClause
    by_phone: sa.TextClause
    suppressed: sa.TextClause
    sharing: sa.TextClause
    stage: sa.TextClause
    stage_all: sa.TextClause
    staged: sa.TextClause
    stage_without_phone: sa.TextClause
    keep_consents: sa.TextClause
    update_hashes: sa.TextClause
    withdraw: sa.TextClause


@dataclass(frozen=True, slots=True)
class ClaimStatements:
    """What leads are claimed and settled by."""

    claim: sa.TextClause
    claim_all: sa.TextClause
    settle: sa.TextClause
    record_attempts: sa.TextClause


@lru_cache(maxsize=2)
def staging_statements(dialect: str) -> StagingStatements:
    """For ``sqlite`` or ``postgresql``."""
    text = sa.text
    entries = rowset(dialect, ENTRY_COLUMNS)
    hashes = rowset(dialect, (("id", "int"), ("rev", "int"), ("row_hash", "text"), ("content_hash", "text")))
    keys = rowset(dialect, (("campaign", "text"), ("phone", "text")))
    people = rowset(dialect, (("campaign", "text"), ("phone", "text"), ("email_hash", "text")))
    now = moment(dialect)
    insert, taken = _insert_of(entries, now)
    upsert = (
        insert
        + f"AND {_running(dialect)} ON CONFLICT (phone, campaign) DO UPDATE SET {taken}, run_id = excluded.run_id, "
        "texted_hash = CASE WHEN leads.state = 'accepted' THEN leads.content_hash ELSE leads.texted_hash END, "
        "rev = excluded.rev, updated_at = excluded.updated_at "
        "WHERE leads.rev = excluded.rev - 1 AND leads.state <> 'sending'"
    )
    return StagingStatements(
        by_row_hash=text(_by_row_hash(dialect)),
        by_phone=text(
            f"SELECT r.ord, {_KNOWN} FROM {keys} AS r JOIN leads l ON l.campaign = r.campaign AND l.phone = r.phone"
        ),
        # Numbers last: they tell more than an address. DISTINCT, so that addresses are found before they are looked up: never
        # analysed, PostgreSQL would read the list from end to end for each of these people.
        suppressed=text(
            f"SELECT r.ord, '{OPTED_OUT_EMAIL}' FROM {people} AS r JOIN suppressions s "
            f"ON s.phone = '{suppressions_write.EMAIL}' || r.email_hash AND s.campaign IN ('', r.campaign) "
            f"UNION ALL SELECT o.ord, '{OPTED_OUT_EMAIL}' FROM (SELECT DISTINCT r.ord, r.campaign, p.email_hash "
            f"FROM {people} AS r JOIN leads p ON p.phone = r.phone WHERE p.email_hash IS NOT NULL) AS o "
            f"JOIN suppressions s ON s.phone = '{suppressions_write.EMAIL}' || o.email_hash "
            "AND s.campaign IN ('', o.campaign) "
            f"UNION ALL SELECT r.ord, s.reason FROM {people} AS r "
            "JOIN suppressions s ON s.phone = r.phone AND s.campaign IN ('', r.campaign)"
        ),
        sharing=text(
            f"SELECT DISTINCT r.ord FROM {people} AS r JOIN leads l ON l.email_hash = r.email_hash "
            "AND l.campaign = r.campaign AND l.phone <> r.phone WHERE l.accepted_at IS NOT NULL "
            "OR l.state IN ('planned', 'sending', 'accepted', 'held', 'deferred')"
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
        keep_consents=text(
            f'INSERT INTO consents (lead_id, at, "column", value, source, line) SELECT r.lead_id, {now}, '
            "r.said_in, r.value, COALESCE((SELECT source FROM runs WHERE id = :run), ''), r.line "
            f"FROM {rowset(dialect, CONSENT_COLUMNS)} AS r WHERE true"
        ),
        update_hashes=text(
            "UPDATE leads SET row_hash = r.row_hash, content_hash = r.content_hash "
            f"FROM {hashes} AS r WHERE leads.id = r.id AND leads.rev = r.rev"
        ),
        withdraw=text(_withdraw(dialect)),
    )  # fmt: skip


def _state(dialect: str) -> str:
    """A lead's state, spelt so that leads are looked up by id or number: both would walk all of a state by its index."""
    return "+leads.state" if dialect == "sqlite" else "(leads.state || '')"


def _running(dialect: str) -> str:
    """The condition that this run has not ended, and does not before what is written with it is committed.

    An ended one claims nobody; and plans nobody: its source is judged by nobody any more, and what it planned would be
    everybody's to send.
    """
    share = " FOR SHARE" if dialect == "postgresql" else ""
    return f"EXISTS (SELECT 1 FROM runs WHERE runs.id = :run AND runs.state = 'running'{share})"


def _withdraw(dialect: str) -> str:
    """Whoever waits is suppressed, and who is held or in flight keeps nothing that could be sent again: their row says no."""
    state = _state(dialect)
    stays = f"{state} IN ('held', 'sending')"
    return (
        f"UPDATE leads SET state = CASE WHEN {stays} THEN leads.state ELSE 'suppressed' END, "
        f"reason = CASE WHEN {stays} THEN leads.reason ELSE '{ROW_SAYS_NO}' END, detail = r.detail, "
        f"payload = NULL, time_zone = NULL, not_before = NULL, updated_at = {moment(dialect)}, rev = leads.rev + 1 "
        f"FROM {rowset(dialect, REFUSAL_COLUMNS)} AS r WHERE leads.phone = r.phone AND leads.campaign = r.campaign "
        f"AND {state} IN ('planned', 'deferred', 'held', 'sending') AND leads.payload IS NOT NULL"
    )


def _by_row_hash(dialect: str) -> str:
    """On SQLite one value with all rows in it: it takes Python's global lock once and not for each row."""
    columns = "r.ord, l.id, l.state, l.reason, l.content_hash"
    picked = f"json_group_array(json_array({columns}))" if dialect == "sqlite" else columns
    return f"SELECT {picked} FROM {valueset(dialect, 'text')} AS r JOIN leads l ON l.row_hash = r.v"


def _insert_of(entries: str, now: str) -> tuple[str, str]:
    """An insertion of these rows at this time, and what a lead that is there takes of it."""
    names = [name for name, _ in ENTRY_COLUMNS if name != "rev"]
    taken = ", ".join(f"{name} = excluded.{name}" for name in names if name not in {"campaign", "phone"})
    insert = (
        f"INSERT INTO leads ({', '.join(names)}, run_id, rev, created_at, updated_at) "
        f"SELECT {', '.join(f'r.{name}' for name in names)}, "
        f"CAST(:run AS bigint), r.rev + 1, {now}, {now} FROM {entries} AS r WHERE true "
    )
    return insert, taken


@lru_cache(maxsize=4)
def claim_statements(dialect: str, per_person: bool = False) -> ClaimStatements:
    """For ``sqlite`` or ``postgresql``. :param per_person: claim nobody who has had ``:most`` texts after ``:since``."""
    text = sa.text
    free = f" AND {may_be_texted(dialect)}" if per_person else ""
    settlements, now = rowset(dialect, SETTLEMENT_COLUMNS), moment(dialect)
    lock = " ORDER BY id FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else ""
    # A commit that was not acknowledged is written again; the same answer to the same claim is one attempt.
    unrecorded = "" if dialect == "sqlite" else (
        " AND (SELECT COUNT(*) FROM attempts a JOIN leads l ON l.id = a.lead_id WHERE a.lead_id = r.id "
        "AND a.run_id + 0 = :run AND a.at > l.sent_at AND a.outcome = r.outcome AND a.latency_ms = r.latency_ms) = 0"
    )  # fmt: skip
    # Who was forgotten while in flight stays so.
    there = " WHERE (SELECT COUNT(*) FROM leads l WHERE l.id = r.id) = 1"
    # Their row said no meanwhile: nothing is left to be sent again.
    withdrawn = "r.state = 'planned' AND leads.payload IS NULL"
    state, run_id = _state(dialect), "+leads.run_id" if dialect == "sqlite" else "(leads.run_id + 0)"
    # Whom the API took is not sent to again, though somebody planned the held lead anew before its answer came.
    unsettled = f"{state} IN ('sending', 'held') OR ({state} = 'planned' AND r.state = 'accepted')"
    # The second half is a claim of our own whose commit was not acknowledged: it was never sent.
    claimable = f"{state} = 'planned' OR ({state} = 'sending' AND {run_id} = :run)"
    claim = (
        f"UPDATE leads SET state = 'sending', run_id = :run, sent_at = {now}, updated_at = {now}, tries = tries + 1, "
        "rev = rev + 1, not_before = NULL WHERE id IN ("
        f"SELECT id FROM leads WHERE id IN (SELECT v FROM {valueset(dialect, 'int')} AS r) AND ({claimable}){lock}) "
        f"AND ({claimable}) AND NOT {LISTED} AND NOT EXISTS ({suppressions_write.UNSPREAD.text}) "
        f"AND {_running(dialect)}{free}"
    )
    return ClaimStatements(
        claim=text(claim + " RETURNING id"),
        claim_all=text(claim),
        settle=text(
            f"UPDATE leads SET state = CASE WHEN {withdrawn} THEN 'suppressed' ELSE r.state END, "
            f"reason = CASE WHEN {withdrawn} THEN '{ROW_SAYS_NO}' ELSE r.reason END, "
            f"detail = CASE WHEN {withdrawn} THEN leads.detail ELSE r.detail END, updated_at = {now}, rev = rev + 1, "
            "payload = CASE WHEN r.state IN ('planned', 'held') THEN payload END, "
            "time_zone = CASE WHEN r.state IN ('planned', 'held') THEN time_zone END, "
            f"accepted_at = CASE WHEN r.state = 'accepted' THEN {now} ELSE accepted_at END, "
            "contact_id = COALESCE(r.contact_id, leads.contact_id), "
            "conversation_id = COALESCE(r.conversation_id, leads.conversation_id), "
            "application_id = COALESCE(r.application_id, leads.application_id) "
            f"FROM {settlements} AS r WHERE leads.id = r.id AND {run_id} = :run "
            f"AND ({unsettled})"
        ),
        record_attempts=text(
            "INSERT INTO attempts (lead_id, run_id, at, outcome, reason, status, latency_ms, detail) "
            f"SELECT r.id, CAST(:run AS bigint), {now}, r.outcome, r.reason, r.status, r.latency_ms, r.detail "
            f"FROM {settlements} AS r{there}{unrecorded}"
        ),
    )  # fmt: skip
