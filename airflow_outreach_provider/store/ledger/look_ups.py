"""Who looks up a campaign's held leads: one task, and for a while nobody after it."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger.tables import look_ups
from airflow_outreach_provider.store.schema import insert_into, lasts

# Neither a look nor what it found out lasts longer.
_LONGEST = timedelta(hours=1)


def claim(store: Store, conn_id: str, campaign: str, token: str, lease: timedelta) -> bool:
    """Take the look-up of a campaign's held leads, unless somebody has it or has just had it.

    :param token: whose it is then. :param lease: when somebody else may take it, should nobody end it.
    """

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        mine = {"token": token, "until": now + lease}
        insert = insert_into(connection, look_ups).values(conn_id=conn_id, campaign=campaign, **mine)
        over = ~lasts(look_ups.c.until, now, _LONGEST)
        taken = insert.on_conflict_do_update(index_elements=["conn_id", "campaign"], set_=mine, where=over)
        return connection.execute(taken.returning(look_ups.c.token)).first() is not None

    return store.retrying(work)


def end(store: Store, conn_id: str, campaign: str, token: str, fresh: timedelta) -> None:
    """The look-up is over. :param fresh: for how long what it found out is not asked again."""
    mine = sa.and_(look_ups.c.conn_id == conn_id, look_ups.c.campaign == campaign, look_ups.c.token == token)
    store.retrying(
        lambda connection: connection.execute(
            look_ups.update().where(mine).values(until=store.now(connection) + fresh)
        )
    )
