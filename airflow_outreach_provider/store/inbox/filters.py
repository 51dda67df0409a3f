"""What a consumer reads of the inbox, and can ever read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.store.by_index import is_one, narrowly
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox.rows import matching
from airflow_outreach_provider.store.inbox.tables import inbox_consumers, inbox_events, inbox_pending

_LOOKS_APART = timedelta(hours=1)


def conditions_of(source: str | None, kinds: Collection[str] | None) -> list[sa.ColumnElement[bool]]:
    """The conditions of a consumer's filter: without ``kinds`` all but ``unrecognised``."""
    conditions = matching(source=source, kinds=kinds)
    if kinds is None:
        conditions.append(inbox_events.c.kind != EventKind.UNRECOGNISED.value)
    return conditions


def note_filter(
    store: Store, consumer: str, source: str | None, kinds: Collection[str] | None, *, rung_for: bool = False
) -> None:
    """Write down what the consumer reads, where that is news, and to the hour when it last looked.

    :param rung_for: a doorbell looks for it, so what is new does not wait for a clock.
    """
    said = "" if kinds is None else f" {' '.join(sorted(kinds))} "
    mine = inbox_consumers.c.consumer == consumer
    with store.read() as connection:
        now = store.now(connection)
        row = connection.execute(sa.select(inbox_consumers).where(mine)).first()
    if row is None:
        return
    recent = row.looked_at is not None and now - row.looked_at < _LOOKS_APART
    if recent and (row.source, row.kinds, row.rung_for) == (source, said, rung_for or row.rung_for):
        return
    values = {"source": source, "kinds": said, "looked_at": now, "rung_for": rung_for or row.rung_for}
    store.retrying(lambda c: c.execute(sa.update(inbox_consumers).where(mine).values(values)))


def can_read() -> sa.ColumnElement[bool]:
    """Whether an event is one that a consumer reads, by its own source and kinds."""
    consumer, event = inbox_consumers.c, inbox_events.c
    usual = sa.and_(consumer.kinds == "", event.kind != EventKind.UNRECOGNISED.value)
    named = consumer.kinds.like(sa.literal("% ") + event.kind + " %")
    return sa.and_(
        sa.or_(consumer.source.is_(None), consumer.source == event.source),
        sa.or_(consumer.kinds.is_(None), usual, named),
    )


def readable(consumer: Any, event: Any) -> list[sa.ColumnElement[bool]]:
    """The same for one consumer. :param consumer: its row. :param event: columns of an event."""
    conditions = [] if consumer.source is None else [event.source == consumer.source]
    if consumer.kinds:
        conditions.append(event.kind.in_(consumer.kinds.split()))
    elif consumer.kinds == "":
        conditions.append(event.kind != EventKind.UNRECOGNISED.value)
    return conditions


def replayed_in_vain(
    consumer: str, conditions: list[sa.ColumnElement[bool]], until: int | None
) -> sa.Select[tuple[int]]:
    """Of what somebody had replayed what the consumer does not read: it is done with, as what its ``where`` turns away.

    :param until: no further than this.
    """
    pending = inbox_pending.alias()
    wanted = is_one(pending, narrowly(inbox_events.c.seq == pending.c.seq), *conditions)
    mine = narrowly(pending.c.consumer == consumer)
    query = sa.select(pending.c.seq).where(mine, pending.c.replayed, ~wanted)
    return query if until is None else query.where(pending.c.seq <= until)
