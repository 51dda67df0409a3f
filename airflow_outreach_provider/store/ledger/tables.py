"""Tables of the ledger: who was to be reached, in which state, by which run, and every attempt."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.store.schema import BigId, UtcTime, metadata


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


runs = sa.Table(
    "runs",
    metadata,
    # A run is one try of one task instance (or of a script) over one source of leads.
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("campaign", sa.Text, nullable=False),
    sa.Column(
        "owner", sa.Text, nullable=False, comment="the task instance without its try; one is alive at a time"
    ),
    sa.Column("dag_id", sa.Text, nullable=False, server_default=""),
    sa.Column("task_id", sa.Text, nullable=False, server_default=""),
    sa.Column("airflow_run_id", sa.Text, nullable=False, server_default=""),
    sa.Column("map_index", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("try_number", sa.Integer, nullable=False, server_default="1"),
    sa.Column("state", sa.Text, nullable=False, comment="running, succeeded, failed, superseded, expired"),
    sa.Column("source", sa.Text, nullable=False, server_default="", comment="where the rows came from"),
    sa.Column(
        "conn_id", sa.Text, nullable=False, server_default="", comment="the connection it submitted through"
    ),
    sa.Column("dry_run", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("heartbeat_at", UtcTime, nullable=False),
    sa.Column("lease_until", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    sa.Column("rows_read", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("fraction", sa.Float, comment="how much of the source was read, 0 to 1"),
    sa.Column("counts", sa.JSON, nullable=False, server_default="{}", comment="rows by state"),
    sa.Column("reasons", sa.JSON, nullable=False, server_default="{}", comment="rows by state and reason"),
    sa.Column("error", sa.Text, comment="why it ended, in words"),
    sa.Column("retry_at", UtcTime, comment="when the next try is due, where this one knew"),
    sa.Index("ix_runs_owner", "owner", "state"),
    sa.Index("ix_runs_started_at", "started_at"),
    sa.Index("ix_runs_state_lease", "state", "lease_until"),
)

leads = sa.Table(
    "leads",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("campaign", sa.Text, nullable=False),
    sa.Column("phone", sa.Text, comment="E.164; NULL where the row had none that could be read"),
    sa.Column("row_hash", sa.Text, comment="of the source row and the rules it was read by"),
    sa.Column("content_hash", sa.Text, comment="of the payload: tells a changed lead from an unchanged one"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("payload", sa.Text, comment="the JSON body; erased once it can no longer be sent"),
    sa.Column(
        "email_hash", sa.Text, comment="SHA-256 of the lower-case address, to forget a person by e-mail"
    ),
    sa.Column("line", sa.BigInteger, comment="line of the source the lead was last read from"),
    sa.Column("run_id", sa.BigInteger, comment="the run that claimed, settled or rejected it last"),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column(
        "rev",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="counts changes; guards concurrent writers",
    ),
    sa.Column("not_before", UtcTime, comment="a deferred lead is not sent before"),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("sent_at", UtcTime, comment="the claim of the last attempt that may have reached the API"),
    sa.Column("accepted_at", UtcTime),
    sa.Column("contact_id", sa.Text),
    sa.Column("conversation_id", sa.Text),
    sa.Column("application_id", sa.Text),
    # Phone first, so that a person is found over all campaigns. Every index costs each lead sent about 3 µs:
    # what only some states need is indexed for those states.
    sa.UniqueConstraint("phone", "campaign"),
    sa.Index("ix_leads_row_hash", "row_hash"),
    sa.Index("uq_leads_row_without_phone", "row_hash", unique=True, **_where("phone IS NULL")),
    sa.Index("ix_leads_state", "state", "campaign", "id", **_where("state <> 'accepted'")),
    sa.Index("ix_leads_run_id", "run_id", "id", **_where("state NOT IN ('accepted', 'sending', 'planned')")),
)

attempts = sa.Table(
    "attempts",
    metadata,
    # One submission of one lead, or one step of its life that a person should find.
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("lead_id", sa.BigInteger, nullable=False),
    sa.Column("run_id", sa.BigInteger),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Integer, comment="HTTP status"),
    sa.Column("latency_ms", sa.Integer),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_attempts_lead_id", "lead_id", "id"),
    sa.Index("ix_attempts_run_id", "run_id", "id"),
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    # The do-not-contact list. campaign '' is every campaign. See store.suppressions_write for row_of.
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("campaign", sa.Text, nullable=False, server_default=""),
    # E.164, or "email:" and the SHA-256 of an address.
    sa.Column("phone", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("source", sa.Text, nullable=False, server_default="", comment="who or what added it"),
    sa.Column("added_at", UtcTime, nullable=False),
    sa.Column(
        "row_of",
        sa.BigInteger,
        comment="the entry whose number this is in another writing; NULL for entries themselves",
    ),
    sa.Column(
        "spread",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="whether its other writings were written",
    ),
    sa.Column(
        "by_stop_word",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="set by a message that was a stop word: START lifts it",
    ),
    sa.UniqueConstraint("phone", "campaign"),
    sa.Index("ix_suppressions_row_of", "row_of", **_where("row_of IS NOT NULL")),
    sa.Index("ix_suppressions_unspread", "id", **_where("NOT spread")),
    sa.Index("ix_suppressions_by_stop_word", "source", **_where("by_stop_word")),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False, server_default="", comment="what it was done to, masked"),
    sa.Column("count", sa.BigInteger, nullable=False, server_default="1"),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_audit_at", "at"),
)

rates = sa.Table(
    "rates",
    metadata,
    # One row a connection: how many requests are spoken for until when, shared by all tasks.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("next_free_at", UtcTime, nullable=False, comment="the first moment not yet given out"),
)
