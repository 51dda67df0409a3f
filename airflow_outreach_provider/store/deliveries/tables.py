"""Tables of fan-out: each event on its way to each route, every attempt, and what is known of an endpoint."""

from __future__ import annotations

import sqlalchemy as sa

from airflow_outreach_provider.store.schema import BigId, UtcTime, metadata, where

_UNDELIVERED = where("state <> 'delivered'")
_IS_OPEN = "state IN ('pending', 'failed')"
_OPEN = where(_IS_OPEN)
_TAKEN = "(plan_until IS NOT NULL OR claim_until IS NOT NULL OR due_at IS NOT NULL)"
_NOT_DELIVERED = where("verdict <> 'delivered'")

deliveries = sa.Table(
    "deliveries",
    metadata,
    # Ids ascend in the order in which events were fanned out: within a lane that is the order of delivery.
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False, server_default="", comment="connection id; '' for other targets"),
    sa.Column("lane", sa.Text, nullable=False, comment="hash of source and contact: one lane keeps its order"),
    sa.Column("source", sa.Text, nullable=False, server_default=""),
    sa.Column("kind", sa.Text, nullable=False, server_default=""),
    sa.Column("label", sa.Text, nullable=False, server_default="", comment="kind and masked contact"),
    sa.Column("payload", sa.Text, comment="the event as JSON where it is not in the inbox: made by a DAG"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0", comment="attempts since the last redelivery"),
    sa.Column("last_status", sa.Integer, comment="HTTP status"),
    sa.Column("last_error", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Column("delivered_at", UtcTime),
    sa.Column("due_at", UtcTime, comment="not before; NULL: at once"),
    # A plan says which task instance handed the work out, a claim which one is at it now. Both run out by
    # themselves, so a run that was deleted keeps nothing.
    sa.Column("plan", sa.Text),
    sa.Column("plan_until", UtcTime),
    sa.Column("claim", sa.Text),
    sa.Column("claim_until", UtcTime),
    sa.Column("resend", sa.BigInteger, comment="audit row of the last one"),
    sa.Column("resent_from", sa.Text, comment="its state before that"),
    sa.UniqueConstraint("event_id", "route"),
    # Small at all times: only what is still to be done.
    sa.Index("ix_deliveries_open", "route", "id", **_OPEN),
    sa.Index("ix_deliveries_open_lane", "route", "lane", "id", **_OPEN),
    # Of these what nobody was ever handed, what has or had a time or a plan, and what is in the way of its lane: see
    # store.deliveries.waiting.
    sa.Index("ix_deliveries_waiting", "route", "id", **where(f"{_IS_OPEN} AND plan_until IS NULL AND due_at IS NULL")),
    sa.Index("ix_deliveries_due", "route", "due_at", **where(f"{_IS_OPEN} AND due_at IS NOT NULL")),
    sa.Index("ix_deliveries_planned", "route", "plan_until", **where(f"{_IS_OPEN} AND plan_until IS NOT NULL")),
    sa.Index("ix_deliveries_taken", "route", "lane", "id", **where(f"{_IS_OPEN} AND {_TAKEN}")),
    sa.Index("ix_deliveries_tried", "route", "lane", "id", **where(f"{_IS_OPEN} AND tries > 0")),
    sa.Index("ix_deliveries_untried", "route", "id", **where(f"{_IS_OPEN} AND tries = 0")),
    # What the later ones of its contact must not overtake.
    sa.Index("ix_deliveries_held", "route", "lane", **where("state = 'held'")),
    # What people look for; the many that were delivered are listed by id.
    sa.Index("ix_deliveries_state", "state", "route", "id", **_UNDELIVERED),
    sa.Index("ix_deliveries_endpoint", "endpoint", "state", "id", **_UNDELIVERED),
    sa.Index("ix_deliveries_plan", "plan"),
    sa.Index("ix_deliveries_claim", "claim", **where("claim IS NOT NULL")),
    sa.Index("ix_deliveries_created_at", "created_at"),
    sa.Index("ix_deliveries_resend", "resend", "state", "id", **where("resend IS NOT NULL")),
    sqlite_autoincrement=True,
)  # fmt: skip

delivery_attempts = sa.Table(
    "delivery_attempts",
    metadata,
    sa.Column("id", BigId, primary_key=True, autoincrement=True),
    sa.Column("delivery_id", sa.BigInteger, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False, comment="delivered, retry, refused, gone"),
    sa.Column("status", sa.Integer, comment="HTTP status; NULL without an answer"),
    sa.Column("latency_ms", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("answer", sa.Text, nullable=False, server_default="", comment="the first 4 KB of the body"),
    sa.Column("retry_after", sa.Float, comment="seconds the endpoint asked to wait"),
    sa.Column("dag_id", sa.Text, nullable=False, server_default=""),
    sa.Column("task_id", sa.Text, nullable=False, server_default=""),
    sa.Column("airflow_run_id", sa.Text, nullable=False, server_default=""),
    sa.Column("map_index", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("try_number", sa.Integer, nullable=False, server_default="1"),
    # About 200 bytes an attempt: the request itself is made again of its event, core/sent_requests.py.
    sa.Column("form", sa.Text, comment="key of the request's form"),
    sa.Column("digest", sa.Text, comment="of the request"),
    sa.Column("size", sa.Integer, comment="of its body, in bytes"),
    sa.Column("headers", sa.Text, comment="of the answer, those that matter, as JSON"),
    sa.Index("ix_delivery_attempts_delivery_id", "delivery_id", "id"),
    sa.Index("ix_delivery_attempts_task", "airflow_run_id", "map_index", "id"),
    # The overview's chart: where an hour begins, and the failures in it.
    sa.Index("ix_delivery_attempts_at", "at"),
    sa.Index("ix_delivery_attempts_failed", "at", **_NOT_DELIVERED),
)

endpoints = sa.Table(
    "endpoints",
    metadata,
    # What deliveries taught us about a connection; whether it exists at all is Airflow's to say.
    sa.Column("conn_id", sa.Text, primary_key=True),
    sa.Column("disabled_at", UtcTime),
    sa.Column("disabled_reason", sa.Text, nullable=False, server_default=""),
    sa.Column("disabled_by", sa.Text, nullable=False, server_default=""),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0", comment="failed attempts in a row"),
    sa.Column("failing_since", UtcTime, comment="the first of them"),
    sa.Column("last_at", UtcTime, comment="the last attempt"),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.Text, nullable=False, server_default=""),
    sa.Column("last_success_at", UtcTime),
    # A rest: nothing is sent until its end, then one request asks, and the next rest is longer.
    sa.Column("resting_since", UtcTime),
    sa.Column("rest_until", UtcTime, comment="then one request asks again"),
    sa.Column("rest_reason", sa.Text, nullable=False, server_default=""),
    sa.Column("rests", sa.Integer, nullable=False, server_default="0", comment="how often in a row"),
    sa.Column("asked_until", UtcTime, comment="somebody is asking now"),
    sa.Column("recovered_at", UtcTime),
)

served_routes = sa.Table(
    "served_routes",
    metadata,
    # While a task goes on with what comes in for a route, no run begins for it. Runs out by itself.
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False, comment="the task instance"),
    sa.Column("until", UtcTime, nullable=False),
)

route_endpoints = sa.Table(
    "route_endpoints",
    metadata,
    # So that a rest keeps back a route's new deliveries too, before any task has looked where they go.
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("endpoint", sa.Text, nullable=False, comment="where its deliveries went last"),
)

saved_answers = sa.Table(
    "saved_answers",
    metadata,
    # What an endpoint calls a contact, so that a later event can address the same record.
    sa.Column("lane", sa.Text, primary_key=True, comment="hash of source and contact"),
    sa.Column("endpoint", sa.Text, primary_key=True, comment="connection id"),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False, comment="as JSON"),
    sa.Column("updated_at", UtcTime, nullable=False),
    sa.Index("ix_saved_answers_updated_at", "updated_at"),
)

request_forms = sa.Table(
    "request_forms",
    metadata,
    # How a route's events became requests: a row for each way it was ever written.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("form", sa.Text, nullable=False, comment="as JSON, secrets hidden"),
    sa.Column("seen_at", UtcTime, nullable=False),
)
