"""The tables of the outreach store, once for SQLite and PostgreSQL.

Times are whole milliseconds since 1970-01-01 UTC in BIGINT columns: they compare, index and travel
through set-based statements alike on both databases. In Python they are timezone-aware datetimes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

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


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch of a timezone-aware datetime."""
    if moment.tzinfo is None:
        raise ValueError("a time without a time zone cannot be stored")
    return round(moment.timestamp() * 1000)


def from_ms(value: int) -> datetime:
    """The UTC datetime of milliseconds since the epoch."""
    return datetime.fromtimestamp(value / 1000, tz=UTC)


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
