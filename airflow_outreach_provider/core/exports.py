"""What leaves for a warehouse: the data sets, their columns, and what of a person is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_outreach_provider.core.masking import mask_email, mask_phone


class DataSet(StrEnum):
    """What can be exported. ``outcomes`` joins what was sent with what came back, by campaign, source and day."""

    LEADS = "leads"
    EVENTS = "events"
    DELIVERIES = "deliveries"
    OUTCOMES = "outcomes"


class Personal(StrEnum):
    """How people stand in an export: numbers and addresses masked and names left out, or as they are."""

    MASKED = "masked"
    WHOLE = "whole"


class ColumnKind(StrEnum):
    """What a column holds. A time is a timezone-aware datetime, UTC, to the millisecond."""

    TEXT = "text"
    WHOLE_NUMBER = "whole number"
    TIME = "time"


_T, _N, _AT = ColumnKind.TEXT, ColumnKind.WHOLE_NUMBER, ColumnKind.TIME

COLUMNS: Mapping[DataSet, Mapping[str, ColumnKind]] = {
    DataSet.LEADS: {
        "id": _N, "campaign": _T, "source": _T, "phone": _T, "state": _T, "reason": _T, "tries": _N,
        "created_at": _AT, "updated_at": _AT, "sent_at": _AT, "accepted_at": _AT, "contact_id": _T,
        "conversation_id": _T, "application_id": _T, "dag_id": _T, "run_id": _T,
    },
    DataSet.EVENTS: {
        "seq": _N, "event_id": _T, "source": _T, "platform": _T, "type": _T, "kind": _T, "origin": _T,
        "occurred_at": _AT, "received_at": _AT, "campaign_id": _T, "name": _T, "first_name": _T, "last_name": _T,
        "email": _T, "phone": _T, "external_id": _T,
    },
    DataSet.DELIVERIES: {
        "id": _N, "event_id": _T, "route": _T, "endpoint": _T, "source": _T, "kind": _T, "state": _T, "tries": _N,
        "last_status": _N, "last_error": _T, "created_at": _AT, "updated_at": _AT, "delivered_at": _AT,
    },
    DataSet.OUTCOMES: {
        "campaign": _T, "source": _T, "day": _T, "accepted": _N, "replied": _N, "interested": _N, "booked": _N,
        "opted_out": _N, "changed_at": _AT,
    },
}  # fmt: skip


def _left_out(_value: str) -> None:
    return None


_MASKS: Mapping[str, Callable[[str], str | None]] = {
    "phone": mask_phone, "email": mask_email, "name": _left_out, "first_name": _left_out, "last_name": _left_out,
}  # fmt: skip


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """How far an export has come.

    :param ms: milliseconds since 1970 of the last change that was written; 0 for data sets in reading order.
    :param id: of its row, as several may change within a millisecond; or its place in the reading order.
    """

    ms: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.ms:013d}-{self.id}"


def as_shown(data: DataSet, row: Mapping[str, Any], personal: Personal) -> dict[str, Any]:
    """A row in the order of its columns, as it may leave."""
    columns = COLUMNS[data]
    if personal is Personal.WHOLE:
        return {name: row[name] for name in columns}
    return {
        name: _MASKS[name](value) if value is not None and name in _MASKS else value
        for name in columns
        for value in (row[name],)
    }
