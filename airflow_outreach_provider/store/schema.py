"""The tables of the outreach store, once for SQLite and PostgreSQL.

Times are whole milliseconds since 1970-01-01 UTC in BIGINT columns: they compare, index and travel
through set-based statements alike on both databases. In Python they are timezone-aware datetimes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite only gives out rowids for INTEGER, never for BIGINT.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def where(condition: str) -> dict[str, Any]:
    """What makes an index a partial one, on both databases."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch of a timezone-aware datetime, the begun one not counted.

    :raises ValueError: it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone cannot be stored")
    # Never up: the last moment of year 9999 would become one that Python cannot read back.
    return (moment - _EPOCH) // _MILLISECOND


_FIRST_MS = to_ms(datetime.min.replace(tzinfo=UTC))
_LAST_MS = to_ms(datetime.max.replace(tzinfo=UTC))


def from_ms(value: int) -> datetime:
    """The UTC datetime of milliseconds since the epoch; what no datetime can hold is the nearest one."""
    return _EPOCH + min(max(value, _FIRST_MS), _LAST_MS) * _MILLISECOND


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A timezone-aware datetime, stored as milliseconds since the epoch."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:
        if value is None or isinstance(value, int):
            return value
        return to_ms(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else from_ms(int(value))


def lasts(until: sa.Column[datetime], now: datetime, longest: timedelta) -> sa.ColumnElement[bool]:
    """Whether this time is to come. One further off than ``longest`` was written while the clock was ahead."""
    return until.between(now + _MILLISECOND, now + longest)


def insert_into(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An insertion that knows ``ON CONFLICT``: each of the two dialects has its own, and they read alike."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def moment(dialect: str, param: str = "now") -> str:
    """The time in ``:now`` (milliseconds since the epoch); where that is NULL, when the transaction began by the
    database's clock: so nobody has to ask for it first."""
    if dialect == "sqlite":
        return f":{param}"
    return f"COALESCE(CAST(:{param} AS bigint), CAST(extract(epoch FROM transaction_timestamp()) * 1000 AS bigint))"
