"""Nobody but its owner may read the SQLite store, from its first byte on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from stat import S_IMODE

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import VERSION_TABLE, upgrade
from airflow_outreach_provider.store.private_file import create_private, open_to_others, tighten

# Stays open while the modes are looked at: SQLite removes the side files with the last connection.
_USE = """
import os, sys
os.umask(int(sys.argv[2], 8))
from pathlib import Path
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade
store = Store("sqlite:///" + sys.argv[1])
upgrade(store)
with store.read() as connection:
    for file in sorted(Path(sys.argv[1]).parent.iterdir()):
        print(file.name, oct(file.stat().st_mode & 0o777))
"""


def mode(path: Path) -> int:
    return S_IMODE(path.stat().st_mode)


@pytest.mark.slow
@pytest.mark.parametrize("umask", ["0", "022", "077", "0777"])
def test_a_new_store_is_its_owners_alone_under_any_umask(tmp_path: Path, umask: str) -> None:
    """Main file, write-ahead log and shared memory are 0600, whatever the umask of the first process was."""
    ran = subprocess.run(
        [sys.executable, "-c", _USE, str(tmp_path / "outreach.db"), umask],
        capture_output=True,
        text=True,
        check=True,
    )
    modes = dict(line.split() for line in ran.stdout.splitlines())
    assert set(modes) == {"outreach.db", "outreach.db-wal", "outreach.db-shm"}
    assert set(modes.values()) == {"0o600"}


def test_there_is_no_moment_in_which_others_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is private when SQLite opens it, and is made with these rights rather than given them later."""
    path = tmp_path / "outreach.db"
    made = []
    real = os.open

    def watched(*args: object, **more: object) -> int:
        file = real(*args, **more)  # type: ignore[arg-type]
        made.append(mode(path))
        return file

    before = os.umask(0)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", watched)
            create_private(str(path))
    finally:
        os.umask(before)
    assert made == [0o600]


def test_a_link_to_a_file_that_is_not_there_yet_makes_a_private_one(tmp_path: Path) -> None:
    """A store kept elsewhere by a link is private there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "outreach.db").symlink_to(tmp_path / "elsewhere" / "real.db")
    upgrade(Store(f"sqlite:///{tmp_path / 'outreach.db'}"))
    assert mode(tmp_path / "elsewhere" / "real.db") == 0o600


@pytest.mark.parametrize("chosen", [0o640, 0o660, 0o664, 0o666])
def test_a_mode_that_somebody_chose_is_told_and_kept(tmp_path: Path, chosen: int) -> None:
    """A group that shares a store goes on sharing it, side files included, and ``db check`` says so."""
    path = tmp_path / "outreach.db"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    path.chmod(chosen)
    assert not tighten(store.url)
    assert mode(path) == chosen
    assert (path, chosen) in open_to_others(store.url)
    store.close()
    again = Store(f"sqlite:///{path}")
    with again.write() as connection:
        connection.execute(sa.text("CREATE TABLE x (y INTEGER)"))
    assert mode(Path(f"{path}-wal")) == chosen
    again.close()


def test_what_an_older_version_left_readable_is_made_private_by_an_upgrade(tmp_path: Path) -> None:
    """0644 was nobody's choice: a schema upgrade ends it, side files included, and a plain opening does not."""
    path = tmp_path / "outreach.db"
    path.touch(0o644)
    path.chmod(0o644)
    store = Store(f"sqlite:///{path}")
    assert upgrade(store)
    assert [mode(file) for file in tmp_path.iterdir()] == [0o600] * len(list(tmp_path.iterdir()))
    assert open_to_others(store.url) == []
    path.chmod(0o644)
    assert not upgrade(store)
    assert mode(path) == 0o644
    with store.read() as connection:
        connection.execute(sa.text(f"SELECT * FROM {VERSION_TABLE}"))
    store.close()


def test_a_store_that_cannot_be_made_says_where_and_what_to_do(tmp_path: Path) -> None:
    """A folder that is not there is named, with the ways out."""
    store = Store(f"sqlite:///{tmp_path / 'nowhere' / 'outreach.db'}")
    with pytest.raises(
        StoreError, match=r"nowhere/outreach\.db cannot be made: No such file.*make its folder"
    ):
        upgrade(store)


def test_a_folder_in_place_of_the_file_is_told_as_one(tmp_path: Path) -> None:
    """Not as one that cannot be opened, with rights to be given."""
    store = Store(f"sqlite:///{tmp_path}")
    with pytest.raises(StoreError, match="is a folder — name a file in it"):
        upgrade(store)
    store.close()


def test_a_server_has_no_files_of_ours(postgres_url: str) -> None:
    """On PostgreSQL there is nothing to look at or to change."""
    url = sa.make_url(postgres_url)
    assert open_to_others(url) == []
    assert not tighten(url)
