"""Text → a time of which everybody knows which moment it is."""

from __future__ import annotations

from datetime import UTC, datetime


def aware(moment: datetime) -> datetime:
    """The same time; without a zone it is UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_time(value: object) -> datetime | None:
    """A time, or the one an ISO 8601 text stands for, by :func:`aware`; None for anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    return aware(value) if isinstance(value, datetime) else None
