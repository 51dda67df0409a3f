"""Tables of the ledger: who was to be reached, in which state, by which run, and every attempt."""

from __future__ import annotations

import sqlalchemy as sa

from airflow_outreach_provider.store.schema import BigId, UtcTime, metadata, where

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
    sa.Column(
        "withheld",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="its source is not judged yet: nothing it planned may be sent",
    ),
    sa.Column(
        "partial",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="only its first rows were wanted: no measure for later runs",
    ),
    sa.Index("ix_runs_withheld", "id", **where("withheld")),
    sa.Index("ix_runs_owner", "owner", "state"),
    sa.Index("ix_runs_started_at", "started_at"),
    sa.Index("ix_runs_dag", "dag_id", "campaign", "id"),
    sa.Index("ix_runs_state_lease", "state", "lease_until"),
    sqlite_autoincrement=True,
)

leads = sa.Table(
    "leads",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("campaign", sa.Text, nullable=False),
    sa.Column("phone", sa.Text, comment="E.164; NULL where the row had none that could be read"),
    sa.Column("row_hash", sa.Text, comment="of the source row and the rules it was read by"),
    sa.Column("content_hash", sa.Text, comment="of the payload: tells a changed lead from an unchanged one"),
    sa.Column("texted_hash", sa.Text, comment="content_hash as it was accepted, once another is staged"),
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
    sa.Column("time_zone", sa.Text, comment="as its row names it; erased with the payload"),
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
    sa.Index("ix_leads_email_hash", "email_hash", "campaign", **where("email_hash IS NOT NULL")),
    sa.Index("uq_leads_row_without_phone", "row_hash", unique=True, **where("phone IS NULL")),
    sa.Index("ix_leads_contact_id", "contact_id", "id", **where("contact_id IS NOT NULL")),
    sa.Index("ix_leads_state", "state", "campaign", "id", **where("state <> 'accepted'")),
    # Over all campaigns, the oldest first; the state is in it so that SQLite looks it up there.
    sa.Index("ix_leads_held", "state", "id", **where("state = 'held'")),
    sa.Index("ix_leads_run_id", "run_id", "id", **where("state NOT IN ('accepted', 'sending', 'planned')")),
    sqlite_autoincrement=True,
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

watermarks = sa.Table(
    "watermarks",
    metadata,
    sa.Column("dag_id", sa.Text, primary_key=True),
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("column", sa.Text, primary_key=True, comment="of the source, whose largest value this is"),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
)

trials = sa.Table(
    "trials",
    metadata,
    # What a task of a run that only tries found of its rows: about people, and gone a day later.
    sa.Column("dag_id", sa.Text, primary_key=True),
    sa.Column("airflow_run_id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.Text, primary_key=True),
    sa.Column("map_index", sa.Integer, primary_key=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("found", sa.Text, nullable=False, comment="rows, payloads, states and reasons, as JSON"),
    sa.Index("ix_trials_at", "at"),
)

look_ups = sa.Table(
    "look_ups",
    metadata,
    # Held leads are looked up in a contact list by one task at a time, and not by each that comes after it.
    sa.Column("conn_id", sa.Text, primary_key=True),
    sa.Column("campaign", sa.Text, primary_key=True, comment="'' for all"),
    sa.Column("token", sa.Text, nullable=False, comment="whose look it is"),
    sa.Column("until", UtcTime, nullable=False, comment="nobody else looks before that"),
)

consents = sa.Table(
    "consents",
    metadata,
    # What a row said when a lead was planned by a sync that requires consent; kept as long as the lead is.
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("lead_id", sa.BigInteger, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("column", sa.Text, nullable=False, comment="of the source"),
    sa.Column("value", sa.Text, nullable=False, comment="as it was read"),
    sa.Column("source", sa.Text, nullable=False, server_default="", comment="where the row came from"),
    sa.Column("line", sa.BigInteger, comment="of the source"),
    sa.Index("ix_consents_lead_id", "lead_id", "id"),
)
