"""What leaves for a warehouse: the data sets, their columns, and what of a person is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from airflow_outreach_provider.core.arguments import check_text, is_path, read_name, said_later, wrong
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_email, mask_id, mask_phone
from airflow_outreach_provider.core.suggest import did_you_mean


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
_IDS = frozenset({"external_id", "contact_id"})


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


def part_name(data: DataSet, mark: Mark, export: str = "") -> str:
    """What a part of an export is called, without an ending.

    :param export: of which export, where another one has the plain names of its folder.
    """
    plain = f"{data}-{mark}"
    if not export:
        return plain
    told = re.sub(r"[^\w.-]", "_", export, flags=re.ASCII)[:_LONGEST_TOLD]
    return f"{plain}-{told}-{sha256(export.encode()).hexdigest()[:8]}"


_LONGEST_TOLD = 60
FILE_FORMATS = ("csv", "parquet")
_SQL = ("conn_id", "table_prefix")
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,80}")
_PREFIXES = "write letters, digits, _ and a dot, e.g. analytics.outreach_, or nothing"
_PLACES = 'name a folder, or write {"csv": folder}, {"parquet": folder} or {"sql": {"conn_id": …}}'


@dataclass(frozen=True, slots=True)
class ExportPlace:
    """Where an export goes: files of a folder, or tables of a database.

    :param written: as a DAG keeps it until its templates are rendered: nothing in it but texts and what becomes one.
    """

    written: Any
    path: Any = None
    format: str = FILE_FORMATS[0]
    sql_conn_id: Any = None
    table_prefix: Any = "outreach_"


def read_place(to: object) -> ExportPlace:
    """A place as a DAG writes it.

    :param to: a folder, whose ending may name the format (``lake.parquet``); what becomes one when the task runs; or as
        in a workflow file ``{"csv": folder}``, ``{"parquet": folder}``, ``{"sql": {"conn_id": …, "table_prefix": …}}``.
    :raises ConfigurationError: none of these.
    """
    if isinstance(to, Mapping):
        return _named_place(to)
    folder = _folder(to, "to")
    ending = folder.rstrip("/").rpartition(".")[2].lower() if isinstance(folder, str) else ""
    return ExportPlace(folder, path=folder, format=ending if ending in FILE_FORMATS else FILE_FORMATS[0])


def _named_place(to: Mapping[Any, Any]) -> ExportPlace:
    if len(to) != 1:
        raise ConfigurationError(f"to names {len(to)} places", _PLACES)
    ((kind, value),) = to.items()
    if kind in FILE_FORMATS:
        folder = _folder(value, f"to {kind}")
        return ExportPlace({kind: folder}, path=folder, format=str(kind))
    if kind != "sql":
        raise ConfigurationError(
            f"to holds {str(kind)[:40]!r}", did_you_mean(str(kind), (*FILE_FORMATS, "sql"))
        )
    said = dict(value) if isinstance(value, Mapping) else {"conn_id": value}
    for name in said:
        if name not in _SQL:
            raise ConfigurationError(f"to sql holds {str(name)[:40]!r}", did_you_mean(str(name), _SQL))
    conn_id, prefix = _folder(said.get("conn_id"), "to sql conn_id"), said.get("table_prefix", "outreach_")
    if not said_later(prefix):
        check_text("to sql table_prefix", prefix, _PREFIXES)
        read_name("to sql table_prefix", prefix)
        if prefix and not _PREFIX.fullmatch(prefix):
            raise wrong("to sql table_prefix", prefix, _PREFIXES)
    written = {"sql": {"conn_id": conn_id, "table_prefix": prefix or ""}}
    return ExportPlace(written, sql_conn_id=conn_id, table_prefix=prefix or "")


def _folder(value: object, name: str) -> Any:
    """A text that is not empty, or what becomes one; a path as its text."""
    if is_path(value):
        return str(value)
    if not said_later(value):
        if not (isinstance(value, str) and value.strip()):
            raise wrong(name, value, _PLACES)
        read_name(name, value)
    return value


def as_shown(data: DataSet, row: Mapping[str, Any], personal: Personal) -> dict[str, Any]:
    """A row in the order of its columns, as it may leave."""
    columns = COLUMNS[data]
    if personal is Personal.WHOLE:
        return {name: row[name] for name in columns}
    shown = {
        name: _MASKS[name](value) if value is not None and name in _MASKS else value
        for name in columns
        for value in (row[name],)
    }
    for name in _IDS & shown.keys():
        shown[name] = mask_id(row[name], [row.get("phone")]) if row[name] else row[name]
    return shown
