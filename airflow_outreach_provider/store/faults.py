"""What an error of the database means for whoever meets it: try at once, wait for it, or tell a person."""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import exc


class FaultKind(StrEnum):
    """:cvar CONFLICT: the database broke a tie between two writers; the same may be tried at once.
    :cvar BUSY: it lets nobody in for the moment; nothing was done.
    :cvar OTHER: anything else.
    """

    CONFLICT = "conflict"
    BUSY = "busy"
    OTHER = "other"


class StoreFault(NamedTuple):
    """:ivar remedy: what to do where waiting did not help; empty where the error itself says it."""

    kind: FaultKind
    remedy: str = ""


_FULL = (
    "give it more (max_connections, or the role's CONNECTION LIMIT), run fewer tasks at once, or put pgbouncer in "
    "between; see Connections in docs/settings.md"
)
_STARTING = "it is being started or stopped; the task's retry goes on where this try ended"
_POOLER = (
    "pgbouncer has no room: give it more (max_client_conn, default_pool_size), or run fewer tasks at once"
)
_OPTIONS = "pgbouncer takes no options=… of a URL: say them with ALTER ROLE … SET, and leave them out"
_PREPARED = "a pooler is in between: set [outreach] sql_alchemy_prepare to False"
_LOCKED = "another process writes the SQLite file for long; PostgreSQL is for many tasks at once"
_EMPTY = (
    "was its file moved or removed? put it back: with an empty one everybody would be texted anew. Is it to be empty, run "
    "'airflow outreach db upgrade'"
)
_AWAY = "is the database up, and does [outreach] sql_alchemy_conn name it, user and password?"
_NO_STORE = "name the store's own file in [outreach] sql_alchemy_conn, or put its backup back"
_READ_ONLY = "give the user who runs Airflow the right to write to the file and to its folder"
STANDBY = "it is a standby, or set to be read only: name the server that is written to in [outreach] sql_alchemy_conn"
_NO_ROOM = (
    "its disk is full, or its quota used up: give it room; the task's retry goes on where this try ended"
)
_OWN = "this process has all its connections in use; set [outreach] sql_alchemy_pool_size higher"

_BY_STATE = {
    "25006": StoreFault(FaultKind.OTHER, STANDBY),
    "40001": StoreFault(FaultKind.CONFLICT),
    "40P01": StoreFault(FaultKind.CONFLICT),
    "53100": StoreFault(FaultKind.OTHER, _NO_ROOM),
    "53300": StoreFault(FaultKind.BUSY, _FULL),
    "57P01": StoreFault(
        FaultKind.OTHER, _STARTING
    ),  # something may have been done: not waited for in the middle of it
    "57P03": StoreFault(FaultKind.BUSY, _STARTING),
    "26000": StoreFault(FaultKind.OTHER, _PREPARED),
    "42P05": StoreFault(FaultKind.OTHER, _PREPARED),
}
# Of what a server says before it lets anybody in, libpq hands on the words alone.
_BY_WORDS = (
    ("too many connections", StoreFault(FaultKind.BUSY, _FULL)),
    ("too many clients", StoreFault(FaultKind.BUSY, _FULL)),
    ("remaining connection slots are reserved", StoreFault(FaultKind.BUSY, _FULL)),
    ("no more connections allowed", StoreFault(FaultKind.BUSY, _POOLER)),
    ("query_wait_timeout", StoreFault(FaultKind.BUSY, _POOLER)),
    ("pgbouncer is shutting down", StoreFault(FaultKind.BUSY, _STARTING)),
    ("the database system is starting up", StoreFault(FaultKind.BUSY, _STARTING)),
    ("the database system is shutting down", StoreFault(FaultKind.BUSY, _STARTING)),
    ("the database system is not yet accepting connections", StoreFault(FaultKind.BUSY, _STARTING)),
    ("the database system is in recovery mode", StoreFault(FaultKind.BUSY, _STARTING)),
    ("unsupported startup parameter", StoreFault(FaultKind.OTHER, _OPTIONS)),
    # After all those that tell more.
    ("connection failed", StoreFault(FaultKind.OTHER, _AWAY)),
    ("connection timeout expired", StoreFault(FaultKind.OTHER, _AWAY)),
    ("failed to resolve host", StoreFault(FaultKind.OTHER, _AWAY)),
)
_BY_WORDS_OF_FILES = (
    ("no such table", StoreFault(FaultKind.OTHER, _EMPTY)),
    ("file is not a database", StoreFault(FaultKind.OTHER, _NO_STORE)),
    ("database disk image is malformed", StoreFault(FaultKind.OTHER, _NO_STORE)),
    ("database or disk is full", StoreFault(FaultKind.OTHER, _NO_ROOM)),
    ("readonly database", StoreFault(FaultKind.OTHER, _READ_ONLY)),
    ("unable to open database file", StoreFault(FaultKind.OTHER, _READ_ONLY)),
)
_OTHER = StoreFault(FaultKind.OTHER)


def fault_of(error: BaseException) -> StoreFault:
    """What this error of SQLAlchemy's or a driver's means."""
    if isinstance(error, exc.TimeoutError):
        return StoreFault(FaultKind.OTHER, _OWN)
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    said = str(origin)
    if isinstance(origin, sqlite3.Error):
        locked = "database is locked" in said or "database table is locked" in said
        if locked:
            return StoreFault(FaultKind.CONFLICT, _LOCKED)
        return _by_words(said, _BY_WORDS_OF_FILES)
    known = _BY_STATE.get(getattr(origin, "sqlstate", None) or "")
    return known or _by_words(said, _BY_WORDS)


def _by_words(said: str, table: tuple[tuple[str, StoreFault], ...]) -> StoreFault:
    return next((fault for words, fault in table if words in said), _OTHER)
