"""The SQLite store holds names, numbers and messages: only its owner may read it, side files included."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from stat import S_IMODE

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import StoreError

PRIVATE = 0o600
_LEFT_BY_OLDER_VERSIONS = 0o644
_SIDE_FILES = ("-wal", "-shm", "-journal")


def create_private(path: str) -> None:
    """Make an empty database file before SQLite does, so that nobody else may ever read it.

    One that is there is left as it is. SQLite gives its side files the mode of the file.

    :raises StoreError: the file cannot be made; the message names it.
    """
    path = os.path.realpath(path)  # a link may lead to a file that is not there yet
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), PRIVATE)
    except FileExistsError:
        if os.path.isdir(path):
            raise StoreError(
                f"the outreach store {path} is a folder — name a file in it, in [outreach] sql_alchemy_conn"
            ) from None
        return
    except OSError as error:
        raise StoreError(
            f"the outreach store {path} cannot be made: {error.strerror} — make its folder, give the user who runs "
            "Airflow the right to write there, or name another file in [outreach] sql_alchemy_conn"
        ) from error
    try:
        os.fchmod(file, PRIVATE)  # a umask may have taken rights from the owner too
    finally:
        os.close(file)


def file_at(path: str) -> tuple[int, int] | None:
    """Which file stands there now: what is written into one that was moved away or removed, nobody reads.

    None where there is none.
    """
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_to_others(url: sa.URL) -> list[tuple[Path, int]]:
    """Files of the store that more than their owner may use, with their modes; none on a server."""
    return [(path, mode) for path, mode in _files(url) if mode & ~PRIVATE & 0o777]


def tighten(url: sa.URL) -> bool:
    """Make a store private that an older version of this package left readable for everybody.

    Any other mode is somebody's choice, e.g. for a group that shares the store.

    :return: whether anything was changed.
    """
    files = _files(url)
    if not files or files[0][1] != _LEFT_BY_OLDER_VERSIONS:
        return False
    changed = False
    for path, mode in files:
        if mode == _LEFT_BY_OLDER_VERSIONS:
            with contextlib.suppress(OSError):  # somebody else's, or a side file that has gone
                path.chmod(PRIVATE)
                changed = True
    return changed


def _files(url: sa.URL) -> list[tuple[Path, int]]:
    """The database's files that are there and their modes, the main one first."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    found = []
    for ending in ("", *_SIDE_FILES):
        path = Path(url.database + ending)
        try:
            found.append((path, S_IMODE(path.stat().st_mode)))
        except OSError:
            if not ending:
                return []
    return found
