"""``[outreach] auto_upgrade``: the store's tables are there for whoever comes first, on either database."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from processes import at_once
from stores import make_first_revision, user_of

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.get_provider_info import get_provider_info
from airflow_outreach_provider.hooks import settings
from airflow_outreach_provider.store import audit, migrate
from airflow_outreach_provider.store.engine import Store

_OPEN = """\
import alembic.config, alembic.op, alembic.runtime.environment, sys
from airflow_outreach_provider.hooks.settings import open_store
from airflow_outreach_provider.store.migrate import current_revision
print("ready", flush=True)
sys.stdin.readline()
print("at", current_revision(open_store()), flush=True)
"""


@pytest.fixture
def url(store_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, the one this installation names."""
    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", store_url)
    return store_url


def _older(url: str) -> None:
    """A store as the first version left it."""
    store = Store(url)
    with store.write() as connection:
        make_first_revision(connection)
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
def test_processes_that_start_at_once_all_find_it_ready(url: str, older: bool) -> None:
    """Four processes open a store that is not there, or is older, at the same moment: one upgrades it, all go on."""
    if older:
        _older(url)
    assert at_once(_OPEN, map(str, range(4))) == [f"at {migrate.HEAD}\n"] * 4
    store = Store(url)
    told = [row.subject for row in audit.entries(store).rows]
    assert told == ([f"the store, from revision 0001 to {migrate.HEAD}"] if older else [])
    store.close()


@pytest.mark.slow
def test_switched_off_it_is_an_administrators_step(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off: nothing is made, and the command that makes it is named; whoever ran it is let in."""
    monkeypatch.setenv("AIRFLOW__OUTREACH__AUTO_UPGRADE", "False")
    with pytest.raises(StoreError, match="airflow outreach db upgrade"):
        settings.open_store()
    store = Store(url)
    assert migrate.current_revision(store) is None
    migrate.upgrade(store)
    assert settings.open_store().url == store.url
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("said", ["True", "False"])
def test_a_newer_store_is_explained_and_left_alone(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made by a newer version: which revision, and what to upgrade, whatever the option says."""
    store = Store(url)
    migrate.upgrade(store)
    with store.write() as connection:
        connection.execute(sa.text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
    monkeypatch.setenv("AIRFLOW__OUTREACH__AUTO_UPGRADE", said)
    with pytest.raises(StoreError, match=r"9999.*upgrade airflow-provider-outreach on this host"):
        settings.open_store()
    assert migrate.current_revision(store) == "9999"
    store.close()


@pytest.fixture
def guest(postgres_url: str, postgres_admin: sa.Engine) -> Iterator[str]:
    """The URL of a schema for a user who may look into it and no more."""
    with user_of(postgres_admin, postgres_url, "guest", password="a long password") as url:
        yield url


def test_a_user_who_may_not_create_tables_is_told_who_may(
    guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not "permission denied for schema": what to grant, or what to run, and no password."""
    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", guest)
    with pytest.raises(StoreError, match=r"may not create.*grant it CREATE.*db upgrade") as raised:
        settings.open_store()
    assert "a long password" not in str(raised.value)


def test_the_option_is_declared_and_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """On as Airflow lists it; any way to write yes and no; anything else is refused by name."""
    declared = get_provider_info()["config"]["outreach"]["options"]["auto_upgrade"]
    assert declared["default"] == "True"
    assert declared["version_added"]
    assert os.environ.get("AIRFLOW__OUTREACH__AUTO_UPGRADE") is None
    assert settings.auto_upgrade()
    for said, on in (("", True), ("yes", True), (" False ", False), ("0", False), ("off", False)):
        monkeypatch.setenv("AIRFLOW__OUTREACH__AUTO_UPGRADE", said)
        assert settings.auto_upgrade() is on
    monkeypatch.setenv("AIRFLOW__OUTREACH__AUTO_UPGRADE", "maybe")
    with pytest.raises(ConfigurationError, match=r"\[outreach\] auto_upgrade is 'maybe'"):
        settings.auto_upgrade()
