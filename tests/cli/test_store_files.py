"""``airflow outreach db …`` and who may read the store's files."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from stat import S_IMODE

import pytest

from airflow_outreach_provider.cli.store import db_check, db_upgrade


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a store that was upgraded by the command."""
    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path / 'out reach.db'}")
    db_upgrade(Namespace())
    return tmp_path / "out reach.db"


def test_a_private_store_is_nothing_to_tell(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither command says a word about modes."""
    db_check(Namespace())
    assert "chmod" not in capsys.readouterr().out


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_check_tells_who_else_may_use_it_and_changes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str], mode: int
) -> None:
    """The file, its mode and the remedy, as a command to paste; the check itself goes well."""
    path.chmod(mode)
    db_check(Namespace())
    assert f"(mode {mode:04o}) — unless that is meant: chmod 600 '{path}'" in capsys.readouterr().out
    assert S_IMODE(path.stat().st_mode) == mode


def test_upgrade_ends_what_an_older_version_left(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0644 becomes 0600 and is said; a group's 0660 is told and stays."""
    path.chmod(0o644)
    db_upgrade(Namespace())
    assert "only its owner may read it now" in capsys.readouterr().out
    assert S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o660)
    db_upgrade(Namespace())
    assert "(mode 0660)" in capsys.readouterr().out
    assert S_IMODE(path.stat().st_mode) == 0o660
