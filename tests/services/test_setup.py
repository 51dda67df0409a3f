"""The checks of an installation: each by itself, in its time, and the store's own ones on real databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from stores import Reused, user_of

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.core.setup import CheckResult, fail, ok, worst
from airflow_outreach_provider.hooks.advice import advice_on
from airflow_outreach_provider.services.setup import SetupCheck, run_checks, store_checks
from airflow_outreach_provider.store import migrate, suppressions
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import HEAD, VERSION_TABLE, upgrade


def _raising(error: Exception) -> Callable[[], CheckResult]:
    def look() -> CheckResult:
        raise error

    return look


@pytest.mark.slow
def test_no_check_hides_or_delays_another() -> None:
    """One hangs, one fails with advice, one as nobody foresaw, one gives two findings: all are told, in order."""
    never = threading.Event()

    def hang() -> CheckResult:
        never.wait(30)
        return ok("hangs", "")

    checks = [
        SetupCheck("good", lambda: ok("good", "here")),
        SetupCheck("hangs", hang),
        SetupCheck("mistake", _raising(ConfigurationError("[outreach] x is wrong — really", "set it to 1"))),
        SetupCheck("away", _raising(StoreError("no route to host"))),
        SetupCheck("bug", _raising(ZeroDivisionError("password=hunter2"))),
        SetupCheck("two", lambda: [ok("a", "1"), fail("b", "2", "do it")]),
    ]
    began = time.monotonic()
    found = run_checks(checks, advice_on, seconds=0.5)
    never.set()
    assert time.monotonic() - began < 5
    assert [(each.name, each.state) for each in found] == [
        ("good", "ok"), ("hangs", "unknown"), ("mistake", "fail"), ("away", "fail"), ("bug", "unknown"), ("a", "ok"), ("b", "fail"),
    ]  # fmt: skip
    assert found[2] == fail("mistake", "[outreach] x is wrong — really", "set it to 1")
    assert found[3].found == "no route to host"
    assert "hunter2" not in str(found[4])
    assert worst(found) == "fail"


def test_numbers_and_addresses_in_an_error_are_masked() -> None:
    """What a check could not do may quote a person: it is told without them."""
    found = run_checks(
        [SetupCheck("x", _raising(ConfigurationError("row of jane@example.com, +14165550123")))], advice_on
    )
    assert "jane@" not in found[0].found
    assert "5550123" not in found[0].found


def _look(url: str, *, may_upgrade: bool = True, executor: str = "") -> dict[str, CheckResult]:
    checks = store_checks(lambda: Store(url), may_upgrade=lambda: may_upgrade, many_hosts=lambda: executor)
    return {each.name: each for each in run_checks(checks, advice_on)}


def test_a_store_that_is_well(store_url: str, store: Store) -> None:
    """At head, with every right, with a clock like ours."""
    found = _look(store_url)
    assert {name: each.state for name, each in found.items()} == dict.fromkeys(
        ("store", "rights", "clock"), "ok"
    )
    assert migrate.HEAD in found["store"].found


@pytest.mark.parametrize(
    ("may_upgrade", "state", "words"), [(True, "warn", "the first task"), (False, "fail", "run 'airflow")]
)
def test_looking_at_a_store_does_not_make_it(
    store_url: str, may_upgrade: bool, state: str, words: str
) -> None:
    """An empty database, or a file that is not there: said, with who makes it; and it is still so afterwards."""
    found = _look(store_url, may_upgrade=may_upgrade)
    assert found["store"].state == state
    assert "at revision none" in found["store"].found
    assert words in found["store"].remedy
    store = Store(store_url)
    if store.dialect == "sqlite":
        assert not Path(str(store.url.database)).exists()
    else:
        assert migrate.current_revision(store) is None
    store.close()


@pytest.mark.postgres
def test_a_store_that_nobody_here_can_make_is_broken(sqlite_url: str, stranger: str) -> None:
    """No folder for the file, no right to create tables: no first task mends that."""
    nowhere = sqlite_url.replace("outreach.db", "no/folder/outreach.db")
    for url, remedy in ((nowhere, "make its folder"), (stranger, "grant it CREATE")):
        found = _look(url)["store"]
        assert found.state == "fail"
        assert "at revision none" in found.found
        assert remedy in found.remedy


def test_a_newer_store_names_what_to_upgrade(store_url: str, store: Store) -> None:
    """Not "run db upgrade", which cannot help."""
    with store.write() as connection:
        connection.execute(sa.text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
    found = _look(store_url)["store"]
    assert (found.state, found.remedy) == ("fail", "upgrade airflow-provider-outreach on this host")


def test_a_file_is_of_one_host(sqlite_url: str, sqlite_store: Store) -> None:
    """With an executor that spreads tasks over hosts SQLite cannot be meant."""
    found = _look(sqlite_url, executor="CeleryExecutor")["store"]
    assert found.state == "fail"
    assert "CeleryExecutor" in found.found
    assert "PostgreSQL" in found.remedy


def test_a_database_that_is_away_is_no_traceback() -> None:
    """Nobody listens there: each check says so, none quotes the password."""
    found = _look("postgresql://outreach:hunter2@127.0.0.1:1/outreach")
    assert [each.state for each in found.values()] == ["fail", "fail", "fail"]
    assert "hunter2" not in str(found)


@pytest.fixture
def reader(shared_postgres: Reused, emptied: str | None, postgres_admin: sa.Engine) -> Iterator[str]:
    """The URL of a migrated store for a user who may read it and no more."""
    with user_of(postgres_admin, shared_postgres.url, "reader", "SELECT ON ALL TABLES IN SCHEMA") as url:
        yield url


@pytest.fixture
def stranger(postgres_url: str, postgres_admin: sa.Engine) -> Iterator[str]:
    """The URL of an empty schema for a user who may look into it and no more."""
    with user_of(postgres_admin, postgres_url, "stranger") as url:
        yield url


@pytest.mark.slow
@pytest.mark.postgres
def test_rights_that_are_missing_are_named(reader: str, postgres_admin: sa.Engine) -> None:
    """A user who may only read cannot work; one who may write but not change tables works until the next upgrade."""
    found = _look(reader)
    assert found["store"].state == "ok"
    assert found["rights"].state == "fail"
    assert "INSERT on " in found["rights"].found
    url = sa.make_url(reader)
    schema = str(url.query["options"]).rpartition("=")[2]
    with postgres_admin.connect() as connection:
        connection.execute(
            sa.text(f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {url.username}")
        )
    assert _look(reader)["rights"].state == "warn"
    assert _look(reader, may_upgrade=False)["rights"].state == "ok"


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("revision", ["0001", HEAD])
def test_a_standby_is_no_store(postgres_url: str, revision: str) -> None:
    """Whoever may write there by right, and cannot by what the server is, is not told that all is well."""
    store = Store(postgres_url)
    upgrade(store)
    with store.write() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
    store.close()
    standby = sa.make_url(postgres_url)
    options = f"{standby.query['options']} -cdefault_transaction_read_only=on"
    url = standby.update_query_dict({"options": options}).render_as_string(hide_password=False)
    found = _look(url)
    assert found["rights"].state == "fail"
    assert found["store"].state == ("ok" if revision == HEAD else "fail")
    assert "name the server that is written to" in found["rights"].remedy
    with pytest.raises(StoreError, match="name the server that is written to"):
        suppressions.add(Store(url), ["+14165550123"], actor="me")
