"""Tables of the inbox: events as they came, and how far each consumer has read.

An event gets ``row_id`` when it is written and ``seq`` when it is first seen committed. Readers go by ``seq``:
``row_id`` is handed out before the commit, so on PostgreSQL a smaller one may become visible later.
"""

from __future__ import annotations

import sqlalchemy as sa

from airflow_outreach_provider.store.schema import BigId, UtcTime, metadata, where

inbox_events = sa.Table(
    "inbox_events",
    metadata,
    sa.Column("row_id", BigId, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.String(40), nullable=False, unique=True),
    # Reading order; NULL until a reader has seen the event committed.
    sa.Column("seq", sa.BigInteger, nullable=True, unique=True),
    sa.Column("source", sa.String(250), nullable=False),
    sa.Column("platform", sa.String(20), nullable=False),
    sa.Column("type", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("origin", sa.String(10), nullable=False),
    sa.Column("occurred_at", UtcTime, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("campaign_id", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("first_name", sa.Text),
    sa.Column("last_name", sa.Text),
    sa.Column("email", sa.Text),
    sa.Column("phone", sa.Text),
    sa.Column("external_id", sa.Text),
    # JSON text of [[name, value], …]; secrets masked.
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index(None, "source", "received_at"),
    # The event list of the UI by time and by kind, and purging, which goes by time alone.
    sa.Index(None, "received_at"),
    sa.Index(None, "kind", "received_at"),
    # Who a contact is that an opt-out names by the platform's id alone.
    sa.Index("ix_inbox_events_external_id", "external_id", **where("external_id IS NOT NULL")),
    # What came of a person, on their page.
    sa.Index("ix_inbox_events_phone", "phone", "row_id", **where("phone IS NOT NULL")),
    sa.Index("ix_inbox_events_email", sa.text("lower(email)"), "row_id"),
    sqlite_autoincrement=True,
)

# One row for each body that nothing but itself identifies, and each signature under an id that is not signed; see
# core.intake.
inbox_fingerprints = sa.Table(
    "inbox_fingerprints",
    metadata,
    sa.Column("fingerprint", sa.String(32), primary_key=True),
    sa.Column("event_id", sa.String(40), nullable=False),
    sa.Column("seen_at", UtcTime, nullable=False),
    sa.Column("window_ms", sa.BigInteger, nullable=False),
)

# A single row: the last seq handed out. Its lock makes sequencing one at a time.
inbox_sequence = sa.Table(
    "inbox_sequence",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("last", sa.BigInteger, nullable=False),
)

inbox_consumers = sa.Table(
    "inbox_consumers",
    metadata,
    sa.Column("consumer", sa.String(250), primary_key=True),
    # Every event up to this seq was handed out or filtered away.
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("read_at", UtcTime, nullable=False),
    sa.Column(
        "routes",
        sa.Text,
        nullable=False,
        server_default="",
        comment="names, space-separated, as its sensor last said",
    ),
    # What it can ever read: an event that it cannot is not kept for it.
    sa.Column("source", sa.Text, comment="all it reads; NULL: of any source"),
    sa.Column("kinds", sa.Text, comment="' a b '; '': the usual ones; NULL: nobody knows"),
    sa.Column("reads_where", sa.Text, comment="its sensor's expression; '': none; NULL: no sensor ever said"),
    sa.Column("looked_at", UtcTime, comment="to the hour; NULL: not since it is kept"),
    sa.Column(
        "rung_for", sa.Boolean, nullable=False, server_default=sa.false(), comment="a doorbell listens for it"
    ),
)

# Handed out (or to be replayed) and not yet acknowledged.
inbox_pending = sa.Table(
    "inbox_pending",
    metadata,
    sa.Column("consumer", sa.String(250), primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column(
        "replayed", sa.Boolean, nullable=False, server_default=sa.false(), comment="read again by wish"
    ),
)

# Whether a connection is switched off, and what it turned away; whether it exists at all is Airflow's to say.
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("conn_id", sa.Text, primary_key=True),
    sa.Column("disabled_at", UtcTime),
    sa.Column("disabled_reason", sa.Text, nullable=False, server_default=""),
    sa.Column("disabled_by", sa.Text, nullable=False, server_default=""),
    sa.Column("refused", sa.BigInteger, nullable=False, server_default="0", comment="requests refused"),
    sa.Column("refused_at", UtcTime, comment="the last of them"),
    sa.Column("refused_status", sa.Integer, comment="what it was answered"),
    sa.Column("refused_reason", sa.Text, nullable=False, server_default=""),
)

# When the contact list of a source was last read, and the time before that.
inbox_polls = sa.Table(
    "inbox_polls",
    metadata,
    sa.Column("source", sa.String(250), primary_key=True),
    sa.Column("first_at", UtcTime, nullable=False),
    sa.Column("previous_at", UtcTime, nullable=False),
    sa.Column("last_at", UtcTime, nullable=False),
    sa.Column("whole_at", UtcTime, comment="when the whole list was last read; NULL: not since it is kept"),
    sa.Column(
        "trusted_ms", sa.BigInteger, nullable=False, server_default="0", comment="from then: its order is"
    ),
    sa.Column("unfinished", sa.Boolean, nullable=False, server_default=sa.false(), comment="a reading began"),
)
