"""Ledger, inbox and deliveries: the first schema.

A revision is history: it says what was created then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("lead_id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status"),
        sa.Column("latency_ms", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_lead_id", "attempts", ["lead_id", "id"], unique=False)
    op.create_index("ix_attempts_run_id", "attempts", ["run_id", "id"], unique=False)
    op.create_table(
        "audit",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "subject", sa.Text(), server_default="", nullable=False, comment="what it was done to, masked"
        ),
        sa.Column("count", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_at", "audit", ["at"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column(
            "endpoint",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="connection id; '' for other targets",
        ),
        sa.Column(
            "lane", sa.Text(), nullable=False, comment="hash of source and contact: one lane keeps its order"
        ),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False, comment="kind and masked contact"),
        sa.Column(
            "payload",
            sa.Text(),
            nullable=True,
            comment="the event as JSON where it is not in the inbox: made by a DAG",
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "tries",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="attempts since the last redelivery",
        ),
        sa.Column("last_status", sa.Integer(), nullable=True, comment="HTTP status"),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("plan_until", sa.BigInteger(), nullable=True),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("claim_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("event_id", "route", name=op.f("uq_deliveries_event_id_route")),
    )
    op.create_index(
        "ix_deliveries_claim",
        "deliveries",
        ["claim"],
        unique=False,
        sqlite_where=sa.text("claim IS NOT NULL"),
        postgresql_where=sa.text("claim IS NOT NULL"),
    )
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"], unique=False)
    op.create_index(
        "ix_deliveries_endpoint",
        "deliveries",
        ["endpoint", "state", "id"],
        unique=False,
        sqlite_where=sa.text("state <> 'delivered'"),
        postgresql_where=sa.text("state <> 'delivered'"),
    )
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["route", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'failed')"),
        postgresql_where=sa.text("state IN ('pending', 'failed')"),
    )
    op.create_index(
        "ix_deliveries_open_lane",
        "deliveries",
        ["route", "lane", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('pending', 'failed')"),
        postgresql_where=sa.text("state IN ('pending', 'failed')"),
    )
    op.create_index("ix_deliveries_plan", "deliveries", ["plan"], unique=False)
    op.create_index(
        "ix_deliveries_state",
        "deliveries",
        ["state", "route", "id"],
        unique=False,
        sqlite_where=sa.text("state <> 'delivered'"),
        postgresql_where=sa.text("state <> 'delivered'"),
    )
    op.create_table(
        "delivery_attempts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False, comment="delivered, retry, refused, gone"),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status; NULL without an answer"),
        sa.Column("latency_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "answer", sa.Text(), server_default="", nullable=False, comment="the first 4 KB of the body"
        ),
        sa.Column("retry_after", sa.Float(), nullable=True, comment="seconds the endpoint asked to wait"),
        sa.Column("dag_id", sa.Text(), server_default="", nullable=False),
        sa.Column("task_id", sa.Text(), server_default="", nullable=False),
        sa.Column("airflow_run_id", sa.Text(), server_default="", nullable=False),
        sa.Column("map_index", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("try_number", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempts")),
    )
    op.create_index("ix_delivery_attempts_at", "delivery_attempts", ["at"], unique=False)
    op.create_index(
        "ix_delivery_attempts_delivery_id", "delivery_attempts", ["delivery_id", "id"], unique=False
    )
    op.create_index(
        "ix_delivery_attempts_failed",
        "delivery_attempts",
        ["at"],
        unique=False,
        sqlite_where=sa.text("verdict <> 'delivered'"),
        postgresql_where=sa.text("verdict <> 'delivered'"),
    )
    op.create_index(
        "ix_delivery_attempts_task", "delivery_attempts", ["airflow_run_id", "map_index", "id"], unique=False
    )
    op.create_table(
        "endpoints",
        sa.Column("conn_id", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("disabled_by", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "failures", sa.Integer(), server_default="0", nullable=False, comment="failed attempts in a row"
        ),
        sa.Column("failing_since", sa.BigInteger(), nullable=True, comment="the first of them"),
        sa.Column("last_at", sa.BigInteger(), nullable=True, comment="the last attempt"),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("conn_id", name=op.f("pk_endpoints")),
    )
    op.create_table(
        "inbox_consumers",
        sa.Column("consumer", sa.String(length=250), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_inbox_consumers")),
    )
    op.create_table(
        "inbox_events",
        sa.Column(
            "row_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=250), nullable=False),
        sa.Column("platform", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_inbox_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_inbox_events_event_id")),
        sa.UniqueConstraint("seq", name=op.f("uq_inbox_events_seq")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_inbox_events_kind_received_at"), "inbox_events", ["kind", "received_at"], unique=False
    )
    op.create_index(op.f("ix_inbox_events_received_at"), "inbox_events", ["received_at"], unique=False)
    op.create_index(
        op.f("ix_inbox_events_source_received_at"), "inbox_events", ["source", "received_at"], unique=False
    )
    op.create_table(
        "inbox_fingerprints",
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=40), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("window_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_inbox_fingerprints")),
    )
    op.create_table(
        "inbox_pending",
        sa.Column("consumer", sa.String(length=250), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "seq", name=op.f("pk_inbox_pending")),
    )
    op.create_table(
        "inbox_polls",
        sa.Column("source", sa.String(length=250), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("previous_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_inbox_polls")),
    )
    op.create_table(
        "inbox_sequence",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_sequence")),
    )
    op.create_table(
        "leads",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column(
            "phone", sa.Text(), nullable=True, comment="E.164; NULL where the row had none that could be read"
        ),
        sa.Column(
            "row_hash", sa.Text(), nullable=True, comment="of the source row and the rules it was read by"
        ),
        sa.Column(
            "content_hash",
            sa.Text(),
            nullable=True,
            comment="of the payload: tells a changed lead from an unchanged one",
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "payload", sa.Text(), nullable=True, comment="the JSON body; erased once it can no longer be sent"
        ),
        sa.Column(
            "email_hash",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the lower-case address, to forget a person by e-mail",
        ),
        sa.Column(
            "line", sa.BigInteger(), nullable=True, comment="line of the source the lead was last read from"
        ),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=True,
            comment="the run that claimed, settled or rejected it last",
        ),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "rev",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="counts changes; guards concurrent writers",
        ),
        sa.Column("not_before", sa.BigInteger(), nullable=True, comment="a deferred lead is not sent before"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column(
            "sent_at",
            sa.BigInteger(),
            nullable=True,
            comment="the claim of the last attempt that may have reached the API",
        ),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.Column("conversation_id", sa.Text(), nullable=True),
        sa.Column("application_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leads")),
        sa.UniqueConstraint("phone", "campaign", name=op.f("uq_leads_phone_campaign")),
    )
    op.create_index("ix_leads_row_hash", "leads", ["row_hash"], unique=False)
    op.create_index(
        "ix_leads_run_id",
        "leads",
        ["run_id", "id"],
        unique=False,
        sqlite_where=sa.text("state NOT IN ('accepted', 'sending', 'planned')"),
        postgresql_where=sa.text("state NOT IN ('accepted', 'sending', 'planned')"),
    )
    op.create_index(
        "ix_leads_state",
        "leads",
        ["state", "campaign", "id"],
        unique=False,
        sqlite_where=sa.text("state <> 'accepted'"),
        postgresql_where=sa.text("state <> 'accepted'"),
    )
    op.create_index(
        "uq_leads_row_without_phone",
        "leads",
        ["row_hash"],
        unique=True,
        sqlite_where=sa.text("phone IS NULL"),
        postgresql_where=sa.text("phone IS NULL"),
    )
    op.create_table(
        "rates",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "next_free_at", sa.BigInteger(), nullable=False, comment="the first moment not yet given out"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rates")),
    )
    op.create_table(
        "runs",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column(
            "owner",
            sa.Text(),
            nullable=False,
            comment="the task instance without its try; one is alive at a time",
        ),
        sa.Column("dag_id", sa.Text(), server_default="", nullable=False),
        sa.Column("task_id", sa.Text(), server_default="", nullable=False),
        sa.Column("airflow_run_id", sa.Text(), server_default="", nullable=False),
        sa.Column("map_index", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("try_number", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="running, succeeded, failed, superseded, expired"
        ),
        sa.Column("source", sa.Text(), server_default="", nullable=False, comment="where the rows came from"),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("rows_read", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("counts", sa.JSON(), server_default="{}", nullable=False, comment="rows by state"),
        sa.Column(
            "reasons", sa.JSON(), server_default="{}", nullable=False, comment="rows by state and reason"
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="why it ended, in words"),
        sa.Column(
            "retry_at",
            sa.BigInteger(),
            nullable=True,
            comment="when the next try is due, where this one knew",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_owner", "runs", ["owner", "state"], unique=False)
    op.create_index("ix_runs_started_at", "runs", ["started_at"], unique=False)
    op.create_index("ix_runs_state_lease", "runs", ["state", "lease_until"], unique=False)
    op.create_table(
        "suppressions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("campaign", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False, comment="who or what added it"),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint("phone", "campaign", name=op.f("uq_suppressions_phone_campaign")),
    )
